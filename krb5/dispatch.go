package krb5

import (
	"context"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// dispatcher is the acceptor's context before the first token tells which
// mechanism the initiator uses. Then it is that context.
type dispatcher struct {
	p        *Provider
	cred     *acceptorCredential
	bindings *gss.ChannelBindings
	mechs    [1]spnego.Mech // below SPNEGO
	inner    gss.SecContext
	dead     bool
}

// Step picks the mechanism by the first token.
func (d *dispatcher) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if d.dead {
		return nil, false, defective("accept", "a token after the context was finished")
	}
	if d.inner == nil {
		if d.inner, err = d.choose(in); err != nil {
			d.dead = true
			return nil, false, err
		}
	}
	return d.inner.Step(ctx, in)
}

func (d *dispatcher) choose(in []byte) (gss.SecContext, error) {
	mech := newAcceptor()
	mech.p, mech.cred, mech.bindings, mech.oid = d.p, d.cred, d.bindings, gss.MechKRB5
	kind, oid := spnego.Sniff(in)
	switch {
	case kind == spnego.KindInit:
		d.mechs[0] = spnego.Mech{OID: gss.MechKRB5, New: mech.begin}
		return spnego.NewAcceptor(d.mechs[:]), nil
	case kind == spnego.KindMech && (oid == gss.MechKRB5 || oid == gss.MechMSKRB5):
		mech.oid = oid
		return mech, nil
	case kind == spnego.KindNTLM:
		return nil, &gss.Error{Major: gss.ErrBadMech, Mech: gss.MechNTLM, Op: "accept", Err: errorText("the initiator sent NTLM, which is not accepted here: it has no Kerberos ticket for this service")}
	case kind == spnego.KindMech:
		return nil, &gss.Error{Major: gss.ErrBadMech, Mech: oid, Op: "accept", Err: errorText("the initiator sent a token of this mechanism; SPNEGO and krb5 are accepted")}
	}
	return nil, defective("accept", "%s", fmt.Sprintf("no SPNEGO or krb5 token can begin like this (%d octets, kind %s)", len(in), kind))
}

// Info describes the context.
func (d *dispatcher) Info() gss.ContextInfo {
	if d.inner == nil {
		return gss.ContextInfo{}
	}
	return d.inner.Info()
}

// Close releases the context.
func (d *dispatcher) Close() error {
	d.dead = true
	if d.inner == nil {
		return nil
	}
	return d.inner.Close()
}

func (d *dispatcher) protector(op string) (gss.MessageProtector, error) {
	if m, ok := d.inner.(gss.MessageProtector); ok && !d.dead {
		return m, nil
	}
	return nil, &gss.Error{Major: gss.ErrNoContext, Mech: gss.MechKRB5, Op: op}
}

// Wrap implements gss.MessageProtector.
func (d *dispatcher) Wrap(conf bool, msg []byte) ([]byte, error) {
	m, err := d.protector("wrap")
	if err != nil {
		return nil, err
	}
	return m.Wrap(conf, msg)
}

// Unwrap implements gss.MessageProtector.
func (d *dispatcher) Unwrap(token []byte) (msg []byte, conf bool, err error) {
	m, err := d.protector("unwrap")
	if err != nil {
		return nil, false, err
	}
	return m.Unwrap(token)
}

// GetMIC implements gss.MessageProtector.
func (d *dispatcher) GetMIC(msg []byte) ([]byte, error) {
	m, err := d.protector("get MIC")
	if err != nil {
		return nil, err
	}
	return m.GetMIC(msg)
}

// VerifyMIC implements gss.MessageProtector.
func (d *dispatcher) VerifyMIC(msg, mic []byte) error {
	m, err := d.protector("verify MIC")
	if err != nil {
		return err
	}
	return m.VerifyMIC(msg, mic)
}
