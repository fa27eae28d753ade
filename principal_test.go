package negotiate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// twoRealms is a collection of credential caches with alice and bob of KRB.TEST
// and alice of OTHER.TEST, whose realms trust each other. The primary is bob's.
func twoRealms(t *testing.T) (w *world, collection string) {
	w = newWorld(t, krbtest.WithDomains("example.org"))
	other := krbtest.NewKDC(t, krbtest.WithRealm("OTHER.TEST"))
	other.AddPrincipal("alice", "")
	w.Trust(other)
	dir := t.TempDir()
	for file, cache := range map[string]struct {
		kdc  *krbtest.KDC
		user string
	}{"tkt1": {w.KDC, "alice"}, "tkt2": {w.KDC, "bob"}, "tkt3": {other, "alice"}} {
		path := filepath.Join(dir, file)
		cache.kdc.WriteCCache(path, cache.user)
		w.secretCache(path)
	}
	// What is no cache must not disturb.
	writeTestFile(t, filepath.Join(dir, "tkt0"), "rubbish")
	writeTestFile(t, filepath.Join(dir, "primary"), "tkt2\n")
	return w, "DIR:" + dir
}

func writeTestFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPrincipalOfCollection picks the cache of a principal, by name and by realm,
// as requests-gssapi's "principal" does.
func TestPrincipalOfCollection(t *testing.T) {
	negotiate.LeavesNothing(t)
	w, collection := twoRealms(t)
	s := w.serve(w.handler(greet))
	byDefault := w.provider(krb5.Options{CCache: collection})
	for _, tt := range []struct {
		name gss.Name
		want string
	}{
		{gss.Name{}, bob}, // the primary
		{gss.User(alice), alice},
		{gss.User("alice"), alice}, // of the default realm
		{gss.User(bob), bob},
		{gss.User("alice@OTHER.TEST"), "alice@OTHER.TEST"},
	} {
		for _, o := range []gss.CredentialOptions{{Name: tt.name, CCache: collection}, {Name: tt.name}} {
			cred, err := byDefault.Acquire(t.Context(), o)
			if err != nil {
				t.Errorf("%v: %v", o, err)
				continue
			}
			w.secrets.note(cred, o)
			if got := cred.Name().Value; got != tt.want {
				t.Errorf("%v: the credential is %q's, want %q's", o, got, tt.want)
			}
			if got := w.get(w.client(&negotiate.Transport{Provider: byDefault, Credential: cred}), s.url); got.body != "hello "+tt.want {
				t.Errorf("%v: got %q, %v; want %s", o, got.body, got.x.Err, tt.want)
			}
			cred.Close()
		}
	}
	for _, name := range []string{"carol@KRB.TEST", "bob@OTHER.TEST"} {
		_, err := byDefault.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(name), CCache: collection})
		w.secrets.note(err)
		if !errors.Is(err, gss.ErrNoCred) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "kinit") {
			t.Errorf("%s: got %v, want that there is no cache, and what to do", name, err)
		}
	}
}

// TestPrincipalOfFile refuses a single cache of somebody else.
func TestPrincipalOfFile(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	p := w.user("alice")
	cred, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(bob)})
	w.secrets.note(err)
	if cred != nil || !errors.Is(err, gss.ErrNoCred) || !strings.Contains(err.Error(), alice) {
		t.Errorf("got %v, %v; want that the cache is alice's", cred, err)
	}
}

// TestSourcesOfCredentials authenticates from a cache, a keytab and a password.
func TestSourcesOfCredentials(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	s := w.serve(w.handler(greet))
	p := w.user("alice")
	keytab := w.Keytab("bob")
	w.secretKeytab(keytab)
	cache := w.cacheOf("bob")
	for name, acquire := range map[string]func() (gss.Credential, error){
		"FromCCache":   func() (gss.Credential, error) { return p.FromCCache("FILE:" + cache) },
		"FromKeytab":   func() (gss.Credential, error) { return p.FromKeytab("bob", "FILE:"+keytab) },
		"FromPassword": func() (gss.Credential, error) { return p.FromPassword("bob", bobPassword) },
		"Acquire ccache": func() (gss.Credential, error) {
			return p.Acquire(t.Context(), gss.CredentialOptions{CCache: "FILE:" + cache})
		},
		"Acquire keytab": func() (gss.Credential, error) {
			return p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User("bob"), Keytab: keytab})
		},
		"Acquire password": func() (gss.Credential, error) {
			return p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(bob), Password: bobPassword})
		},
	} {
		t.Run(name, func(t *testing.T) {
			cred, err := acquire()
			if err != nil {
				t.Fatal(err)
			}
			defer cred.Close()
			w.secrets.note(cred)
			for _, m := range []negotiate.Mutual{negotiate.MutualDisabled, negotiate.MutualRequired} {
				got := w.get(w.client(&negotiate.Transport{Provider: p, Credential: cred, Mutual: m}), s.url)
				if got.body != "hello "+bob || got.x.Err != nil {
					t.Errorf("%s: got %q, %v", m, got.body, got.x.Err)
				}
			}
		})
	}
	cred, err := p.FromPassword("bob", "not "+bobPassword)
	if err != nil {
		t.Fatal(err)
	}
	w.secrets.addWord("not " + bobPassword)
	got := w.get(w.client(&negotiate.Transport{Provider: p, Credential: cred}), s.url)
	if got.StatusCode != 401 || got.x.Err == nil || !strings.Contains(got.x.Err.Error(), "password") {
		t.Errorf("with a wrong password: got %d, %v", got.StatusCode, got.x.Err)
	}
}

// TestSeveralPrincipals has three principals at once, each by a Transport of its
// own and by WithCredential, over one Base.
func TestSeveralPrincipals(t *testing.T) {
	negotiate.LeavesNothing(t)
	w, collection := twoRealms(t)
	s := w.serve(w.handler(greet))
	provider := w.provider(krb5.Options{CCache: collection})
	shared := w.client(&negotiate.Transport{Provider: provider, Mutual: negotiate.MutualRequired})
	names := []string{alice, bob, "alice@OTHER.TEST"}
	creds := make(map[string]gss.Credential)
	for _, name := range names {
		cred, err := provider.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(name)})
		if err != nil {
			t.Fatal(err)
		}
		defer cred.Close()
		creds[name] = cred
	}
	var wg sync.WaitGroup
	for _, name := range names {
		own := w.client(&negotiate.Transport{Provider: provider, Credential: creds[name], Opportunistic: negotiate.OpportunisticLearned})
		for range 20 {
			wg.Go(func() {
				req := w.request("GET", s.url, nil)
				if got, err := w.send(own, req); err != nil || got.body != "hello "+name {
					t.Errorf("%s: got %q, %v by a Transport of its own", name, got.body, err)
				}
				req = req.WithContext(negotiate.WithCredential(req.Context(), creds[name]))
				got, err := w.send(shared, req)
				if err != nil || got.body != "hello "+name {
					t.Errorf("%s: got %q, %v by WithCredential", name, got.body, err)
				} else if got.x.Initiator.Value != name {
					t.Errorf("%s: the Exchange names %v", name, got.x.Initiator)
				}
			})
		}
	}
	wg.Wait()
}
