package libgssapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// Provider is a gss.Provider over a loaded library. It is safe for concurrent
// use. The zero Provider is of no use: [Load] makes one.
type Provider struct {
	lib *library
	run *runner
}

func newProvider(l *library) *Provider { return &Provider{lib: l, run: newRunner(maxCalls)} }

// String tells whose library it is, and its version where that can be found out:
// "libgssapi (MIT 1.20.1)", "libgssapi (Apple)".
func (p *Provider) String() string { return p.lib.String() }

// Path is the name by which the library was loaded.
func (p *Provider) Path() string { return p.lib.path }

// Mechanisms lists the mechanisms of the library, those of plug-ins included:
// SPNEGO and krb5 first, then the others in the library's order.
func (p *Provider) Mechanisms() []gss.OID { return slices.Clone(p.lib.ordered) }

// Initiate begins a context. Nothing is asked of the library before the first
// Step. Where a credential has only krb5 and SPNEGO is wanted, as those of Heimdal 7
// that were delegated or read from a named cache, SPNEGO is made here and krb5 by
// the library. Errors are *gss.Error, or the context's.
func (p *Provider) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	const op = "initiate"
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	o.Mechanism = cmp.Or(o.Mechanism, gss.MechSPNEGO)
	if _, err := p.lib.mech(op, o.Mechanism); err != nil {
		return nil, err
	}
	if o.Target.IsZero() {
		return nil, badName(op, o.Target, `a name is missing, such as gss.HostBased("HTTP", host)`)
	}
	o.ChannelBindings = cloneBindings(o.ChannelBindings)
	cred, err := p.credentialOf(ctx, op, o.Credential)
	switch {
	case err != nil:
		return nil, err
	case cred.has(o.Mechanism):
		return p.newInitiator(o, cred), nil
	case o.Mechanism == gss.MechSPNEGO && cred.has(gss.MechKRB5):
		o.Mechanism = gss.MechKRB5
		return newNegotiation(p.newInitiator(o, cred), spnego.NewInitiator), nil
	}
	cred.release()
	return nil, &gss.Error{Major: gss.ErrNoCred, Mech: o.Mechanism, Op: op, Err: errors.New("the credential has nothing for this mechanism: acquire one with it, or without Mechanism")}
}

func (p *Provider) newInitiator(o gss.InitiateOptions, cred *credHandle) *Context {
	c := newContext(p, "initiate", cred, o.ChannelBindings)
	c.initiator, c.mech, c.mechOID = true, uintptr(p.lib.mechs[o.Mechanism]), o.Mechanism
	c.target, c.flags, c.lifetime = o.Target, o.Flags, seconds(o.Lifetime)
	return c
}

// Accept begins a context that takes the tokens of each mechanism that the
// credential has, and SPNEGO if it has krb5. Errors are *gss.Error, or the
// context's.
func (p *Provider) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	const op = "accept"
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	cred, err := p.credentialOf(ctx, op, o.Credential)
	if err != nil {
		return nil, err
	}
	c := newContext(p, op, cred, cloneBindings(o.ChannelBindings))
	if cred == nil {
		return c, nil
	}
	return &choice{Context: c, cred: cred}, nil
}

// credentialOf returns the library's credential behind one of this provider,
// kept for a context; nil for nil, which is the library's default.
func (p *Provider) credentialOf(ctx context.Context, op string, cred gss.Credential) (*credHandle, error) {
	if f, ok := cred.(*followingCredential); ok && f.p.lib == p.lib {
		resolved, err := f.Resolve(ctx)
		if err != nil {
			return nil, err
		}
		cred = resolved
	}
	switch c := cred.(type) {
	case nil:
		return nil, nil
	case *credential:
		if c.handle.lib != p.lib {
			break
		}
		if op == "initiate" && c.usage == gss.UsageAccept || op == "accept" && c.usage == gss.UsageInitiate {
			return nil, &gss.Error{Major: gss.ErrDefectiveCredential, Op: op, Err: fmt.Errorf("%s is not for this: acquire one with another Usage", c)}
		}
		if c.closed.Load() || !c.handle.retain() {
			return nil, &gss.Error{Major: gss.ErrDefectiveCredential, Op: op, Err: fmt.Errorf("%s is closed", c)}
		}
		return c.handle, nil
	}
	return nil, &gss.Error{Major: gss.ErrDefectiveCredential, Op: op, Err: fmt.Errorf("the credential (%T) is none of this library: acquire one from this provider", cred)}
}

func badName(op string, n gss.Name, why string) error {
	return &gss.Error{Major: gss.ErrInvalidName, Op: op, Err: fmt.Errorf("%q: %s", n.Value, why)}
}
