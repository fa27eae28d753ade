package krb5_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krb5"
)

// A client logs in by its name as a user principal (RFC 6806, section 5), in its
// own realm or in another one that its KDC knows, without a switch in krb5.conf.
// The tickets have the name that the KDC gives it.
func TestEnterpriseName(t *testing.T) {
	a, b := realm(t), neighbour(t, "B.TEST")
	a.Trust(b)
	b.AddPrincipal("bob", "bob's password")
	b.AddService("HTTP/second.b.test")
	a.AddAlias(`a.smith\@corp.example`, "alice")
	p := provider(t, a, func(o *krb5.Options) { o.Config = config(t, []string{overTCP(a)}, "", alsoRealms(b)) })
	inA, inB := a.Acceptor(service), b.Acceptor(webOf("B.TEST"))
	for _, test := range []struct{ name, password, want string }{
		{"alice@krb.test@KRB.TEST", "alice's password", "alice@KRB.TEST"},
		{`alice\@krb.test`, "alice's password", "alice@KRB.TEST"},
		{"a.smith@corp.example@KRB.TEST", "alice's password", "alice@KRB.TEST"},
		{"bob@b.test@KRB.TEST", "bob's password", "bob@B.TEST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := p.FromPassword(test.name, test.password)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				// The other realm first, and then the one that was named.
				_, sc := establish(t, p, inB, gss.InitiateOptions{Credential: c, Target: gss.HostBased("HTTP", "web.b.test")}, gss.AcceptOptions{})
				if got := sc.Info().Initiator.Value; got != test.want {
					t.Errorf("the acceptor in B.TEST sees %s, want %s", got, test.want)
				}
				_, sc = establish(t, p, inA, gss.InitiateOptions{Credential: c, Target: gss.Principal(service + "@KRB.TEST")}, gss.AcceptOptions{})
				if got := sc.Info().Initiator.Value; got != test.want {
					t.Errorf("the acceptor in KRB.TEST sees %s, want %s", got, test.want)
				}
			}
			// What is the client's own ticket-granting ticket has not changed.
			a.ResetRequests()
			b.ResetRequests()
			_, i := firstToken(t, p, gss.InitiateOptions{Credential: c, Target: gss.Principal("HTTP/second.b.test@B.TEST")})
			if got := i.Info().Initiator.Value; got != test.want || a.Requests().TGS != 0 || b.Requests().TGS != 1 {
				t.Errorf("another service in B.TEST costs %d requests in KRB.TEST and %d in B.TEST, for %s", a.Requests().TGS, b.Requests().TGS, got)
			}
		})
	}
	c, err := p.FromPassword("nobody@krb.test@KRB.TEST", "secret")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{krbmsg.ErrCPrincipalUnknown}, `nobody\@krb.test@KRB.TEST`, "check the name")
}

// What is put into a cache is found there again: the cache is of whom the tickets
// name, and not of the alias that the client logged in by.
func TestStoreEnterpriseName(t *testing.T) {
	kdc := realm(t)
	kdc.AddAlias(`a.smith\@corp.example`, "alice")
	for _, name := range []string{"FILE:" + filepath.Join(t.TempDir(), "cc"), "DIR:" + t.TempDir(), "MEMORY:alias"} {
		p := provider(t, kdc, func(o *krb5.Options) { o.CCache = name })
		c, err := p.FromPassword("a.smith@corp.example@KRB.TEST", "alice's password")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // into the same cache of a collection
			if err := p.StoreCCache(t.Context(), c, ""); err != nil {
				t.Fatal(err)
			}
		}
		for _, who := range []gss.Name{{}, gss.User("alice")} {
			stored, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: who})
			if err != nil {
				t.Fatal(err)
			}
			if got := seen(t, p, stored); got != "alice@KRB.TEST" {
				t.Errorf("%s: in the cache is %s", name, got)
			}
		}
	}
}

// A ticket for another name than the client keytab's is not written to the cache,
// where nobody would find it, and serves nevertheless.
func TestClientKeytabOfAnAlias(t *testing.T) {
	kdc := realm(t)
	kdc.AddAlias("smith", "alice")
	dir := t.TempDir()
	file := filepath.Join(dir, "cc")
	kt, err := keytab.Parse(read(t, kdc.Keytab("alice")))
	if err != nil {
		t.Fatal(err)
	}
	for i := range kt.Entries {
		kt.Entries[i].Principal.Components = []string{"smith"}
	}
	b, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "keytab")
	if err := os.WriteFile(keys, b, 0o600); err != nil {
		t.Fatal(err)
	}
	p := provider(t, kdc, func(o *krb5.Options) {
		o.CCache, o.ClientKeytab, o.StoreTickets = "FILE:"+file, keys, true
		o.Config = config(t, []string{overTCP(kdc)}, "canonicalize = true", "")
	})
	for range 2 {
		if got := seen(t, p, nil); got != "alice@KRB.TEST" {
			t.Errorf("the acceptor sees %s", got)
		}
	}
	if n := kdc.Requests().AS; n != 2 {
		t.Errorf("%d AS-REQs, want one login", n)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a cache was written: %v", err)
	}
}
