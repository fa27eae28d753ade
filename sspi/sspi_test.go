// Wine 8 lacks an option of UDP sockets that Go sets on Windows, and so krbtest.
//go:build !windows

package sspi

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

var web = gss.HostBased("HTTP", "web.krb.test")

// TestSuite has the provider do all that package gss promises, on a system that
// does what Windows' documentation says.
func TestSuite(t *testing.T) {
	f := newFake(t)
	p := f.provider()
	gsstest.Run(t, gsstest.Suite{
		Provider: p, Target: web, Principal: "alice@KRB.TEST", Delegation: true,
		// Both are SPNEGO below.
		Mechanisms: []gss.OID{gss.MechSPNEGO},
	})
}

// establish passes tokens until both sides are done.
func establish(t *testing.T, i, a gss.SecContext) error {
	t.Helper()
	out, done, err := i.Step(t.Context(), nil)
	for err == nil && len(out) > 0 {
		if out, _, err = a.Step(t.Context(), out); err != nil || done || len(out) == 0 {
			break
		}
		out, done, err = i.Step(t.Context(), out)
	}
	return err
}

func begin(t *testing.T, p *Provider, o gss.InitiateOptions) gss.SecContext {
	t.Helper()
	o.Target = web
	sc, err := p.Initiate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sc.Close() })
	return sc
}

func await(t *testing.T, p *Provider, o gss.AcceptOptions) gss.SecContext {
	t.Helper()
	sc, err := p.Accept(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sc.Close() })
	return sc
}

// TestNoNTLM has Negotiate fall back to NTLM in each way that it might.
func TestNoNTLM(t *testing.T) {
	check := func(t *testing.T, err error, out []byte) {
		t.Helper()
		if !errors.Is(err, gss.ErrBadMech) || !strings.Contains(fmt.Sprint(err), "NTLM was not asked for") || out != nil {
			t.Errorf("got %v and a token of %d bytes, want a refusal of NTLM and no token", err, len(out))
		}
	}
	t.Run("sent", func(t *testing.T) {
		f := newFake(t)
		f.ntlm = true
		out, _, err := begin(t, f.provider(), gss.InitiateOptions{}).Step(t.Context(), nil)
		check(t, err, out)
	})
	t.Run("received", func(t *testing.T) {
		f := newFake(t)
		out, _, err := await(t, f.provider(), gss.AcceptOptions{}).Step(t.Context(), []byte("`(\x06\x06+NTLMSSP\x00\x01"))
		check(t, err, out)
		if len(f.requests) > 0 {
			t.Error("Windows was given the token")
		}
	})
	t.Run("in the end", func(t *testing.T) {
		f := newFake(t)
		p := f.provider()
		a := await(t, p, gss.AcceptOptions{})
		out, _, err := begin(t, p, gss.InitiateOptions{}).Step(t.Context(), nil)
		f.late = true
		if err == nil {
			out, _, err = a.Step(t.Context(), out)
		}
		check(t, err, out)
		if got := a.Info(); got != (gss.ContextInfo{}) {
			t.Errorf("the refused context shows %+v", got)
		}
	})
	t.Run("asked for", func(t *testing.T) {
		f := newFake(t)
		f.ntlm, f.late = true, true
		out, _, err := begin(t, f.provider(), gss.InitiateOptions{Mechanism: gss.MechNTLM}).Step(t.Context(), nil)
		if err != nil || !carriesNTLM(out) {
			t.Errorf("NTLM by name: %v", err)
		}
		if slices.Contains(f.lists, "!ntlm") {
			t.Error("NTLM is excluded where it was asked for")
		}
	})
	t.Run("package list", func(t *testing.T) {
		f := newFake(t)
		for _, o := range []gss.CredentialOptions{{}, {Usage: gss.UsageAccept}, {Name: gss.User("alice@KRB.TEST"), Password: "pw"}} {
			c, err := f.provider().Acquire(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		if want := []string{"!ntlm", "!ntlm", "!ntlm"}; !slices.Equal(f.lists, want) {
			t.Errorf("the package lists are %q, want %q", f.lists, want)
		}
	})
}

func TestCredential(t *testing.T) {
	f := newFake(t)
	p := f.provider()
	acquire := func(o gss.CredentialOptions) (gss.Credential, error) { return p.Acquire(t.Context(), o) }

	session, err := acquire(gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if session.Name() != gss.User("alice@KRB.TEST") || session.Usage() != gss.UsageInitiate {
		t.Errorf("the session's credential is %v for %v", session.Name(), session.Usage())
	}
	if want := time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local); !session.Expires().Equal(want) {
		t.Errorf("it expires at %v, want %v: SSPI tells local time", session.Expires(), want)
	}
	// A credential for all mechanisms serves each, as Transport.Mechanism wants it.
	for _, mech := range p.Mechanisms() {
		sc := begin(t, p, gss.InitiateOptions{Credential: session, Mechanism: mech})
		if _, _, err := sc.Step(t.Context(), nil); err != nil {
			t.Errorf("the session for %s: %v", mech.Describe(), err)
		}
	}
	if want := []string{"!ntlm", "", ""}; !slices.Equal(f.lists, want) {
		t.Errorf("the package lists are %q, want %q", f.lists, want)
	}
	session.Close()

	password, err := acquire(gss.CredentialOptions{Name: gss.User("alice@KRB.TEST"), Password: "alice's password"})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.passwords[len(f.passwords)-1]; len(got) != len("alice's password") || slices.Max(got) != 0 {
		t.Error("the password was not wiped when Windows had it")
	}
	i, a := begin(t, p, gss.InitiateOptions{Credential: password, Flags: gss.FlagMutual}), await(t, p, gss.AcceptOptions{})
	password.Close() // contexts made from it stay valid
	if err := establish(t, i, a); err != nil || a.Info().Initiator != gss.User("alice@KRB.TEST") {
		t.Errorf("with a password the acceptor sees %q: %v", a.Info().Initiator, err)
	}
	if _, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: password, Target: web}); !errors.Is(err, gss.ErrNoCred) {
		t.Errorf("a closed credential: %v, want ErrNoCred", err)
	}

	for _, test := range []struct {
		name string
		o    gss.CredentialOptions
		want gss.Major
	}{
		{"ccache", gss.CredentialOptions{CCache: "FILE:/tmp/x"}, gss.ErrUnavailable},
		{"keytab", gss.CredentialOptions{Keytab: "/etc/x"}, gss.ErrUnavailable},
		{"password without name", gss.CredentialOptions{Password: "x"}, gss.ErrNoCred},
		{"another session", gss.CredentialOptions{Name: gss.User("bob@KRB.TEST")}, gss.ErrNoCred},
		{"zero octet", gss.CredentialOptions{Name: gss.User("bob\x00@KRB.TEST"), Password: "x"}, gss.ErrInvalidName},
		{"mechanism", gss.CredentialOptions{Mechanism: "\x2a\x03"}, gss.ErrBadMech},
	} {
		if _, err := acquire(test.o); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	if c, err := acquire(gss.CredentialOptions{Name: gss.User("ALICE@krb.test")}); err != nil {
		t.Errorf("the session's own name: %v", err)
	} else {
		c.Close()
	}
}

// TestNameUnknown is a system that does not tell whose session it is: then
// nobody may guess.
func TestNameUnknown(t *testing.T) {
	f := newFake(t)
	f.session, f.unnamed = "", true
	p := f.provider()
	c, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.Name().IsZero() {
		t.Errorf("the credential is of %q", c.Name())
	}
	i, a := begin(t, p, gss.InitiateOptions{Flags: gss.FlagMutual}), await(t, p, gss.AcceptOptions{})
	if err := establish(t, i, a); err != nil {
		t.Fatal(err)
	}
	if got := a.Info().Initiator; !got.IsZero() {
		t.Errorf("the acceptor shows %q", got)
	}
}

// TestCancelled ends the wait for a call that does not return, and has it
// release everything when it does.
func TestCancelled(t *testing.T) {
	f := newFake(t)
	f.blocking, f.entered = make(chan struct{}), make(chan struct{})
	sc := begin(t, f.provider(), gss.InitiateOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-f.entered
		cancel()
	}()
	if _, _, err := sc.Step(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	sc.Close()
	f.mu.Lock()
	if len(f.creds) != 1 {
		t.Error("the credential was freed under the call that uses it")
	}
	f.mu.Unlock()
	close(f.blocking)
	waitFor(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.contexts) == 0 && len(f.creds) == 0
	})
}

// TestCallsBounded has a domain controller that does not answer: those who gave up
// have their threads still, and there is a last one.
func TestCallsBounded(t *testing.T) {
	f := newFake(t)
	f.blocking, f.entered = make(chan struct{}), make(chan struct{})
	p := f.provider()
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan error)
	step := func(ctx context.Context) {
		sc := begin(t, p, gss.InitiateOptions{})
		go func() {
			_, _, err := sc.Step(ctx, nil)
			sc.Close()
			returned <- err
		}()
	}
	for range maxCalls {
		step(ctx)
		<-f.entered
	}
	cancel()
	for range maxCalls {
		if err := <-returned; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want context.Canceled", err)
		}
	}
	select {
	case p.slots <- struct{}{}:
		t.Errorf("there is room for more than %d calls", maxCalls)
	default:
	}
	last, cancelLast := context.WithCancel(t.Context())
	step(last)
	cancelLast()
	if err := <-returned; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for its turn: got %v, want context.Canceled", err)
	}
	close(f.blocking)
	f.entered = make(chan struct{}, 1)
	step(t.Context())
	if err := <-returned; err != nil {
		t.Errorf("the places of the stuck calls are not free again: %v", err)
	}
	waitFor(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.contexts) == 0 && len(f.creds) == 0
	})
}

// TestCloseDuringCall closes a context while a message is being signed with it: it
// is deleted afterwards.
func TestCloseDuringCall(t *testing.T) {
	f := newFake(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	f.signing = func() { close(entered); <-leave }
	sc := begin(t, f.provider(), gss.InitiateOptions{})
	if _, done, err := sc.Step(t.Context(), nil); err != nil || !done {
		t.Fatalf("done %t, %v", done, err)
	}
	m := sc.(gss.MessageProtector)
	signed := make(chan error)
	go func() {
		_, err := m.GetMIC([]byte("x"))
		signed <- err
	}()
	<-entered
	sc.(*secContext).held.close() // what Close does, without its own state
	f.mu.Lock()
	if len(f.contexts) != 1 || len(f.creds) != 1 {
		t.Error("the context was deleted under the call")
	}
	f.mu.Unlock()
	close(leave)
	if err := <-signed; err != nil {
		t.Error(err)
	}
	if len(f.contexts) != 0 || len(f.creds) != 0 {
		t.Errorf("%d contexts and %d credentials are left", len(f.contexts), len(f.creds))
	}
	if _, err := m.GetMIC([]byte("x")); !errors.Is(err, gss.ErrNoContext) {
		t.Errorf("after Close: %v, want ErrNoContext", err)
	}
}

// TestCloseWhileFinishing closes a context while it is asked for its names: it is
// deleted afterwards.
func TestCloseWhileFinishing(t *testing.T) {
	f := newFake(t)
	sc := begin(t, f.provider(), gss.InitiateOptions{}).(*secContext)
	f.naming = func() {
		sc.held.close() // what Close does, without its own state
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.contexts) != 1 || len(f.creds) != 1 {
			t.Error("the context was deleted while its names were asked for")
		}
	}
	if _, _, err := sc.Step(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if len(f.contexts) != 0 || len(f.creds) != 0 {
		t.Errorf("%d contexts and %d credentials are left", len(f.contexts), len(f.creds))
	}
}

// slowSystem is a system that takes two tokens of a client without bindings.
type slowSystem struct {
	*fakeSystem
	requests []uint32
}

func (s *slowSystem) accept(c contextCall) contextResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, c.request)
	r := contextResult{ctx: c.ctx, out: []byte("reply")}
	switch {
	case c.ctx != handle{}: // it has looked at the bindings
	case c.request&ascAllowMissingBindings == 0:
		r.status = secBadBindings
	default:
		r.ctx = s.newHandle()
		s.contexts[r.ctx] = new(fakeContext)
		r.status = secContinueNeeded
	}
	return r
}

func (s *slowSystem) names(handle) (client, server string, _ status) {
	return s.session, "HTTP/web.krb.test@KRB.TEST", secOK
}

// TestUnboundInTwoLegs has a client without bindings come to an acceptor that has
// some, and send two tokens: what the first has shown holds in the end.
func TestUnboundInTwoLegs(t *testing.T) {
	s := &slowSystem{fakeSystem: newFake(t)}
	p, err := newProvider(s)
	if err != nil {
		t.Fatal(err)
	}
	sc := await(t, p, gss.AcceptOptions{ChannelBindings: &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:x")}})
	for i, last := range []bool{false, true} {
		if _, done, err := sc.Step(t.Context(), []byte("token")); done != last || err != nil {
			t.Fatalf("token %d: done %t, %v", i+1, done, err)
		}
	}
	if got := sc.Info(); got.Flags.Has(gss.FlagChannelBound) || got.Initiator.Value != s.session {
		t.Errorf("got %+v, want %s without FlagChannelBound", got, s.session)
	}
	const missing = acceptorRequest | ascAllowMissingBindings
	if want := []uint32{acceptorRequest, missing, missing}; !slices.Equal(s.requests, want) {
		t.Errorf("the requests are %#x, want %#x", s.requests, want)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
		runtime.GC()
	}
}

// TestForgotten drops a context and a credential that nobody has closed.
func TestForgotten(t *testing.T) {
	f := newFake(t)
	p := f.provider()
	func() {
		if _, err := p.Acquire(t.Context(), gss.CredentialOptions{}); err != nil {
			t.Fatal(err)
		}
		sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: web})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := sc.Step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}()
	waitFor(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.contexts) == 0 && len(f.creds) == 0
	})
}

// TestRefused tells what Windows says, and releases the context that a failure
// leaves.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		status status
		want   error
		text   string
	}{
		{secTargetUnknown, gss.ErrFailure, "SEC_E_TARGET_UNKNOWN: the domain has no account with the server's name"},
		{secLogonDenied, gss.ErrNoCred, "SEC_E_LOGON_DENIED"},
		{0x80091234, gss.ErrFailure, "SSPI status 0x80091234"},
		{secCompleteNeeded, gss.ErrUnavailable, "SSPI status 0x00090313"},
	} {
		f := newFake(t)
		f.refuse = test.status
		sc := begin(t, f.provider(), gss.InitiateOptions{})
		_, done, err := sc.Step(t.Context(), nil)
		e, ok := errors.AsType[*gss.Error](err)
		if !ok || done || e.Minor != uint32(test.status) || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%#x: got %v, want %v with %q", uint32(test.status), err, test.want, test.text)
		}
		if _, _, err := sc.Step(t.Context(), nil); !errors.Is(err, gss.ErrNoContext) {
			t.Errorf("after a failure: %v, want ErrNoContext", err)
		}
	}
	f := newFake(t)
	p := f.provider()
	tok, _, err := begin(t, p, gss.InitiateOptions{}).Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.refuse = secLogonDenied
	if _, _, err := await(t, p, gss.AcceptOptions{}).Step(t.Context(), tok); !errors.Is(err, gss.ErrDefectiveCredential) {
		t.Errorf("an acceptor's client that is denied: %v, want ErrDefectiveCredential: the server lacks nothing", err)
	}
}

// TestEarlyMutual is a system that calls a context mutual before the server has
// said anything.
func TestEarlyMutual(t *testing.T) {
	f := newFake(t)
	f.early = true
	sc := begin(t, f.provider(), gss.InitiateOptions{})
	if _, done, err := sc.Step(t.Context(), nil); err != nil || !done {
		t.Fatal(done, err)
	}
	if sc.Info().Flags.Has(gss.FlagMutual) {
		t.Error("FlagMutual is set, and nothing has come from the server")
	}
}

// TestWine is what Wine does not do, and must not seem to.
func TestWine(t *testing.T) {
	f := newFake(t)
	f.wine = true
	p := f.provider()
	cb := &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:x")}
	if _, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: web, ChannelBindings: cb}); !errors.Is(err, gss.ErrUnavailable) {
		t.Errorf("bindings of an initiator: %v, want ErrUnavailable", err)
	}
	if _, err := p.Accept(t.Context(), gss.AcceptOptions{ChannelBindings: cb}); !errors.Is(err, gss.ErrUnavailable) {
		t.Errorf("bindings of an acceptor: %v, want ErrUnavailable", err)
	}
	i, a := begin(t, p, gss.InitiateOptions{Flags: gss.FlagMutual}), await(t, p, gss.AcceptOptions{})
	if err := establish(t, i, a); err != nil {
		t.Fatal(err)
	}
	m := i.(gss.MessageProtector)
	if _, err := m.Wrap(true, []byte("x")); !errors.Is(err, gss.ErrUnavailable) {
		t.Errorf("Wrap: %v, want ErrUnavailable", err)
	}
	if _, _, err := m.Unwrap([]byte("x")); !errors.Is(err, gss.ErrUnavailable) {
		t.Errorf("Unwrap: %v, want ErrUnavailable", err)
	}
	if _, err := m.GetMIC([]byte("x")); err != nil {
		t.Errorf("GetMIC: %v", err)
	}
}

func TestOtherUsage(t *testing.T) {
	p := newFake(t).provider()
	c, err := p.Acquire(t.Context(), gss.CredentialOptions{Mechanism: gss.MechKRB5})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, try := range map[string]func() (gss.SecContext, error){
		"accept": func() (gss.SecContext, error) { return p.Accept(t.Context(), gss.AcceptOptions{Credential: c}) },
		"mechanism": func() (gss.SecContext, error) {
			return p.Initiate(t.Context(), gss.InitiateOptions{Target: web, Credential: c})
		},
	} {
		if _, err := try(); !errors.Is(err, gss.ErrNoCred) {
			t.Errorf("%s: %v, want ErrNoCred", name, err)
		}
	}
	_, err = p.Initiate(t.Context(), gss.InitiateOptions{Target: web, Credential: struct{ gss.Credential }{c}})
	if !errors.Is(err, gss.ErrDefectiveCredential) {
		t.Errorf("a credential of another provider: %v, want ErrDefectiveCredential", err)
	}
}
