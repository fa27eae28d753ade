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
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// writeTimeout is how long a request waits for a cache that is locked or kept by
// a daemon.
const writeTimeout = 3 * time.Second

// writeBack puts a ticket that was fetched into the cache of the login, if the
// provider is to do that. A cache that cannot be written to is no reason for a
// request to fail.
func (l *login) writeBack(ctx context.Context, key ticketKey, t *kdcclient.Ticket) {
	if !l.p.opts.StoreTickets || l.home == nil && l.homeName == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.p.writeTimeout)
	defer cancel()
	var err error
	switch {
	case key == tgtKey(l.client.Realm):
		err = l.writeTGT(ctx, t)
	case key.use == useService || key.use == useCross:
		if err = l.writeTicket(ctx, t); errors.Is(err, ccache.ErrOtherClient) {
			return // somebody else has logged in meanwhile
		}
	}
	if err != nil {
		l.p.log.Warn("a ticket could not be written to the credential cache", "service", t.Server.String(), "error", err)
	}
}

func (l *login) writeTicket(ctx context.Context, t *kdcclient.Ticket) error {
	store, err := l.writeStore(ctx)
	if err != nil {
		return err
	}
	return store.Add(ctx, credentialOf(t))
}

// writeStore is the cache to write to.
func (l *login) writeStore(ctx context.Context) (ccache.Store, error) {
	if l.home != nil {
		return l.home, nil
	}
	return l.p.storeFor(ctx, l.homeName, l.client)
}

// storeFor returns the cache of a name in which to put client's tickets.
func (p *Provider) storeFor(ctx context.Context, label string, client principal.Name) (ccache.Store, error) {
	store, collection, err := p.openCCache(label)
	if err != nil || store != nil {
		return store, err
	}
	return ccache.StoreFor(ctx, collection, client)
}

// writeTGT makes a ticket-granting ticket the cache's. Service tickets stay,
// since they are valid still. A cache that has got a better one meanwhile, or
// belongs to somebody else, is left alone.
func (l *login) writeTGT(ctx context.Context, t *kdcclient.Ticket) error {
	if !t.Client.Equal(l.client) {
		// In a cache of l.client nobody would find it, and in one of t.Client
		// nobody would find the keys that it came by.
		return fmt.Errorf("it is %s's, as the KDC calls %s: have the keytab name that, for a cache", t.Client, l.client)
	}
	store, err := l.writeStore(ctx)
	if err != nil {
		return err
	}
	next := &ccache.Cache{Principal: l.client, KDCOffset: l.ahead(), Creds: []ccache.Credential{credentialOf(t)}}
	var last []byte
	have, _, err := store.Read(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !have.Principal.Equal(l.client):
		return nil
	default:
		if slices.ContainsFunc(have.Creds, func(c ccache.Credential) bool { return l.isOwnTGT(&c) && !c.EndTime.Before(t.EndTime) }) {
			return nil
		}
		next = have.WithCreds(next.Creds...)
		for _, c := range have.Creds {
			switch {
			case l.isOwnTGT(&c):
				last = c.Ticket
			case c.EndTime.After(l.now()):
				next.Creds = append(next.Creds, c)
			}
		}
	}
	written := l.claim(store.String(), [2][]byte{t.Raw, last})
	err = store.Replace(ctx, next)
	written(err == nil)
	return err
}

// claim has those go on with this login who read the cache from now on, be it just
// before or just after it is written. Once that has been tried, written undoes it
// if it failed.
func (l *login) claim(cache string, bases [2][]byte) (written func(ok bool)) {
	l.mu.Lock()
	l.bases = bases
	l.mu.Unlock()
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	before, claimed := l.p.caches.Get(cache), &cacheEntry{login: l, writing: true}
	l.p.caches.MakeRoom(maxFiles)
	l.p.caches.Set(cache, claimed)
	return func(ok bool) {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		claimed.writing = false
		switch {
		case ok || l.p.caches.Get(cache) != claimed:
		case before == nil:
			l.p.caches.Delete(cache)
		default:
			l.p.caches.Set(cache, before)
		}
	}
}

// isOwnTGT reports whether a ticket is the ticket-granting one of the login's
// realm.
func (l *login) isOwnTGT(c *ccache.Credential) bool {
	return c.Server.IsTGS() && c.Server.Components[1] == l.client.Realm && c.Server.Realm == l.client.Realm
}

// credentialOf is the form that a ticket has in a cache.
func credentialOf(t *kdcclient.Ticket) ccache.Credential {
	c := ccache.Credential{
		Client: t.Client, Server: t.Server, KeyType: int32(t.Key.Type()), Key: bytes.Clone(t.Key.Bytes()), Flags: t.Flags,
		AuthTime: t.AuthTime, StartTime: t.StartTime, EndTime: t.EndTime, RenewTill: t.RenewTill, Ticket: t.Raw,
	}
	if c.StartTime.IsZero() {
		c.StartTime = t.AuthTime // as MIT has it
	}
	for _, a := range t.Addresses {
		c.Addresses = append(c.Addresses, ccache.TypedData{Type: a.Type, Data: a.Data})
	}
	return c
}
