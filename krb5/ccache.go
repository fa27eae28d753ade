package krb5

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// cacheFile is a credential cache as it was read last.
type cacheFile struct {
	stamp ccache.Stamp
	login *login
}

// maxCacheFiles bounds how many caches a provider remembers.
const maxCacheFiles = 256

// FromCCache returns a credential that follows the named cache: what kinit puts
// there later is used from then on. An empty name is the default cache, looked
// up each time. The cache need not exist yet. Errors are *gss.Error, for a name
// that cannot be understood.
func (p *Provider) FromCCache(name string) (gss.Credential, error) {
	return p.fromCCache(name, gss.Name{})
}

func (p *Provider) fromCCache(name string, want gss.Name) (*cacheCredential, error) {
	c := &cacheCredential{p: p, name: name}
	if name != "" {
		if _, err := ccache.ParseName(name); err != nil {
			return nil, failure(gss.ErrNoCred, "acquire", "%w", err)
		}
	}
	if !want.IsZero() {
		var err error
		if c.want, err = p.clientName(want.Value); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// cacheCredential follows a credential cache. It is a gss.Resolver: what it
// resolves to stands for the principal that the cache has at that time.
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
	l, err := c.login()
	if err != nil {
		return gss.Name{}
	}
	return gssName(l.client)
}

// Usage returns gss.UsageInitiate.
func (c *cacheCredential) Usage() gss.Usage { return gss.UsageInitiate }

// Expires is the end of the ticket-granting ticket that the cache has now.
func (c *cacheCredential) Expires() time.Time {
	l, err := c.login()
	if err != nil {
		return time.Time{}
	}
	return l.expires()
}

// Close does nothing: the provider keeps what was read for the next user.
func (c *cacheCredential) Close() error { return nil }

// String names the cache.
func (c *cacheCredential) String() string { return "krb5 credential from cache " + c.label() }

func (c *cacheCredential) label() string {
	if c.name != "" {
		return c.name
	}
	return c.p.defaultCCache()
}

// Resolve reads the cache if it has changed.
func (c *cacheCredential) Resolve(ctx context.Context) (gss.Credential, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := c.login()
	if err != nil {
		return nil, err
	}
	return loginCredential{l}, nil
}

func (c *cacheCredential) login() (*login, error) {
	label := c.label()
	path, err := c.path(label)
	if err != nil {
		return nil, err
	}
	l, err := c.p.loginFromFile(path, label)
	if err != nil {
		return nil, err
	}
	if !c.want.IsZero() && !l.client.Equal(c.want) {
		return nil, noCred("the credential cache %s belongs to %s, not to %s: run kinit %s, or use a DIR: collection", label, l.client, c.want, c.want)
	}
	return l, nil
}

// path is the file that a cache's name stands for; in a collection the one of
// the wanted principal, or else the primary.
func (c *cacheCredential) path(label string) (string, error) {
	name, err := ccache.ParseName(label)
	if err != nil {
		return "", failure(gss.ErrNoCred, "acquire", "%w", err)
	}
	return resolveCCache(name, label, c.want)
}

// loginFromFile returns the login of a cache file, the same one until the file
// changes.
func (p *Provider) loginFromFile(path, label string) (*login, error) {
	stamp, err := filestamp.Stat(path)
	if err != nil {
		return nil, noCache(label, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.caches[path]; f != nil && f.stamp == stamp {
		return f.login, nil
	}
	cache, stamp, err := ccache.ReadFile(path)
	if err != nil {
		return nil, noCache(label, err)
	}
	l := p.loginFromCache(cache, label)
	if len(p.caches) >= maxCacheFiles {
		clear(p.caches)
	}
	p.caches[path] = &cacheFile{stamp: stamp, login: l}
	return l, nil
}

func noCache(label string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return noCred("there is no credential cache %s: run kinit, or set KRB5CCNAME to where the tickets are", label)
	}
	return noCred("the credential cache %s cannot be read: %w", label, err)
}

// loginFromCache makes a login with all tickets of a cache.
func (p *Provider) loginFromCache(cache *ccache.Cache, label string) *login {
	l := newLogin(p, cache.Principal, "the cache "+label)
	l.offset = cache.KDCOffset
	for i := range cache.Creds {
		t, err := ticketOf(&cache.Creds[i])
		if err != nil || !t.Client.Equal(cache.Principal) || cache.Creds[i].IsSKey {
			continue
		}
		l.addFromCache(t)
	}
	return l
}

// addFromCache files a ticket under the names by which it may be asked for. Of
// several for one name the one that lasts longest is kept.
func (l *login) addFromCache(t *kdcclient.Ticket) {
	if !t.Server.IsTGS() {
		l.addLonger(t.Server.Key(), t)
		withoutRealm := t.Server
		withoutRealm.Realm = ""
		l.addLonger(withoutRealm.Key(), t)
		return
	}
	if t.Flags&krbmsg.FlagForwarded == 0 || t.Server.Components[1] == l.client.Realm {
		l.addLonger(tgtKey(t.Server.Components[1]), t)
	}
}

func (l *login) addLonger(key string, t *kdcclient.Ticket) {
	if have := l.tickets[key]; have == nil || have.ticket.EndTime.Before(t.EndTime) {
		l.add(key, t)
	}
}

func ticketOf(c *ccache.Credential) (*kdcclient.Ticket, error) {
	key, err := etype.NewKey(etype.ID(c.KeyType), c.Key)
	if err != nil {
		return nil, fmt.Errorf("ticket for %s: %w", c.Server, err)
	}
	return &kdcclient.Ticket{
		Client: c.Client, Server: c.Server, Raw: c.Ticket, Key: key, Flags: c.Flags,
		AuthTime: c.AuthTime, StartTime: c.StartTime, EndTime: c.EndTime, RenewTill: c.RenewTill,
	}, nil
}

// loginCredential is a credential that stands for one principal for good.
type loginCredential struct{ *login }

// Name is the principal.
func (c loginCredential) Name() gss.Name { return gssName(c.client) }

// Usage returns gss.UsageInitiate.
func (c loginCredential) Usage() gss.Usage { return gss.UsageInitiate }

// Expires is the end of the ticket-granting ticket; zero if there is none.
func (c loginCredential) Expires() time.Time { return c.expires() }

// Close does nothing: contexts and other credentials may share the tickets.
func (c loginCredential) Close() error { return nil }

// String names the principal and the source of its tickets.
func (c loginCredential) String() string {
	return fmt.Sprintf("krb5 credential of %s from %s", c.client, c.source)
}

// GoString is String, so that %#v shows no key.
func (c loginCredential) GoString() string { return c.String() }

func (l *login) expires() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.tickets[tgtKey(l.client.Realm)]; c != nil && c.isDone() && c.ticket != nil {
		return c.ticket.EndTime
	}
	return time.Time{}
}
