package krb5

import (
	"context"
	"errors"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/ccache/kcm"
	"github.com/go-negotiate/negotiate/internal/closing"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// FromCCache returns a credential that follows the named cache: what kinit puts
// there later is used from then on. An empty name is the default cache, looked
// up each time. The cache need not exist yet. The credential is a
// [gss.Resolver]: what it resolves to keeps standing for the same principal,
// and returns to the cache when its tickets have expired. Errors are *gss.Error,
// for a name that cannot be understood.
func (p *Provider) FromCCache(name string) (gss.Credential, error) {
	from, err := p.cacheSource(name, gss.Name{})
	if err != nil {
		return nil, err
	}
	return &cacheCredential{cacheSource: from}, nil
}

// cacheSource is a credential cache by its name.
type cacheSource struct {
	p    *Provider
	name string         // "": the default
	want principal.Name // zero: whoever the cache belongs to
}

func (p *Provider) cacheSource(name string, want gss.Name) (s cacheSource, err error) {
	if name != "" {
		if _, err := ccache.ParseName(name); err != nil {
			return s, noCred("%w", err)
		}
	}
	s = cacheSource{p: p, name: name}
	if !want.IsZero() {
		s.want, err = p.clientName(want)
	}
	return s, err
}

// cacheCredential follows a credential cache.
type cacheCredential struct {
	cacheSource
	notice closing.Notice
}

// Name is the principal that the cache belongs to now.
func (c *cacheCredential) Name() gss.Name {
	l, err := c.login(context.Background())
	if err != nil {
		return gss.Name{}
	}
	return gssName(l.client)
}

// Usage returns gss.UsageInitiate.
func (c *cacheCredential) Usage() gss.Usage { return gss.UsageInitiate }

// Expires is the end of the ticket-granting ticket that the cache has now.
func (c *cacheCredential) Expires() time.Time {
	l, err := c.login(context.Background())
	if err != nil {
		return time.Time{}
	}
	return l.expires()
}

// Close only tells of itself: the provider keeps what was read for the next user.
func (c *cacheCredential) Close() error {
	c.notice.Close()
	return nil
}

// OnClose implements [gss.CloseNotifier].
func (c *cacheCredential) OnClose(f func()) (stop func(), open bool) { return c.notice.OnClose(f) }

// String names the cache.
func (c *cacheCredential) String() string { return "krb5 credential from the cache " + c.label() }

// GoString is String.
func (c *cacheCredential) GoString() string { return c.String() }

// label is the cache's name as a person knows it.
func (c cacheSource) label() string {
	if c.name != "" {
		return c.name
	}
	return c.p.defaultCCache()
}

// defaultCCache is the name of the default cache as it is now.
func (p *Provider) defaultCCache() string {
	if p.opts.CCache != "" {
		return p.opts.CCache
	}
	if name := p.env.Getenv("KRB5CCNAME"); name != "" {
		return name
	}
	return p.usualCCache
}

// Resolve reads the cache if it has changed.
func (c *cacheCredential) Resolve(ctx context.Context) (gss.Credential, error) {
	l, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	return loginCredential{l}, nil
}

func (c cacheSource) login(ctx context.Context) (*login, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	label := c.label()
	l, err := c.p.loginByName(ctx, label, c.want)
	if err != nil {
		if ctx.Err() != nil || c.want.IsZero() && isThere(err) {
			return nil, err
		}
		if k := c.p.clientKeytabLogin(label, c.want); k != nil {
			return k, nil
		}
		return nil, err
	}
	if !c.want.IsZero() && !l.client.Equal(c.want) {
		return nil, noCred("the credential cache %s belongs to %s, not to %s: run kinit %s, or keep both in a DIR: collection", label, l.client, c.want, c.want)
	}
	return l, nil
}

// isThere reports whether a cache could not be read that is there nevertheless. It
// may be anybody's, for whom the client keytab's principal is no substitute.
func isThere(err error) bool {
	return errors.Is(err, ccache.ErrFormat) || errors.Is(err, kcm.ErrProtocol) || errors.Is(err, kcm.ErrSilent)
}
