// Package kcm keeps credential caches in a daemon, by the protocol that Heimdal's
// kcm and sssd-kcm speak over a socket of the Unix domain. Each operation has a
// connection of its own; the daemon tells the user by it.
package kcm

import (
	"context"
	"fmt"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// DefaultSocket is where the daemon listens unless kcm_socket of krb5.conf tells
// another place.
const DefaultSocket = "/var/run/.heim_org.h5l.kcm-socket"

// Daemon is the collection of the user's caches that a daemon keeps. Errors about
// the daemon itself wrap those of package net, or [ErrProtocol].
type Daemon struct {
	// Socket is the path of its socket; empty is DefaultSocket.
	Socket string
	// Timeout bounds an operation; zero is ten seconds.
	Timeout time.Duration
}

// String returns "KCM:".
func (d Daemon) String() string { return "KCM:" }

// Cache returns the cache of that name, such as "1000:4711".
func (d Daemon) Cache(name string) ccache.Store { return cache{d, name} }

// Primary returns the cache that kswitch has chosen, or the daemon.
func (d Daemon) Primary(ctx context.Context) (ccache.Store, error) {
	var name string
	err := d.with(ctx, func(c *conn) (err error) {
		name, err = c.name(opGetDefaultCache, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.Cache(name), nil
}

// maxCaches bounds how many caches of a collection are looked at.
const maxCaches = 1024

// Stores returns the caches: the primary first, if it exists.
func (d Daemon) Stores(ctx context.Context) ([]ccache.Store, error) {
	var stores []ccache.Store
	err := d.with(ctx, func(c *conn) error {
		primary, err := c.name(opGetDefaultCache, nil)
		if err != nil {
			return err
		}
		if _, err := c.principal(primary); err == nil {
			stores = append(stores, d.Cache(primary))
		}
		ids, err := c.uuids(opGetCacheUUIDList, nil)
		if isNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, id := range ids[:min(len(ids), maxCaches)] {
			name, err := c.name(opGetCacheByUUID, id[:])
			if isNotExist(err) || err == nil && name == primary {
				continue
			}
			if err != nil {
				return err
			}
			stores = append(stores, d.Cache(name))
		}
		return nil
	})
	return stores, err
}

// New returns a cache whose name the daemon has made up.
func (d Daemon) New(ctx context.Context) (ccache.Store, error) {
	var name string
	err := d.with(ctx, func(c *conn) (err error) {
		name, err = c.name(opGenNew, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.Cache(name), nil
}

// cache is one cache of a daemon.
type cache struct {
	d    Daemon
	name string
}

func (c cache) String() string { return "KCM:" + c.name }

// Version is made of the owner and of the identities of the tickets, which are
// new each time that kinit writes the cache.
func (c cache) Version(ctx context.Context) (v ccache.Version, err error) {
	err = c.d.with(ctx, func(conn *conn) error {
		client, err := conn.principal(c.name)
		if err != nil {
			return c.wrap(err)
		}
		ids, err := conn.uuids(opGetCredUUIDList, nameArg(c.name))
		if err != nil {
			return c.wrap(err)
		}
		v = versionOf(client, ids)
		return nil
	})
	return v, err
}

func versionOf(client principal.Name, ids []uuid) ccache.Version {
	text := []byte(client.String())
	for _, id := range ids {
		text = append(text, id[:]...)
	}
	return ccache.TextVersion(string(text))
}

// wrap names the cache in an error that is about it.
func (c cache) wrap(err error) error { return fmt.Errorf("%s: %w", c, err) }

// maxPause is the longest of the pauses after which a cache is read again that
// changes meanwhile. They begin with a millisecond and double, since kinit takes long
// where the daemon's disk is slow.
const maxPause = 256 * time.Millisecond

// Read reads the tickets one by one. If the cache was changed meanwhile it reads
// them again.
func (c cache) Read(ctx context.Context) (out *ccache.Cache, v ccache.Version, err error) {
	err = c.d.with(ctx, func(conn *conn) error {
		for pause := time.Millisecond; ; pause *= 2 {
			var settled bool
			if out, v, settled, err = c.readOnce(conn); err != nil || settled {
				return err
			}
			if pause > maxPause {
				return c.wrap(fmt.Errorf("%w: it changed each time that it was read", ErrProtocol))
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	})
	return out, v, err
}

func (c cache) readOnce(conn *conn) (out *ccache.Cache, v ccache.Version, settled bool, err error) {
	client, err := conn.principal(c.name)
	if err != nil {
		return nil, v, false, c.wrap(err)
	}
	ids, err := conn.uuids(opGetCredUUIDList, nameArg(c.name))
	if err != nil {
		return nil, v, false, c.wrap(err)
	}
	var entries []ccache.Credential
	total := 0
	for _, id := range ids {
		b, err := conn.call(opGetCredByUUID, append(nameArg(c.name), id[:]...))
		if isNotExist(err) || err == nil && len(b) == 0 {
			return nil, v, false, nil // removed meanwhile, as sssd says by an empty answer
		}
		if err != nil {
			return nil, v, false, c.wrap(err)
		}
		if total += len(b); total > ccache.MaxSize {
			return nil, v, false, c.wrap(fmt.Errorf("%w: the tickets have %d octets and more, at most %d are read", ErrProtocol, total, ccache.MaxSize))
		}
		cred, err := ccache.DecodeCredential(b)
		if err != nil {
			return nil, v, false, c.wrap(err)
		}
		entries = append(entries, cred)
	}
	after, err := conn.principal(c.name)
	if err != nil {
		return nil, v, false, c.wrap(err)
	}
	idsAfter, err := conn.uuids(opGetCredUUIDList, nameArg(c.name))
	if err != nil {
		return nil, v, false, c.wrap(err)
	}
	v = versionOf(client, ids)
	out = ccache.NewCache(client, conn.offset(c.name), entries)
	return out, v, v == versionOf(after, idsAfter), nil
}

// Add stores one more ticket.
func (c cache) Add(ctx context.Context, cred ccache.Credential) error {
	return c.d.with(ctx, func(conn *conn) error {
		client, err := conn.principal(c.name)
		if err != nil {
			return c.wrap(err)
		}
		if !client.Equal(cred.Client) {
			return c.wrap(fmt.Errorf("%w: it is %s's, the ticket %s's", ccache.ErrOtherClient, client, cred.Client))
		}
		return conn.store(c.name, cred)
	})
}

// Replace initializes the cache and stores the tickets. The protocol cannot do
// that in one step: whoever reads meanwhile may see some of them.
func (c cache) Replace(ctx context.Context, content *ccache.Cache) error {
	return c.d.with(ctx, func(conn *conn) error {
		if _, err := conn.call(opInitialize, append(nameArg(c.name), ccache.EncodePrincipal(content.Principal)...)); err != nil {
			return c.wrap(err)
		}
		if content.KDCOffset != 0 {
			conn.setOffset(c.name, content.KDCOffset)
		}
		for _, e := range content.Entries() {
			if err := conn.store(c.name, e); err != nil {
				return c.wrap(err)
			}
		}
		return nil
	})
}
