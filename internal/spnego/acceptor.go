package spnego

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// acceptor is the acceptor's side of RFC 4178.
type acceptor struct {
	negotiation
	list    []byte // the initiator's list of mechanisms, as it was received
	replied bool   // the first reply, which names the mechanism, was sent
}

// NewAcceptor returns the acceptor's side of a negotiation. It takes the first
// mechanism of the initiator's list that is in mechs, which must not change. It
// is done once the mechanism is and the mechListMIC, where RFC 4178 requires
// it, was verified: that is, unless the mechanism is the preferred one of both
// sides, mechs[0] here.
//
// Where it helps the initiator, Step returns a NegTokenResp with the state
// reject together with the error. Errors are those of the mechanism, or of type
// [*gss.Error] with ErrDefectiveToken for a message that breaks the protocol,
// ErrBadMech if no mechanism is in common, and what [ErrRejected] tells.
//
// Tokens other than a NegTokenInit in its frame are not for it; see [Sniff].
//
// The result also is a [gss.MessageProtector] and a [gss.Forgetter], as far as
// the negotiated mechanism is.
func NewAcceptor(mechs []Mech) gss.SecContext {
	return &acceptor{negotiation: negotiation{op: "accept", mechs: mechs}}
}

// Step implements gss.SecContext.
func (a *acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	switch {
	case a.dead:
		return nil, false, a.failure(gss.ErrNoContext, errors.New("the context has failed or was closed"))
	case a.established:
		err = a.defective("a token came after the context was established")
	case !a.begun:
		out, err = a.begin(ctx, in)
		if !a.established {
			a.list = bytes.Clone(a.list) // which is a part of in
		}
	default:
		out, err = a.read(ctx, in)
	}
	if err != nil {
		a.kill()
	}
	return out, a.established, err
}

// begin processes the NegTokenInit. Afterwards the list is still a part of it.
func (a *acceptor) begin(ctx context.Context, in []byte) ([]byte, error) {
	a.begun = true
	if err := a.checkKind(in); err != nil {
		return nil, err
	}
	t, err := parseInit(in)
	if err != nil {
		return nil, a.failure(gss.ErrDefectiveToken, err)
	}
	if len(t.MechTypes) == 0 {
		return a.reject(nil), a.defective("the initiator offers no mechanism")
	}
	optimistic, k := a.choose(t.MechTypes)
	if k < 0 {
		return a.reject(nil), a.failure(gss.ErrBadMech, fmt.Errorf("the initiator offers %s, of which nothing is available here", describe(t.MechTypes)))
	}
	a.list = t.MechListDER()
	a.micRequired = !optimistic || !sameMech(a.mech, a.mechs[0].OID)
	if err := a.start(ctx, a.mechs[k]); err != nil {
		return a.reject(nil), err
	}
	if !optimistic || len(t.MechToken) == 0 {
		return a.send(&NegTokenResp{State: a.pending()}), nil
	}
	return a.proceed(ctx, t.MechToken, t.MechListMIC)
}

func (a *acceptor) checkKind(in []byte) error {
	switch kind, mech := Sniff(in); kind {
	case KindInit:
		return nil
	case KindNTLM:
		return a.failure(gss.ErrBadMech, errors.New("the initiator sent NTLM, not SPNEGO: it probably got no Kerberos ticket for this service"))
	case KindMech:
		return a.failure(gss.ErrBadMech, fmt.Errorf("the initiator sent a token of %s, not of SPNEGO", mech.Describe()))
	default:
		return a.defective("want a NegTokenInit, but %d octets of another kind came (%s)", len(in), kind)
	}
}

// choose sets the mechanism, under the number that the initiator gives it, and
// returns its index in mechs, -1 for none. optimistic tells that it is the
// initiator's first.
func (a *acceptor) choose(offered []gss.OID) (optimistic bool, k int) {
	for n, o := range offered {
		if k := findMech(a.mechs, o); k >= 0 {
			a.mech, a.agreed = o, true
			return n == 0, k
		}
	}
	return false, -1
}

// read processes the initiator's further messages.
func (a *acceptor) read(ctx context.Context, in []byte) ([]byte, error) {
	resp, err := parseResp(in)
	switch {
	case err != nil:
		return a.reject(nil), a.failure(gss.ErrDefectiveToken, err)
	case resp.is(StateReject):
		return nil, a.rejected("initiator", nil)
	case resp.is(StateRequestMIC):
		return a.reject(nil), a.defective("request-mic is for acceptors, but the initiator sent it")
	case resp.SupportedMech != "" && !sameMech(resp.SupportedMech, a.mech):
		return a.reject(nil), a.failure(gss.ErrBadMech, fmt.Errorf("the initiator changed the mechanism from %s to %s", a.mech.Describe(), resp.SupportedMech.Describe()))
	case a.mechDone:
		return a.readMIC(resp)
	case len(resp.ResponseToken) == 0:
		return a.reject(nil), a.defective("the initiator sent no token of %s, which waits for one", a.mech.Describe())
	}
	return a.proceed(ctx, resp.ResponseToken, resp.MechListMIC)
}

// readMIC ends a negotiation for which only the initiator's MIC is missing.
func (a *acceptor) readMIC(resp *NegTokenResp) ([]byte, error) {
	switch {
	case len(resp.ResponseToken) > 0:
		return a.reject(nil), a.defective("a token of %s came although it was done", a.mech.Describe())
	case len(resp.MechListMIC) == 0:
		return a.reject(nil), a.noMIC()
	}
	if err := a.verifyList(a.list, resp.MechListMIC); err != nil {
		return a.reject(nil), err
	}
	a.established = true
	return nil, nil
}

// proceed hands a token to the mechanism and answers.
func (a *acceptor) proceed(ctx context.Context, in, mic []byte) ([]byte, error) {
	tok, err := a.step(ctx, in)
	if err != nil {
		return a.reject(tok), err
	}
	resp := &NegTokenResp{}
	if len(tok) > 0 {
		resp.ResponseToken = tok
	}
	if a.mechDone {
		err = a.conclude(resp, mic)
	} else {
		resp.State = a.pending()
		if len(mic) > 0 {
			err = a.defective("a mechListMIC came before the mechanism was done")
		}
	}
	if err != nil {
		return a.reject(nil), err
	}
	return a.send(resp), nil
}

// conclude completes the answer of a mechanism that is done, and tells whether
// the negotiation is (RFC 4178, section 5 b and c).
func (a *acceptor) conclude(resp *NegTokenResp, mic []byte) (err error) {
	if len(mic) > 0 {
		if err := a.verifyList(a.list, mic); err != nil {
			return err
		}
	}
	switch {
	case a.micVerified, a.micRequired && a.integrity():
		// The MICs are exchanged. That of an initiator who sent the last token
		// of the mechanism, knowing that a MIC is wanted, had to be with it.
		if !a.micVerified && a.replied && len(resp.ResponseToken) == 0 {
			return a.noMIC()
		}
		if resp.MechListMIC, err = a.signList(a.list); err != nil {
			return err
		}
		a.established = a.micVerified
	default:
		a.established = true
	}
	resp.State = StateAcceptCompleted
	if !a.established {
		resp.State = a.pending()
	}
	return nil
}

func (a *acceptor) noMIC() error {
	return a.failure(gss.ErrDefectiveToken, fmt.Errorf("%w: the initiator sent no mechListMIC, which is required here", gss.ErrBadMIC))
}

// pending is the state of an answer that is not the last.
func (a *acceptor) pending() NegState {
	if a.micRequired && !a.replied {
		return StateRequestMIC
	}
	return StateAcceptIncomplete
}

// send encodes an answer. The first one names the mechanism.
func (a *acceptor) send(resp *NegTokenResp) []byte {
	resp.HasState = true
	if !a.replied {
		resp.SupportedMech = a.mech
	}
	a.replied = true
	return resp.Append(nil)
}

// reject is the answer that goes with an error; tok is the mechanism's token
// about it, if any.
func (a *acceptor) reject(tok []byte) []byte {
	resp := &NegTokenResp{State: StateReject}
	if len(tok) > 0 {
		resp.ResponseToken = tok
	}
	return a.send(resp)
}
