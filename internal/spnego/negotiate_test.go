package spnego

import (
	"errors"
	"slices"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// TestTranscripts runs both sides against each other and compares the messages
// with those that RFC 4178, sections 3.2 and 5, prescribes.
func TestTranscripts(t *testing.T) {
	a := func(legs int) offer { return offer{oid: mechA, legs: legs} }
	b := func(legs int) offer { return offer{oid: mechB, legs: legs} }
	tests := []struct {
		name      string
		init, acc []offer
		want      string
		mech      gss.OID
	}{
		{"one leg", []offer{a(1)}, []offer{a(1)},
			"init A tok; resp accept-completed A", mechA},
		{"two legs", []offer{a(2)}, []offer{a(2)},
			"init A tok; resp accept-completed A tok", mechA},
		{"three legs", []offer{a(3)}, []offer{a(3)},
			"init A tok; resp accept-incomplete A tok; resp accept-incomplete tok; resp accept-completed", mechA},
		{"four legs", []offer{a(4)}, []offer{a(4)},
			"init A tok; resp accept-incomplete A tok; resp accept-incomplete tok; resp accept-completed tok", mechA},
		{"optimistic of several", []offer{a(2), b(2)}, []offer{a(2), b(2)},
			"init A,B tok; resp accept-completed A tok", mechA},
		{"one leg of several", []offer{a(1), b(1)}, []offer{a(1)},
			"init A,B tok; resp accept-completed A", mechA},

		{"counter-proposal, one leg", []offer{a(2), b(1)}, []offer{b(1)},
			"init A,B tok; resp request-mic B; resp accept-incomplete tok mic; resp accept-completed mic", mechB},
		{"counter-proposal, two legs", []offer{a(2), b(2)}, []offer{b(2)},
			"init A,B tok; resp request-mic B; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic", mechB},
		{"counter-proposal, three legs", []offer{a(2), b(3)}, []offer{b(3)},
			"init A,B tok; resp request-mic B; resp accept-incomplete tok; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic", mechB},
		{"counter-proposal, four legs", []offer{a(2), b(4)}, []offer{b(4)},
			"init A,B tok; resp request-mic B; resp accept-incomplete tok; resp accept-incomplete tok; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic", mechB},
		{"counter-proposal after a finished optimistic mechanism", []offer{a(1), b(2)}, []offer{b(2)},
			"init A,B tok; resp request-mic B; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic", mechB},

		{"acceptor prefers another, one leg", []offer{a(1)}, []offer{b(1), a(1)},
			"init A tok; resp request-mic A mic; resp accept-completed mic", mechA},
		{"acceptor prefers another, two legs", []offer{a(2)}, []offer{b(2), a(2)},
			"init A tok; resp request-mic A tok mic; resp accept-completed mic", mechA},
		{"acceptor prefers another, three legs", []offer{a(3)}, []offer{b(2), a(3)},
			"init A tok; resp request-mic A tok; resp accept-incomplete tok mic; resp accept-completed mic", mechA},
		{"acceptor prefers another, four legs", []offer{a(4)}, []offer{b(2), a(4)},
			"init A tok; resp request-mic A tok; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic", mechA},

		{"request-mic without integrity", []offer{{oid: mechA, legs: 3, noFlag: true}}, []offer{b(2), {oid: mechA, legs: 3, noFlag: true}},
			"init A tok; resp request-mic A tok; resp accept-incomplete tok; resp accept-completed", mechA},
		{"request-mic without message protection", []offer{{oid: mechA, legs: 2, bare: true}}, []offer{b(2), {oid: mechA, legs: 2, bare: true}},
			"init A tok; resp accept-completed A tok", mechA},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, a := newSide(true, tt.init...), newSide(false, tt.acc...)
			o := run(t, i, a, nil)
			if o.initErr != nil || o.accErr != nil {
				t.Errorf("initiator: %v; acceptor: %v", o.initErr, o.accErr)
			}
			if !o.initDone || !o.accDone {
				t.Errorf("done: initiator %t, acceptor %t", o.initDone, o.accDone)
			}
			if got := shapes(t, o.tokens); got != tt.want {
				t.Errorf("messages\n got %s\nwant %s", got, tt.want)
			}
			for _, sc := range []gss.SecContext{i, a} {
				if got := sc.Info().Mechanism; got != tt.mech {
					t.Errorf("mechanism %s, want %s", got, tt.mech)
				}
			}
		})
	}
}

// alter returns a meddler that rewrites message n (from 0), which must be of the
// type that the non-nil function takes.
func alter(t *testing.T, n int, init func(*NegTokenInit), resp func(*NegTokenResp)) func(int, []byte) []byte {
	return func(k int, tok []byte) []byte {
		switch {
		case k != n:
			return tok
		case init != nil:
			m, err := ParseInit(tok)
			if err != nil {
				t.Fatal(err)
			}
			init(m)
			return m.Append(nil)
		}
		m, err := ParseResp(tok)
		if err != nil {
			t.Fatal(err)
		}
		resp(m)
		return m.Append(nil)
	}
}

// TestManInTheMiddle changes messages in ways that must not leave both sides, nor
// the deceived one, with a context.
func TestManInTheMiddle(t *testing.T) {
	ab := func(legs int) []offer { return []offer{{oid: mechA, legs: legs}, {oid: mechB, legs: legs}} }
	unsigned := []offer{{oid: mechA, legs: 2}, {oid: mechB, legs: 2, noFlag: true}}
	removeFirst := func(m *NegTokenInit) { m.MechTypes, m.MechToken = m.MechTypes[1:], nil }
	reorder := func(m *NegTokenInit) { slices.Reverse(m.MechTypes); m.MechToken = nil }
	unknownFirst := func(m *NegTokenInit) { m.MechTypes[0] = mechC }
	stripMIC := func(m *NegTokenResp) { m.MechListMIC = nil }
	breakMIC := func(m *NegTokenResp) { m.MechListMIC[3] ^= 1 }
	noRequest := func(m *NegTokenResp) { m.State = StateAcceptIncomplete }

	tests := []struct {
		name      string
		init, acc []offer
		meddle    func(int, []byte) []byte
		victim    string // the side that finds out
		code      error
	}{
		{"preferred mechanism removed, one leg", ab(1), ab(1), alter(t, 0, removeFirst, nil), "acceptor", gss.ErrBadMIC},
		{"preferred mechanism removed, two legs", ab(2), ab(2), alter(t, 0, removeFirst, nil), "initiator", gss.ErrBadMIC},
		{"preferred mechanism removed, three legs", ab(3), ab(3), alter(t, 0, removeFirst, nil), "acceptor", gss.ErrBadMIC},
		{"preferred mechanism removed, four legs", ab(4), ab(4), alter(t, 0, removeFirst, nil), "initiator", gss.ErrBadMIC},
		{"list reversed", ab(2), ab(2), alter(t, 0, reorder, nil), "initiator", gss.ErrBadMIC},
		{"preferred mechanism made unknown", ab(2), ab(2), alter(t, 0, unknownFirst, nil), "initiator", gss.ErrBadMIC},
		{"preferred mechanism removed, the other without integrity", unsigned, unsigned, alter(t, 0, removeFirst, nil), "initiator", gss.ErrDefectiveToken},
		{"initiator's MIC removed, one leg", ab(1), ab(1)[1:], alter(t, 2, nil, stripMIC), "acceptor", gss.ErrBadMIC},
		{"initiator's MIC changed, one leg", ab(1), ab(1)[1:], alter(t, 2, nil, breakMIC), "acceptor", gss.ErrBadMIC},
		{"acceptor's MIC removed, one leg", ab(1), ab(1)[1:], alter(t, 3, nil, stripMIC), "initiator", gss.ErrBadMIC},
		{"acceptor's MIC changed, one leg", ab(1), ab(1)[1:], alter(t, 3, nil, breakMIC), "initiator", gss.ErrBadMIC},
		{"acceptor's MIC removed, two legs", ab(2), ab(2)[1:], alter(t, 3, nil, stripMIC), "initiator", gss.ErrBadMIC},
		{"acceptor's MIC changed, two legs", ab(2), ab(2)[1:], alter(t, 3, nil, breakMIC), "initiator", gss.ErrBadMIC},
		{"initiator's MIC removed, two legs", ab(2), ab(2)[1:], alter(t, 4, nil, stripMIC), "acceptor", gss.ErrBadMIC},
		{"initiator's MIC changed, two legs", ab(2), ab(2)[1:], alter(t, 4, nil, breakMIC), "acceptor", gss.ErrBadMIC},
		{"request-mic hidden, three legs", ab(3)[:1], []offer{ab(3)[1], ab(3)[0]}, alter(t, 1, nil, noRequest), "acceptor", gss.ErrBadMIC},
		{"mechanism not offered", ab(2), ab(2), alter(t, 1, nil, func(m *NegTokenResp) { m.SupportedMech = mechC }), "initiator", gss.ErrBadMech},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, a := newSide(true, tt.init...), newSide(false, tt.acc...)
			o := run(t, i, a, tt.meddle)
			done, err := o.accDone, o.accErr
			if tt.victim == "initiator" {
				done, err = o.initDone, o.initErr
			}
			if done || !errors.Is(err, tt.code) {
				t.Errorf("the %s: done %t, error %v; want an error with %v", tt.victim, done, err, tt.code)
			}
			if errors.Is(tt.code, gss.ErrBadMIC) && !errors.Is(err, gss.ErrDefectiveToken) {
				t.Errorf("error %v, want one with %v too", err, gss.ErrDefectiveToken)
			}
		})
	}
}

// TestFlippedBits flips each bit of each message of several negotiations. Where
// both sides still end with a context, it must be of the mechanism they have when
// nobody meddles.
func TestFlippedBits(t *testing.T) {
	for legs := 1; legs <= 4; legs++ {
		ab := []offer{{oid: mechA, legs: legs}, {oid: mechB, legs: legs}}
		for name, acc := range map[string][]offer{"first": ab, "second": ab[1:], "reverse": {ab[1], ab[0]}} {
			clean := run(t, newSide(true, ab...), newSide(false, acc...), nil)
			want := mechA
			if name == "second" {
				want = mechB
			}
			for n, tok := range clean.tokens {
				for bit := range 8 * len(tok) {
					i, a := newSide(true, ab...), newSide(false, acc...)
					o := run(t, i, a, func(k int, tok []byte) []byte {
						if k == n {
							tok[bit/8] ^= 1 << (bit % 8)
						}
						return tok
					})
					if !o.initDone || !o.accDone {
						continue
					}
					if im, am := i.Info().Mechanism, a.Info().Mechanism; im != want || am != want {
						t.Errorf("%d legs, %s: bit %d of message %d: initiator has %s, acceptor %s, want %s", legs, name, bit, n+1, im, am, want)
					}
				}
			}
		}
	}
}
