package spnego

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// A few messages of an acceptor.
func completed(m NegTokenResp) []byte {
	m.HasState, m.State = true, StateAcceptCompleted
	return m.Append(nil)
}

func incomplete(m NegTokenResp) []byte {
	m.HasState, m.State = true, StateAcceptIncomplete
	return m.Append(nil)
}

func requestMIC(m NegTokenResp) []byte {
	m.HasState, m.State = true, StateRequestMIC
	return m.Append(nil)
}

func rejected(m NegTokenResp) []byte {
	m.HasState, m.State = true, StateReject
	return m.Append(nil)
}

// leg is the token number n of the fake mechanism o.
func leg(o gss.OID, n int) []byte { return (&fake{oid: o}).token(n) }

// micOf is the acceptor's signature of the list of mechs.
func micOf(t testing.TB, o gss.OID, mechs ...gss.OID) []byte {
	t.Helper()
	mic, err := signing{&fake{oid: o, done: true}}.GetMIC((&NegTokenInit{MechTypes: mechs}).MechListDER())
	if err != nil {
		t.Fatal(err)
	}
	return mic
}

// TestInitiatorReplies gives an initiator the messages of a scripted acceptor.
func TestInitiatorReplies(t *testing.T) {
	a, b := offer{oid: mechA, legs: 2}, offer{oid: mechB, legs: 2}
	one := func(o offer) offer { o.legs = 1; return o }
	three := func(o offer) offer { o.legs = 3; return o }
	four := func(o offer) offer { o.legs = 4; return o }
	unsigned := func(o offer) offer { o.noFlag = true; return o }
	krb, ms := offer{oid: gss.MechKRB5, legs: 2}, offer{oid: gss.MechMSKRB5, legs: 2}
	type resp = NegTokenResp

	tests := []struct {
		name    string
		offers  []offer
		replies [][]byte
		out     string // the answer to the last reply, "" for none
		done    bool
		err     error  // nil for none
		says    string // in the error
	}{
		{"done", []offer{a}, [][]byte{completed(resp{SupportedMech: mechA, ResponseToken: leg(mechA, 2)})}, "", true, nil, ""},
		{"done, framed as Sun did", []offer{a}, [][]byte{AppendInitialToken(nil, gss.MechSPNEGO, completed(resp{SupportedMech: mechA, ResponseToken: leg(mechA, 2)}))}, "", true, nil, ""},
		{"response token only", []offer{a, b}, [][]byte{(&resp{ResponseToken: leg(mechA, 2)}).Append(nil)}, "", true, nil, ""},
		{"voluntary MIC", []offer{a}, [][]byte{completed(resp{SupportedMech: mechA, ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)})}, "", true, nil, ""},
		{"voluntary MIC that expects one", []offer{a}, [][]byte{incomplete(resp{SupportedMech: mechA, ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)})}, "resp accept-completed mic", true, nil, ""},
		{"voluntary MIC without state", []offer{a}, [][]byte{(&resp{ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)}).Append(nil)}, "resp accept-completed mic", true, nil, ""},
		{"voluntary MIC of another list", []offer{a}, [][]byte{completed(resp{SupportedMech: mechA, ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA, mechB)})}, "", false, gss.ErrBadMIC, "list of mechanisms"},
		{"MIC from a mechanism without any", []offer{{oid: mechA, legs: 2, bare: true}}, [][]byte{completed(resp{ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)})}, "", false, gss.ErrDefectiveToken, "protects no messages"},
		{"MIC before the mechanism is done", []offer{four(a)}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)})}, "", false, gss.ErrDefectiveToken, "before"},
		{"token repeated as MIC", []offer{a}, [][]byte{completed(resp{ResponseToken: leg(mechA, 2), MechListMIC: leg(mechA, 2)})}, "", true, nil, ""},
		{"token repeated as required MIC", []offer{a}, [][]byte{requestMIC(resp{ResponseToken: leg(mechA, 2), MechListMIC: leg(mechA, 2)})}, "", false, gss.ErrBadMIC, "requested"},

		{"accept-completed without the mechanism's token", []offer{a}, [][]byte{completed(resp{SupportedMech: mechA})}, "", false, ErrNoMechToken, "has not proved itself"},
		{"accept-completed with an empty token", []offer{a}, [][]byte{completed(resp{SupportedMech: mechA, ResponseToken: []byte{}})}, "", false, ErrNoMechToken, ""},
		{"accept-completed with garbage", []offer{a}, [][]byte{completed(resp{SupportedMech: mechA, ResponseToken: []byte("x")})}, "", false, gss.ErrDefectiveToken, "fake"},
		{"accept-completed while the mechanism goes on", []offer{four(a)}, [][]byte{completed(resp{ResponseToken: leg(mechA, 2)})}, "", false, gss.ErrDefectiveToken, "still has a token"},
		{"accept-completed with another mechanism", []offer{a, b}, [][]byte{completed(resp{SupportedMech: mechB})}, "", false, ErrNoMechToken, ""},
		{"no token where one is due", []offer{a}, [][]byte{incomplete(resp{SupportedMech: mechA})}, "", false, gss.ErrDefectiveToken, "waits for one"},
		{"nothing at all", []offer{a}, [][]byte{(&resp{}).Append(nil)}, "", false, gss.ErrDefectiveToken, "waits for one"},
		{"accept-incomplete after the last token", []offer{a}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2)})}, "resp accept-completed mic", true, nil, ""},
		{"accept-incomplete after the last token, twice", []offer{a}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2)}), incomplete(resp{})}, "", false, gss.ErrDefectiveToken, "all have been sent"},
		{"accept-incomplete after the last token, no integrity", []offer{unsigned(a)}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2)})}, "", false, gss.ErrDefectiveToken, "has none"},
		{"request-mic, no integrity", []offer{unsigned(a)}, [][]byte{requestMIC(resp{ResponseToken: leg(mechA, 2)})}, "", true, nil, ""},
		{"request-mic without MIC", []offer{a}, [][]byte{requestMIC(resp{ResponseToken: leg(mechA, 2)})}, "", false, gss.ErrBadMIC, "requested"},
		{"request-mic late", []offer{four(a)}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2)}), requestMIC(resp{ResponseToken: leg(mechA, 4)})}, "", false, gss.ErrDefectiveToken, "after the first reply"},
		{"request-mic, three legs", []offer{three(a)}, [][]byte{requestMIC(resp{ResponseToken: leg(mechA, 2)})}, "resp accept-incomplete tok mic", false, nil, ""},
		{"request-mic, three legs, no MIC back", []offer{three(a)}, [][]byte{requestMIC(resp{ResponseToken: leg(mechA, 2)}), completed(resp{})}, "", false, gss.ErrBadMIC, "requested"},
		{"request-mic, three legs, MIC back without state", []offer{three(a)}, [][]byte{requestMIC(resp{ResponseToken: leg(mechA, 2)}), (&resp{MechListMIC: micOf(t, mechA, mechA)}).Append(nil)}, "", true, nil, ""},
		{"three legs, MIC with the second", []offer{three(a)}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)})}, "resp accept-incomplete tok", false, nil, ""},

		{"counter-proposal without request-mic", []offer{a, b}, [][]byte{incomplete(resp{SupportedMech: mechB})}, "resp accept-incomplete tok", false, nil, ""},
		{"counter-proposal without request-mic, then no MIC", []offer{a, b}, [][]byte{incomplete(resp{SupportedMech: mechB}), completed(resp{ResponseToken: leg(mechB, 2)})}, "", false, gss.ErrBadMIC, "picked 1.2.3.2 instead of 1.2.3.1"},
		{"counter-proposal with its token", []offer{a, b}, [][]byte{requestMIC(resp{SupportedMech: mechB, ResponseToken: leg(mechB, 1)})}, "", false, gss.ErrDefectiveToken, "has not begun"},
		{"counter-proposal of something else", []offer{a, b}, [][]byte{requestMIC(resp{SupportedMech: mechC})}, "", false, gss.ErrBadMech, "not offered"},
		{"counter-proposal too late", []offer{four(a), b}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2)}), incomplete(resp{SupportedMech: mechB})}, "", false, gss.ErrBadMech, "after its first reply"},
		{"counter-proposal twice", []offer{a, b}, [][]byte{requestMIC(resp{SupportedMech: mechB}), incomplete(resp{SupportedMech: mechA})}, "", false, gss.ErrBadMech, "after its first reply"},
		{"counter-proposal of a mechanism that fails to begin", []offer{a, {oid: mechB, broken: errFake}}, [][]byte{requestMIC(resp{SupportedMech: mechB})}, "", false, errFake, ""},

		{"other number of Kerberos", []offer{krb}, [][]byte{completed(resp{SupportedMech: gss.MechMSKRB5, ResponseToken: leg(gss.MechKRB5, 2)})}, "", true, nil, ""},
		{"other number of Kerberos, the other way", []offer{ms}, [][]byte{completed(resp{SupportedMech: gss.MechKRB5, ResponseToken: leg(gss.MechKRB5, 2)})}, "", true, nil, ""},
		{"second number of Kerberos", []offer{ms, krb}, [][]byte{completed(resp{SupportedMech: gss.MechKRB5, ResponseToken: leg(gss.MechKRB5, 2)})}, "", true, nil, ""},
		{"second number of Kerberos, which did not read the first's token", []offer{krb, ms}, [][]byte{incomplete(resp{SupportedMech: gss.MechMSKRB5})}, "resp accept-incomplete tok", false, nil, ""},
		{"second number of Kerberos, afresh", []offer{krb, ms}, [][]byte{incomplete(resp{SupportedMech: gss.MechMSKRB5}), completed(resp{ResponseToken: leg(gss.MechKRB5, 2)})}, "", true, nil, ""},
		{"second number of Kerberos, afresh, with MIC requested", []offer{krb, ms}, [][]byte{requestMIC(resp{SupportedMech: gss.MechMSKRB5}), completed(resp{ResponseToken: leg(gss.MechKRB5, 2)})}, "", false, gss.ErrBadMIC, "requested"},
		{"second number of Kerberos together with the first's token", []offer{four(krb), ms}, [][]byte{incomplete(resp{SupportedMech: gss.MechMSKRB5, ResponseToken: leg(gss.MechKRB5, 2)}), completed(resp{ResponseToken: leg(gss.MechKRB5, 4)})}, "", true, nil, ""},
		{"second number of Kerberos too late", []offer{four(krb), ms}, [][]byte{incomplete(resp{ResponseToken: leg(gss.MechKRB5, 2)}), incomplete(resp{SupportedMech: gss.MechMSKRB5})}, "", false, gss.ErrDefectiveToken, "waits for one"},
		{"number of Kerberos that was not offered, without token", []offer{krb}, [][]byte{incomplete(resp{SupportedMech: gss.MechMSKRB5})}, "", false, gss.ErrDefectiveToken, "waits for one"},
		{"Kerberos where something else is preferred", []offer{a, krb}, [][]byte{requestMIC(resp{SupportedMech: gss.MechMSKRB5})}, "resp accept-incomplete tok", false, nil, ""},

		{"reject", []offer{a}, [][]byte{rejected(resp{})}, "", false, ErrRejected, "the acceptor rejected the negotiation and does not say why: its log may"},
		{"reject is a failure", []offer{a}, [][]byte{rejected(resp{})}, "", false, gss.ErrFailure, ""},
		{"reject with the mechanism's reason", []offer{a}, [][]byte{rejected(resp{ResponseToken: leg(mechA, 99)})}, "", false, gss.ErrOldToken, "the acceptor rejected the negotiation: the fake mechanism refuses"},
		{"reject with garbage", []offer{a}, [][]byte{rejected(resp{ResponseToken: []byte("x")})}, "", false, gss.ErrFailure, "the acceptor rejected the negotiation and does not say why: its log may"},
		{"reject with the mechanism's last token", []offer{a}, [][]byte{rejected(resp{ResponseToken: leg(mechA, 2)})}, "", false, ErrRejected, ""},
		{"reject after the last message", []offer{a}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)}), rejected(resp{})}, "", false, ErrRejected, ""},
		{"accept-completed after the last message", []offer{a}, [][]byte{incomplete(resp{ResponseToken: leg(mechA, 2), MechListMIC: micOf(t, mechA, mechA)}), completed(resp{})}, "", true, nil, ""},
		{"a message too many", []offer{a}, [][]byte{completed(resp{ResponseToken: leg(mechA, 2)}), completed(resp{})}, "", false, gss.ErrDefectiveToken, "after the context was established"},

		{"one leg", []offer{one(a)}, [][]byte{completed(resp{SupportedMech: mechA})}, "", true, nil, ""},
		{"one leg, empty token as IIS sent it", []offer{one(a)}, [][]byte{completed(resp{SupportedMech: mechA, ResponseToken: []byte{}})}, "", true, nil, ""},
		{"one leg, a token too many", []offer{one(a)}, [][]byte{completed(resp{SupportedMech: mechA, ResponseToken: leg(mechA, 2)})}, "", false, gss.ErrDefectiveToken, "although it was done"},
		{"one leg, reject", []offer{one(a)}, [][]byte{rejected(resp{})}, "", false, ErrRejected, ""},
		{"one leg, reject with a token", []offer{one(a)}, [][]byte{rejected(resp{ResponseToken: leg(mechA, 99)})}, "", false, ErrRejected, ""},
		{"one leg, request-mic", []offer{one(a)}, [][]byte{requestMIC(resp{SupportedMech: mechA, MechListMIC: micOf(t, mechA, mechA)})}, "resp accept-completed mic", true, nil, ""},
		{"one leg, request-mic without MIC", []offer{one(a)}, [][]byte{requestMIC(resp{SupportedMech: mechA})}, "", false, gss.ErrBadMIC, ""},
		{"one leg, accept-incomplete", []offer{one(a)}, [][]byte{incomplete(resp{SupportedMech: mechA})}, "resp accept-completed mic", true, nil, ""},
		{"one leg, another mechanism", []offer{one(a)}, [][]byte{incomplete(resp{SupportedMech: mechB})}, "", false, gss.ErrBadMech, ""},
		{"one leg, nothing", []offer{one(a)}, [][]byte{(&resp{}).Append(nil)}, "", true, nil, ""},

		{"raw mechanism token", []offer{a}, [][]byte{leg(mechA, 2)}, "", true, nil, ""},
		{"raw mechanism token, several offered", []offer{a, b}, [][]byte{leg(mechA, 2)}, "", true, nil, ""},
		{"raw token of Kerberos under its other number", []offer{ms}, [][]byte{leg(gss.MechKRB5, 2)}, "", true, nil, ""},
		{"raw mechanism token that asks for another", []offer{three(a)}, [][]byte{leg(mechA, 2)}, "mechanism token", true, nil, ""},
		{"raw mechanism tokens, four legs", []offer{four(a)}, [][]byte{leg(mechA, 2)}, "mechanism token", false, nil, ""},
		{"raw mechanism tokens, four legs, to the end", []offer{four(a)}, [][]byte{leg(mechA, 2), leg(mechA, 4)}, "", true, nil, ""},
		{"raw mechanism token, then request-mic", []offer{four(a)}, [][]byte{leg(mechA, 2), requestMIC(resp{ResponseToken: leg(mechA, 4)})}, "", false, gss.ErrDefectiveToken, "after the first reply"},
		{"raw mechanism token, then a message too many", []offer{a}, [][]byte{leg(mechA, 2), completed(resp{})}, "", false, gss.ErrDefectiveToken, "after the context was established"},
		{"raw error token", []offer{a}, [][]byte{leg(mechA, 99)}, "", false, gss.ErrOldToken, "the fake mechanism refuses"},
		{"raw token of another mechanism", []offer{a, b}, [][]byte{leg(mechB, 2)}, "", false, gss.ErrBadMech, "where 1.2.3.1 is negotiated"},
		{"raw token after the last", []offer{one(a)}, [][]byte{leg(mechA, 2)}, "", false, gss.ErrDefectiveToken, ""},
		{"raw token instead of a required MIC", []offer{a, b}, [][]byte{requestMIC(resp{SupportedMech: mechB}), leg(mechB, 2)}, "", false, gss.ErrDefectiveToken, "no room for the required mechListMIC"},
		{"raw NTLM", []offer{a}, [][]byte{[]byte("NTLMSSP\x00\x02")}, "", false, gss.ErrBadMech, "NTLM"},

		{"no token", []offer{a}, [][]byte{nil}, "", false, gss.ErrDefectiveToken, "want a NegTokenResp"},
		{"garbage", []offer{a}, [][]byte{[]byte("garbage")}, "", false, gss.ErrDefectiveToken, "want a NegTokenResp"},
		{"malformed NegTokenResp", []offer{a}, [][]byte{{tagResp, 5, 0}}, "", false, gss.ErrDefectiveToken, "NegTokenResp"},
		{"a NegTokenInit", []offer{a}, [][]byte{(&NegTokenInit{}).Append(nil)}, "", false, gss.ErrDefectiveToken, "want a NegTokenResp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newSide(true, tt.offers...)
			defer i.Close()
			out, done, err := i.Step(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for n, reply := range tt.replies {
				out, done, err = i.Step(t.Context(), reply)
				checkInfo(t, i, done, err)
				if err != nil && n < len(tt.replies)-1 {
					t.Fatalf("after reply %d: %v", n+1, err)
				}
			}
			switch {
			case !errors.Is(err, tt.err):
				t.Fatalf("error %v, want %v", err, tt.err)
			case err != nil && !strings.Contains(err.Error(), tt.says):
				t.Errorf("error %q does not say %q", err, tt.says)
			case done != tt.done:
				t.Errorf("done is %t, want %t", done, tt.done)
			}
			got := ""
			if out != nil {
				got = shape(t, out)
			}
			if got != tt.out {
				t.Errorf("answer %q, want %q", got, tt.out)
			}
			if err == nil {
				return
			}
			if _, done, err := i.Step(t.Context(), completed(resp{ResponseToken: leg(mechA, 2)})); done || !errors.Is(err, gss.ErrNoContext) {
				t.Errorf("a Step after the error gives done %t, %v", done, err)
			}
		})
	}
}

// TestInitiatorDoneAtOnce: only with one mechanism of one leg the first Step is
// the end.
func TestInitiatorDoneAtOnce(t *testing.T) {
	one := func(o gss.OID) offer { return offer{oid: o, legs: 1} }
	tests := []struct {
		name   string
		offers []offer
		want   bool
	}{
		{"one mechanism, one leg", []offer{one(mechA)}, true},
		{"one mechanism, two legs", []offer{{oid: mechA, legs: 2}}, false},
		{"two mechanisms", []offer{one(mechA), one(mechB)}, false},
		{"both numbers of Kerberos", []offer{one(gss.MechKRB5), one(gss.MechMSKRB5)}, true},
		{"both numbers of Kerberos and another", []offer{one(gss.MechKRB5), one(gss.MechMSKRB5), one(mechA)}, false},
	}
	for _, tt := range tests {
		i := newSide(true, tt.offers...)
		out, done, err := i.Step(t.Context(), nil)
		checkInfo(t, i, done, err)
		if err != nil || done != tt.want {
			t.Errorf("%s: done %t, %v; want %t", tt.name, done, err, tt.want)
		}
		if kind, _ := Sniff(out); kind != KindInit {
			t.Errorf("%s: first message is a %v", tt.name, kind)
		}
		if len(i.begun) != 1 {
			t.Errorf("%s: %d mechanisms were begun, want the first only", tt.name, len(i.begun))
		}
	}
}

func TestInitiatorCannotBegin(t *testing.T) {
	silent := Mech{OID: mechA, New: func(context.Context) (gss.SecContext, error) {
		return &ready{}, nil
	}}
	tests := []struct {
		name string
		i    gss.SecContext
		in   []byte
		want error
	}{
		{"no mechanism", NewInitiator(nil), nil, gss.ErrBadMech},
		{"mechanism cannot begin", newSide(true, offer{oid: mechA, broken: errFake}).SecContext, nil, errFake},
		{"mechanism without token", NewInitiator([]Mech{silent}), nil, gss.ErrFailure},
		{"the acceptor spoke first", newSide(true, offer{oid: mechA, legs: 2}).SecContext, completed(NegTokenResp{}), gss.ErrDefectiveToken},
	}
	for _, tt := range tests {
		if out, done, err := tt.i.Step(t.Context(), tt.in); out != nil || done || !errors.Is(err, tt.want) {
			t.Errorf("%s: %x, done %t, error %v; want %v", tt.name, out, done, err, tt.want)
		}
		tt.i.(gss.Forgetter).Forget()
		if err := tt.i.Close(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestInitiatorMechanismFails passes the mechanism's error token on.
func TestInitiatorMechanismFails(t *testing.T) {
	i := newSide(true, offer{oid: mechA, legs: 2, failAt: 2})
	i.Step(t.Context(), nil)
	out, done, err := i.Step(t.Context(), completed(NegTokenResp{ResponseToken: leg(mechA, 2)}))
	if done || !errors.Is(err, gss.ErrBadBindings) {
		t.Errorf("done %t, error %v; want the mechanism's", done, err)
	}
	if got := shape(t, out); got != "resp reject tok" {
		t.Errorf("answer %q", got)
	}
}

// TestRejectionReason: what the mechanism makes of the token with a reject is
// told, with its own code, unless it makes nothing of it.
func TestRejectionReason(t *testing.T) {
	tests := []struct {
		name  string
		err   error // the mechanism's
		major gss.Major
		minor uint32
		says  string
	}{
		{"none", nil, gss.ErrFailure, 0, "initiate (SPNEGO): the acceptor rejected the negotiation and does not say why: its log may"},
		{"no good", &gss.Error{Major: gss.ErrDefectiveToken, Err: errFake}, gss.ErrFailure, 0, "initiate (SPNEGO): the acceptor rejected the negotiation and does not say why: its log may"},
		{"a code", &gss.Error{Major: gss.ErrDefectiveToken, Minor: 31, Mech: gss.MechKRB5, Op: "read", Err: errFake}, gss.ErrDefectiveToken, 31, "read (krb5): defective token: the acceptor rejected the negotiation: the fake mechanism refuses"},
		{"a code without words", &gss.Error{Major: gss.ErrOldToken, Minor: 37, Op: "read"}, gss.ErrOldToken, 37, "read: token is too old: the acceptor rejected the negotiation"},
		{"of another type", errFake, gss.ErrFailure, 0, "initiate (SPNEGO): the acceptor rejected the negotiation: the fake mechanism refuses"},
	}
	for _, tt := range tests {
		i := NewInitiator([]Mech{{OID: mechA, New: func(context.Context) (gss.SecContext, error) {
			return &refusing{ready{token: []byte("x")}, tt.err}, nil
		}}})
		i.Step(t.Context(), nil)
		_, _, err := i.Step(t.Context(), rejected(NegTokenResp{ResponseToken: []byte("y")}))
		e, ok := errors.AsType[*gss.Error](err)
		if !ok || e.Major != tt.major || e.Minor != tt.minor || !errors.Is(err, ErrRejected) || err.Error() != tt.says {
			t.Errorf("%s: %v (%#v)", tt.name, err, err)
		}
	}
}

// refusing is a mechanism that answers each token but the first with an error.
type refusing struct {
	ready
	err error
}

func (r *refusing) Step(_ context.Context, in []byte) ([]byte, bool, error) {
	if in == nil {
		return r.token, false, nil
	}
	return nil, false, r.err
}
