package spnego

import (
	"context"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// ready is a mechanism whose token costs nothing.
type ready struct{ token []byte }

func (r *ready) Step(context.Context, []byte) ([]byte, bool, error) { return r.token, false, nil }
func (r *ready) Info() gss.ContextInfo                              { return gss.ContextInfo{} }
func (r *ready) Close() error                                       { return nil }

func readyMechs() []Mech {
	sc := &ready{make([]byte, 1100)}
	begin := func(context.Context) (gss.SecContext, error) { return sc, nil }
	return []Mech{{gss.MechKRB5, begin}, {gss.MechMSKRB5, begin}}
}

func BenchmarkInitiatorFirstToken(b *testing.B) {
	ctx, mechs := b.Context(), readyMechs()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := NewInitiator(mechs).Step(ctx, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestInitiatorAllocations holds what the initiator adds to a mechanism's first
// token to the context and the message.
func TestInitiatorAllocations(t *testing.T) {
	ctx, mechs := t.Context(), readyMechs()
	got := testing.AllocsPerRun(100, func() { NewInitiator(mechs).Step(ctx, nil) })
	if got > 2 {
		t.Errorf("the initiator's first Step makes %v allocations, want at most 2", got)
	}
}

// TestAppendAllocations holds each encoder to one allocation, the result.
func TestAppendAllocations(t *testing.T) {
	big := make([]byte, 3000)
	init := &NegTokenInit{MechTypes: []gss.OID{mechA, gss.MechKRB5}, MechToken: big, MechListMIC: big[:16], Hint: &NegHints{Name: "x"}}
	resp := &NegTokenResp{HasState: true, SupportedMech: mechA, ResponseToken: big, MechListMIC: big[:16]}
	for name, f := range map[string]func() []byte{
		"NegTokenInit":  func() []byte { return init.Append(nil) },
		"NegTokenResp":  func() []byte { return resp.Append(nil) },
		"initial token": func() []byte { return AppendInitialToken(nil, mechA, big) },
	} {
		if got := testing.AllocsPerRun(100, func() { f() }); got > 1 {
			t.Errorf("%s: %v allocations, want 1", name, got)
		}
	}
}
