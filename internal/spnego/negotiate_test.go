package spnego

import (
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
