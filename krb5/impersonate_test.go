package krb5_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

const (
	front = "HTTP/front.krb.test"
	back  = "HTTP/back.krb.test"
)

var (
	frontTarget = gss.HostBased("HTTP", "front.krb.test")
	backTarget  = gss.HostBased("HTTP", "back.krb.test")
)

// threeTiers is a realm in which a front end goes on to a back end.
func threeTiers(tb testing.TB, options ...krbtest.PrincipalOption) *krbtest.KDC {
	kdc := realm(tb)
	kdc.AddPrincipal("bob", "bob's password")
	kdc.AddPrincipal("eve", "eve's password", krbtest.NotForwardable())
	kdc.AddService(back)
	kdc.AddService("HTTP/other.krb.test")
	kdc.AddService(front, options...)
	kdc.AddService("HTTP/resource.krb.test", krbtest.DelegateFrom(front))
	return kdc
}

// frontEnd is the front end's provider, with its credential.
func frontEnd(tb testing.TB, kdc *krbtest.KDC, change ...func(*krb5.Options)) (*krb5.Provider, gss.Credential) {
	tb.Helper()
	keytab := kdc.Keytab(front)
	p := provider(tb, kdc, append([]func(*krb5.Options){func(o *krb5.Options) {
		o.Keytab, o.CCache = keytab, "FILE:/nonexistent"
	}}, change...)...)
	cred, err := p.FromKeytab(front, keytab)
	if err != nil {
		tb.Fatal(err)
	}
	return p, cred
}

func impersonate(tb testing.TB, p *krb5.Provider, service gss.Credential, user string) gss.Credential {
	tb.Helper()
	cred, err := p.Impersonate(tb.Context(), service, gss.User(user))
	if err != nil {
		tb.Fatal(err)
	}
	return cred
}

// A service that may goes on in the name of a user who has not been there.
func TestImpersonate(t *testing.T) {
	kdc := threeTiers(t, krbtest.ProtocolTransition(), krbtest.DelegateTo(back))
	p, service := frontEnd(t, kdc)
	cred := impersonate(t, p, service, "alice")
	if cred.Name() != gss.User("alice@KRB.TEST") || cred.Usage() != gss.UsageInitiate || cred.Expires().IsZero() {
		t.Errorf("the credential is of %s for %s until %s", cred.Name(), cred.Usage(), cred.Expires())
	}
	if got, want := fmt.Sprint(cred), "krb5 credential of alice@KRB.TEST from S4U2Self by HTTP/front.krb.test@KRB.TEST"; got != want {
		t.Errorf("the credential reads %q, want %q", got, want)
	}
	i, a := establish(t, p, kdc.Acceptor(back), gss.InitiateOptions{Credential: cred, Target: backTarget, Flags: gss.FlagMutual | gss.FlagDelegate}, gss.AcceptOptions{})
	if got := a.Info().Initiator.Value; got != "alice@KRB.TEST" {
		t.Errorf("the back end sees %s", got)
	}
	if i.Info().Flags.Has(gss.FlagDelegate) || a.Info().Delegated != nil {
		t.Error("a credential without a ticket-granting ticket was delegated")
	}
	if err := cred.Close(); err != nil {
		t.Error(err)
	}
}

// By resource-based delegation the other service's account says who may come,
// and then the ticket need not be forwardable.
func TestResourceBasedDelegation(t *testing.T) {
	kdc := threeTiers(t)
	p, service := frontEnd(t, kdc)
	cred := impersonate(t, p, service, "alice")
	_, a := establish(t, p, kdc.Acceptor("HTTP/resource.krb.test"), gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", "resource.krb.test")}, gss.AcceptOptions{})
	if got := a.Info().Initiator.Value; got != "alice@KRB.TEST" {
		t.Errorf("the resource sees %s", got)
	}
}

func TestImpersonationRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []krbtest.PrincipalOption
		user    string
		kinds   []error
		says    []string
	}{
		{"not this service", []krbtest.PrincipalOption{krbtest.ProtocolTransition(), krbtest.DelegateTo("HTTP/other.krb.test")}, "alice",
			[]error{gss.ErrUnauthorized, krbmsg.ErrBadOption},
			[]string{front + "@KRB.TEST may not go to " + back, "in the name of alice@KRB.TEST (S4U2Proxy)", "msDS-AllowedToDelegateTo", "--constrained-delegation"}},
		{"no protocol transition", []krbtest.PrincipalOption{krbtest.DelegateTo(back)}, "alice",
			[]error{gss.ErrUnauthorized, krbmsg.ErrBadOption},
			[]string{"the ticket of alice@KRB.TEST is not forwardable", "TrustedToAuthForDelegation", "ok_to_auth_as_delegate"}},
		{"sensitive user", []krbtest.PrincipalOption{krbtest.ProtocolTransition(), krbtest.DelegateTo(back)}, "eve",
			[]error{gss.ErrUnauthorized, krbmsg.ErrBadOption}, []string{"the account is marked as sensitive"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			kdc := threeTiers(t, test.options...)
			p, service := frontEnd(t, kdc)
			cred := impersonate(t, p, service, test.user)
			_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cred, Target: backTarget})
			wantError(t, err, test.kinds, test.says...)
		})
	}
}

func TestImpersonateErrors(t *testing.T) {
	kdc := threeTiers(t, krbtest.ProtocolTransition(), krbtest.DelegateTo(back))
	kdc.AddPrincipal("mallory", "pw", krbtest.Locked())
	p, service := frontEnd(t, kdc)
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		service gss.Credential
		user    gss.Name
		kinds   []error
		says    []string
	}{
		{"unknown", service, gss.User("nobody"), []error{gss.ErrInvalidName, krbmsg.ErrCPrincipalUnknown}, []string{front, "in the name of nobody@KRB.TEST (S4U2Self)", "check the user's name"}},
		{"locked", service, gss.User("mallory"), []error{gss.ErrUnauthorized, krbmsg.ErrClientRevoked}, []string{"unlock the user"}},
		{"another realm", service, gss.User("alice@OTHER.TEST"), []error{gss.ErrFailure}, []string{"no trust between the realms leads there", "check the realm of the user's name"}},
		{"no user", service, gss.Name{}, []error{gss.ErrInvalidName}, []string{"whose credential"}},
		{"an acceptor's credential", acceptor, gss.User("alice"), []error{gss.ErrDefectiveCredential}, []string{"is for accepting"}},
		{"a user's credential", impersonate(t, p, service, "alice"), gss.User("bob"), []error{gss.ErrDefectiveCredential}, []string{"stands for a user already"}},
		{"no cache", nil, gss.User("alice"), []error{gss.ErrNoCred}, []string{"there is no credential cache"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := p.Impersonate(t.Context(), test.service, test.user)
			wantError(t, err, test.kinds, test.says...)
		})
	}
}

// A user's tickets are fetched once, however many goroutines go on for the same
// user, and no user gets another's.
func TestImpersonatedTicketsAreKept(t *testing.T) {
	kdc := threeTiers(t, krbtest.ProtocolTransition(), krbtest.DelegateTo(back))
	p, service := frontEnd(t, kdc, countable(t, kdc))
	acceptor := kdc.Acceptor(back)
	// krb5.conf asks for no forwardable tickets, and here is one already.
	firstToken(t, p, gss.InitiateOptions{Credential: service, Target: backTarget})
	var all sync.WaitGroup
	for range 5 {
		for _, user := range []string{"alice", "bob"} {
			all.Go(func() {
				_, a := establish(t, p, acceptor, gss.InitiateOptions{Credential: impersonate(t, p, service, user), Target: backTarget}, gss.AcceptOptions{})
				if got := a.Info().Initiator.Value; got != user+"@KRB.TEST" {
					t.Errorf("the back end sees %s instead of %s", got, user)
				}
			})
		}
	}
	all.Wait()
	if got := kdc.Requests(); got.S4U2Self != 2 || got.S4U2Proxy != 2 {
		t.Errorf("%d requests for evidence and %d with it, want 2 and 2", got.S4U2Self, got.S4U2Proxy)
	}
	if a, b := impersonate(t, p, service, "alice"), impersonate(t, p, service, "alice"); a != b {
		t.Error("one user has two credentials")
	}
	if a, b := impersonate(t, p, service, "alice"), impersonate(t, p, service, "bob"); a == b {
		t.Error("two users have one credential")
	}
}

// Beyond the users that are remembered others are, and credentials in use go on.
func TestManyImpersonatedUsers(t *testing.T) {
	kdc := threeTiers(t, krbtest.ProtocolTransition(), krbtest.DelegateTo(back))
	p, service := frontEnd(t, kdc)
	alice := impersonate(t, p, service, "alice")
	for n := range 300 {
		user := fmt.Sprintf("user%d", n)
		kdc.AddPrincipal(user, "pw")
		if got := impersonate(t, p, service, user).Name().Value; got != user+"@KRB.TEST" {
			t.Fatalf("the credential of %s is of %s", user, got)
		}
	}
	if n := krb5.ImpersonatedUsers(service); n != 256 {
		t.Errorf("the service remembers %d users, want 256", n)
	}
	_, a := establish(t, p, kdc.Acceptor(back), gss.InitiateOptions{Credential: alice, Target: backTarget}, gss.AcceptOptions{})
	if got := a.Info().Initiator.Value; got != "alice@KRB.TEST" {
		t.Errorf("the back end sees %s", got)
	}
}

// onFor accepts a client's token as the front end and returns what it goes on
// with.
func onFor(t *testing.T, kdc *krbtest.KDC, p *krb5.Provider, service gss.Credential, client *krb5.Provider, flags gss.Flags) gss.SecContext {
	t.Helper()
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	if acceptor, err = p.DelegatingAcceptor(acceptor, service); err != nil {
		t.Fatal(err)
	}
	if acceptor.Usage() != gss.UsageBoth {
		t.Errorf("the acceptor's credential is for %s", acceptor.Usage())
	}
	_, a := establish(t, client, p, gss.InitiateOptions{Target: frontTarget, Flags: flags}, gss.AcceptOptions{Credential: acceptor})
	return a
}

// A client's own ticket is evidence enough where the service may delegate.
func TestDelegatingAcceptor(t *testing.T) {
	kdc := threeTiers(t, krbtest.DelegateTo(back))
	p, service := frontEnd(t, kdc, countable(t, kdc))
	alice := provider(t, kdc)
	var creds []gss.Credential
	for range 3 {
		info := onFor(t, kdc, p, service, alice, 0).Info()
		if info.Flags.Has(gss.FlagDelegate) || info.Delegated == nil || info.Delegated.Name() != gss.User("alice@KRB.TEST") {
			t.Fatalf("the context has the flags %s and the credential %v", info.Flags, info.Delegated)
		}
		if info.Delegated.Expires() != info.Expires {
			t.Errorf("it ends at %s and the ticket at %s", info.Delegated.Expires(), info.Expires)
		}
		_, a := establish(t, p, kdc.Acceptor(back), gss.InitiateOptions{Credential: info.Delegated, Target: backTarget}, gss.AcceptOptions{})
		if got := a.Info().Initiator.Value; got != "alice@KRB.TEST" {
			t.Errorf("the back end sees %s", got)
		}
		creds = append(creds, info.Delegated)
	}
	if creds[0] != creds[1] || creds[1] != creds[2] {
		t.Error("requests with one ticket have different credentials, which share no connections")
	}
	if got := kdc.Requests(); got.S4U2Proxy != 1 || got.S4U2Self != 0 {
		t.Errorf("%d requests with evidence, want 1", got.S4U2Proxy)
	}
	// What a client delegates goes before.
	info := onFor(t, kdc, p, service, alice, gss.FlagDelegate).Info()
	if !info.Flags.Has(gss.FlagDelegate) || !strings.Contains(fmt.Sprint(info.Delegated), "delegated by") {
		t.Errorf("delegated: %v, flags %s", info.Delegated, info.Flags)
	}
}

func TestDelegatingAcceptorRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []krbtest.PrincipalOption
		client  []krbtest.TicketOption
		says    string
	}{
		{"not this service", nil, nil, "msDS-AllowedToDelegateTo"},
		{"ticket not forwardable", []krbtest.PrincipalOption{krbtest.DelegateTo(back)}, []krbtest.TicketOption{krbtest.WithoutForwarding()}, "the client's login was not forwardable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			kdc := threeTiers(t, test.options...)
			p, service := frontEnd(t, kdc)
			client := provider(t, kdc, func(o *krb5.Options) { o.CCache = kdc.CCache("alice", test.client...) })
			info := onFor(t, kdc, p, service, client, 0).Info()
			_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: info.Delegated, Target: backTarget})
			wantError(t, err, []error{gss.ErrUnauthorized, krbmsg.ErrBadOption}, test.says)
		})
	}
}

// The client's login is not spoiled by a service's credential that is not there.
func TestDelegatingAcceptorWithoutTickets(t *testing.T) {
	kdc := threeTiers(t, krbtest.DelegateTo(back))
	var log *bytes.Buffer
	p, _ := frontEnd(t, kdc, func(o *krb5.Options) { log = logged(o) })
	service, err := p.FromCCache("FILE:/nonexistent/cache")
	if err != nil {
		t.Fatal(err)
	}
	info := onFor(t, kdc, p, service, provider(t, kdc), 0).Info()
	if info.Initiator.Value != "alice@KRB.TEST" || info.Delegated != nil {
		t.Errorf("the context is of %s with the credential %v", info.Initiator, info.Delegated)
	}
	if !strings.Contains(log.String(), "no credential for constrained delegation") {
		t.Errorf("the log does not tell why:\n%s", log)
	}
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.DelegatingAcceptor(service, service)
	wantError(t, err, []error{gss.ErrDefectiveCredential}, "AcceptorFromKeytab")
	_, err = p.DelegatingAcceptor(acceptor, acceptor)
	wantError(t, err, []error{gss.ErrDefectiveCredential}, "FromKeytab")
	_, err = p.DelegatingAcceptor(acceptor, nil)
	wantError(t, err, []error{gss.ErrDefectiveCredential}, "FromKeytab")
}

// What ends with the client's ticket says so; an impersonated user's is fetched
// again.
func TestImpersonationEnds(t *testing.T) {
	start := time.Now()
	var mu sync.Mutex
	now := start
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	kdc := realm(t, krbtest.WithClock(clock), krbtest.WithLifetime(time.Hour))
	kdc.AddService(back)
	kdc.AddService(front, krbtest.ProtocolTransition(), krbtest.DelegateTo(back))
	p, service := frontEnd(t, kdc, func(o *krb5.Options) { o.Now = clock })
	cred := impersonate(t, p, service, "alice")
	brought := onFor(t, kdc, p, service, provider(t, kdc, func(o *krb5.Options) { o.Now = clock }), 0).Info().Delegated
	mu.Lock()
	now = start.Add(2 * time.Hour)
	mu.Unlock()
	firstToken(t, p, gss.InitiateOptions{Credential: cred, Target: backTarget})
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: brought, Target: backTarget})
	wantError(t, err, []error{gss.ErrCredentialsExpired}, "have the client authenticate again")
}

// What a service has in users' names does not go into its credential cache, and
// not by itself into any.
func TestImpersonatedTicketsStayInMemory(t *testing.T) {
	kdc := threeTiers(t, krbtest.ProtocolTransition(), krbtest.DelegateTo(back))
	p, service := frontEnd(t, kdc, func(o *krb5.Options) { o.StoreTickets = true })
	cred := impersonate(t, p, service, "alice")
	firstToken(t, p, gss.InitiateOptions{Credential: cred, Target: backTarget})
	path := filepath.Join(t.TempDir(), "cache")
	if err := p.StoreCCache(t.Context(), service, "FILE:"+path); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte("alice")) {
		t.Errorf("the service's cache has a ticket of alice: %v", err)
	}
	wantError(t, p.StoreCCache(t.Context(), cred, "FILE:"+path), []error{gss.ErrUnavailable}, "constrained delegation")
}
