package gsstest

import (
	"context"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/closing"
)

// credential stands for one principal, or as an acceptor's without a name for
// every service of the provider.
type credential struct {
	p       *Provider
	name    string
	usage   gss.Usage
	expires time.Time
	open    bool // guarded by p.mu
	notice  closing.Notice
}

func (c *credential) Name() gss.Name {
	if c.name == "" {
		return gss.Name{}
	}
	return gss.Principal(c.name)
}

func (c *credential) Usage() gss.Usage   { return c.usage }
func (c *credential) Expires() time.Time { return c.expires }

func (c *credential) Close() error {
	c.p.closed(&c.open, credentials)
	c.notice.Close()
	return nil
}

// OnClose implements [gss.CloseNotifier].
func (c *credential) OnClose(f func()) (stop func(), open bool) { return c.notice.OnClose(f) }

// defaultCredential follows [Provider.SetDefault].
type defaultCredential struct{ *credential }

func (c *defaultCredential) Name() gss.Name {
	if name := c.p.currentDefault(); name != "" {
		return gss.Principal(name)
	}
	return gss.Name{}
}

// Resolve implements [gss.Resolver]. What it returns counts as closed.
func (c *defaultCredential) Resolve(ctx context.Context) (gss.Credential, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("resolve", "", err)
	}
	name := c.p.currentDefault()
	if name == "" {
		return nil, wrap("resolve", "", errNoDefault)
	}
	return &credential{p: c.p, name: name, usage: c.usage, expires: c.expires}, nil
}

// initiatorName is whom c initiates as; nil is the default.
func (p *Provider) initiatorName(c gss.Credential) (string, error) {
	fixed, err := p.own(c)
	if err != nil {
		return "", err
	}
	if fixed == nil {
		name := p.currentDefault()
		if name == "" {
			return "", errNoDefault
		}
		return name, nil
	}
	switch {
	case fixed.usage == gss.UsageAccept:
		return "", fail(gss.ErrNoCred, "the credential is for accepting only")
	case !p.opts.Now().Before(fixed.expires):
		return "", fail(gss.ErrCredentialsExpired, "the credential of %s expired at %s", fixed.name, fixed.expires)
	}
	return fixed.name, nil
}

// services are the principals that c accepts for; nil is all.
func (p *Provider) services(c gss.Credential) ([]string, error) {
	fixed, err := p.own(c)
	if err != nil {
		return nil, err
	}
	switch {
	case fixed == nil || fixed.name == "":
		var names []string
		for _, n := range p.opts.Services {
			names = append(names, p.canonical(n))
		}
		return names, nil
	case fixed.usage == gss.UsageInitiate:
		return nil, fail(gss.ErrNoCred, "the credential is for initiating only")
	}
	return []string{fixed.name}, nil
}

// own returns the fixed credential in c, nil for the default one.
func (p *Provider) own(c gss.Credential) (*credential, error) {
	switch c := c.(type) {
	case nil:
		return nil, nil
	case *credential:
		if c.p == p {
			return c, nil
		}
	case *defaultCredential:
		if c.p == p {
			return nil, nil
		}
	}
	return nil, fail(gss.ErrDefectiveCredential, "the credential is not of this provider")
}
