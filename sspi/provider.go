package sspi

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
)

// ErrNotWindows is returned by New on systems that have no SSPI.
var ErrNotWindows = errors.New("sspi: only Windows has SSPI; use package krb5 or libgssapi here")

// Options configure a Provider. The zero value is the only one so far.
type Options struct{}

// Provider is a gss.Provider over SSPI. It is safe for concurrent use and holds
// no resources that would have to be released.
type Provider struct {
	sys      secur32
	mechs    []gss.OID
	maxToken uint32 // of all packages
	slots    chan struct{}
}

// New returns a provider, with those of the mechanisms whose packages Windows
// has. The error is [ErrNotWindows] on other systems.
func New(Options) (*Provider, error) {
	sys, err := system()
	if err != nil {
		return nil, err
	}
	return newProvider(sys)
}

// packageNames are the names of the security packages.
var packageNames = []struct {
	mech gss.OID
	name string
}{
	{gss.MechSPNEGO, "Negotiate"},
	{gss.MechKRB5, "Kerberos"},
	{gss.MechNTLM, "NTLM"},
}

func newProvider(sys secur32) (*Provider, error) {
	installed, s := sys.packages()
	if s != secOK {
		return nil, failure("list security packages", "", s)
	}
	p := &Provider{sys: sys, slots: make(chan struct{}, maxCalls)}
	for _, known := range packageNames {
		if size, ok := installed[known.name]; ok {
			p.mechs = append(p.mechs, known.mech)
			p.maxToken = max(p.maxToken, size)
		}
	}
	if len(p.mechs) == 0 {
		return nil, refusal(gss.ErrUnavailable, "list security packages", "", "none of Negotiate, Kerberos and NTLM is among those of this system: %q", slices.Sorted(maps.Keys(installed)))
	}
	return p, nil
}

// String returns "sspi".
func (p *Provider) String() string { return "sspi" }

// Mechanisms returns SPNEGO, krb5 and NTLM, as far as this Windows has them.
func (p *Provider) Mechanisms() []gss.OID { return slices.Clone(p.mechs) }

// packageOf is the security package of a mechanism; empty is SPNEGO.
func (p *Provider) packageOf(op string, mech gss.OID) (gss.OID, string, error) {
	switch mech {
	case "":
		mech = gss.MechSPNEGO
	case gss.MechMSKRB5:
		mech = gss.MechKRB5
	}
	for _, known := range packageNames {
		if known.mech == mech && slices.Contains(p.mechs, mech) {
			return mech, known.name, nil
		}
	}
	return "", "", refusal(gss.ErrBadMech, op, mech, "this Windows has no security package for it")
}

// mechOf is the mechanism of a security package; empty for one that is not known.
func mechOf(pkg string) gss.OID {
	for _, known := range packageNames {
		if known.name == pkg {
			return known.mech
		}
	}
	return ""
}

// Initiate implements [gss.Provider]. It does not wait for the network.
func (p *Provider) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended("initiate", err)
	}
	mech, pkg, err := p.packageOf("initiate", o.Mechanism)
	if err != nil {
		return nil, err
	}
	target, err := targetName(o.Target)
	if err != nil {
		return nil, err
	}
	if o.ChannelBindings != nil && p.sys.isWine() {
		return nil, errBindingsIgnored("initiate", mech)
	}
	cred, err := p.hold(ctx, o.Credential, gss.UsageInitiate, mech, pkg)
	if err != nil {
		return nil, err
	}
	c := p.newContext(cred, mech)
	c.initiator, c.target = true, o.Target
	c.call.target, c.call.request = target, initiatorRequest(o.Flags)
	c.call.bindings = encodeBindings(o.ChannelBindings)
	return c, nil
}

// Accept implements [gss.Provider]. NTLM is accepted only with a credential that
// was acquired for it.
//
// Windows does not tell whether a client has presented channel bindings. So with
// AcceptOptions.ChannelBindings a client is first taken to have, and if that
// fails the token is given to Windows again, as one without.
func (p *Provider) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended("accept", err)
	}
	mech := gss.MechSPNEGO
	if c, ok := o.Credential.(*Credential); ok {
		mech = c.mech
	}
	mech, pkg, err := p.packageOf("accept", mech)
	if err != nil {
		return nil, err
	}
	if o.ChannelBindings != nil && p.sys.isWine() {
		return nil, errBindingsIgnored("accept", mech)
	}
	cred, err := p.hold(ctx, o.Credential, gss.UsageAccept, mech, pkg)
	if err != nil {
		return nil, err
	}
	c := p.newContext(cred, mech)
	c.call.request, c.call.bindings = acceptorRequest, encodeBindings(o.ChannelBindings)
	return c, nil
}

func errBindingsIgnored(op string, mech gss.OID) error {
	return refusal(gss.ErrUnavailable, op, mech, "Wine ignores channel bindings, so nothing would be bound; do without them, or use the provider krb5")
}

// ended is the error for a context that ended.
func ended(op string, cause error) error {
	return &gss.Error{Major: gss.ErrFailure, Op: op, Err: cause}
}
