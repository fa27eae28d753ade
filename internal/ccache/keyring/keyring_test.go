package keyring

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

var (
	alice = principal.New("X.TEST", "alice")
	bob   = principal.New("X.TEST", "bob")
	carol = principal.New("X.TEST", "carol")
)

// content is a cache of a client with tickets for services.
func content(client principal.Name, services ...string) *ccache.Cache {
	c := &ccache.Cache{Principal: client}
	for _, s := range services {
		c.Creds = append(c.Creds, ticket(client, s))
	}
	return c
}

func ticket(client principal.Name, service string) ccache.Credential {
	return ccache.Credential{
		Client: client, Server: principal.New("X.TEST", "HTTP", service), KeyType: 18,
		Key: bytes.Repeat([]byte{7}, 32), Ticket: []byte("a ticket for " + service),
		EndTime: time.Now().Add(time.Hour).Truncate(time.Second).UTC(),
	}
}

// must opens a cache.
func must(t *testing.T, k kernel, residual string) ccache.Store {
	t.Helper()
	s, c, err := open(k, residual)
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		if s, err = c.Primary(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestReplaceAndRead(t *testing.T) {
	for _, test := range []struct {
		residual, name string
		anchor         int
		collection     string
		kernel         *fake
	}{
		{"persistent:7", "KEYRING:persistent:7:7", firstPersistent + 7, "_krb", &fake{bigKeys: true}},
		{"persistent:", "KEYRING:persistent::tkt", firstPersistent + 7, "_krb", &fake{bigKeys: true}},
		{"persistent:", "KEYRING:persistent::tkt", userKeyring, "_krb", &fake{noPersistent: true}},
		{"user:x", "KEYRING:user:x:x", userKeyring, "_krb_x", &fake{bigKeys: true}},
		{"user:x:cache", "KEYRING:user:x:cache", userKeyring, "_krb_x", &fake{}},
		{"session:x", "KEYRING:session:x:x", sessionKeyring, "_krb_x", &fake{bigKeys: true}},
		{"session:x", "KEYRING:session:x:x", userSessionKeyring, "_krb_x", &fake{noSession: true}},
		{"x", "KEYRING:legacy:x:x", sessionKeyring, "_krb_x", &fake{bigKeys: true}},
	} {
		t.Run(test.residual, func(t *testing.T) {
			k := test.kernel
			s := must(t, k, test.residual)
			if s.String() != test.name {
				t.Errorf("it is called %s, want %s", s, test.name)
			}
			if _, _, err := s.Read(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), test.name) {
				t.Errorf("before it exists: %v", err)
			}
			want := content(alice, "web", "mail")
			want.KDCOffset = -90*time.Second - 5*time.Microsecond
			want.SetConfig("fast_avail", "krbtgt/X.TEST@X.TEST", []byte("yes"))
			if err := s.Replace(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			got, v, err := s.Read(t.Context())
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			if now, err := s.Version(t.Context()); err != nil || now != v {
				t.Errorf("the version is another one, and nothing has changed (%v)", err)
			}
			if err := s.Add(t.Context(), ticket(alice, "files")); err != nil {
				t.Fatal(err)
			}
			if now, _ := s.Version(t.Context()); now == v {
				t.Error("the version is the same, and there is a ticket more")
			}
			if got, v, _ = s.Read(t.Context()); len(got.Creds) != 3 {
				t.Errorf("%d tickets, want 3", len(got.Creds))
			}
			if err := s.Add(t.Context(), ticket(bob, "files")); !errors.Is(err, ccache.ErrOtherClient) {
				t.Errorf("bob's ticket for alice's cache: %v", err)
			}
			if err := s.Replace(t.Context(), got); err != nil {
				t.Fatal(err)
			}
			if now, _ := s.Version(t.Context()); now == v {
				t.Error("the version is the same after the cache was written anew")
			}
			ring, err := k.search(test.anchor, typeKeyring, test.collection, 0)
			if err != nil {
				t.Errorf("the collection is not where MIT looks for it: %v", err)
			}
			wantType := typeUser
			if k.bigKeys && !strings.HasPrefix(test.name, "KEYRING:legacy") {
				wantType = typeBig
			}
			cache, err := k.search(ring, typeKeyring, test.name[strings.LastIndexByte(test.name, ':')+1:], 0)
			if err != nil {
				t.Fatal(err)
			}
			key, err := k.search(cache, wantType, "HTTP/web@X.TEST", 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []int{cache, key} {
				if left := k.keys[key].expires; left < 3590 || left > 3601 {
					t.Errorf("it expires in %d seconds, want an hour", left)
				}
			}
		})
	}
}

func TestCollection(t *testing.T) {
	k := &fake{}
	_, c, err := open(k, "persistent:7")
	if err != nil {
		t.Fatal(err)
	}
	if stores, err := c.Stores(t.Context()); err != nil || len(stores) != 0 {
		t.Errorf("nothing there: %v, %v", stores, err)
	}
	first, err := ccache.StoreFor(t.Context(), c, alice)
	if err != nil || first.String() != "KEYRING:persistent:7:7" {
		t.Fatalf("the first cache: %v, %v", first, err)
	}
	if err := first.Replace(t.Context(), content(alice, "web")); err != nil {
		t.Fatal(err)
	}
	second, err := ccache.StoreFor(t.Context(), c, bob)
	if err != nil || !strings.HasPrefix(second.String(), "KEYRING:persistent:7:krb_ccache_") {
		t.Fatalf("the second cache: %v, %v", second, err)
	}
	if err := second.Replace(t.Context(), content(bob, "web")); err != nil {
		t.Fatal(err)
	}
	for client, want := range map[*principal.Name]ccache.Store{&alice: first, &bob: second} {
		if s, err := ccache.Find(t.Context(), c, *client); err != nil || s.String() != want.String() {
			t.Errorf("%s's: %v, %v; want %v", client, s, err, want)
		}
	}
	if s, err := ccache.Find(t.Context(), c, carol); !errors.Is(err, ccache.ErrNoCache) {
		t.Errorf("carol's: %v, %v", s, err)
	}
	names := func() (names []string) {
		stores, err := c.Stores(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, s := range stores {
			names = append(names, s.String())
		}
		return names
	}
	if got, want := names(), []string{first.String(), second.String()}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// kswitch
	ring, err := k.search(firstPersistent+7, typeKeyring, "_krb", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, short, _ := strings.Cut(second.String(), "7:")
	if _, err := k.add(typeUser, keyPrimary, encodePrimary(short), ring); err != nil {
		t.Fatal(err)
	}
	if s, err := c.Primary(t.Context()); err != nil || s.String() != second.String() {
		t.Errorf("the primary is %v, %v; want %v", s, err, second)
	}
	if got, want := names(), []string{second.String(), first.String()}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := k.add(typeUser, keyPrimary, []byte("garbage"), ring); err != nil {
		t.Fatal(err)
	}
	if s, err := c.Primary(t.Context()); !errors.Is(err, errPrimary) {
		t.Errorf("garbage names the primary %v, %v", s, err)
	}
}

// Old programs put a cache's keyring into the session's itself.
func TestLegacy(t *testing.T) {
	k := &fake{}
	ring, err := k.add(typeKeyring, "old", nil, sessionKeyring)
	if err != nil {
		t.Fatal(err)
	}
	k.add(typeUser, keyPrincipal, ccache.EncodePrincipal(alice), ring)
	k.add(typeUser, "HTTP/web@X.TEST", ccache.EncodeCredential(ticket(alice, "web")), ring)
	if got, _, err := must(t, k, "old").Read(t.Context()); err != nil || len(got.Creds) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A cache that changes while it is read, at whichever point, is never mixed, and
// never half.
func TestChangesWhileRead(t *testing.T) {
	for at := range 20 {
		k := &fake{}
		s := must(t, k, "user:x")
		if err := s.Replace(t.Context(), content(alice, "web", "mail")); err != nil {
			t.Fatal(err)
		}
		ops := 0
		k.before = func(string, int) error {
			if ops++; ops == at {
				return s.Replace(t.Context(), content(bob, "web", "mail", "files"))
			}
			return nil
		}
		got, v, err := s.Read(t.Context())
		if err != nil {
			t.Errorf("changed at operation %d: %v", at, err)
			continue
		}
		want := map[string]int{alice.String(): 2, bob.String(): 3}[got.Principal.String()]
		if len(got.Creds) != want || !got.Creds[0].Client.Equal(got.Principal) {
			t.Errorf("changed at operation %d: got %+v", at, got)
		}
		k.before = nil
		if now, err := s.Version(t.Context()); err != nil || (now == v) != got.Principal.Equal(bob) && ops >= at && at > 0 {
			t.Errorf("changed at operation %d: the version of %s's tickets is the present one: %t, %v", at, got.Principal, now == v, err)
		}
	}
}

// What cannot be read is told, and a key that vanishes is passed over.
func TestFaults(t *testing.T) {
	k := &fake{}
	s := must(t, k, "user:x")
	if err := s.Replace(t.Context(), content(alice, "web", "mail")); err != nil {
		t.Fatal(err)
	}
	collection, _ := k.search(userKeyring, typeKeyring, "_krb_x", 0)
	ring, _ := k.search(collection, typeKeyring, "x", 0)
	web, _ := k.search(ring, typeUser, "HTTP/web@X.TEST", 0)
	expired := func(op string, key int) error {
		if op == "read" && key == web {
			return fs.ErrNotExist
		}
		return nil
	}
	k.before = expired
	if got, _, err := s.Read(t.Context()); err != nil || len(got.Creds) != 1 {
		t.Errorf("with an expired key: %+v, %v", got, err)
	}
	denied := errors.New("denied")
	for _, op := range []string{"search", "read"} {
		k.before = func(o string, _ int) error {
			if o == op {
				return denied
			}
			return nil
		}
		if _, _, err := s.Read(t.Context()); !errors.Is(err, denied) || !strings.Contains(err.Error(), "KEYRING:user:x:x") {
			t.Errorf("%s is denied: %v", op, err)
		}
	}
	k.before = nil
	k.add(typeUser, "HTTP/web@X.TEST", []byte("garbage"), ring)
	if _, _, err := s.Read(t.Context()); !errors.Is(err, ccache.ErrFormat) {
		t.Errorf("garbage: %v", err)
	}
	k.add(typeUser, keyPrincipal, []byte("garbage"), ring)
	if _, _, err := s.Read(t.Context()); !errors.Is(err, ccache.ErrFormat) {
		t.Errorf("garbage for a principal: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNames(t *testing.T) {
	for residual, says := range map[string]string{
		"process:x":                    "one thread",
		"thread:x":                     "one thread",
		"persistent:abc":               "number of a user",
		"persistent:-1":                "number of a user",
		"elsewhere:x":                  "want persistent, session or user",
		"":                             "names no keyring",
		":x":                           "want persistent",
		"user:\x00":                    "no key's",
		strings.Repeat("x", maxName+1): "no key's",
	} {
		if s, c, err := open(&fake{}, residual); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: got %v, %v, %v; want an error that says %q", residual, s, c, err, says)
		}
	}
}
