package gsstest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

var web = gss.HostBased("HTTP", "web.example.test")

func TestConformance(t *testing.T) {
	for _, legs := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(legs), func(t *testing.T) {
			p := gsstest.New(gsstest.Options{Legs: legs, Mechanisms: []gss.OID{gss.MechSPNEGO, gss.MechKRB5}})
			gsstest.Run(t, gsstest.Suite{
				Provider: p, Target: web, Principal: "alice@EXAMPLE.TEST", Delegation: true,
			})
			if c := p.Counts(); c.OpenContexts != 0 || c.OpenCredentials != 0 {
				t.Errorf("left open: %+v", c)
			}
		})
	}
}

func TestConformanceOfNamedCredentials(t *testing.T) {
	o := gsstest.Options{Mechanisms: []gss.OID{gss.MechSPNEGO}}
	client, server := gsstest.New(o), gsstest.New(o)
	bob, err := client.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User("bob")})
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	http, err := server.Acquire(t.Context(), gss.CredentialOptions{Name: web, Usage: gss.UsageAccept})
	if err != nil {
		t.Fatal(err)
	}
	defer http.Close()
	gsstest.Run(t, gsstest.Suite{
		Provider: client, Initiator: bob,
		AcceptorProvider: server, Acceptor: http,
		Target: web, Principal: "bob@EXAMPLE.TEST",
	})
}

// exchange passes tokens until both sides are done.
func exchange(ctx context.Context, i, a gss.SecContext) error {
	var tok []byte
	for {
		out, iDone, err := i.Step(ctx, tok)
		if err != nil || iDone && len(out) == 0 {
			return err
		}
		var aDone bool
		if tok, aDone, err = a.Step(ctx, out); err != nil || iDone && aDone {
			return err
		}
	}
}

func begin(t *testing.T, client, server *gsstest.Provider, o gss.InitiateOptions) (i, a gss.SecContext) {
	t.Helper()
	o.Target = web
	i, err := client.Initiate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if a, err = server.Accept(t.Context(), gss.AcceptOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close(); a.Close() })
	return i, a
}

func TestForgedTokens(t *testing.T) {
	for name, client := range map[string]*gsstest.Provider{
		"another secret": gsstest.New(gsstest.Options{Secret: "guessed"}),
		"another realm":  gsstest.New(gsstest.Options{Realm: "EVIL.TEST"}),
		"expired":        gsstest.New(gsstest.Options{Now: func() time.Time { return time.Now().Add(-24 * time.Hour) }}),
	} {
		t.Run(name, func(t *testing.T) {
			i, a := begin(t, client, gsstest.New(gsstest.Options{}), gss.InitiateOptions{})
			if err := exchange(t.Context(), i, a); err == nil {
				t.Errorf("the acceptor took the token; it sees %q", a.Info().Initiator)
			}
		})
	}
	t.Run("another service", func(t *testing.T) {
		server := gsstest.New(gsstest.Options{Services: []gss.Name{gss.HostBased("HTTP", "other.example.test")}})
		i, a := begin(t, gsstest.New(gsstest.Options{}), server, gss.InitiateOptions{})
		if err := exchange(t.Context(), i, a); !errors.Is(err, gss.ErrNoCred) {
			t.Errorf("got %v, want ErrNoCred", err)
		}
	})
}

func TestFaults(t *testing.T) {
	p := gsstest.New(gsstest.Options{Legs: 2})
	p.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Step: 2, Times: 1, Err: gss.ErrBadMIC, Out: []byte("sorry")})

	i, a := begin(t, p, p, gss.InitiateOptions{})
	tok, _, err := i.Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if tok, _, err = a.Step(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	if tok, _, err = i.Step(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	out, done, err := a.Step(t.Context(), tok)
	if !errors.Is(err, gss.ErrBadMIC) || done || string(out) != "sorry" {
		t.Errorf("Step gave %q, %t, %v; want the fault", out, done, err)
	}
	if _, ok := errors.AsType[*gss.Error](err); !ok {
		t.Errorf("the error is a %T, want *gss.Error", err)
	}
	if !a.Info().Initiator.IsZero() {
		t.Error("a context that failed names its initiator")
	}

	i, a = begin(t, p, p, gss.InitiateOptions{})
	if err := exchange(t.Context(), i, a); err != nil {
		t.Errorf("a fault for one time struck twice: %v", err)
	}

	for _, op := range []gsstest.Op{gsstest.OpAcquire, gsstest.OpInitiate, gsstest.OpAccept} {
		p.Inject(gsstest.Fault{Op: op, Err: gss.ErrUnavailable})
	}
	check := func(_ any, err error) {
		t.Helper()
		if !errors.Is(err, gss.ErrUnavailable) {
			t.Errorf("got %v, want the fault", err)
		}
	}
	check(p.Acquire(t.Context(), gss.CredentialOptions{}))
	check(p.Initiate(t.Context(), gss.InitiateOptions{Target: web}))
	check(p.Accept(t.Context(), gss.AcceptOptions{}))

	p.Heal()
	if c, err := p.Acquire(t.Context(), gss.CredentialOptions{}); err != nil {
		t.Errorf("a fault outlives Heal: %v", err)
	} else {
		c.Close()
	}
}

func TestBlockEndsWithTheContext(t *testing.T) {
	p := gsstest.New(gsstest.Options{})
	p.Inject(gsstest.Fault{Op: gsstest.OpInitiate, Do: gsstest.Block})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.Initiate(ctx, gss.InitiateOptions{Target: web}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
}

func TestInfoFault(t *testing.T) {
	p := gsstest.New(gsstest.Options{})
	p.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Info: func(i *gss.ContextInfo) { i.Initiator = gss.Name{} }})
	i, a := begin(t, p, p, gss.InitiateOptions{})
	if err := exchange(t.Context(), i, a); err != nil {
		t.Fatal(err)
	}
	if got := a.Info().Initiator; !got.IsZero() {
		t.Errorf("the initiator is %q in spite of the fault", got)
	}
}

func TestDefaultCredentialFollows(t *testing.T) {
	p := gsstest.New(gsstest.Options{})
	c, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fixed, err := c.(gss.Resolver).Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.SetDefault("bob")
	if got := c.Name().Value; got != "bob@EXAMPLE.TEST" {
		t.Errorf("after SetDefault the credential is %q's", got)
	}
	if got := fixed.Name().Value; got != "alice@EXAMPLE.TEST" {
		t.Errorf("the resolved credential became %q's", got)
	}
	for _, test := range []struct {
		cred gss.Credential
		want string
	}{{nil, "bob@EXAMPLE.TEST"}, {c, "bob@EXAMPLE.TEST"}, {fixed, "alice@EXAMPLE.TEST"}} {
		i, a := begin(t, p, p, gss.InitiateOptions{Credential: test.cred})
		if err := exchange(t.Context(), i, a); err != nil {
			t.Fatal(err)
		}
		if got := a.Info().Initiator.Value; got != test.want {
			t.Errorf("the acceptor sees %q, want %q", got, test.want)
		}
	}
	p.SetDefault("")
	if _, err := c.(gss.Resolver).Resolve(t.Context()); !errors.Is(err, gss.ErrNoCred) {
		t.Errorf("Resolve without a default gave %v, want ErrNoCred", err)
	}
	if _, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: web}); !errors.Is(err, gss.ErrNoCred) {
		t.Errorf("Initiate without a default gave %v, want ErrNoCred", err)
	}
}

func TestNoResolver(t *testing.T) {
	p := gsstest.New(gsstest.Options{NoResolver: true})
	c, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(gss.Resolver); ok {
		t.Error("the credential is a gss.Resolver")
	}
}

func TestDelegatePolicy(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		p := gsstest.New(gsstest.Options{OKAsDelegate: trusted})
		i, a := begin(t, p, p, gss.InitiateOptions{Flags: gss.FlagDelegatePolicy})
		if err := exchange(t.Context(), i, a); err != nil {
			t.Fatal(err)
		}
		cred := a.Info().Delegated
		if got := cred != nil; got != trusted {
			t.Errorf("trusted is %t, delegated is %t", trusted, got)
		}
		if cred != nil {
			cred.Close()
		}
	}
}

func TestAnonymous(t *testing.T) {
	p := gsstest.New(gsstest.Options{})
	i, a := begin(t, p, p, gss.InitiateOptions{Flags: gss.FlagAnonymous | gss.FlagDelegate})
	if err := exchange(t.Context(), i, a); err != nil {
		t.Fatal(err)
	}
	info := a.Info()
	if !info.Flags.Has(gss.FlagAnonymous) || info.Initiator.Value == "alice@EXAMPLE.TEST" || info.Delegated != nil {
		t.Errorf("an anonymous context shows %+v", info)
	}
}

func TestRecords(t *testing.T) {
	p := gsstest.New(gsstest.Options{})
	const odd gss.OID = "\x2a\x03\x04"
	i, a := begin(t, p, p, gss.InitiateOptions{Mechanism: odd, Flags: gss.FlagMutual})
	if err := exchange(t.Context(), i, a); err != nil {
		t.Fatal(err)
	}
	i.(gss.Forgetter).Forget()
	if got := a.Info().Mechanism; got != odd {
		t.Errorf("the mechanism is %s, want the one that was asked for", got)
	}
	is := p.Initiations()
	if len(is) != 1 || is[0].Target != web || is[0].Mechanism != odd || is[0].Flags != gss.FlagMutual {
		t.Errorf("Initiations gave %+v", is)
	}
	if got := len(p.Acceptances()); got != 1 {
		t.Errorf("Acceptances has %d entries, want 1", got)
	}
	want := gsstest.Counts{Initiates: 1, Accepts: 1, Steps: 3, Forgets: 1, OpenContexts: 2}
	if got := p.Counts(); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
}

func TestWaitIdle(t *testing.T) {
	p := gsstest.New(gsstest.Options{})
	if err := p.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	sc, err := p.Accept(t.Context(), gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.WaitIdle(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context open WaitIdle gave %v", err)
	}
	waited := make(chan error)
	go func() { waited <- p.WaitIdle(t.Context()) }()
	sc.Close()
	sc.Close()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if got := p.Counts().OpenContexts; got != 0 {
		t.Errorf("%d contexts are open after Close", got)
	}
}
