//go:build interop

package interop_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// impersonator is a service that goes on for users.
type impersonator struct {
	p    *krb5.Provider
	cred gss.Credential
}

func (r *suiteRealm) impersonator(t *testing.T, principal string, acceptsAs string) impersonator {
	t.Helper()
	keytab := r.keytab(t, principal)
	p := r.provider(t, krb5.Options{Keytab: r.keytab(t, acceptsAs)})
	cred, err := p.FromKeytab(principal, keytab)
	if err != nil {
		t.Fatal(err)
	}
	return impersonator{p, cred}
}

// goOn impersonates a user towards a service, and returns whom that sees.
func (r *suiteRealm) goOn(t *testing.T, s impersonator, user, to string) (string, error) {
	t.Helper()
	cred, err := s.p.Impersonate(t.Context(), s.cred, gss.User(user))
	if err != nil {
		return "", err
	}
	url, target := r.serve(t, to, nil)
	return r.onward(t.Context(), s.p, cred, url, target)
}

func wantRefusal(t *testing.T, got string, err error, kind error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("it goes on, as %q", got)
		return
	}
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
}

// byEvidence has alice come to the front end with a ticket and delegate nothing.
// The front end goes on, and returns whom the other service sees.
func (r *suiteRealm) byEvidence(t *testing.T, s impersonator, frontName, to string) (string, error) {
	t.Helper()
	acceptor, err := s.p.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	if acceptor, err = s.p.DelegatingAcceptor(acceptor, s.cred); err != nil {
		t.Fatal(err)
	}
	url, target := r.serve(t, to, nil)
	var went error
	front := serve(t, &negotiate.Handler{Provider: s.p, Credential: acceptor, Next: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		id, _ := negotiate.IdentityFrom(req.Context())
		page, err := r.onward(context.WithoutCancel(req.Context()), s.p, id.Delegated, url, target)
		went = err
		io.WriteString(w, page)
	})})
	client := r.provider(t, krb5.Options{CCache: r.kinit(t, "alice", suitePassword)})
	page, err := getAs(t, &negotiate.Transport{Provider: client, Target: negotiate.FixedTarget(gss.HostBased("HTTP", frontName+"."+r.domain()))}, front)
	if err != nil {
		t.Fatal(err)
	}
	return page, went
}

// mitImpersonation: MIT's KDC with its own kind of database, db2, knows S4U2Self
// and can tell of no service that it may delegate.
func mitImpersonation(t *testing.T, kdc *interop.MIT, r *suiteRealm) {
	kdc.AddPrincipal(t, r.spn("front"), interop.PrincipalOptions{Attributes: []string{"+ok_to_auth_as_delegate", "+requires_preauth"}})
	s := r.impersonator(t, r.spn("front"), r.spn("front"))
	cred, err := s.p.Impersonate(t.Context(), s.cred, gss.User("alice"))
	if err != nil || cred.Name().Value != "alice@MIT.TEST" || cred.Expires().IsZero() {
		t.Fatalf("got %v, %v", cred, err)
	}
	got, err := r.goOn(t, s, "alice", "second")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "may not go to "+r.spn("second"), "S4U2Proxy", "LDAP")
	_, err = s.p.Impersonate(t.Context(), s.cred, gss.User("nobody-at-all"))
	wantRefusal(t, "", err, gss.ErrInvalidName, "S4U2Self")
	got, err = r.byEvidence(t, s, "front", "second")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "may not go to "+r.spn("second"))
}

func heimdalImpersonation(t *testing.T, kdc *interop.Heimdal, r *suiteRealm) {
	for _, name := range []string{"front", "plain"} {
		kdc.AddUser(t, r.spn(name), suitePassword)
		kdc.Admin(t, "modify", "--constrained-delegation="+r.spn("second")+"@"+r.realm, r.spn(name))
	}
	kdc.Admin(t, "modify", "--attributes=+trusted-for-delegation", r.spn("front"))
	front, plain := r.impersonator(t, r.spn("front"), r.spn("front")), r.impersonator(t, r.spn("plain"), r.spn("plain"))
	if got, err := r.goOn(t, front, "alice", "second"); err != nil || got != "alice@"+r.realm {
		t.Errorf("impersonated: got %q, %v", got, err)
	}
	// Heimdal 7.8 takes as evidence what it has signed for S4U2Self, and no ticket of
	// a user's own: "Ticket not signed with PAC nor SignedPath".
	got, err := r.byEvidence(t, plain, "plain", "second")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "may not go to "+r.spn("second"))
	got, err = r.goOn(t, front, "alice", "web")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "may not go to "+r.spn("web"), "--constrained-delegation")
	got, err = r.goOn(t, plain, "alice", "second")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "is not forwardable", "trusted-for-delegation")
}

func sambaImpersonation(t *testing.T, r *suiteRealm) {
	front, plain := r.impersonator(t, "svc-front", r.spn("front")), r.impersonator(t, "svc-plain", r.spn("plain"))
	if got, err := r.goOn(t, front, "alice", "second"); err != nil || got != "alice@"+r.realm {
		t.Errorf("impersonated: got %q, %v", got, err)
	}
	// Samba finds the user by her UPN, and leaves that in the ticket as her name.
	if got, err := r.goOn(t, front, "alice.a@upn.test@AD.TEST", "second"); err != nil || got != `alice.a\@upn.test@AD.TEST` {
		t.Errorf("impersonated by UPN: got %q, %v", got, err)
	}
	if got, err := r.byEvidence(t, plain, "plain", "second"); err != nil || got != "alice@"+r.realm {
		t.Errorf("by her own ticket: got %q, %v", got, err)
	}
	got, err := r.goOn(t, front, "alice", "web")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "may not go to "+r.spn("web"), "msDS-AllowedToDelegateTo")
	got, err = r.goOn(t, plain, "alice", "second")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "is not forwardable", "TrustedToAuthForDelegation")
	got, err = r.goOn(t, front, "eve", "second")
	wantRefusal(t, got, err, gss.ErrUnauthorized, "marked as sensitive")
	_, err = front.p.Impersonate(t.Context(), front.cred, gss.User("nobody-at-all"))
	wantRefusal(t, "", err, gss.ErrInvalidName, "S4U2Self")
	// Samba 4.17 with its own Heimdal does not know resource-based delegation; if a
	// later one does, this asserts that the front end goes on.
	if got, err = r.goOn(t, front, "alice", "resource"); err != nil {
		wantRefusal(t, got, err, gss.ErrUnauthorized, "PrincipalsAllowedToDelegateToAccount")
	} else if got != "alice@"+r.realm {
		t.Errorf("resource-based: got %q", got)
	}
}

// sambaDirectory is what only a directory has: groups, names of users that are
// not principals, and accounts without AES keys.
func sambaDirectory(t *testing.T, r *suiteRealm) {
	var pac *krb5.PAC
	var size int
	url, target := r.serve(t, "web", func(w http.ResponseWriter, req *http.Request) {
		id, _ := negotiate.IdentityFrom(req.Context())
		var err error
		if pac, err = krb5.PACFrom(id.Authorization); err != nil {
			t.Error(err)
		}
		io.WriteString(w, id.Principal)
	})
	transport := func(t *testing.T, principal, settings string) *negotiate.Transport {
		p := r.provider(t, krb5.Options{Config: r.settings(t, "[libdefaults]\n", "[libdefaults]\n "+settings+"\n")})
		cred, err := p.FromPassword(principal, suitePassword)
		if err != nil {
			t.Fatal(err)
		}
		return &negotiate.Transport{Provider: p, Credential: cred, Target: target, Base: sizing{&size}}
	}
	t.Run("400 groups", func(t *testing.T) {
		if got, err := getAs(t, transport(t, "many", ""), url); err != nil || got != "many@AD.TEST" {
			t.Fatalf("got %q, %v", got, err)
		}
		if len(pac.Groups) < 401 || pac.LogonName != "many" || pac.Domain != "ADDOM" || pac.DNSDomain != "AD.TEST" || pac.UPN != "many@ad.test" || !strings.HasPrefix(pac.SID, "S-1-5-21-") || !strings.HasSuffix(pac.Groups[0], "-513") {
			t.Errorf("%d groups, and %s is %+v", len(pac.Groups), pac.SID, pac.Groups[:min(3, len(pac.Groups))])
		}
		if size < 5000 {
			t.Errorf("the field with the token has %d octets", size)
		}
	})
	t.Run("UPN", func(t *testing.T) {
		if got, err := getAs(t, transport(t, "alice.a@upn.test@AD.TEST", ""), url); err != nil || got != "alice@AD.TEST" {
			t.Fatalf("got %q, %v", got, err)
		}
		if pac.UPN != "alice.a@upn.test" {
			t.Errorf("the UPN is %q", pac.UPN)
		}
	})
	t.Run("RC4 user", func(t *testing.T) {
		wantFailure(t, transport(t, "old", ""), url, krbmsg.ErrETypeNoSupp, "arcfour-hmac", "give the account of old@AD.TEST AES keys")
		if got, err := getAs(t, transport(t, "old", "allow_weak_crypto = true"), url); err != nil || got != "old@AD.TEST" {
			t.Errorf("with allow_weak_crypto: got %q, %v", got, err)
		}
	})
	t.Run("RC4 service", func(t *testing.T) {
		strict, err := krb5.New(krb5.Options{Config: r.config, Keytab: r.keytab(t, r.spn("old"))})
		if err != nil {
			t.Fatal(err)
		}
		_, err = strict.AcceptorFromKeytab("")
		wantRefusal(t, "", err, gss.ErrNoCred, "only arcfour-hmac", "give the account of "+r.spn("old"))
		weak := r.settings(t, "[libdefaults]\n", "[libdefaults]\n allow_weak_crypto = true\n")
		server := serve(t, &negotiate.Handler{Provider: r.provider(t, krb5.Options{Config: weak, Keytab: r.keytab(t, r.spn("old"))}), Next: http.HandlerFunc(tellPrincipal)})
		old := negotiate.FixedTarget(gss.HostBased("HTTP", "old.ad.test"))
		tr := transport(t, "alice", "")
		tr.Target = old
		wantFailure(t, tr, server, krbmsg.ErrETypeNoSupp, "arcfour-hmac", "give the account of "+r.spn("old"), "msDS-SupportedEncryptionTypes = 24")
		tr = transport(t, "alice", "allow_weak_crypto = true")
		tr.Target = old
		r.wantPage(t, tr, server)
	})
}

// sizing notes the length of the longest token that goes out.
type sizing struct{ size *int }

func (s sizing) RoundTrip(req *http.Request) (*http.Response, error) {
	*s.size = max(*s.size, len(req.Header.Get("Authorization")))
	return http.DefaultTransport.RoundTrip(req)
}
