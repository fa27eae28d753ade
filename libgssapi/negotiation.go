package libgssapi

import (
	"context"
	"errors"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// negotiation is SPNEGO around a context of the library's.
type negotiation struct {
	negotiated
	inner *Context
}

// negotiated is what package spnego makes.
type negotiated interface {
	gss.SecContext
	gss.MessageProtector
}

func newNegotiation(inner *Context, side func([]spnego.Mech) gss.SecContext) *negotiation {
	begun := false
	begin := func(context.Context) (gss.SecContext, error) {
		if begun {
			return nil, inner.defective("the peer wants krb5 to begin anew")
		}
		begun = true
		return inner, nil
	}
	return &negotiation{side([]spnego.Mech{{OID: gss.MechKRB5, New: begin}}).(negotiated), inner}
}

// Close closes the context too if it was never begun.
func (n *negotiation) Close() error {
	err := n.negotiated.Close()
	n.inner.Close()
	return err
}

// NameAttributes is that of the context.
func (n *negotiation) NameAttributes() ([]NameAttribute, error) { return n.inner.NameAttributes() }

// choice is an acceptor with a credential of its own. It looks at the first
// token's mechanism before the library does, which would take its default
// credential for one that this credential does not have.
type choice struct {
	*Context
	cred   *credHandle
	around *negotiation // if the first token was of SPNEGO and the credential has none
	chosen bool
}

// Step implements [gss.SecContext].
func (c *choice) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if !c.chosen {
		c.chosen = true
		if err := c.choose(in); err != nil {
			c.Context.Close()
			return nil, false, err
		}
	}
	if c.around != nil {
		return c.around.Step(ctx, in)
	}
	return c.Context.Step(ctx, in)
}

func (c *choice) choose(in []byte) error {
	kind, mech := spnego.Sniff(in)
	switch {
	case kind == spnego.KindInit && !c.cred.has(gss.MechSPNEGO) && c.cred.has(gss.MechKRB5):
		c.around = newNegotiation(c.Context, spnego.NewAcceptor)
		return nil
	case kind == spnego.KindInit:
		mech = gss.MechSPNEGO
	case mech == gss.MechMSKRB5:
		mech = gss.MechKRB5
	}
	if mech != "" && !c.cred.has(mech) {
		return &gss.Error{Major: gss.ErrBadMech, Mech: mech, Op: c.op, Err: errors.New("the credential has nothing for the mechanism of the initiator's token")}
	}
	return nil
}

// Info implements [gss.SecContext].
func (c *choice) Info() gss.ContextInfo {
	if c.around != nil {
		return c.around.Info()
	}
	return c.Context.Info()
}

// Close implements [gss.SecContext].
func (c *choice) Close() error {
	if c.around != nil {
		return c.around.Close()
	}
	return c.Context.Close()
}
