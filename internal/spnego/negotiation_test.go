package spnego

import (
	"errors"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// protectErrs calls everything of a MessageProtector.
func protectErrs(p gss.MessageProtector) []error {
	_, wrap := p.Wrap(true, []byte("m"))
	_, _, unwrap := p.Unwrap([]byte("wm"))
	_, sign := p.GetMIC([]byte("m"))
	return []error{wrap, unwrap, sign, p.VerifyMIC([]byte("m"), []byte("x"))}
}

// TestProtection: messages are protected by the mechanism, and not before the
// negotiation is done, even if the mechanism is.
func TestProtection(t *testing.T) {
	i, a := newSide(true, offer{oid: mechA, legs: 2}), newSide(false, offer{oid: mechB, legs: 2}, offer{oid: mechA, legs: 2})
	pi, pa := i.SecContext.(gss.MessageProtector), a.SecContext.(gss.MessageProtector)
	run(t, i, a, func(n int, tok []byte) []byte {
		if n == 1 { // the acceptor's mechanism is done, but its MIC is not verified
			for _, p := range []gss.MessageProtector{pi, pa} {
				for k, err := range protectErrs(p) {
					if !errors.Is(err, gss.ErrNoContext) {
						t.Errorf("call %d before the end: %v, want %v", k, err, gss.ErrNoContext)
					}
				}
			}
		}
		return tok
	})
	mic, err := pi.GetMIC([]byte("m"))
	if err != nil || pa.VerifyMIC([]byte("m"), mic) != nil {
		t.Errorf("a MIC does not pass: %v", err)
	}
	if err := pa.VerifyMIC([]byte("n"), mic); !errors.Is(err, errFakeMIC) {
		t.Errorf("a MIC of something else gives %v", err)
	}
	tok, err := pi.Wrap(true, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	if msg, conf, err := pa.Unwrap(tok); string(msg) != "m" || !conf || err != nil {
		t.Errorf("unwrapped %q, %t, %v", msg, conf, err)
	}
}

func TestProtectionUnavailable(t *testing.T) {
	o := offer{oid: mechA, legs: 2, bare: true}
	i, a := newSide(true, o), newSide(false, o)
	run(t, i, a, nil)
	for k, err := range protectErrs(i.SecContext.(gss.MessageProtector)) {
		if !errors.Is(err, gss.ErrUnavailable) {
			t.Errorf("call %d: %v, want %v", k, err, gss.ErrUnavailable)
		}
	}
}

// TestForget reaches the mechanism that runs, also after the acceptor's reject.
func TestForget(t *testing.T) {
	i := newSide(true, offer{oid: mechA, legs: 2})
	i.Step(t.Context(), nil)
	i.Step(t.Context(), rejected(NegTokenResp{}))
	i.SecContext.(gss.Forgetter).Forget()
	if !i.begun[0].forgot {
		t.Error("the mechanism was not told to forget")
	}
}

// TestClose closes each context that was begun, once and for all.
func TestClose(t *testing.T) {
	i, a := newSide(true, offer{oid: mechA, legs: 2}, offer{oid: mechB, legs: 2}), newSide(false, offer{oid: mechB, legs: 2})
	run(t, i, a, nil)
	for _, s := range []*side{i, a} {
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, f := range s.begun {
			if !f.closed {
				t.Errorf("a context of %s stays open", f.oid)
			}
		}
		if _, done, err := s.Step(t.Context(), nil); done || !errors.Is(err, gss.ErrNoContext) {
			t.Errorf("a Step after Close gives done %t, %v", done, err)
		}
	}
	if len(i.begun) != 2 || len(a.begun) != 1 {
		t.Errorf("contexts begun: initiator %d, acceptor %d", len(i.begun), len(a.begun))
	}
}

// TestInfoBeforeTheEnd names the mechanism once it is agreed, and nothing else.
func TestInfoBeforeTheEnd(t *testing.T) {
	i := newSide(true, offer{oid: mechA, legs: 2}, offer{oid: mechB, legs: 2})
	if got := i.Info(); got != (gss.ContextInfo{}) {
		t.Errorf("before the first Step: %+v", got)
	}
	i.Step(t.Context(), nil)
	if got := i.Info(); got != (gss.ContextInfo{}) {
		t.Errorf("before the acceptor has picked: %+v", got)
	}
	i.Step(t.Context(), requestMIC(NegTokenResp{SupportedMech: mechB}))
	if got := i.Info(); got != (gss.ContextInfo{Mechanism: mechB}) {
		t.Errorf("during the negotiation: %+v", got)
	}
}

func TestDescribe(t *testing.T) {
	many := make([]gss.OID, 20)
	for n := range many {
		many[n] = mechA
	}
	if got, want := describe(many), "1.2.3.1, 1.2.3.1, 1.2.3.1, 1.2.3.1, 1.2.3.1, 1.2.3.1, 1.2.3.1, 1.2.3.1, ..."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
