package spnego

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// initiator is the initiator's side of RFC 4178.
type initiator struct {
	negotiation
	offered []gss.OID
	few     [4]gss.OID // the usual room of offered

	replied  bool // the acceptor's first reply, which alone picks a mechanism, was read
	finished bool // the acceptor has nothing more to say
}

// NewInitiator returns the initiator's side of a negotiation that offers mechs,
// preferred first. It keeps mechs, which must not change. The first message
// carries the first token of mechs[0]. The negotiation waits only where the
// mechanisms do.
//
// The context is done when the mechanism is and the acceptor cannot pick
// another one any more. With one mechanism whose single token needs no answer
// (Kerberos without mutual authentication) that is after the first Step: the
// caller need not have the acceptor's reply, but if there is one should pass it
// to Step, which fails if the acceptor has rejected the negotiation. As long as
// several mechanisms are offered the reply is needed; the two numbers of
// Kerberos 5 count as one mechanism.
//
// Errors are those of the mechanism, or of type [*gss.Error] with
// ErrDefectiveToken for a message that breaks the protocol, ErrBadMech for a
// mechanism that was not offered, and what [ErrRejected] tells.
//
// The result also is a [gss.MessageProtector] and a [gss.Forgetter], as far as
// the negotiated mechanism is.
func NewInitiator(mechs []Mech) gss.SecContext {
	i := &initiator{negotiation: negotiation{op: "initiate", mechs: mechs}}
	i.offered = i.few[:0]
	for _, m := range mechs {
		i.offered = append(i.offered, m.OID)
	}
	return i
}

// Step implements gss.SecContext.
func (i *initiator) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	switch {
	case i.dead:
		return nil, false, i.failure(gss.ErrNoContext, errors.New("the context has failed or was closed"))
	case !i.begun:
		out, err = i.begin(ctx, in)
	default:
		out, err = i.read(ctx, in)
	}
	if err != nil {
		i.kill()
	}
	return out, i.established, err
}

// begin makes the NegTokenInit.
func (i *initiator) begin(ctx context.Context, in []byte) ([]byte, error) {
	i.begun = true
	switch {
	case len(in) > 0:
		return nil, i.defective("the acceptor sent a token before the initiator's first")
	case len(i.mechs) == 0:
		return nil, i.failure(gss.ErrBadMech, errors.New("there is no mechanism to offer"))
	}
	t := NegTokenInit{MechTypes: i.offered}
	room := t.headRoom()
	out, err := i.try(ctx, 0, room)
	if err != nil {
		return nil, err
	}
	i.established = i.mechDone && i.offersOne()
	t.MechToken = out[room:]
	return t.complete(out), nil
}

// try begins mechs[k] and returns its first token, after room octets.
func (i *initiator) try(ctx context.Context, k, room int) ([]byte, error) {
	i.mech = i.mechs[k].OID
	if err := i.start(ctx, i.mechs[k]); err != nil {
		return nil, err
	}
	out, err := i.first(ctx, room)
	if err == nil && len(out) == room {
		err = i.failure(gss.ErrFailure, fmt.Errorf("%s made no first token", i.mech.Describe()))
	}
	return out, err
}

func (i *initiator) offersOne() bool {
	for _, o := range i.offered {
		if !sameMech(o, i.offered[0]) {
			return false
		}
	}
	return true
}

// read processes a message of the acceptor.
func (i *initiator) read(ctx context.Context, in []byte) ([]byte, error) {
	if i.finished {
		return nil, i.defective("a token came after the context was established")
	}
	switch kind, mech := Sniff(in); kind {
	case KindResp:
		resp, err := parseResp(in)
		if err != nil {
			return nil, i.failure(gss.ErrDefectiveToken, err)
		}
		return i.negotiate(ctx, resp)
	case KindMech, KindNTLM:
		return i.readRaw(ctx, mech, in)
	default:
		return nil, i.defective("want a NegTokenResp, but %d octets of another kind came (%s)", len(in), kind)
	}
}

// negotiate processes a NegTokenResp.
func (i *initiator) negotiate(ctx context.Context, resp *NegTokenResp) ([]byte, error) {
	first := !i.replied
	i.replied = true
	switch {
	case resp.is(StateReject):
		return nil, i.readReject(ctx, resp.ResponseToken)
	case resp.is(StateRequestMIC) && !first:
		return nil, i.defective("request-mic came after the first reply")
	case resp.is(StateRequestMIC):
		i.micRequired = true
	}
	pick, err := i.picked(resp, first)
	if err != nil {
		return nil, err
	}
	i.agreed = true
	if pick >= 0 {
		return i.restart(ctx, pick, resp)
	}
	return i.proceed(ctx, resp)
}

// readReject returns the error for a reject. The token that may be with it, such
// as a KRB-ERROR, lets the mechanism tell more.
func (i *initiator) readReject(ctx context.Context, tok []byte) error {
	var mechErr error
	if len(tok) > 0 {
		_, _, mechErr = i.sc.Step(ctx, tok)
	}
	return i.rejected("acceptor", mechErr)
}

// picked returns the index of the mechanism that has to begin afresh since the
// acceptor picked it, or -1 to go on with the one that runs.
func (i *initiator) picked(resp *NegTokenResp, first bool) (int, error) {
	m := resp.SupportedMech
	switch {
	case m == "" || m == i.mech:
		// Without a name the optimistic mechanism is meant: some acceptors in
		// Java send nothing but a responseToken.
		return -1, nil
	case sameMech(m, i.mech):
		// The other number of Kerberos names the mechanism that runs, unless
		// the acceptor has ignored the optimistic token: to an acceptor that
		// knows one number only, it was of another mechanism.
		k := findMech(i.mechs, m)
		ignored := first && !i.established && len(resp.ResponseToken) == 0 && len(resp.MechListMIC) == 0 && resp.HasState && !resp.is(StateAcceptCompleted)
		if ignored && i.mechs[k].OID == m {
			return k, nil
		}
		return -1, nil
	case !first:
		return 0, i.failure(gss.ErrBadMech, fmt.Errorf("the acceptor changed the mechanism from %s to %s after its first reply", i.mech.Describe(), m.Describe()))
	}
	k := findMech(i.mechs, m)
	if k < 0 {
		return 0, i.failure(gss.ErrBadMech, fmt.Errorf("the acceptor picked %s, which was not offered (%s)", m.Describe(), describe(i.offered)))
	}
	return k, nil
}

// restart begins the mechanism that the acceptor picked instead of the
// optimistic one. If it is not the preferred mechanism somebody else may have
// picked it, which the mechListMICs show.
func (i *initiator) restart(ctx context.Context, k int, resp *NegTokenResp) ([]byte, error) {
	switch {
	case resp.is(StateAcceptCompleted):
		return nil, i.failure(gss.ErrDefectiveToken, ErrNoMechToken)
	case len(resp.ResponseToken) > 0 || len(resp.MechListMIC) > 0:
		return nil, i.defective("the acceptor picked %s and sent a token of it, although it has not begun", resp.SupportedMech.Describe())
	}
	i.sc.Close()
	i.sc = nil
	i.micRequired = i.micRequired || !sameMech(i.mechs[k].OID, i.offered[0])
	tok, err := i.try(ctx, k, 0)
	if err != nil {
		return nil, err
	}
	if err := i.settle(); err != nil {
		return nil, err
	}
	return i.send(tok)
}

// proceed continues the mechanism that runs.
func (i *initiator) proceed(ctx context.Context, resp *NegTokenResp) ([]byte, error) {
	tok, err := i.feed(ctx, resp)
	if err != nil {
		return i.errorToken(tok), err
	}
	if err := i.settle(); err != nil {
		return nil, err
	}
	if len(resp.MechListMIC) > 0 {
		if !i.mechDone {
			return nil, i.defective("a mechListMIC came before the mechanism was done")
		}
		if err := i.verifyList(i.mechList(), resp.MechListMIC); err != nil {
			return nil, err
		}
	}
	switch {
	case len(tok) == 0:
		return i.conclude(resp)
	case resp.is(StateAcceptCompleted):
		return nil, i.defective("the acceptor says accept-completed, but %s still has a token for it", i.mech.Describe())
	}
	return i.send(tok)
}

// feed hands the responseToken to the mechanism and returns the mechanism's.
func (i *initiator) feed(ctx context.Context, resp *NegTokenResp) ([]byte, error) {
	tok := resp.ResponseToken
	switch {
	case i.mechDone && len(tok) > 0:
		return nil, i.defective("a token of %s came although it was done", i.mech.Describe())
	case i.mechDone:
		// Old versions of IIS send an empty token.
		return nil, nil
	case len(tok) > 0:
		return i.step(ctx, tok)
	case resp.is(StateAcceptCompleted):
		return nil, i.failure(gss.ErrDefectiveToken, ErrNoMechToken)
	}
	return nil, i.defective("the acceptor sent no token of %s, which waits for one", i.mech.Describe())
}

// settle decides, once the mechanism is done, whether mechListMICs can be
// required. RFC 4178 goes without them where the mechanism has no integrity.
// That would let anybody pick such a mechanism for the two sides, so only the
// preferred one is let off.
func (i *initiator) settle() error {
	if !i.mechDone || !i.micRequired || i.integrity() {
		return nil
	}
	if !sameMech(i.mech, i.offered[0]) {
		return i.defective("%s was picked instead of %s, and without integrity it cannot show that the acceptor did so", i.mech.Describe(), i.offered[0].Describe())
	}
	i.micRequired = false
	return nil
}

// send wraps a token of the mechanism, with the mechListMIC if it is the last
// one and the MIC is required (RFC 4178, section 5 c).
func (i *initiator) send(tok []byte) ([]byte, error) {
	resp := NegTokenResp{HasState: true, State: StateAcceptIncomplete, ResponseToken: tok}
	if i.mechDone && i.micRequired {
		mic, err := i.signList(i.mechList())
		if err != nil {
			return nil, err
		}
		resp.MechListMIC = mic
	}
	return resp.Append(nil), nil
}

// conclude ends the negotiation on this side: the mechanism is done and has no
// token to send (RFC 4178, section 5 b).
func (i *initiator) conclude(resp *NegTokenResp) ([]byte, error) {
	if i.micRequired && !i.micVerified {
		return nil, i.failure(gss.ErrDefectiveToken, fmt.Errorf("%w: the acceptor sent no mechListMIC, which is required here since it %s",
			gss.ErrBadMIC, i.whyMIC()))
	}
	if !i.acceptorWaits(resp) {
		i.established, i.finished = true, true
		return nil, nil
	}
	// The one message left to send is the mechListMIC. It is sent, too, where
	// the acceptor should have sent its own: nothing else can be waited for.
	switch {
	case i.micSent:
		return nil, i.defective("the acceptor waits for a token, but all have been sent")
	case !i.micVerified && !i.integrity():
		return nil, i.defective("the acceptor waits for a token, but %s was done and has none", i.mech.Describe())
	}
	mic, err := i.signList(i.mechList())
	if err != nil {
		return nil, err
	}
	i.established = true
	last := NegTokenResp{HasState: true, State: StateAcceptCompleted, MechListMIC: mic}
	return last.Append(nil), nil
}

// acceptorWaits reports whether the acceptor expects another message. A state
// that is missing is inferred.
func (i *initiator) acceptorWaits(resp *NegTokenResp) bool {
	switch {
	case !resp.HasState:
		return len(resp.MechListMIC) > 0 && !i.micSent
	case resp.State == StateRequestMIC:
		// Without integrity there is nothing to exchange.
		return i.micRequired || i.micVerified
	}
	return resp.State != StateAcceptCompleted
}

func (i *initiator) whyMIC() string {
	if sameMech(i.mech, i.offered[0]) {
		return "requested one"
	}
	return fmt.Sprintf("picked %s instead of %s", i.mech.Describe(), i.offered[0].Describe())
}

// readRaw processes a token of the mechanism without SPNEGO around it, with
// which some acceptors answer. Such an acceptor exchanges no MIC.
func (i *initiator) readRaw(ctx context.Context, mech gss.OID, tok []byte) ([]byte, error) {
	switch {
	case !sameMech(mech, i.mech):
		return nil, i.failure(gss.ErrBadMech, fmt.Errorf("a token of %s came, where %s is negotiated", mech.Describe(), i.mech.Describe()))
	case i.micRequired:
		return nil, i.defective("a token of %s came without SPNEGO, which leaves no room for the required mechListMIC", mech.Describe())
	}
	i.replied, i.agreed = true, true
	wasDone := i.mechDone
	out, err := i.step(ctx, tok)
	switch {
	case err != nil:
		return out, err
	case wasDone:
		return nil, i.defective("a token of %s came although it was done", mech.Describe())
	}
	i.established, i.finished = i.mechDone, i.mechDone
	return out, nil
}

// errorToken wraps the token that the mechanism made for its error, if any.
func (i *initiator) errorToken(tok []byte) []byte {
	if len(tok) == 0 {
		return nil
	}
	resp := NegTokenResp{HasState: true, State: StateReject, ResponseToken: tok}
	return resp.Append(nil)
}

func (i *initiator) mechList() []byte {
	return appendMechList(make([]byte, 0, sizeMechList(i.offered)), i.offered)
}
