package keyring

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/go-negotiate/negotiate/internal/ccache"
)

// collection is the caches of one keyring.
type collection struct {
	k kernel
	n name // without a cache
}

func (c collection) String() string { return c.n.String() }

func (c collection) store(cache string) store {
	n := c.n
	n.cache = cache
	c.n.cache = ""
	return store{c, n}
}

// maxCaches bounds how many caches of a collection are looked at.
const maxCaches = 1024

// Primary returns the cache that kswitch has chosen. In a collection that is not
// there, it is the one that kinit would make.
func (c collection) Primary(ctx context.Context) (ccache.Store, error) {
	var primary string
	err := do(ctx, func() error {
		ring, err := c.find()
		if err == nil {
			primary, err = c.primary(ring)
		}
		if isNotExist(err) {
			primary, err = c.initial(), nil
		}
		return wrap(c, err)
	})
	if err != nil {
		return nil, err
	}
	return c.store(primary), nil
}

// primary reads the name of the primary cache of the collection's keyring.
func (c collection) primary(ring int) (string, error) {
	key, err := c.k.search(ring, typeUser, keyPrimary, 0)
	if err != nil {
		return "", err
	}
	b, err := c.k.read(key)
	if err != nil {
		return "", err
	}
	return parsePrimary(b)
}

// initial is the name of a collection's first cache.
func (c collection) initial() string {
	if c.n.collection == "" {
		return "tkt"
	}
	return c.n.collection
}

// Stores returns the caches: the primary first, if it exists.
func (c collection) Stores(ctx context.Context) (stores []ccache.Store, err error) {
	err = do(ctx, func() error {
		ring, err := c.find()
		if isNotExist(err) {
			return nil
		}
		if err != nil {
			return wrap(c, err)
		}
		primary, err := c.primary(ring)
		if isNotExist(err) {
			primary, err = c.initial(), nil
		}
		if err != nil {
			return wrap(c, err)
		}
		if _, err := c.k.search(ring, typeKeyring, primary, 0); err == nil {
			stores = append(stores, c.store(primary))
		}
		members, err := c.k.read(ring)
		if err != nil {
			return wrap(c, err)
		}
		for _, key := range parseMembers(members) {
			typ, description, err := c.k.describe(key)
			if err == nil && typ == typeKeyring && description != primary && len(stores) < maxCaches {
				stores = append(stores, c.store(description))
			}
		}
		return nil
	})
	return stores, err
}

// New returns a cache with a name that nobody else has.
func (c collection) New(context.Context) (ccache.Store, error) {
	return c.store(fmt.Sprintf("krb_ccache_%.8s", rand.Text())), nil
}
