package spnego

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
)

// Mech is a mechanism that one side of a negotiation has.
type Mech struct {
	// OID is the number under which the mechanism is negotiated.
	OID gss.OID
	// New begins a context of the mechanism. It is called when the mechanism
	// is tried, at most once unless the peer insists on a fresh start.
	New func(ctx context.Context) (gss.SecContext, error)
}

// RoomLeaver is what an initiator's context of a mechanism may implement: the
// beginning of the message is then put in front of its first token, which may be
// long, in the same buffer.
type RoomLeaver interface {
	// First is Step for the first token, which comes after room octets of any
	// content.
	First(ctx context.Context, room int) (out []byte, done bool, err error)
}

// negotiation is what both sides have in common. It implements the parts of
// gss.SecContext other than Step, gss.MessageProtector and gss.Forgetter.
type negotiation struct {
	op    string // for errors
	mechs []Mech

	sc       gss.SecContext // the mechanism's; nil before it began
	mech     gss.OID        // the number under which it is negotiated
	mechDone bool

	begun       bool // the first Step was made
	agreed      bool // the acceptor has picked mech
	established bool // the context is done
	dead        bool // an error or Close ended it

	micRequired bool
	micSent     bool
	micVerified bool
}

// start begins a context of m.
func (n *negotiation) start(ctx context.Context, m Mech) error {
	sc, err := m.New(ctx)
	if err != nil {
		return err
	}
	n.sc, n.mechDone = sc, false
	return nil
}

// step hands a token to the mechanism. A mechanism that neither is done nor has
// a token to send would have both sides wait for each other.
func (n *negotiation) step(ctx context.Context, in []byte) ([]byte, error) {
	out, done, err := n.sc.Step(ctx, in)
	return out, n.stepped(out, done, err)
}

// first is the first step of a mechanism that begins, with room octets in front of
// the token that it returns.
func (n *negotiation) first(ctx context.Context, room int) ([]byte, error) {
	m, ok := n.sc.(RoomLeaver)
	if !ok {
		tok, err := n.step(ctx, nil)
		return append(make([]byte, room, room+len(tok)), tok...), err
	}
	out, done, err := m.First(ctx, room)
	if err != nil {
		return nil, err
	}
	return out, n.stepped(out[room:], done, nil)
}

// stepped notes what the mechanism returned.
func (n *negotiation) stepped(tok []byte, done bool, err error) error {
	if err == nil && !done && len(tok) == 0 {
		err = n.failure(gss.ErrFailure, fmt.Errorf("%s neither finished nor made a token", n.mech.Describe()))
	}
	n.mechDone = done && err == nil
	return err
}

// integrity reports whether the context of the mechanism, which is done, has
// per-message integrity, without which RFC 4178 exchanges no mechListMIC. The
// two sides see the same flags.
func (n *negotiation) integrity() bool {
	_, ok := n.sc.(gss.MessageProtector)
	return ok && n.sc.Info().Flags.Has(gss.FlagIntegrity)
}

// signList makes the mechListMIC over the DER of the list of mechanisms.
func (n *negotiation) signList(list []byte) ([]byte, error) {
	p, ok := n.sc.(gss.MessageProtector)
	if !ok {
		return nil, n.defective("a mechListMIC is due, but %s protects no messages", n.mech.Describe())
	}
	mic, err := p.GetMIC(list)
	if err != nil {
		return nil, err
	}
	n.micSent = true
	return mic, nil
}

// verifyList checks the mechListMIC of the peer.
func (n *negotiation) verifyList(list, mic []byte) error {
	p, ok := n.sc.(gss.MessageProtector)
	if !ok {
		return n.defective("the peer sent a mechListMIC, but %s protects no messages", n.mech.Describe())
	}
	if err := p.VerifyMIC(list, mic); err != nil {
		return n.defective("the mechListMIC does not fit the list of mechanisms, which somebody may have changed on its way: %w",
			errors.Join(gss.ErrBadMIC, err))
	}
	n.micVerified = true
	return nil
}

// kill ends the context after an error. The mechanism's stays, since it may
// have to forget something, but nobody learns an identity from it.
func (n *negotiation) kill() {
	n.dead = true
	n.established = false
}

// Info describes the mechanism's context once the negotiation is done. Until
// then, and after an error, it names the mechanism at most.
func (n *negotiation) Info() gss.ContextInfo {
	switch {
	case !n.established && n.agreed:
		return gss.ContextInfo{Mechanism: n.mech}
	case !n.established:
		return gss.ContextInfo{}
	}
	info := n.sc.Info()
	if info.Mechanism == "" {
		info.Mechanism = n.mech
	}
	return info
}

// Close closes the mechanism's context.
func (n *negotiation) Close() error {
	n.dead = true
	if n.sc == nil {
		return nil
	}
	return n.sc.Close()
}

// Forget has the mechanism's context forget, if it can.
func (n *negotiation) Forget() {
	if f, ok := n.sc.(gss.Forgetter); ok {
		f.Forget()
	}
}

// protector is the mechanism's, once the negotiation is done: earlier it would
// protect messages under a mechanism that somebody else may have picked.
func (n *negotiation) protector(op string) (gss.MessageProtector, error) {
	if !n.established {
		return nil, &gss.Error{Major: gss.ErrNoContext, Mech: gss.MechSPNEGO, Op: op}
	}
	p, ok := n.sc.(gss.MessageProtector)
	if !ok {
		return nil, &gss.Error{Major: gss.ErrUnavailable, Mech: n.mech, Op: op}
	}
	return p, nil
}

// Wrap has the mechanism wrap msg.
func (n *negotiation) Wrap(conf bool, msg []byte) ([]byte, error) {
	p, err := n.protector("wrap")
	if err != nil {
		return nil, err
	}
	return p.Wrap(conf, msg)
}

// Unwrap has the mechanism unwrap token.
func (n *negotiation) Unwrap(token []byte) ([]byte, bool, error) {
	p, err := n.protector("unwrap")
	if err != nil {
		return nil, false, err
	}
	return p.Unwrap(token)
}

// GetMIC has the mechanism sign msg.
func (n *negotiation) GetMIC(msg []byte) ([]byte, error) {
	p, err := n.protector("get MIC")
	if err != nil {
		return nil, err
	}
	return p.GetMIC(msg)
}

// VerifyMIC has the mechanism check the peer's signature of msg.
func (n *negotiation) VerifyMIC(msg, mic []byte) error {
	p, err := n.protector("verify MIC")
	if err != nil {
		return err
	}
	return p.VerifyMIC(msg, mic)
}

// Authorization is the mechanism's, once the negotiation is done; nil if it has
// none.
func (n *negotiation) Authorization() gss.Authorization {
	if a, ok := n.sc.(gss.Authorizer); ok && n.established {
		return a.Authorization()
	}
	return nil
}

// sameMech compares numbers of mechanisms; Kerberos 5 has two.
func sameMech(a, b gss.OID) bool { return canonical(a) == canonical(b) }

func canonical(o gss.OID) gss.OID {
	if o == gss.MechMSKRB5 {
		return gss.MechKRB5
	}
	return o
}

// findMech returns the index of the mechanism o in mechs, under the same number
// if possible, or -1.
func findMech(mechs []Mech, o gss.OID) int {
	found := -1
	for i, m := range mechs {
		switch {
		case m.OID == o:
			return i
		case found < 0 && sameMech(m.OID, o):
			found = i
		}
	}
	return found
}

// describe lists mechanisms for an error message, a few of them.
func describe(mechs []gss.OID) string {
	const most = 8
	var names []string
	for _, m := range mechs[:min(len(mechs), most)] {
		names = append(names, m.Describe())
	}
	if len(mechs) > most {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}
