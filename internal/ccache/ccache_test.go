package ccache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	gokrb5 "github.com/jcmturner/gokrb5/v8/credentials"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// The files in testdata were written by MIT's kinit and kvno in the realm
// X.TEST: v1 to v4 in the four versions, v1 to v3 and addresses with the
// machine's addresses in the ticket, u2u with a user-to-user ticket, removed is
// v4 after krb5_cc_remove_cred of the service ticket and of a setting.
var (
	alice = principal.Name{Type: principal.TypePrincipal, Realm: "X.TEST", Components: []string{"alice"}}
	bob   = principal.Name{Type: principal.TypePrincipal, Realm: "X.TEST", Components: []string{"bob"}}
	tgs   = principal.Name{Type: principal.TypeSrvInst, Realm: "X.TEST", Components: []string{"krbtgt", "X.TEST"}}
	web   = principal.Name{Type: principal.TypePrincipal, Realm: "X.TEST", Components: []string{"HTTP", "web.x.test"}}
)

// login is when the tickets in testdata were issued.
var login = time.Date(2026, 11, 24, 21, 55, 26, 0, time.UTC)

func load(t *testing.T, file string) *Cache {
	t.Helper()
	c, _, err := ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadMIT(t *testing.T) {
	addresses := []TypedData{
		{2, []byte{192, 0, 2, 2}},
		{24, []byte{0xfd, 14: 0, 15: 2}},
	}
	const renewableTGT = FlagRenewable | FlagInitial
	for _, tc := range []struct {
		file      string
		servers   []principal.Name
		flags     uint32 // of the first
		renew     bool
		addresses []TypedData
	}{
		{"v1.ccache", []principal.Name{tgs}, renewableTGT, true, addresses},
		{"v2.ccache", []principal.Name{tgs}, renewableTGT, true, addresses},
		{"v3.ccache", []principal.Name{tgs}, renewableTGT, true, addresses},
		{"v4.ccache", []principal.Name{tgs, web}, renewableTGT | FlagForwardable, true, nil},
		{"removed.ccache", []principal.Name{tgs}, renewableTGT | FlagForwardable, true, nil},
		{"addresses.ccache", []principal.Name{tgs}, FlagInitial, false, addresses},
		{"u2u.ccache", []principal.Name{tgs, bob}, FlagInitial, false, nil},
	} {
		c := load(t, tc.file)
		if !c.Principal.Equal(alice) || c.KDCOffset != 0 || len(c.Creds) != len(tc.servers) {
			t.Errorf("%s: got %+v", tc.file, c)
			continue
		}
		for i, want := range tc.servers {
			got := c.Creds[i]
			ok := got.Server.Equal(want) && got.Client.Equal(alice) && got.KeyType == 18 && len(got.Key) == 32 &&
				got.AuthTime.Equal(login) && got.Starts().Equal(login) && got.EndTime.Equal(login.Add(24*time.Hour)) &&
				len(got.Ticket) > 200 && got.Ticket[0] == 0x61
			if !ok {
				t.Errorf("%s: credential %d is %v, want a ticket for %v", tc.file, i, got, want)
			}
		}
		tgt := c.Creds[0]
		renewTill := time.Time{}
		if tc.renew {
			renewTill = login.Add(48 * time.Hour)
		}
		if tgt.Flags&(FlagForwardable|renewableTGT) != tc.flags || !tgt.RenewTill.Equal(renewTill) {
			t.Errorf("%s: flags %#x, renewable till %v", tc.file, tgt.Flags, tgt.RenewTill)
		}
		if !reflect.DeepEqual(tgt.Addresses, tc.addresses) {
			t.Errorf("%s: addresses %v, want %v", tc.file, tgt.Addresses, tc.addresses)
		}
	}
}

func TestUserToUser(t *testing.T) {
	c := load(t, "u2u.ccache")
	if c.Creds[0].IsSKey || c.Creds[0].SecondTicket != nil {
		t.Error("the TGT is taken for a user-to-user ticket")
	}
	if u := c.Creds[1]; !u.IsSKey || len(u.SecondTicket) < 200 || u.SecondTicket[0] != 0x61 {
		t.Errorf("the user-to-user ticket has IsSKey %v and a second ticket of %d octets", u.IsSKey, len(u.SecondTicket))
	}
}

func TestConfig(t *testing.T) {
	const about = "krbtgt/X.TEST@X.TEST"
	for _, file := range []string{"v1.ccache", "v2.ccache", "v3.ccache", "v4.ccache"} {
		c := load(t, file)
		if v, ok := c.ConfigFor("fast_avail", about); !ok || string(v) != "yes" {
			t.Errorf("%s: fast_avail is %q, %v", file, v, ok)
		}
		if v, ok := c.Config("fast_avail"); ok {
			t.Errorf("%s: the cache as a whole has fast_avail %q", file, v)
		}
	}
	if v, ok := load(t, "removed.ccache").ConfigFor("fast_avail", about); ok {
		t.Errorf("the removed setting is %q", v)
	}

	c := &Cache{Principal: alice}
	c.SetConfig("start_realm", "", []byte("A"))
	c.SetConfig("start_realm", "", []byte("B"))
	c.SetConfig("pa_type", about, []byte("2"))
	c = reread(t, c)
	if v, _ := c.Config("start_realm"); string(v) != "B" {
		t.Errorf("a setting that was set twice is %q", v)
	}
	if v, _ := c.ConfigFor("pa_type", about); string(v) != "2" || len(c.Creds) != 0 {
		t.Errorf("pa_type is %q and there are %d tickets", v, len(c.Creds))
	}
	c.SetConfig("start_realm", "", nil)
	if v, ok := reread(t, c).Config("start_realm"); ok {
		t.Errorf("a setting that was removed is %q", v)
	}
}

func reread(t *testing.T, c *Cache) *Cache {
	t.Helper()
	again, err := Parse(c.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// Our version 4 is MIT's, octet for octet. (Not so with u2u, where MIT writes
// IsSKey as 8, a bit of the request that it was copied from.)
func TestMarshalAsMIT(t *testing.T) {
	for _, file := range []string{"v4.ccache", "addresses.ccache"} {
		want, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if got := load(t, file).Marshal(); !bytes.Equal(got, want) {
			t.Errorf("%s: written back it is\n%x, want\n%x", file, got, want)
		}
	}
}

// fullCredential has something in every field.
func fullCredential() Credential {
	return Credential{
		Client: alice, Server: web, KeyType: 20, Key: bytes.Repeat([]byte{7}, 32),
		AuthTime:  time.Unix(1, 0).UTC(),
		StartTime: time.Unix(1<<31-1, 0).UTC(),
		EndTime:   time.Unix(1<<31, 0).UTC(), // after 2038
		RenewTill: time.Unix(1<<32-1, 0).UTC(),
		IsSKey:    true, Flags: FlagOKAsDelegate | FlagForwarded,
		Addresses: []TypedData{{20, []byte("HOST            ")}, {-5, nil}},
		AuthData:  []TypedData{{1, []byte("if relevant")}, {512, []byte{0}}},
		Ticket:    []byte("ticket"), SecondTicket: []byte("second"),
	}
}

func TestRoundTrip(t *testing.T) {
	for _, offset := range []time.Duration{0, 3*time.Second + 5*time.Microsecond, -90*time.Second - 250*time.Millisecond} {
		want := &Cache{Principal: alice, KDCOffset: offset, Creds: []Credential{fullCredential(), {}}}
		if got := reread(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
	}
}

func TestTimeBounds(t *testing.T) {
	c := fullCredential()
	c.AuthTime, c.RenewTill = time.Unix(-5, 0), time.Unix(1<<40, 0)
	got := reread(t, &Cache{Principal: alice, Creds: []Credential{c}}).Creds[0]
	if got.AuthTime.IsZero() || got.AuthTime.Unix() != 1 || got.RenewTill.Unix() != 1<<32-1 {
		t.Errorf("times out of range became %v and %v", got.AuthTime, got.RenewTill)
	}
}

func TestHeader(t *testing.T) {
	head := func(fields ...byte) []byte { return append([]byte{5, 4, 0, byte(len(fields))}, fields...) }
	name := appendName(nil, alice)
	for what, tc := range map[string]struct {
		head []byte
		want time.Duration
	}{
		"none":            {head(), 0},
		"unknown tag":     {head(0, 9, 0, 1, 'x', 0, 1, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0), 2 * time.Second},
		"negative offset": {head(0, 1, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff), -2*time.Second - time.Microsecond},
		"short offset":    {head(0, 1, 0, 2, 0, 1), 0},
	} {
		c, err := Parse(append(tc.head, name...))
		if err != nil || c.KDCOffset != tc.want || !c.Principal.Equal(alice) {
			t.Errorf("%s: got %+v, %v", what, c, err)
		}
	}
	if c, err := Parse(append(head(0, 1, 0, 9), name...)); !errors.Is(err, ErrFormat) {
		t.Errorf("a field beyond the header's end: got %+v, %v", c, err)
	}
}

func TestParseTruncated(t *testing.T) {
	for _, file := range []string{"v1.ccache", "v4.ccache"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for n := range b {
			c, err := Parse(b[:n])
			if err == nil {
				whole++ // the end of the header, or of a credential
				continue
			}
			if c != nil || !errors.Is(err, ErrFormat) {
				t.Fatalf("%s: the first %d octets give %v, %v", file, n, c, err)
			}
		}
		if want := len(load(t, file).Creds) + 1; whole != want {
			t.Errorf("%s: %d beginnings of the file are caches, want %d", file, whole, want)
		}
	}
	if _, err := Parse(nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an empty file: %v, want io.ErrUnexpectedEOF", err)
	}
}

func TestParseRefuses(t *testing.T) {
	head := []byte{5, 4, 0, 0}
	name := appendName(nil, alice)
	huge := []byte{0xff, 0xff, 0xff, 0xff}
	cred := appendCredential(nil, 4, Credential{Client: alice, Server: web})
	counts := len(cred) - 16 // the four last counts are empty
	for what, b := range map[string][]byte{
		"text":            []byte("ticket cache"),
		"version 0":       {5, 0, 0, 0},
		"version 5":       {5, 5, 0, 0},
		"components":      bytes.Join([][]byte{head, {0, 0, 0, 1}, huge, make([]byte, 1<<17)}, nil),
		"realm's length":  bytes.Join([][]byte{head, {0, 0, 0, 1, 0, 0, 0, 1}, huge}, nil),
		"addresses":       bytes.Join([][]byte{head, name, cred[:counts], huge, make([]byte, 1<<17)}, nil),
		"authdata":        bytes.Join([][]byte{head, name, cred[:counts+4], huge, make([]byte, 1<<17)}, nil),
		"ticket's length": bytes.Join([][]byte{head, name, cred[:counts+8], huge}, nil),
		"too large":       make([]byte, MaxSize+1),
		"v1, no realm":    {5, 1, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		if c, err := Parse(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, %v", what, c, err)
		}
	}
}

func TestNoKeysInText(t *testing.T) {
	c := fullCredential()
	c.Key, c.Ticket = []byte("very-secret-key!"), []byte("very-secret-ticket")
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("credential", "cred", c, "cache", &Cache{Creds: []Credential{c}})
	}
	texts := []string{log.String(), c.String()}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(format, c), fmt.Sprintf(format, &c), fmt.Sprintf(format, Cache{Creds: []Credential{c}}))
	}
	for _, text := range texts {
		for _, secret := range []string{"very-secret", "766572792d736563", "118 101 114 121", "0x76", "dmVyeS1zZWNyZXQ"} {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is in %q", text)
			}
		}
	}
	if !strings.Contains(log.String(), "HTTP/web.x.test@X.TEST") {
		t.Errorf("the log does not name the service: %s", log.String())
	}
}

// gokrb5 reads the same tickets, in the versions and fields that it knows.
func TestAgainstGokrb5(t *testing.T) {
	for _, file := range []string{"v3.ccache", "v4.ccache", "u2u.ccache", "addresses.ccache"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		theirs := new(gokrb5.CCache)
		if err := theirs.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		ours, entries := load(t, file), theirs.GetEntries()
		if len(entries) != len(ours.Creds) {
			t.Fatalf("%s: gokrb5 reads %d tickets, we %d", file, len(entries), len(ours.Creds))
		}
		for i, e := range entries {
			c := ours.Creds[i]
			same := e.Server.PrincipalName.PrincipalNameString() == c.Server.Text() && e.Server.Realm == c.Server.Realm &&
				e.Key.KeyType == c.KeyType && bytes.Equal(e.Key.KeyValue, c.Key) &&
				e.AuthTime.Equal(c.AuthTime) && e.EndTime.Equal(c.EndTime) && e.IsSKey == c.IsSKey &&
				bytes.Equal(e.Ticket, c.Ticket) && len(e.SecondTicket) == len(c.SecondTicket) && len(e.Addresses) == len(c.Addresses)
			if !same {
				t.Errorf("%s: ticket %d is %v, gokrb5 has another", file, i, c)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.ccache")
	if err != nil || len(paths) == 0 {
		f.Fatal("no caches in testdata", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add((&Cache{Principal: alice, KDCOffset: -time.Second, Creds: []Credential{fullCredential()}}).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("the error %v does not wrap ErrFormat", err)
			}
			return
		}
		again, err := Parse(c.Marshal())
		if err != nil {
			t.Fatalf("what was read is written as no cache: %v", err)
		}
		if !reflect.DeepEqual(again, c) {
			t.Errorf("%#v is written and read again as %#v", c, again)
		}
	})
}
