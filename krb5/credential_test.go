package krb5_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// seen is whom the acceptor sees.
func seen(t *testing.T, p *krb5.Provider, cred gss.Credential) string {
	t.Helper()
	_, acceptor := establish(t, p, p, gss.InitiateOptions{Credential: cred}, gss.AcceptOptions{})
	return acceptor.Info().Initiator.Value
}

func TestFromPassword(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("svc/host", "secret")
	p := provider(t, kdc)
	for _, test := range []struct{ name, password, want string }{
		{"alice", "alice's password", "alice@KRB.TEST"},
		{"alice@KRB.TEST", "alice's password", "alice@KRB.TEST"},
		{"svc/host", "secret", "svc/host@KRB.TEST"},
	} {
		c, err := p.FromPassword(test.name, test.password)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name().Value != test.want || c.Usage() != gss.UsageInitiate || !c.Expires().IsZero() {
			t.Errorf("before the login: %v, %v, %v", c.Name(), c.Usage(), c.Expires())
		}
		if got := seen(t, p, c); got != test.want {
			t.Errorf("the acceptor sees %s, want %s", got, test.want)
		}
		if left := time.Until(c.Expires()); left < 23*time.Hour || left > 25*time.Hour {
			t.Errorf("the credential expires in %v, want a day", left)
		}
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLoginRefused(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("locked", "secret", krbtest.Locked())
	kdc.AddPrincipal("stale", "secret", krbtest.PasswordExpired())
	kdc.AddPrincipal("gone", "secret", krbtest.ExpiresAt(time.Now().Add(-time.Hour)))
	kdc.AddPrincipal("trusting", "secret", krbtest.NoPreauth())
	kdc.AddPrincipal("weak", "secret", krbtest.Enctypes("aes128-cts-hmac-sha256-128"))
	p := provider(t, kdc)
	for _, test := range []struct {
		name, password string
		kinds          []error
		parts          []string
	}{
		{"alice", "Tr0ub4dor", []error{gss.ErrDefectiveCredential, krbmsg.ErrPreauthFailed}, []string{"cannot log in as alice@KRB.TEST with the password", "password or key is wrong", "check the password"}},
		{"trusting", "Tr0ub4dor", []error{gss.ErrDefectiveCredential, krbmsg.ErrPreauthFailed}, []string{"trusting@KRB.TEST", "check the password"}},
		{"nobody", "secret", []error{gss.ErrDefectiveCredential, krbmsg.ErrCPrincipalUnknown}, []string{"cannot log in as nobody@KRB.TEST", "the KDC does not know the client", "check the name"}},
		{"locked", "secret", []error{gss.ErrDefectiveCredential, krbmsg.ErrClientRevoked}, []string{"locked@KRB.TEST", "locked or disabled", "administrator"}},
		{"gone", "secret", []error{gss.ErrDefectiveCredential, krbmsg.ErrNameExp}, []string{"gone@KRB.TEST", "expired", "administrator"}},
		{"stale", "secret", []error{gss.ErrCredentialsExpired, krbmsg.ErrKeyExpired}, []string{"stale@KRB.TEST", "the password has expired", "kpasswd"}},
		{"alice@OTHER.TEST", "secret", []error{gss.ErrFailure}, []string{"alice@OTHER.TEST", "no KDC is known for realm OTHER.TEST", "[realms]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := p.FromPassword(test.name, test.password)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a failure is not kept, and the second attempt says the same
				_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
				wantError(t, err, test.kinds, test.parts...)
				if strings.Contains(err.Error(), test.password) {
					t.Errorf("the error shows the password: %v", err)
				}
			}
		})
	}
	t.Run("type", func(t *testing.T) {
		strict := provider(t, kdc, func(o *krb5.Options) {
			o.Config = config(t, []string{kdc.Addr()}, " permitted_enctypes = aes256-cts-hmac-sha1-96", "")
		})
		c, err := strict.FromPassword("weak", "secret")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, strict, gss.InitiateOptions{Credential: c})
		wantError(t, err, []error{gss.ErrFailure, krbmsg.ErrETypeNoSupp}, "weak@KRB.TEST", "permitted_enctypes")
	})
	t.Run("the password is mended", func(t *testing.T) {
		c, err := p.FromPassword("stale", "secret")
		if err != nil {
			t.Fatal(err)
		}
		kdc.Change("stale")
		firstToken(t, p, gss.InitiateOptions{Credential: c})
	})
}

func TestFromKeytab(t *testing.T) {
	kdc := realm(t)
	kt := kdc.Keytab(service, "alice")
	p := provider(t, kdc)
	for name, want := range map[string]string{
		"": service + "@KRB.TEST", "alice": "alice@KRB.TEST", "alice@KRB.TEST": "alice@KRB.TEST", service: service + "@KRB.TEST",
	} {
		c, err := p.FromKeytab(name, kt)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name().Value != want || seen(t, p, c) != want {
			t.Errorf("%q logs in as %s, want %s", name, c.Name(), want)
		}
	}

	// Rekeyed and exported again: the next login takes the new key.
	c, err := p.FromKeytab("alice", kt)
	if err != nil {
		t.Fatal(err)
	}
	kdc.Rekey("alice", "")
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{gss.ErrDefectiveCredential, krbmsg.ErrPreauthFailed}, "cannot log in as alice@KRB.TEST with the keytab "+kt, "export it again")
	kdc.WriteKeytab(kt, "alice")
	firstToken(t, p, gss.InitiateOptions{Credential: c})

	// It vanishes before the login.
	if c, err = p.FromKeytab("alice", kt); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(kt); err != nil {
		t.Fatal(err)
	}
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{gss.ErrNoCred}, "there is no keytab "+kt)
}

// The default client keytab is found by the environment.
func TestClientKeytabOfTheEnvironment(t *testing.T) {
	kdc := realm(t)
	t.Setenv("KRB5_CLIENT_KTNAME", "FILE:"+kdc.Keytab("alice"))
	p := provider(t, kdc)
	c, err := p.FromKeytab("", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := seen(t, p, c); got != "alice@KRB.TEST" {
		t.Errorf("the acceptor sees %s", got)
	}
}

// writeFile returns the path of a new file.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	writeTo(t, path, text)
	return path
}

func writeTo(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Every error of acquiring names what was looked for, where, and what to do.
func TestAcquireErrors(t *testing.T) {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddPrincipal("bob", "")
	kdc.AddService(service)
	kdc.AddService("HTTP/other.krb.test")
	kdc.AddService("HTTP/old.krb.test", krbtest.Enctypes("aes128-cts-hmac-sha256-128"))
	p := provider(t, kdc)
	strict := provider(t, kdc, func(o *krb5.Options) {
		o.Config = config(t, []string{kdc.Addr()}, " permitted_enctypes = aes256-cts-hmac-sha1-96", "")
	})
	noRealm := provider(t, kdc, func(o *krb5.Options) { o.Config = writeFile(t, "[libdefaults]\n") })
	missing := filepath.Join(t.TempDir(), "missing")
	withSocket := func(path string) *krb5.Provider {
		return provider(t, kdc, func(o *krb5.Options) {
			o.Config = config(t, []string{kdc.Addr()}, " kcm_socket = "+path, "")
		})
	}
	noDaemon, noKCM := withSocket(missing), withSocket("-")
	garbage := writeFile(t, "nothing of use")
	empty := writeFile(t, "\x05\x02")
	alice, both, other, old := kdc.CCache("alice"), kdc.Keytab(service, "alice"), kdc.Keytab("HTTP/other.krb.test"), kdc.Keytab("HTTP/old.krb.test")
	collection := t.TempDir()
	for _, test := range []struct {
		name  string
		p     *krb5.Provider
		o     gss.CredentialOptions
		kind  error
		parts []string
	}{
		{"no cache", p, gss.CredentialOptions{CCache: missing}, gss.ErrNoCred, []string{"no credential cache " + missing, "kinit", "KRB5CCNAME"}},
		{"garbage in the cache", p, gss.CredentialOptions{CCache: garbage}, gss.ErrNoCred, []string{garbage, "cannot be read"}},
		{"another's cache", p, gss.CredentialOptions{CCache: alice, Name: gss.User("bob")}, gss.ErrNoCred, []string{alice, "alice@KRB.TEST, not to bob@KRB.TEST", "kinit bob@KRB.TEST"}},
		{"API", p, gss.CredentialOptions{CCache: "API:"}, gss.ErrNoCred, []string{"API:", "FILE:", "KRB5CCNAME"}},
		{"memory", p, gss.CredentialOptions{CCache: "MEMORY:none"}, gss.ErrNoCred, []string{"MEMORY:none", "StoreCCache"}},
		{"KCM", noDaemon, gss.CredentialOptions{CCache: "KCM:"}, gss.ErrNoCred, []string{"KCM:", "no KCM daemon listens at " + missing, "sssd-kcm", "kcm_socket"}},
		{"KCM turned off", noKCM, gss.CredentialOptions{CCache: "KCM:1"}, gss.ErrNoCred, []string{"KCM:1", "turns KCM off"}},
		{"empty collection", p, gss.CredentialOptions{CCache: "DIR:" + collection, Name: gss.User("bob")}, gss.ErrNoCred, []string{"DIR:" + collection, "bob@KRB.TEST", "kinit bob@KRB.TEST"}},
		{"empty collection, anybody", p, gss.CredentialOptions{CCache: "DIR:" + collection}, gss.ErrNoCred, []string{"DIR:" + collection, "kinit"}},
		{"no realm", noRealm, gss.CredentialOptions{Name: gss.User("alice"), Password: "x"}, gss.ErrInvalidName, []string{`"alice"`, "default_realm", "@REALM"}},
		{"password of nobody", p, gss.CredentialOptions{Password: "x"}, gss.ErrInvalidName, []string{"name a principal"}},
		{"bad name", p, gss.CredentialOptions{Name: gss.User("a@b@c@d"), Password: "x"}, gss.ErrInvalidName, []string{"a@b@c@d", "second @"}},
		{"name of a strange type", p, gss.CredentialOptions{Name: gss.Name{Type: 99, Value: "x"}, Password: "x"}, gss.ErrBadNameType, []string{`"x"`}},
		{"no client keytab", p, gss.CredentialOptions{Keytab: missing}, gss.ErrNoCred, []string{"no keytab " + missing, "ktadd", "KRB5_CLIENT_KTNAME"}},
		{"garbage in the client keytab", p, gss.CredentialOptions{Keytab: garbage}, gss.ErrNoCred, []string{garbage, "not a keytab"}},
		{"empty client keytab", p, gss.CredentialOptions{Keytab: empty}, gss.ErrNoCred, []string{empty, "is empty", "ktadd"}},
		{"not in the client keytab", p, gss.CredentialOptions{Keytab: both, Name: gss.User("bob")}, gss.ErrNoCred, []string{both, "no key of bob@KRB.TEST", "first it has is of " + service + "@KRB.TEST"}},
		{"no keytab", p, gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: missing}, gss.ErrNoCred, []string{"no keytab " + missing, "ktadd", "KRB5_KTNAME"}},
		{"garbage in the keytab", p, gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: garbage}, gss.ErrNoCred, []string{garbage, "not a keytab"}},
		{"empty keytab", p, gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: empty}, gss.ErrNoCred, []string{empty, "no key of a permitted encryption type", "ktadd"}},
		{"keytab of other types", strict, gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: old}, gss.ErrNoCred, []string{old, "no key of a permitted encryption type"}},
		{"not in the keytab", p, gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: other, Name: target}, gss.ErrNoCred, []string{other, "no key of " + service, "HTTP/other.krb.test@KRB.TEST"}},
		{"strange keytab", p, gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: "SRVTAB:/x"}, gss.ErrNoCred, []string{"SRVTAB"}},
		{"both usages", p, gss.CredentialOptions{Usage: gss.UsageBoth}, gss.ErrUnavailable, []string{"acquire two"}},
		{"usage of the future", p, gss.CredentialOptions{Usage: 77}, gss.ErrUnavailable, []string{"acquire two"}},
		{"accept by password", p, gss.CredentialOptions{Usage: gss.UsageAccept, Password: "x"}, gss.ErrUnavailable, []string{"keytab"}},
		{"accept by cache", p, gss.CredentialOptions{Usage: gss.UsageAccept, CCache: alice}, gss.ErrUnavailable, []string{"keytab"}},
		{"password and keytab", p, gss.CredentialOptions{Name: gss.User("alice"), Password: "x", Keytab: both}, gss.ErrUnavailable, []string{"one of"}},
		{"password and cache", p, gss.CredentialOptions{Name: gss.User("alice"), Password: "x", CCache: alice}, gss.ErrUnavailable, []string{"one of"}},
		{"keytab and cache", p, gss.CredentialOptions{Keytab: both, CCache: alice}, gss.ErrUnavailable, []string{"one of"}},
		{"mechanism", p, gss.CredentialOptions{Mechanism: gss.MechNTLM}, gss.ErrBadMech, []string{"SPNEGO and krb5 only"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := test.p.Acquire(t.Context(), test.o)
			if c != nil {
				t.Errorf("there is a credential: %v", c)
			}
			wantError(t, err, []error{test.kind}, test.parts...)
			if _, ok := errors.AsType[*gss.Error](err); !ok {
				t.Errorf("the error is a %T", err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Acquire(ctx, gss.CredentialOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// Every way to acquire a credential gives the one that was asked for.
func TestAcquire(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "bob's password")
	kdc.AddService("HTTP/other.krb.test")
	kt := kdc.Keytab(service, "HTTP/other.krb.test", "bob")
	p := provider(t, kdc)
	for _, test := range []struct {
		name string
		o    gss.CredentialOptions
		want string
	}{
		{"default", gss.CredentialOptions{}, "alice@KRB.TEST"},
		{"krb5 only", gss.CredentialOptions{Mechanism: gss.MechKRB5}, "alice@KRB.TEST"},
		{"default by name", gss.CredentialOptions{Name: gss.User("alice")}, "alice@KRB.TEST"},
		{"cache", gss.CredentialOptions{CCache: "FILE:" + kdc.CCache("bob")}, "bob@KRB.TEST"},
		{"password", gss.CredentialOptions{Name: gss.User("bob"), Password: "bob's password"}, "bob@KRB.TEST"},
		{"keytab", gss.CredentialOptions{Keytab: "FILE:" + kt}, service + "@KRB.TEST"},
		{"keytab by name", gss.CredentialOptions{Keytab: kt, Name: gss.User("bob@KRB.TEST")}, "bob@KRB.TEST"},
		{"keytab by host", gss.CredentialOptions{Keytab: kt, Name: gss.HostBased("HTTP", "other.krb.test")}, "HTTP/other.krb.test@KRB.TEST"},
		{"keytab by principal", gss.CredentialOptions{Keytab: kt, Name: gss.Principal("HTTP/other.krb.test")}, "HTTP/other.krb.test@KRB.TEST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := p.Acquire(t.Context(), test.o)
			if err != nil {
				t.Fatal(err)
			}
			if c.Name().Value != test.want || c.Usage() != gss.UsageInitiate {
				t.Errorf("got %v for %v", c.Name(), c.Usage())
			}
			if got := seen(t, p, c); got != test.want {
				t.Errorf("the acceptor sees %s, want %s", got, test.want)
			}
		})
	}
	for _, test := range []struct {
		name, want string
		o          gss.CredentialOptions
	}{
		{"default", "", gss.CredentialOptions{}},
		{"any of a keytab", "", gss.CredentialOptions{Keytab: kt}},
		{"one of a keytab", "HTTP/web.krb.test@KRB.TEST", gss.CredentialOptions{Keytab: kt, Name: target}},
	} {
		t.Run("accept as "+test.name, func(t *testing.T) {
			test.o.Usage = gss.UsageAccept
			c, err := p.Acquire(t.Context(), test.o)
			if err != nil {
				t.Fatal(err)
			}
			if c.Name().Value != test.want || c.Usage() != gss.UsageAccept || !c.Expires().IsZero() || c.Close() != nil {
				t.Errorf("got %v for %v until %v", c.Name(), c.Usage(), c.Expires())
			}
			_, sc := establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{Credential: c})
			if got := sc.Info().Acceptor.Value; got != service+"@KRB.TEST" {
				t.Errorf("the acceptor is %s", got)
			}
		})
	}
}

// A collection of caches has one for each principal.
func TestCollection(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "")
	dir := t.TempDir()
	kdc.WriteCCache(filepath.Join(dir, "tkt1"), "alice")
	kdc.WriteCCache(filepath.Join(dir, "tkt2"), "bob")
	if err := os.WriteFile(filepath.Join(dir, "primary"), []byte("tkt2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache = "DIR:" + dir })
	for name, want := range map[string]string{"": "bob@KRB.TEST", "alice": "alice@KRB.TEST", "bob@KRB.TEST": "bob@KRB.TEST"} {
		o := gss.CredentialOptions{}
		if name != "" {
			o.Name = gss.User(name)
		}
		c, err := p.Acquire(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(t, p, c); got != want {
			t.Errorf("%q: the acceptor sees %s, want %s", name, got, want)
		}
	}
	c, err := p.FromCCache("DIR::" + filepath.Join(dir, "tkt1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := seen(t, p, c); got != "alice@KRB.TEST" {
		t.Errorf("one file of the collection: the acceptor sees %s", got)
	}
	// kswitch
	if got := seen(t, p, nil); got != "bob@KRB.TEST" {
		t.Errorf("the primary: the acceptor sees %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "primary"), []byte("tkt1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, p, nil); got != "alice@KRB.TEST" {
		t.Errorf("the new primary: the acceptor sees %s", got)
	}
}

// A credential that follows a cache tells what the cache has now.
func TestFollowingCredential(t *testing.T) {
	kdc := realm(t)
	cc := filepath.Join(t.TempDir(), "cc")
	p := provider(t, kdc)
	c, err := p.FromCCache("FILE:" + cc)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Name().IsZero() || !c.Expires().IsZero() || c.Usage() != gss.UsageInitiate {
		t.Errorf("without a cache: %v until %v", c.Name(), c.Expires())
	}
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{gss.ErrNoCred}, "FILE:"+cc, "kinit")
	kdc.WriteCCache(cc, "alice", krbtest.ExpiresIn(time.Hour))
	if left := time.Until(c.Expires()); c.Name().Value != "alice@KRB.TEST" || left > time.Hour || left < 58*time.Minute {
		t.Errorf("%v for %v", c.Name(), left)
	}
	firstToken(t, p, gss.InitiateOptions{Credential: c})
	if _, err := p.FromCCache("MSLSA:"); err == nil {
		t.Error("a type that cannot be read is not refused")
	}
}

// The default cache is found as MIT finds it.
func TestDefaultCache(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "")
	kdc.AddPrincipal("carol", "")
	bySetting := config(t, []string{kdc.Addr()}, " default_ccache_name = FILE:"+kdc.CCache("bob"), "")
	t.Setenv("KRB5CCNAME", "")
	p := provider(t, kdc, func(o *krb5.Options) { o.Config, o.CCache = bySetting, "" })
	if got := seen(t, p, nil); got != "bob@KRB.TEST" {
		t.Errorf("by default_ccache_name: %s", got)
	}
	t.Setenv("KRB5CCNAME", kdc.CCache("carol"))
	if got := seen(t, p, nil); got != "carol@KRB.TEST" {
		t.Errorf("by KRB5CCNAME: %s", got)
	}
	p = provider(t, kdc, func(o *krb5.Options) { o.Config = bySetting })
	if got := seen(t, p, nil); got != "alice@KRB.TEST" {
		t.Errorf("by Options.CCache: %s", got)
	}
}

// foreign is a credential of another implementation.
type foreign struct{ gss.Credential }

// A credential is of use for what it was made. One for initiating also serves
// other providers than the one that made it, as a server's does that was
// delegated a credential; one for accepting does not.
func TestWrongCredential(t *testing.T) {
	kdc := realm(t)
	p, other := provider(t, kdc), provider(t, kdc)
	password, _ := other.FromPassword("alice", "alice's password")
	cached, _ := other.FromCCache("")
	keytab, _ := other.AcceptorFromKeytab("")
	ownCached, _ := p.FromCCache("")
	ownKeytab, _ := p.AcceptorFromKeytab("")
	for _, c := range []gss.Credential{password, cached} {
		firstToken(t, p, gss.InitiateOptions{Credential: c})
	}
	for _, c := range []gss.Credential{keytab, ownKeytab, foreign{}} {
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
		wantError(t, err, []error{gss.ErrDefectiveCredential}, "acquire one")
	}
	for _, c := range []gss.Credential{password, cached, keytab, ownCached, foreign{}} {
		_, err := p.Accept(t.Context(), gss.AcceptOptions{Credential: c})
		wantError(t, err, []error{gss.ErrDefectiveCredential}, "AcceptorFromKeytab")
	}
}

func TestNewErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.conf")
	for _, test := range []struct {
		name, config string
		parts        []string
	}{
		{"broken", writeFile(t, "[libdefaults\n"), []string{"krb5.conf", ":1"}},
		{"no usable type", writeFile(t, "[libdefaults]\n permitted_enctypes = des-cbc-crc\n"), []string{"permitted_enctypes", "aes256-cts-hmac-sha1-96"}},
		{"missing include", writeFile(t, "include "+missing+"\n"), []string{missing}},
	} {
		_, err := krb5.New(krb5.Options{Config: test.config})
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		wantError(t, err, []error{gss.ErrFailure}, test.parts...)
	}
}
