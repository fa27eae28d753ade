package gsstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// Suite says what [Run] runs against.
type Suite struct {
	// Provider initiates. It must not be nil.
	Provider gss.Provider
	// AcceptorProvider accepts; nil is Provider.
	AcceptorProvider gss.Provider
	// Initiator and Acceptor are the credentials; nil is the provider's default.
	Initiator, Acceptor gss.Credential
	// Target is the acceptor's name.
	Target gss.Name
	// Principal is whom the acceptor must see, such as "alice@EXAMPLE.TEST".
	Principal string
	// Mechanisms are those to run with; nil is all of Provider.Mechanisms.
	Mechanisms []gss.OID
	// Delegation says that Initiator can be delegated to Target.
	Delegation bool
	// NoReplayCache says that the acceptor has no replay cache.
	NoReplayCache bool
	// NoChannelBindings says that the acceptor cannot check channel bindings.
	NoChannelBindings bool
	// NoChannelBoundFlag says that the acceptor refuses other channel bindings and
	// does not tell whether there were any: it has no FlagChannelBound.
	NoChannelBoundFlag bool
}

// Run asserts that a provider does what package gss promises, in subtests of t:
// contexts with and without mutual authentication, refusal of every kind of
// wrong token with no identity left behind, channel bindings, delegation,
// message protection, cancellation and concurrency, and credentials that end.
func Run(t *testing.T, s Suite) {
	if s.AcceptorProvider == nil {
		s.AcceptorProvider = s.Provider
	}
	mechs := s.Mechanisms
	if mechs == nil {
		mechs = s.Provider.Mechanisms()
	}
	if len(mechs) == 0 {
		t.Fatal("the provider lists no mechanisms")
	}
	t.Run("default mechanism", func(t *testing.T) { s.testEstablish(t, "") })
	t.Run("refused options", s.testOptions)
	t.Run("credential", s.testCredential)
	for _, m := range mechs {
		t.Run(m.Describe(), func(t *testing.T) { s.runMech(t, m) })
	}
}

func (s Suite) runMech(t *testing.T, mech gss.OID) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, gss.OID)
		skip bool
	}{
		{"establish", s.testEstablish, false},
		{"no identity before done", s.testNoEarlyIdentity, false},
		{"garbage", s.testGarbage, false},
		{"altered token", s.testAltered, false},
		{"altered reply", s.testAlteredReply, false},
		{"reply of another context", s.testForeignReply, false},
		{"replay", s.testReplay, s.NoReplayCache},
		{"step after end", s.testStepAfterEnd, false},
		{"close", s.testClose, false},
		{"cancelled", s.testCancelled, false},
		{"channel bindings", s.testBindings, s.NoChannelBindings},
		{"delegation", s.testDelegation, !s.Delegation},
		{"no delegation unasked", s.testNoDelegation, false},
		{"messages", s.testMessages, false},
		{"concurrent", s.testConcurrent, false},
	} {
		if !test.skip {
			t.Run(test.name, func(t *testing.T) { test.run(t, mech) })
		}
	}
}

// pair is both sides of one context.
type pair struct {
	initiator, acceptor gss.SecContext
	toAcceptor          [][]byte
	toInitiator         [][]byte
}

// options are what differs from test to test.
type options struct {
	mech                    gss.OID
	flags                   gss.Flags
	initiatorCB, acceptorCB *gss.ChannelBindings
}

// begin makes both sides and takes no step. They are closed with the test.
func (s Suite) begin(t testing.TB, o options) *pair {
	t.Helper()
	return &pair{initiator: s.initiate(t, o), acceptor: s.accept(t, o)}
}

func (s Suite) newInitiator(ctx context.Context, o options) (gss.SecContext, error) {
	return s.Provider.Initiate(ctx, gss.InitiateOptions{
		Credential: s.Initiator, Target: s.Target, Mechanism: o.mech,
		Flags: o.flags, ChannelBindings: o.initiatorCB,
	})
}

func (s Suite) newAcceptor(ctx context.Context, o options) (gss.SecContext, error) {
	return s.AcceptorProvider.Accept(ctx, gss.AcceptOptions{Credential: s.Acceptor, ChannelBindings: o.acceptorCB})
}

func (s Suite) initiate(t testing.TB, o options) gss.SecContext {
	t.Helper()
	sc, err := s.newInitiator(t.Context(), o)
	if err != nil {
		t.Fatalf("Initiate: %v", err)
	}
	t.Cleanup(func() { sc.Close() })
	return sc
}

func (s Suite) accept(t testing.TB, o options) gss.SecContext {
	t.Helper()
	sc, err := s.newAcceptor(t.Context(), o)
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	t.Cleanup(func() { sc.Close() })
	return sc
}

// firstToken returns the first token of a new initiator, and the initiator.
func (s Suite) firstToken(t testing.TB, o options) ([]byte, gss.SecContext) {
	t.Helper()
	sc := s.initiate(t, o)
	out, _, err := sc.Step(t.Context(), nil)
	if err != nil {
		t.Fatalf("the initiator's first Step: %v", err)
	}
	if len(out) == 0 {
		t.Fatal("the initiator's first Step made no token")
	}
	return out, sc
}

// maxPumped bounds the legs of one context.
const maxPumped = 20

// sideError tells on which side a context failed.
type sideError struct {
	side string
	err  error
}

func (e *sideError) Error() string { return "the " + e.side + "'s Step: " + e.err.Error() }
func (e *sideError) Unwrap() error { return e.err }

// pump passes tokens until both sides are done or one fails.
func (p *pair) pump(ctx context.Context) error {
	var in []byte
	var initiatorDone, acceptorDone bool
	for range maxPumped {
		if !initiatorDone {
			out, done, err := p.initiator.Step(ctx, in)
			if err != nil {
				return &sideError{"initiator", err}
			}
			initiatorDone, in = done, out
			p.toAcceptor = append(p.toAcceptor, out)
		}
		if acceptorDone && initiatorDone {
			return nil
		}
		if len(in) == 0 {
			return errors.New("the initiator has no token for an acceptor that waits")
		}
		if acceptorDone {
			return errors.New("the initiator goes on after the acceptor is done")
		}
		out, done, err := p.acceptor.Step(ctx, in)
		if err != nil {
			return &sideError{"acceptor", err}
		}
		acceptorDone, in = done, out
		p.toInitiator = append(p.toInitiator, out)
		switch {
		case acceptorDone && initiatorDone:
			return nil
		case len(in) == 0:
			return errors.New("the acceptor has no token for an initiator that waits")
		case initiatorDone:
			return errors.New("the acceptor goes on after the initiator is done")
		}
	}
	return fmt.Errorf("the context is not done after %d legs", maxPumped)
}

// establish returns a finished pair.
func (s Suite) establish(t testing.TB, o options) *pair {
	t.Helper()
	p := s.begin(t, o)
	if err := p.pump(t.Context()); err != nil {
		t.Fatalf("the context was not established: %v", err)
	}
	return p
}

// checkRefused asserts that err is a proper refusal and sc knows nobody. secret
// is what the error must not show.
func checkRefused(t testing.TB, sc gss.SecContext, done bool, err error, secret []byte) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error (done=%t)", done)
	}
	if done {
		t.Error("done together with an error")
	}
	if sc != nil {
		checkNobody(t, sc)
	}
	checkError(t, err, secret)
}

// checkNobody asserts that sc has no identity.
func checkNobody(t testing.TB, sc gss.SecContext) {
	t.Helper()
	info := sc.Info()
	if !info.Initiator.IsZero() || !info.Acceptor.IsZero() {
		t.Errorf("the context is not done and names %q and %q", info.Initiator, info.Acceptor)
	}
	if info.Delegated != nil {
		t.Error("the context is not done and has a delegated credential")
		info.Delegated.Close()
	}
}

func (s Suite) testEstablish(t *testing.T, mech gss.OID) {
	for _, flags := range []gss.Flags{0, gss.FlagMutual, gss.FlagMutual | gss.FlagReplay | gss.FlagSequence} {
		t.Run(flags.String(), func(t *testing.T) {
			p := s.establish(t, options{mech: mech, flags: flags})
			ii, ai := p.initiator.Info(), p.acceptor.Info()
			s.checkIdentity(t, ai)
			if got, want := ii.Flags.Has(gss.FlagMutual), flags.Has(gss.FlagMutual); got != want {
				t.Errorf("the initiator's FlagMutual is %t, want %t", got, want)
			}
			if !ai.Flags.Has(flags & gss.FlagMutual) {
				t.Errorf("the acceptor's flags are %s, want %s among them", ai.Flags, flags)
			}
			if ai.Flags.Has(gss.FlagChannelBound) {
				t.Error("the acceptor reports channel bindings that nobody gave")
			}
			if want := cmp.Or(mech, gss.MechSPNEGO); ii.Mechanism == "" || want != gss.MechSPNEGO && ii.Mechanism != want {
				t.Errorf("the initiator's mechanism is %q, want %s", ii.Mechanism.Describe(), want.Describe())
			}
			if ii.Mechanism == gss.MechSPNEGO || ai.Mechanism == gss.MechSPNEGO {
				t.Error("Info().Mechanism is SPNEGO, want the mechanism below it")
			}
		})
	}
}

// checkIdentity asserts that the acceptor's info names the initiator.
func (s Suite) checkIdentity(t testing.TB, info gss.ContextInfo) {
	t.Helper()
	if s.Principal != "" && info.Initiator.Value != s.Principal {
		t.Errorf("the acceptor sees %q, want %q", info.Initiator, s.Principal)
	}
	if info.Initiator.Type != gss.NameUser && info.Initiator.Type != gss.NamePrincipal {
		t.Errorf("the initiator's name is of type %s, want user or principal", info.Initiator.Type)
	}
	if info.Initiator.Value == "" {
		t.Error("the initiator's name is empty")
	}
	if !info.Expires.IsZero() && info.Expires.Before(time.Now()) {
		t.Errorf("the context expired at %s already", info.Expires)
	}
}
