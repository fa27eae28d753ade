package krb5

import (
	"context"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// FromCCache returns a credential that follows the named cache: what kinit puts
// there later is used from then on. An empty name is the default cache, looked
// up each time. The cache need not exist yet. The credential is a
// [gss.Resolver]: what it resolves to keeps standing for the same principal,
// and returns to the cache when its tickets have expired. Errors are *gss.Error,
// for a name that cannot be understood.
func (p *Provider) FromCCache(name string) (gss.Credential, error) {
	c, err := p.fromCCache(name, gss.Name{})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (p *Provider) fromCCache(name string, want gss.Name) (*cacheCredential, error) {
	c := &cacheCredential{p: p, name: name}
	if name != "" {
		if _, err := ccache.ParseName(name); err != nil {
			return nil, noCred("%w", err)
		}
	}
	if !want.IsZero() {
		var err error
		if c.want, err = p.clientName(want); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// cacheCredential follows a credential cache.
type cacheCredential struct {
	p    *Provider
	name string         // "": the default
	want principal.Name // zero: whoever the cache belongs to
}

// Name is the principal that the cache belongs to now.
func (c *cacheCredential) Name() gss.Name {
	if !c.want.IsZero() {
		return gssName(c.want)
	}
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

// Close does nothing: the provider keeps what was read for the next user.
func (c *cacheCredential) Close() error { return nil }

// String names the cache.
func (c *cacheCredential) String() string { return "krb5 credential from the cache " + c.label() }

// GoString is String.
func (c *cacheCredential) GoString() string { return c.String() }

// label is the cache's name as a person knows it.
func (c *cacheCredential) label() string {
	switch {
	case c.name != "":
		return c.name
	case c.p.opts.CCache != "":
		return c.p.opts.CCache
	}
	return ccache.DefaultName(c.p.env.Getenv, c.p.conf.DefaultCCacheName, c.p.env.UID)
}

// Resolve reads the cache if it has changed.
func (c *cacheCredential) Resolve(ctx context.Context) (gss.Credential, error) {
	l, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	return loginCredential{l}, nil
}

func (c *cacheCredential) login(ctx context.Context) (*login, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	label := c.label()
	path, err := cachePath(label, c.want)
	if err != nil {
		return nil, err
	}
	l, err := c.p.loginFromFile(ctx, path, label)
	if err != nil {
		return nil, err
	}
	if !c.want.IsZero() && !l.client.Equal(c.want) {
		return nil, noCred("the credential cache %s belongs to %s, not to %s: run kinit %s, or keep both in a DIR: collection", label, l.client, c.want, c.want)
	}
	return l, nil
}

// cachePath returns the file that a cache's name stands for. Of a collection it
// is the cache of want, or the primary if want is zero.
func cachePath(label string, want principal.Name) (string, error) {
	name, err := ccache.ParseName(label)
	if err != nil {
		return "", noCred("%w", err)
	}
	switch {
	case name.Type == ccache.TypeFile:
		return name.Residual, nil
	case name.Type == ccache.TypeDir && strings.HasPrefix(name.Residual, ":"):
		return name.Residual[1:], nil
	case name.Type != ccache.TypeDir:
		return "", noCred("credential caches of type %s, as in %s, cannot be read: set KRB5CCNAME to a FILE: or DIR: cache and run kinit", name.Type, label)
	}
	collection := ccache.Collection{Dir: name.Residual}
	if want.IsZero() {
		path, err := collection.Primary()
		if err != nil {
			return "", noCred("the collection %s: %w", label, err)
		}
		return path, nil
	}
	path, err := collection.Find(want)
	if err != nil {
		return "", noCred("the collection %s has no cache of %s: run kinit %s: %w", label, want, want, err)
	}
	return path, nil
}
