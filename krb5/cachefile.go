package krb5

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// cacheFile is a credential cache as it was read last.
type cacheFile struct {
	stamp ccache.Stamp
	login *login
}

// maxFiles bounds how many credential caches, and how many keytabs, a provider
// remembers.
const maxFiles = 256

// makeRoom deletes any entry of a full map.
func makeRoom[T any](files map[string]T) {
	for path := range files {
		if len(files) < maxFiles {
			return
		}
		delete(files, path)
	}
}

// loginFromFile returns the login of a cache file, the same one until the file
// changes.
func (p *Provider) loginFromFile(ctx context.Context, path, label string) (*login, error) {
	stamp, err := filestamp.Stat(path)
	if err != nil {
		return nil, noCache(label, err)
	}
	p.mu.Lock()
	f := p.caches[path]
	p.mu.Unlock()
	if f != nil && f.stamp == stamp {
		return f.login, nil
	}
	cache, stamp, err := ccache.Read(ctx, path)
	if err != nil {
		return nil, noCache(label, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f = p.caches[path]
	if f != nil && f.stamp == stamp { // another goroutine was faster
		return f.login, nil
	}
	var l *login
	if f != nil && f.login.continues(cache) {
		l = f.login
	} else {
		l = p.loginFromCache(cache, path, label)
	}
	l.addAll(cache)
	makeRoom(p.caches)
	p.caches[path] = &cacheFile{stamp: stamp, login: l}
	return l, nil
}

func noCache(label string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return noCred("there is no credential cache %s: run kinit, or set KRB5CCNAME to where the tickets are", label)
	}
	return noCred("the credential cache %s cannot be read: %w", label, err)
}

// continues reports whether a cache is the one that the login was made from,
// with other tickets beside the same ticket-granting ticket. Programs that use
// the cache add theirs.
func (l *login) continues(cache *ccache.Cache) bool {
	own := l.held()
	return own != nil && l.client.Equal(cache.Principal) && l.offset == cache.KDCOffset &&
		containsTicket(cache.Creds, own.Raw)
}

func containsTicket(creds []ccache.Credential, raw []byte) bool {
	for i := range creds {
		if bytes.Equal(creds[i].Ticket, raw) {
			return true
		}
	}
	return false
}

// loginFromCache makes the login of a cache's principal, without its tickets.
// When they have expired it looks for others in the file.
func (p *Provider) loginFromCache(cache *ccache.Cache, path, label string) *login {
	l := newLogin(p, cache.Principal, "the cache "+label)
	l.offset = cache.KDCOffset
	l.relogin = func(ctx context.Context, last *kdcclient.Ticket) (*kdcclient.Ticket, error) {
		now, err := p.loginFromFile(ctx, path, label)
		switch {
		case err != nil:
			return nil, err
		case now == l && l.canRenew(last):
			return l.renew(ctx, last)
		case now == l:
			return nil, l.nothingNew(last)
		case !now.client.Equal(l.client):
			return nil, noCred("the cache %s has no valid tickets of %s any more, it belongs to %s now: run kinit %s, or keep both in a DIR: collection", label, l.client, now.client, l.client)
		}
		return now.tgt(ctx)
	}
	return l
}

// addAll files the tickets of a cache.
func (l *login) addAll(cache *ccache.Cache) {
	for i := range cache.Creds {
		c := &cache.Creds[i]
		if c.IsSKey || !l.p.permitted(c.KeyType) || !c.Client.Equal(l.client) {
			continue
		}
		if t, err := ticketOf(c); err == nil {
			l.addKnown(t)
		}
	}
}

// addKnown files a ticket under the names by which it may be asked for. Of
// several for one name the one that lasts longest is kept.
func (l *login) addKnown(t *kdcclient.Ticket) {
	if !t.Server.IsTGS() {
		l.addLonger(keyOf(useService, t.Server), t)
		l.addLonger(keyOf(useService, principal.Name{Components: t.Server.Components}), t)
		return
	}
	// A ticket by which another realm leads back to the client's own is no
	// substitute for the client's own one.
	if realm := realmOf(t); realm != l.client.Realm || t.Server.Realm == realm {
		l.addLonger(tgtKey(realm), t)
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
