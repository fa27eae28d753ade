package krb5_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
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
