package pac_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	gopac "github.com/jcmturner/gokrb5/v8/pac"
	"github.com/jcmturner/gokrb5/v8/test/testdata"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/pac"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func key(tb testing.TB, id etype.ID, fill byte) *etype.Key {
	tb.Helper()
	k, err := etype.NewKey(id, bytes.Repeat([]byte{fill}, id.KeySize()))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// windowsKey is that of the service for which a Windows domain controller made
// the PAC.
func windowsKey(tb testing.TB) *etype.Key {
	tb.Helper()
	kt := keytab.New()
	if err := kt.Unmarshal(unhex(tb, testdata.KEYTAB_SYSHTTP_TEST_GOKRB5)); err != nil {
		tb.Fatal(err)
	}
	k, _, err := kt.GetEncryptionKey(types.PrincipalName{NameType: 1, NameString: []string{"sysHTTP"}}, "TEST.GOKRB5", 2, 18)
	if err != nil {
		tb.Fatal(err)
	}
	got, err := etype.NewKey(etype.ID(k.KeyType), k.KeyValue)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// A PAC of Windows is read as it is known to be, and its signature verifies with
// the service's key and no other.
func TestWindows(t *testing.T) {
	b := unhex(t, testdata.MarshaledPAC_AD_WIN2K_PAC)
	p, err := pac.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.VerifyServer(windowsKey(t)); err != nil {
		t.Error(err)
	}
	if err := p.VerifyServer(key(t, etype.AES256SHA1, 1)); !errors.Is(err, pac.ErrSignature) {
		t.Errorf("another key verifies it: %v", err)
	}
	l, err := p.Logon()
	if err != nil {
		t.Fatal(err)
	}
	if l.EffectiveName != "testuser1" || l.FullName != "Test1 User1" || l.LogonServer != "ADDC" || l.LogonDomain != "TEST" ||
		l.UserID != 1105 || l.PrimaryGroup != 513 || l.Domain.String() != "S-1-5-21-3167651404-3865080224-2280184895" {
		t.Errorf("it is of %+v", l)
	}
	if want := []pac.Group{{513, 7}, {1108, 7}, {1109, 7}, {1115, 7}, {1116, 7}}; !sameGroups(l.Groups, want) {
		t.Errorf("its groups are %v, want %v", l.Groups, want)
	}
	if want := time.Date(2017, 5, 6, 15, 53, 11, 0, time.UTC); l.LogonTime.Truncate(time.Second) != want {
		t.Errorf("the user logged on at %s, want %s", l.LogonTime, want)
	}
	c, ok, err := p.Client()
	if err != nil || !ok || c.Name != "testuser1" {
		t.Errorf("the client is %+v, %t, %v", c, ok, err)
	}
	u, ok, err := p.UPN()
	if err != nil || !ok || u.Name != "testuser1@test.gokrb5" || u.DNSDomain != "TEST.GOKRB5" || u.Constructed {
		t.Errorf("the principal name is %+v, %t, %v", u, ok, err)
	}
}

func sameGroups(a, b []pac.Group) bool {
	less := func(a, b pac.Group) int { return int(a.RID) - int(b.RID) }
	a, b = slices.SortedFunc(slices.Values(a), less), slices.SortedFunc(slices.Values(b), less)
	return slices.Equal(a, b)
}

// sample has all that there is.
func sample() *pac.Logon {
	domain, _ := pac.ParseSID("S-1-5-21-1-22-333")
	other, _ := pac.ParseSID("S-1-5-21-9-8-7")
	asserted, _ := pac.ParseSID("S-1-18-1")
	return &pac.Logon{
		LogonTime: time.Unix(1700000000, 100).UTC(), PasswordLastSet: time.Unix(1600000000, 0).UTC(),
		EffectiveName: "alice", FullName: "Älice 😀", LogonServer: "DC1", LogonDomain: "EXAMPLE",
		Domain: domain, UserID: 1105, PrimaryGroup: 513,
		Groups: []pac.Group{{513, 7}, {1200, 7}}, Extra: []pac.SIDGroup{{asserted, 7}, {other.With(4711), pac.DenyOnly}},
		ResourceDomain: other, Resource: []pac.Group{{2000, 0x20000007}},
	}
}

// What is written is read again, here and by another implementation.
func TestRoundTrip(t *testing.T) {
	for _, id := range []etype.ID{etype.AES256SHA1, etype.AES128SHA1, etype.AES128SHA2, etype.AES256SHA2, etype.RC4HMAC} {
		server, kdc := key(t, id, 1), key(t, etype.AES256SHA1, 2)
		logon := sample()
		client := pac.Client{AuthTime: time.Unix(1700000001, 0).UTC(), Name: "alice"}
		upn := pac.UPN{Name: "alice@example.com", DNSDomain: "EXAMPLE.COM", Constructed: true, Account: "alice", SID: logon.Domain.With(1105)}
		b, err := pac.Marshal([]pac.Buffer{{pac.TypeLogon, logon.Append()}, {pac.TypeClient, client.Append()}, {pac.TypeUPN, upn.Append()}}, server, kdc)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pac.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.VerifyServer(server); err != nil {
			t.Error(err)
		}
		if got, err := p.Logon(); err != nil || !reflect.DeepEqual(got, logon) {
			t.Errorf("got %+v, %v, want %+v", got, err, logon)
		}
		if got, _, err := p.Client(); err != nil || got != client {
			t.Errorf("got %+v, %v, want %+v", got, err, client)
		}
		if got, _, err := p.UPN(); err != nil || !reflect.DeepEqual(got, upn) {
			t.Errorf("got %+v, %v, want %+v", got, err, upn)
		}
		for i := range b {
			changed := bytes.Clone(b)
			changed[i] ^= 1
			q, err := pac.Parse(changed)
			if err == nil && q.VerifyServer(server) == nil && !inKDCSignature(b, i) {
				t.Errorf("%s: a change of octet %d goes unnoticed", id, i)
			}
		}
		if id == etype.AES256SHA1 {
			compareWithGokrb5(t, b, server, logon)
		}
	}
}

// inKDCSignature tells whether an octet is of the signature that only the KDC can
// verify.
func inKDCSignature(b []byte, at int) bool {
	entry := b[8+4*16:]
	offset := int(binary.LittleEndian.Uint64(entry[8:]))
	return at >= offset+4 && at < offset+int(binary.LittleEndian.Uint32(entry[4:]))
}

func compareWithGokrb5(t *testing.T, b []byte, server *etype.Key, logon *pac.Logon) {
	t.Helper()
	var p gopac.PACType
	if err := p.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	if err := p.ProcessPACInfoBuffers(types.EncryptionKey{KeyType: 18, KeyValue: server.Bytes()}, log.New(io.Discard, "", 0)); err != nil {
		t.Fatal(err)
	}
	k := p.KerbValidationInfo // in its full name a surrogate pair is two characters
	want := []string{"S-1-5-21-1-22-333-513", "S-1-5-21-1-22-333-1200", "S-1-18-1", "S-1-5-21-9-8-7-4711", "S-1-5-21-9-8-7-2000"}
	if got := k.GetGroupMembershipSIDs(); !slices.Equal(got, want) {
		t.Errorf("gokrb5 reads the groups %q, want %q", got, want)
	}
	if k.EffectiveName.Value != logon.EffectiveName || k.LogonDomainName.Value != logon.LogonDomain || !k.LogOnTime.Time().Equal(logon.LogonTime) {
		t.Errorf("gokrb5 reads %+v", k)
	}
	if p.UPNDNSInfo.UPN != "alice@example.com" || p.ClientInfo.Name != "alice" {
		t.Errorf("gokrb5 reads the names %q and %q", p.UPNDNSInfo.UPN, p.ClientInfo.Name)
	}
}

func TestSign(t *testing.T) {
	first, second, kdc := key(t, etype.AES256SHA1, 1), key(t, etype.AES128SHA2, 2), key(t, etype.AES256SHA2, 3)
	b, err := pac.Marshal([]pac.Buffer{{pac.TypeLogon, sample().Append()}}, first, kdc)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pac.Sign(b, second, kdc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pac.Parse(again)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.VerifyServer(second); err != nil {
		t.Error(err)
	}
	if err := p.VerifyServer(first); !errors.Is(err, pac.ErrSignature) {
		t.Errorf("the first key verifies it: %v", err)
	}
	if len(p.Buffers()) != 3 {
		t.Errorf("it has %d buffers, want 3", len(p.Buffers()))
	}
}

// What is announced and is not there is an error, and nothing is allocated for it.
func TestMalformed(t *testing.T) {
	logon := sample().Append()
	for cut := range logon[:len(logon)-7] { // it ends with padding
		p := parse(t, pac.Buffer{Type: pac.TypeLogon, Data: logon[:cut]})
		if _, err := p.Logon(); cut > 0 && !errors.Is(err, pac.ErrMalformed) {
			t.Errorf("cut at %d of %d, it is read: %v", cut, len(logon), err)
		}
	}
	upn := (&pac.UPN{Name: "alice@example.com", DNSDomain: "EXAMPLE.COM", Account: "alice", SID: sample().Domain}).Append()
	for cut := range 24 {
		p := parse(t, pac.Buffer{Type: pac.TypeUPN, Data: upn[:cut]})
		if _, _, err := p.UPN(); cut > 0 && !errors.Is(err, pac.ErrMalformed) {
			t.Errorf("cut at %d, the principal name is read: %v", cut, err)
		}
	}
	twice := parse(t, pac.Buffer{Type: pac.TypeLogon, Data: logon}, pac.Buffer{Type: pac.TypeLogon, Data: logon})
	if _, err := twice.Logon(); !errors.Is(err, pac.ErrMalformed) {
		t.Errorf("of two, one is taken: %v", err)
	}
	for _, b := range []string{"", "00000000", "0100000000000000", "ffffffff00000000", "4100000000000000", "0000000001000000",
		"01000000000000000100000010000000" + "1800000000000000", "010000000000000001000000ffffffff" + "1800000000000000"} {
		if _, err := pac.Parse(unhex(t, b)); !errors.Is(err, pac.ErrMalformed) {
			t.Errorf("%s is a PAC: %v", b, err)
		}
	}
	unsigned, _ := pac.Parse(unhex(t, "0000000000000000"))
	if err := unsigned.VerifyServer(key(t, etype.AES256SHA1, 1)); !errors.Is(err, pac.ErrSignature) {
		t.Errorf("without a signature it verifies: %v", err)
	}
}

// parse makes a PAC of buffers and reads it.
func parse(tb testing.TB, buffers ...pac.Buffer) *pac.PAC {
	tb.Helper()
	b, err := pac.Marshal(buffers, key(tb, etype.AES256SHA1, 1), key(tb, etype.AES256SHA1, 2))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := pac.Parse(b)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestSID(t *testing.T) {
	for _, text := range []string{"S-1-5-32-544", "S-1-5-21-3167651404-3865080224-2280184895-1105", "S-1-1-0", "S-1-0x100000000000-7"} {
		s, err := pac.ParseSID(text)
		if err != nil || s.String() != text {
			t.Errorf("%s is read as %s, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "S-1-5", "S-2-5-32", "s-1-5-32", "S-1-5-4294967296", "S-1-281474976710656-1", "S-1-5-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1"} {
		if s, err := pac.ParseSID(text); err == nil {
			t.Errorf("%q is %s", text, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	server := key(f, etype.AES256SHA1, 1)
	logon := sample()
	upn := pac.UPN{Name: "alice@example.com", DNSDomain: "EXAMPLE.COM", Account: "alice", SID: logon.Domain}
	client := pac.Client{Name: "alice"}
	b, err := pac.Marshal([]pac.Buffer{{pac.TypeLogon, logon.Append()}, {pac.TypeClient, client.Append()}, {pac.TypeUPN, upn.Append()}}, server, server)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(unhex(f, testdata.MarshaledPAC_AD_WIN2K_PAC))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := pac.Parse(b)
		if err != nil {
			return
		}
		p.VerifyServer(server)
		p.Client()
		if u, ok, err := p.UPN(); err == nil && ok && u.SID.IsZero() == (u.SID.String() != "") {
			t.Errorf("%v", u)
		}
		l, err := p.Logon()
		if err != nil || l == nil {
			return
		}
		if n := len(l.Groups) + len(l.Extra) + len(l.Resource); n > len(b)/8 {
			t.Errorf("%d groups in %d octets", n, len(b))
		}
		again := parse(t, pac.Buffer{Type: pac.TypeLogon, Data: l.Append()})
		if got, err := again.Logon(); err != nil || len(got.Groups) != len(l.Groups) || got.UserID != l.UserID {
			t.Errorf("%+v is read again as %+v, %v", l, got, err)
		}
	})
}
