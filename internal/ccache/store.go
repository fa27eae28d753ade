package ccache

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Store is where one credential cache is kept, which need not exist. It is safe
// for concurrent use. Errors about a cache that does not exist wrap
// fs.ErrNotExist; about one that cannot be understood, [ErrFormat].
type Store interface {
	// String is the cache's full name as MIT writes it, "FILE:/tmp/krb5cc_0".
	String() string
	// Version tells which content the cache has, without reading that.
	Version(ctx context.Context) (Version, error)
	// Read reads the cache, and tells which version that was.
	Read(ctx context.Context) (*Cache, Version, error)
	// Add adds a ticket, as a C library does with one that it has fetched. The
	// error wraps [ErrOtherClient] if the cache belongs to another client.
	Add(ctx context.Context, c Credential) error
	// Replace makes c the content of the cache, which is created if need be.
	Replace(ctx context.Context, c *Cache) error
}

// Collection is a set of caches, of which one is the primary. It is safe for
// concurrent use.
type Collection interface {
	// String is the collection's name as MIT writes it, "DIR:/run/cc".
	String() string
	// Primary returns the cache to use by default, which need not exist.
	Primary(ctx context.Context) (Store, error)
	// Stores returns the caches that exist, the primary first.
	Stores(ctx context.Context) ([]Store, error)
	// New returns a cache that does not exist yet.
	New(ctx context.Context) (Store, error)
}

// Version identifies the content that a cache has at one time. Versions of one
// cache can be compared. The zero Version is that of no content.
type Version struct {
	file filestamp.Stamp
	text string
}

// TextVersion is the version of a cache that is no file: whatever tells its
// contents apart.
func TextVersion(text string) Version { return Version{text: text} }

// ErrNoCache is returned when a collection has no cache as wanted.
var ErrNoCache = errors.New("no such credential cache")

// Find returns the collection's first cache that belongs to client. Caches that
// cannot be read are passed over. The error wraps [ErrNoCache] if there is none.
func Find(ctx context.Context, c Collection, client principal.Name) (Store, error) {
	stores, err := c.Stores(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range stores {
		if cache, _, err := s.Read(ctx); err == nil && cache.Principal.Equal(client) {
			return s, nil
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("%w: none of %s in the collection %s; get one with kinit", ErrNoCache, client, c)
}

// StoreFor returns the cache of a collection in which to put client's tickets: its
// own, or the primary if that is empty, or else a new one.
func StoreFor(ctx context.Context, c Collection, client principal.Name) (Store, error) {
	own, err := Find(ctx, c, client)
	if err == nil || !errors.Is(err, ErrNoCache) {
		return own, err
	}
	primary, err := c.Primary(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, err := primary.Read(ctx); err != nil {
		return primary, nil
	}
	return c.New(ctx)
}
