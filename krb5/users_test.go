package krb5

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// usersProvider is a provider for logins that have no KDC.
func usersProvider(t *testing.T) *Provider {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(conf, []byte("[libdefaults]\n default_realm = KRB.TEST\n dns_lookup_kdc = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Config: conf})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ticketFor(t *testing.T, client, server principal.Name, raw string, flags uint32) *kdcclient.Ticket {
	t.Helper()
	key, err := etype.RandomKey(etype.AES128SHA1)
	if err != nil {
		t.Fatal(err)
	}
	return &kdcclient.Ticket{
		Client: client, Server: server, Raw: []byte(raw), Key: key, Flags: flags,
		AuthTime: time.Now(), EndTime: time.Now().Add(time.Hour),
	}
}

// Nobody vouches for the name of the client in a KDC's reply, and what an
// enterprise name stands for shows nowhere else. Whoever changes it on the way
// must not have one user go on as another.
func TestNameInTheReplyPicksNoUser(t *testing.T) {
	service := principal.New("KRB.TEST", "HTTP", "front.krb.test")
	alice := principal.New("KRB.TEST", "alice")
	bob := principal.Name{Type: principal.TypeEnterprise, Realm: "KRB.TEST", Components: []string{"bob@krb.test"}}
	l := newLogin(usersProvider(t), service, "a test")
	l.add(keyOf(useEvidence, alice), ticketFor(t, alice, service, "alice's", 0))
	l.add(evidenceKey(bob), ticketFor(t, alice, service, "bob's", 0)) // with a changed name
	for _, test := range []struct {
		user principal.Name
		want string
	}{{alice, "alice's"}, {bob, "bob's"}, {alice, "alice's"}} {
		u, err := l.impersonated(t.Context(), test.user)
		if err != nil {
			t.Fatal(err)
		}
		got, err := u.tgt(t.Context())
		if err != nil || string(got.Raw) != test.want {
			t.Errorf("for %s it goes on with %s evidence, %v", test.user, got.Raw, err)
		}
	}
}

// A service whose ticket-granting ticket is not forwardable logs in once more,
// and all who have the first one get the second. If the KDC does not grant it, it
// is not asked again.
func TestForwardableForAll(t *testing.T) {
	service := principal.New("KRB.TEST", "HTTP", "front.krb.test")
	tgs := principal.TGS("KRB.TEST", "KRB.TEST")
	for _, flags := range []uint32{krbmsg.FlagForwardable, 0} {
		l := newLogin(usersProvider(t), service, "a test")
		l.logsIn = true
		logins := 0
		l.relogin = func(context.Context, *kdcclient.Ticket) (*kdcclient.Ticket, error) {
			logins++
			return l.loggedIn(ticketFor(t, service, tgs, "the second", flags), true), nil
		}
		first := ticketFor(t, service, tgs, "the first", 0)
		l.add(tgtKey("KRB.TEST"), first)
		for range 3 { // who have it, and have not seen yet what it is
			got, err := l.forwardableInstead(t.Context(), first)
			if err != nil || string(got.Raw) != "the second" {
				t.Errorf("got %s, %v", got.Raw, err)
			}
		}
		if got, err := l.forwardableTGT(t.Context()); err != nil || string(got.Raw) != "the second" || logins != 1 {
			t.Errorf("got %s, %v, after %d logins", got.Raw, err, logins)
		}
	}
}
