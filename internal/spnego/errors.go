package spnego

import (
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

var (
	// ErrNoMechToken is wrapped by the initiator's error, with the code
	// ErrDefectiveToken, when the acceptor claims to be done although the
	// mechanism still waits for its proof, such as an AP-REP.
	ErrNoMechToken = errors.New("the acceptor says accept-completed but sent no token of the mechanism, so it has not proved itself")
	// ErrRejected is wrapped by the error of the side whose peer gave up. If
	// the peer said why in a token of the mechanism, the error is that of the
	// mechanism too; else its code is ErrFailure.
	ErrRejected = errors.New("rejected the negotiation")
)

// failure is an error of the negotiation itself.
func (n *negotiation) failure(major gss.Major, cause error) error {
	return &gss.Error{Major: major, Mech: gss.MechSPNEGO, Op: n.op, Err: cause}
}

// defective is the error for a message that breaks the protocol.
func (n *negotiation) defective(format string, args ...any) error {
	return n.failure(gss.ErrDefectiveToken, fmt.Errorf(format, args...))
}

// rejected is the error after a reject of the peer. mechErr is what the
// mechanism made of the token that came with it, if any; it matters unless all
// it says is that the token is no good.
func (n *negotiation) rejected(peer string, mechErr error) error {
	cause := fmt.Errorf("the %s %w", peer, ErrRejected)
	silent := fmt.Errorf("%w and does not say why: its log may", cause)
	if mechErr == nil {
		return n.failure(gss.ErrFailure, silent)
	}
	e, ok := errors.AsType[*gss.Error](mechErr)
	switch {
	case !ok:
		return n.failure(gss.MajorOf(mechErr), fmt.Errorf("%w: %w", cause, mechErr))
	case e.Minor == 0 && errors.Is(e, gss.ErrDefectiveToken):
		return n.failure(gss.ErrFailure, silent)
	case e.Err != nil:
		cause = fmt.Errorf("%w: %w", cause, e.Err)
	}
	return &gss.Error{Major: e.Major, Minor: e.Minor, Mech: e.Mech, Op: e.Op, Err: cause}
}
