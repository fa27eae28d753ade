package krb5

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// cacheEntry is a credential cache as it was read last.
type cacheEntry struct {
	version ccache.Version // zero: it has been written and not read yet
	login   *login
	writing bool // the login is writing it; the provider's mu guards this
}

// maxFiles bounds how many credential caches, and how many keytabs, a provider
// remembers.
const maxFiles = 256

// loginFromStore returns the login of a cache, the same one until the cache
// changes. label is the cache's name as the user knows it.
func (p *Provider) loginFromStore(ctx context.Context, store ccache.Store, label string) (*login, error) {
	name := store.String()
	e := p.caches.Get(name)
	version, err := store.Version(ctx)
	if err == nil && e != nil && e.version == version {
		return e.login, nil
	}
	cache, version, err := settle(ctx, store, e != nil, p.settleTime)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if errors.Is(err, fs.ErrNotExist) && e != nil && e == p.caches.Get(name) && !e.writing {
			p.caches.Delete(name) // so that the next one does not wait for it to settle
		}
		return nil, noCache(label, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e = p.caches.Get(name)
	if e != nil && e.version == version { // another goroutine was faster
		return e.login, nil
	}
	var l *login
	if e != nil && e.login.continues(cache) {
		l = e.login
	} else {
		l = p.loginFromCache(cache, store, label)
	}
	l.addAll(cache)
	l.setBase(cache)
	p.caches.MakeRoom(maxFiles)
	p.caches.Set(name, &cacheEntry{version: version, login: l})
	return l, nil
}

// settleTime is how long a cache is waited for that somebody seems to be writing.
const settleTime = 500 * time.Millisecond

// settle reads a cache. kinit first empties a cache, or removes its file, and then
// writes the tickets to it: a cache without any, or one that was there before and
// is not, is looked at again a few times, with patience.
func settle(ctx context.Context, store ccache.Store, known bool, patience time.Duration) (*ccache.Cache, ccache.Version, error) {
	waited := time.Duration(0)
	for pause := time.Millisecond; ; pause *= 2 {
		cache, version, err := store.Read(ctx)
		gone := known && errors.Is(err, fs.ErrNotExist) && waited < patience/5
		empty := err == nil && len(cache.Creds) == 0
		if !gone && !empty || waited >= patience {
			return cache, version, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			waited += pause
		case <-ctx.Done():
			t.Stop()
			return nil, version, context.Cause(ctx)
		}
	}
}

func noCache(label string, err error) error {
	name, _ := ccache.ParseName(label)
	switch {
	case isContextError(err):
		return err
	case errors.Is(err, fs.ErrNotExist) && name.Type == ccache.TypeMemory:
		return noCred("there is no credential cache %s in this provider: put a credential there with Provider.StoreCCache", label)
	case errors.Is(err, fs.ErrNotExist):
		return noCred("there is no credential cache %s: run kinit, or set KRB5CCNAME to where the tickets are", label)
	}
	return noCred("the credential cache %s cannot be read: %w", label, err)
}

// continues reports whether a cache is the one that the login was made from,
// with other tickets beside the same ticket-granting ticket. Programs that use
// the cache add theirs. The login itself may have a newer one, if the cache's was
// renewed.
func (l *login) continues(cache *ccache.Cache) bool {
	l.mu.Lock()
	bases := l.bases
	l.mu.Unlock()
	return l.client.Equal(cache.Principal) && l.offset == l.p.offsetOf(cache) && containsAny(cache.Creds, bases)
}

// setBase notes the ticket-granting ticket by which the cache is known again.
func (l *login) setBase(cache *ccache.Cache) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if containsAny(cache.Creds, l.bases) {
		return
	}
	if c := l.tickets.Get(tgtKey(l.client.Realm)); c != nil && c.isDone() && c.ticket != nil {
		l.bases[0] = c.ticket.Raw
	}
}

// containsAny reports whether one of the bases, of which nil is none, is among the
// tickets.
func containsAny(creds []ccache.Credential, bases [2][]byte) bool {
	return slices.ContainsFunc(creds, func(c ccache.Credential) bool {
		return slices.ContainsFunc(bases[:], func(base []byte) bool { return base != nil && bytes.Equal(c.Ticket, base) })
	})
}

// loginFromCache makes the login of a cache's principal, without its tickets.
// When they end it looks for others in the cache, has the KDC renew them, or logs
// in with the client keytab if the cache is the default one.
func (p *Provider) loginFromCache(cache *ccache.Cache, store ccache.Store, label string) *login {
	l := newLogin(p, cache.Principal, "the cache "+label)
	l.offset = p.offsetOf(cache)
	l.home = store
	l.relogin = func(ctx context.Context, last *kdcclient.Ticket) (*kdcclient.Ticket, error) {
		now, err := p.loginFromStore(ctx, store, label)
		switch {
		case err != nil:
		case now != l && now.client.Equal(l.client):
			return now.tgt(ctx)
		case now != l:
			err = noCred("the cache %s has no valid tickets of %s any more, it belongs to %s now: run kinit %s, or keep both in a DIR: collection", label, l.client, now.client, l.client)
		case l.canRenew(last):
			var t *kdcclient.Ticket
			if t, err = l.renew(ctx, last); err == nil {
				return t, nil
			}
		default:
			err = l.nothingNew(last)
		}
		if s := p.clientKeytabFor(label, l.client); s != nil {
			return l.logIn(ctx, s)
		}
		return nil, err
	}
	return l
}

// addAll files the tickets of a cache.
func (l *login) addAll(cache *ccache.Cache) {
	rc4 := false
	for i := range cache.Creds {
		c := &cache.Creds[i]
		rc4 = rc4 || l.isOwnTGT(c) && l.p.forbidden(c.KeyType)
		if c.IsSKey || !l.p.permitted(c.KeyType) || !c.Client.Equal(l.client) {
			continue
		}
		// Of a ticket that is not to be used another is fetched, or the error tells.
		if t, err := ticketOf(c); err == nil && l.p.checkTicketKey(t) == nil {
			l.addKnown(t)
		}
	}
	l.hasRC4.Store(rc4)
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
	switch realm := realmOf(t); {
	case realm != l.client.Realm:
		l.addLonger(crossKey(realm), t)
	case t.Server.Realm == realm:
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
