package krb5_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// services are those that a cache has tickets for, with how many of each.
func services(t *testing.T, path string) map[string]int {
	t.Helper()
	cache, _, err := ccache.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := make(map[string]int)
	for _, c := range cache.Creds {
		n[c.Server.String()]++
	}
	return n
}

func writesBack(o *krb5.Options) { o.StoreTickets = true }

// What is fetched is written to the cache that it was fetched with, once, if that
// is asked for, and found there by others.
func TestStoreTickets(t *testing.T) {
	kdc := realm(t)
	for _, test := range []struct {
		name string
		path func(t *testing.T) (path, name string)
	}{
		{"FILE", func(t *testing.T) (string, string) {
			path := kdc.CCache("alice")
			return path, "FILE:" + path
		}},
		{"DIR", func(t *testing.T) (string, string) {
			path := filepath.Join(t.TempDir(), "tkt")
			kdc.WriteCCache(path, "alice")
			return path, "DIR:" + filepath.Dir(path)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, name := test.path(t)
			before := read(t, path)
			change := func(o *krb5.Options) { o.CCache = name }
			crowd(t, provider(t, kdc, countable(t, kdc), change), nil, time.Now())
			if string(read(t, path)) != string(before) {
				t.Fatal("the cache was changed, and nobody asked for that")
			}
			crowd(t, provider(t, kdc, countable(t, kdc), change, writesBack), nil, time.Now())
			if n := services(t, path); n[service+"@KRB.TEST"] != 1 || n["krbtgt/KRB.TEST@KRB.TEST"] != 1 {
				t.Errorf("the cache has %v", n)
			}
			kdc.ResetRequests()
			crowd(t, provider(t, kdc, countable(t, kdc), change), nil, time.Now())
			if n := kdc.Requests().TGS; n != 0 {
				t.Errorf("%d TGS-REQs for a ticket that is in the cache", n)
			}
		})
	}
}

// A cache that cannot be written to, or is somebody else's by now, costs nothing
// but a warning.
func TestStoreTicketsFails(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "")
	path := kdc.CCache("alice")
	p := provider(t, kdc, writesBack, func(o *krb5.Options) { o.CCache = path })
	c, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kdc.WriteCCache(path, "bob")
	firstToken(t, p, gss.InitiateOptions{Credential: c})
	if n := services(t, path); n[service+"@KRB.TEST"] != 0 {
		t.Errorf("alice's ticket is in bob's cache: %v", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	kdc.AddService("HTTP/other.krb.test")
	firstToken(t, p, gss.InitiateOptions{Credential: c, Target: gss.HostBased("HTTP", "other.krb.test")})
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cache came back after kdestroy: %v", err)
	}
}

// A renewed ticket takes the old one's place in the cache, beside the settings and
// the tickets that others have put there.
func TestStoreRenewed(t *testing.T) {
	for _, store := range []bool{false, true} {
		clock := newClock()
		kdc := realm(t, clock.option(), krbtest.WithLifetime(time.Hour))
		path := kdc.CCache("alice", krbtest.ExpiresIn(time.Hour), krbtest.RenewableFor(24*time.Hour))
		p := provider(t, kdc, clock.use, countable(t, kdc), func(o *krb5.Options) { o.CCache, o.StoreTickets = path, store })
		firstToken(t, p, gss.InitiateOptions{})
		clock.move(57 * time.Minute)
		crowd(t, p, nil, clock.now())
		cache, _, err := ccache.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		renewed := 0
		for _, c := range cache.Creds {
			if c.Server.IsTGS() && c.EndTime.After(clock.now().Add(50*time.Minute)) {
				renewed++
			}
		}
		if store && renewed != 1 || !store && renewed != 0 {
			t.Errorf("StoreTickets %t: the cache has %d renewed tickets", store, renewed)
		}
		// Somebody adds a ticket: the renewed one is not lost.
		other := cache.Creds[0]
		other.Server = principal.Service("KRB.TEST", "HTTP", "other.krb.test")
		if err := ccache.AppendCredential(t.Context(), path, other); err != nil {
			t.Fatal(err)
		}
		kdc.ResetRequests()
		clock.move(4 * time.Minute)
		crowd(t, p, nil, clock.now())
		if n := kdc.Requests().Renew; n != 0 {
			t.Errorf("StoreTickets %t: renewed again %d times", store, n)
		}
	}
}

// A MEMORY cache belongs to one provider, and is what was put there.
func TestMemoryCache(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "bob's password")
	p := provider(t, kdc, writesBack, countable(t, kdc))
	c, err := p.FromCCache("MEMORY:x")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{gss.ErrNoCred}, "MEMORY:x", "StoreCCache")
	for user, password := range map[string]string{"alice": "alice's password", "bob": "bob's password"} {
		login, err := p.FromPassword(user, password)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.StoreCCache(t.Context(), login, "MEMORY:x"); err != nil {
			t.Fatal(err)
		}
		login.Close()
		if got := seen(t, p, c); got != user+"@KRB.TEST" {
			t.Errorf("the acceptor sees %s, want %s", got, user)
		}
		kdc.ResetRequests()
		again, err := p.Acquire(t.Context(), gss.CredentialOptions{CCache: "MEMORY:x"})
		if err != nil {
			t.Fatal(err)
		}
		crowd(t, p, again, time.Now())
		if n := kdc.Requests(); n.AS+n.TGS != 0 {
			t.Errorf("the KDC was asked again: %+v", n)
		}
	}
	other := provider(t, kdc)
	_, err = other.Acquire(t.Context(), gss.CredentialOptions{CCache: "MEMORY:x"})
	wantError(t, err, []error{gss.ErrNoCred}, "MEMORY:x")
}

// StoreCCache makes caches of files that other programs read.
func TestStoreCCache(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "bob's password")
	dir := t.TempDir()
	file, collection := filepath.Join(dir, "cc"), filepath.Join(dir, "new", "collection")
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache = "FILE:" + file })
	store := func(user, name string) {
		t.Helper()
		c, err := p.FromPassword(user, user+"'s password")
		if err != nil {
			t.Fatal(err)
		}
		firstToken(t, p, gss.InitiateOptions{Credential: c})
		if err := p.StoreCCache(t.Context(), c, name); err != nil {
			t.Fatal(err)
		}
	}
	store("alice", "")
	if got := seen(t, p, nil); got != "alice@KRB.TEST" {
		t.Errorf("in the default cache: %s", got)
	}
	if n := services(t, file); n[service+"@KRB.TEST"] != 1 || len(n) != 2 {
		t.Errorf("the cache has %v", n)
	}
	for range 2 {
		store("alice", "DIR:"+collection)
		if err := os.WriteFile(filepath.Join(collection, "primary"), []byte("tkt\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		store("bob", "DIR:"+collection)
	}
	files, err := filepath.Glob(filepath.Join(collection, "tkt*"))
	if err != nil || len(files) != 2 {
		t.Errorf("the collection has %q, %v; want one cache for each of two", files, err)
	}
	for _, user := range []string{"alice", "bob"} {
		c, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(user), CCache: ""})
		if user == "bob" { // the default cache is alice's
			wantError(t, err, []error{gss.ErrNoCred}, "bob@KRB.TEST")
			continue
		}
		if err != nil || c.Name().Value != user+"@KRB.TEST" {
			t.Errorf("got %v, %v", c, err)
		}
	}
	in := provider(t, kdc, func(o *krb5.Options) { o.CCache = "DIR:" + collection })
	for _, user := range []string{"alice", "bob"} {
		c, err := in.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(user)})
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(t, in, c); got != user+"@KRB.TEST" {
			t.Errorf("of the collection: %s, want %s", got, user)
		}
	}
	c, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"FILE:" + filepath.Join(dir, "none", "cc"): "cannot be put into the cache",
		"API:x": "unsupported type",
	} {
		err := p.StoreCCache(t.Context(), c, name)
		wantError(t, err, []error{gss.ErrFailure}, "alice@KRB.TEST", name, says)
	}
}

// kinit empties a cache before it fills it, or takes it away. Who looks meanwhile
// waits for it to have tickets.
func TestCacheBeingWritten(t *testing.T) {
	kdc := realm(t)
	path := kdc.CCache("alice")
	full := read(t, path)
	cache, err := ccache.Parse(full)
	if err != nil {
		t.Fatal(err)
	}
	empty := cache.WithCreds()
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache = path })
	stop := krb5.WaitForCaches(p)
	firstToken(t, p, gss.InitiateOptions{})
	for name, halfway := range map[string]func() error{
		"empty": func() error { return ccache.WriteFile(path, empty) },
		"gone":  func() error { return os.Remove(path) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := halfway(); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			if err := ccache.WriteFile(path, cache); err != nil {
				t.Error(err)
			}
			wg.Wait()
		})
	}
	stop()
	// Destroyed for good: the first to look waits a moment, and no other.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
		wantError(t, err, []error{gss.ErrNoCred}, path)
	}
}

// The client keytab logs in where the default cache is missing, empty or expired,
// and gives way when there is a good one.
func TestClientKeytab(t *testing.T) {
	clock := newClock()
	kdc := realm(t, clock.option())
	kdc.AddPrincipal("bob", "")
	kdc.AddPrincipal("carol", "")
	path := filepath.Join(t.TempDir(), "cc")
	keys := kdc.Keytab("bob", "alice")
	use := func(o *krb5.Options) { o.CCache, o.ClientKeytab = "FILE:"+path, "FILE:"+keys }
	p := provider(t, kdc, clock.use, countable(t, kdc), use)
	want := func(what, user string) {
		t.Helper()
		crowd(t, p, nil, clock.now())
		if got := seen(t, p, nil); got != user+"@KRB.TEST" {
			t.Errorf("%s: the acceptor sees %s, want %s", what, got, user)
		}
	}
	want("no cache", "bob") // the keytab's first
	if n := kdc.Requests().AS; n != 2 {
		t.Errorf("%d AS-REQs, want one login", n)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a cache was made, and nobody asked for that")
	}
	// It is not read each time, but again when it has changed: the first is alice.
	kdc.WriteKeytab(keys, "alice", "bob")
	want("another keytab", "alice")
	kdc.WriteKeytab(keys, "bob", "alice")
	want("the first keytab", "bob")
	named, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User("alice")})
	if err != nil {
		t.Fatal(err)
	}
	if got := seen(t, p, named); got != "alice@KRB.TEST" {
		t.Errorf("by name: %s", got)
	}
	kdc.WriteCCache(path, "carol", krbtest.ExpiresIn(time.Hour))
	want("a good cache", "carol")
	following, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	clock.move(2 * time.Hour)
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: following})
	wantError(t, err, []error{gss.ErrCredentialsExpired}, "carol@KRB.TEST") // of whom the keytab has no key
	kdc.WriteCCache(path, "alice", krbtest.ExpiresIn(-time.Minute))
	want("an expired cache", "alice")
	kdc.WriteCCache(path, "alice", krbtest.ExpiresIn(time.Hour))
	kdc.ResetRequests()
	for range 20 { // over the end of the cache's ticket
		clock.move(5 * time.Minute)
		want("a cache that ends", "alice")
	}
	if n := kdc.Requests().AS; n != 2 {
		t.Errorf("%d AS-REQs, want one login", n)
	}

	// Another cache than the default one is left to itself.
	_, err = p.Acquire(t.Context(), gss.CredentialOptions{CCache: "FILE:" + path + "-other"})
	wantError(t, err, []error{gss.ErrNoCred}, path+"-other")

	// With StoreTickets the cache is made.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p = provider(t, kdc, clock.use, countable(t, kdc), use, writesBack)
	want("no cache", "bob")
	if n := services(t, path); n[service+"@KRB.TEST"] != 1 || n["krbtgt/KRB.TEST@KRB.TEST"] != 1 || len(n) != 2 {
		t.Errorf("the cache has %v", n)
	}
	kdc.ResetRequests()
	want("its own cache", "bob")
	if n := kdc.Requests(); n.AS+n.TGS != 0 {
		t.Errorf("the KDC was asked again: %+v", n)
	}
}

// A client keytab that gets other keys, as at a rekeying, goes on with the tickets
// that its principal has.
func TestClientKeytabIsRewritten(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "")
	keys := kdc.Keytab("alice")
	p := provider(t, kdc, countable(t, kdc), func(o *krb5.Options) {
		o.CCache, o.ClientKeytab = filepath.Join(t.TempDir(), "none"), keys
	})
	for range 3 {
		if got := seen(t, p, nil); got != "alice@KRB.TEST" {
			t.Errorf("the acceptor sees %s", got)
		}
		kdc.WriteKeytab(keys, "alice", "bob")
		kdc.WriteKeytab(keys, "alice")
	}
	if n := kdc.Requests(); n.AS != 2 || n.Service != 1 {
		t.Errorf("the KDC was asked %+v, want one login and one ticket", n)
	}
}

// A cache that is there and cannot be understood just now may be anybody's: the
// client keytab does not make the client somebody else, and goes on for whom was
// asked by name.
func TestClientKeytabDoesNotStandIn(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "")
	path, keys := kdc.CCache("alice"), kdc.Keytab("bob")
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache, o.ClientKeytab = "FILE:"+path, keys })
	if got := seen(t, p, nil); got != "alice@KRB.TEST" {
		t.Fatalf("the acceptor sees %s", got)
	}
	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrNoCred, ccache.ErrFormat}, "cannot be read")
	bob, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User("bob")})
	if err != nil {
		t.Fatal(err)
	}
	if got := seen(t, p, bob); got != "bob@KRB.TEST" {
		t.Errorf("by name: %s", got)
	}
}

// A client keytab that is there and cannot be read is told of in the log, and the
// error stays that about the cache.
func TestBrokenClientKeytab(t *testing.T) {
	kdc := realm(t)
	garbage := writeFile(t, "nothing of use")
	var log interface{ String() string }
	p := provider(t, kdc, func(o *krb5.Options) {
		o.CCache, o.ClientKeytab = "FILE:"+garbage+"-none", garbage
		log = logged(o)
	})
	_, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	wantError(t, err, []error{gss.ErrNoCred}, garbage+"-none")
	if !strings.Contains(log.String(), "the client keytab cannot be used") {
		t.Errorf("the log does not tell of the keytab:\n%s", log)
	}
}

// Who logs in with the client keytab writes to no cache that is somebody else's
// by now.
func TestClientKeytabLeavesOthersAlone(t *testing.T) {
	clock := newClock()
	kdc := realm(t, clock.option())
	kdc.AddPrincipal("bob", "")
	path := kdc.CCache("alice", krbtest.ExpiresIn(time.Hour))
	keys := kdc.Keytab("alice")
	p := provider(t, kdc, clock.use, writesBack, func(o *krb5.Options) { o.CCache, o.ClientKeytab = "FILE:"+path, keys })
	c, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kdc.WriteCCache(path, "bob")
	before := read(t, path)
	clock.move(2 * time.Hour)
	if got := seen(t, p, c); got != "alice@KRB.TEST" {
		t.Errorf("the acceptor sees %s", got)
	}
	if string(read(t, path)) != string(before) {
		t.Error("bob's cache was changed")
	}
}
