package spnego

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// initOf is an initiator's first message.
func initOf(tok []byte, mechs ...gss.OID) []byte {
	return (&NegTokenInit{MechTypes: mechs, MechToken: tok}).Append(nil)
}

// TestAcceptorMessages gives an acceptor the messages of a scripted initiator.
func TestAcceptorMessages(t *testing.T) {
	a, b := offer{oid: mechA, legs: 2}, offer{oid: mechB, legs: 2}
	krb, ms := offer{oid: gss.MechKRB5, legs: 2}, offer{oid: gss.MechMSKRB5, legs: 2}
	legs := func(o offer, n int) offer { o.legs = n; return o }
	initMIC := func(o gss.OID, mechs ...gss.OID) []byte {
		mic, err := signing{&fake{oid: o, done: true, initiator: true}}.GetMIC((&NegTokenInit{MechTypes: mechs}).MechListDER())
		if err != nil {
			t.Fatal(err)
		}
		return mic
	}
	type resp = NegTokenResp
	withMIC := func(o gss.OID, mic []byte) []byte {
		return (&NegTokenInit{MechTypes: []gss.OID{o}, MechToken: leg(o, 1), MechListMIC: mic}).Append(nil)
	}

	tests := []struct {
		name     string
		offers   []offer
		messages [][]byte
		out      string
		done     bool
		err      error
		says     string
	}{
		{"done", []offer{a}, [][]byte{initOf(leg(mechA, 1), mechA)}, "resp accept-completed A tok", true, nil, ""},
		{"no optimistic token", []offer{a}, [][]byte{initOf(nil, mechA)}, "resp accept-incomplete A", false, nil, ""},
		{"empty optimistic token", []offer{a}, [][]byte{initOf([]byte{}, mechA)}, "resp accept-incomplete A", false, nil, ""},
		{"no optimistic token, then the first", []offer{a}, [][]byte{initOf(nil, mechA), (&resp{ResponseToken: leg(mechA, 1)}).Append(nil)}, "resp accept-completed tok", true, nil, ""},
		{"no optimistic token of a mechanism that is not preferred", []offer{b, a}, [][]byte{initOf(nil, mechA)}, "resp request-mic A", false, nil, ""},
		{"the initiator's order counts", []offer{a, b}, [][]byte{initOf(leg(mechB, 1), mechB, mechA)}, "resp request-mic B tok mic", false, nil, ""},
		{"other optimistic token is not read", []offer{a}, [][]byte{initOf([]byte("garbage"), mechC, mechA)}, "resp request-mic A", false, nil, ""},
		{"voluntary MIC", []offer{legs(a, 1)}, [][]byte{withMIC(mechA, initMIC(mechA, mechA))}, "resp accept-completed A mic", true, nil, ""},
		{"voluntary MIC of another list", []offer{legs(a, 1)}, [][]byte{withMIC(mechA, initMIC(mechA, mechA, mechB))}, "resp reject A", false, gss.ErrBadMIC, "list of mechanisms"},
		{"MIC before the mechanism is done", []offer{legs(a, 3)}, [][]byte{withMIC(mechA, initMIC(mechA, mechA))}, "resp reject A", false, gss.ErrDefectiveToken, "before"},

		{"Kerberos as Microsoft's", []offer{krb}, [][]byte{initOf(leg(gss.MechKRB5, 1), gss.MechMSKRB5, gss.MechKRB5)}, "resp accept-completed MSKRB5 tok", true, nil, ""},
		{"Kerberos as itself", []offer{ms}, [][]byte{initOf(leg(gss.MechKRB5, 1), gss.MechKRB5, gss.MechMSKRB5)}, "resp accept-completed KRB5 tok", true, nil, ""},
		{"Kerberos after NTLM", []offer{krb}, [][]byte{initOf([]byte("NTLMSSP\x00"), gss.MechNTLM, gss.MechMSKRB5)}, "resp request-mic MSKRB5", false, nil, ""},

		{"nothing in common", []offer{a, b}, [][]byte{initOf(leg(mechC, 1), mechC, gss.MechNTLM)}, "resp reject", false, gss.ErrBadMech, "offers 1.2.3.3, NTLM"},
		{"empty list", []offer{a}, [][]byte{(&NegTokenInit{MechTypes: []gss.OID{}}).Append(nil)}, "resp reject", false, gss.ErrDefectiveToken, "no mechanism"},
		{"no list", []offer{a}, [][]byte{(&NegTokenInit{MechToken: leg(mechA, 1)}).Append(nil)}, "resp reject", false, gss.ErrDefectiveToken, "no mechanism"},
		{"no mechanism here", nil, [][]byte{initOf(leg(mechA, 1), mechA)}, "resp reject", false, gss.ErrBadMech, ""},
		{"mechanism fails to begin", []offer{{oid: mechA, broken: errFake}}, [][]byte{initOf(leg(mechA, 1), mechA)}, "resp reject A", false, errFake, ""},
		{"mechanism fails with a token", []offer{{oid: mechA, legs: 2, failAt: 1}}, [][]byte{initOf(leg(mechA, 1), mechA)}, "resp reject A tok", false, gss.ErrBadBindings, ""},
		{"mechanism fails without", []offer{a}, [][]byte{initOf([]byte("garbage"), mechA)}, "resp reject A", false, gss.ErrDefectiveToken, ""},

		{"no token", []offer{a}, [][]byte{nil}, "", false, gss.ErrDefectiveToken, "want a NegTokenInit"},
		{"a NegTokenResp", []offer{a}, [][]byte{completed(resp{})}, "", false, gss.ErrDefectiveToken, "want a NegTokenInit"},
		{"NTLM", []offer{a}, [][]byte{[]byte("NTLMSSP\x00\x01")}, "", false, gss.ErrBadMech, "no Kerberos ticket"},
		{"raw mechanism token", []offer{a}, [][]byte{leg(mechA, 1)}, "", false, gss.ErrBadMech, "not of SPNEGO"},
		{"NegTokenInit cut short", []offer{a}, [][]byte{initOf(leg(mechA, 1), mechA)[:30]}, "", false, gss.ErrDefectiveToken, "cut short"},

		{"third leg", []offer{legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), incomplete(resp{ResponseToken: leg(mechA, 3)})}, "resp accept-completed", true, nil, ""},
		{"third leg without token", []offer{legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), incomplete(resp{})}, "resp reject", false, gss.ErrDefectiveToken, "waits for one"},
		{"accept-completed instead of the third leg", []offer{legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), completed(resp{})}, "resp reject", false, gss.ErrDefectiveToken, "waits for one"},
		{"garbage instead of the third leg", []offer{legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), []byte("garbage")}, "resp reject", false, gss.ErrDefectiveToken, ""},
		{"reject", []offer{legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), rejected(resp{})}, "", false, ErrRejected, "the initiator rejected the negotiation and does not say why: its log may"},
		{"request-mic", []offer{legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), requestMIC(resp{ResponseToken: leg(mechA, 3)})}, "resp reject", false, gss.ErrDefectiveToken, "for acceptors"},
		{"another mechanism", []offer{legs(a, 3), b}, [][]byte{initOf(leg(mechA, 1), mechA), incomplete(resp{SupportedMech: mechB, ResponseToken: leg(mechA, 3)})}, "resp reject", false, gss.ErrBadMech, "changed the mechanism"},
		{"second NegTokenInit", []offer{legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), initOf(leg(mechA, 1), mechA)}, "resp reject", false, gss.ErrDefectiveToken, ""},
		{"a message too many", []offer{a}, [][]byte{initOf(leg(mechA, 1), mechA), completed(resp{})}, "", false, gss.ErrDefectiveToken, "after the context was established"},

		{"MIC after request-mic", []offer{b, a}, [][]byte{initOf(leg(mechA, 1), mechA), completed(resp{MechListMIC: initMIC(mechA, mechA)})}, "", true, nil, ""},
		{"MIC after request-mic, without state", []offer{b, a}, [][]byte{initOf(leg(mechA, 1), mechA), (&resp{MechListMIC: initMIC(mechA, mechA)}).Append(nil)}, "", true, nil, ""},
		{"no MIC after request-mic", []offer{b, a}, [][]byte{initOf(leg(mechA, 1), mechA), completed(resp{})}, "resp reject", false, gss.ErrBadMIC, "required"},
		{"wrong MIC after request-mic", []offer{b, a}, [][]byte{initOf(leg(mechA, 1), mechA), completed(resp{MechListMIC: initMIC(mechA, mechB)})}, "resp reject", false, gss.ErrBadMIC, ""},
		{"own MIC returned", []offer{b, a}, [][]byte{initOf(leg(mechA, 1), mechA), completed(resp{MechListMIC: micOf(t, mechA, mechA)})}, "resp reject", false, gss.ErrBadMIC, ""},
		{"token and MIC after request-mic", []offer{b, a}, [][]byte{initOf(leg(mechA, 1), mechA), completed(resp{ResponseToken: leg(mechA, 3), MechListMIC: initMIC(mechA, mechA)})}, "resp reject", false, gss.ErrDefectiveToken, "although it was done"},
		{"no MIC with the last token", []offer{b, legs(a, 3)}, [][]byte{initOf(leg(mechA, 1), mechA), incomplete(resp{ResponseToken: leg(mechA, 3)})}, "resp reject", false, gss.ErrBadMIC, "required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newSide(false, tt.offers...)
			defer a.Close()
			var out []byte
			var done bool
			var err error
			for n, m := range tt.messages {
				out, done, err = a.Step(t.Context(), m)
				checkInfo(t, a, done, err)
				if err != nil && n < len(tt.messages)-1 {
					t.Fatalf("after message %d: %v", n+1, err)
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
			if _, done, err := a.Step(t.Context(), initOf(leg(mechA, 1), mechA)); done || !errors.Is(err, gss.ErrNoContext) {
				t.Errorf("a Step after the error gives done %t, %v", done, err)
			}
		})
	}
}

// TestAcceptorKeepsList: the buffer of the first message may be used again.
func TestAcceptorKeepsList(t *testing.T) {
	i, a := newSide(true, offer{oid: mechA, legs: 2}, offer{oid: mechB, legs: 2}), newSide(false, offer{oid: mechB, legs: 2})
	var last []byte
	o := run(t, i, a, func(_ int, tok []byte) []byte {
		clear(last)
		last = tok
		return tok
	})
	if !o.initDone || !o.accDone {
		t.Errorf("initiator: %v; acceptor: %v", o.initErr, o.accErr)
	}
}
