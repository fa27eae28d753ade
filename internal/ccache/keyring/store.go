package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// store is one cache.
type store struct {
	c collection
	n name
}

func (s store) String() string { return s.n.String() }

// find returns the number of the cache's keyring. A name without an anchor may be
// that of a keyring which old programs have put into the session's itself.
func (s store) find() (int, error) {
	ring, err := s.c.find()
	if err == nil {
		ring, err = s.c.k.search(ring, typeKeyring, s.n.cache, 0)
	}
	if isNotExist(err) && s.n.anchor == anchorLegacy && s.n.cache == s.n.collection {
		return s.c.k.search(sessionKeyring, typeKeyring, s.n.cache, 0)
	}
	return ring, err
}

// Version is made of the numbers of the keys, which are new each time that kinit
// writes the cache.
func (s store) Version(ctx context.Context) (v ccache.Version, err error) {
	err = do(ctx, func() error {
		ring, err := s.find()
		if err != nil {
			return wrap(s, err)
		}
		members, err := s.c.k.read(ring)
		v = versionOf(ring, members)
		return wrap(s, err)
	})
	return v, err
}

func versionOf(ring int, members []byte) ccache.Version {
	return ccache.TextVersion(strconv.Itoa(ring) + ":" + string(members))
}

// maxReads is how often a cache is read that changes meanwhile.
const maxReads = 5

var errUnsettled = errors.New("it changed each time that it was read")

// Read reads the keys one by one. If the cache was changed meanwhile it reads them
// again.
func (s store) Read(ctx context.Context) (out *ccache.Cache, v ccache.Version, err error) {
	err = do(ctx, func() error {
		gone := errUnsettled
		for range maxReads {
			ring, err := s.find()
			if err != nil {
				return wrap(s, err)
			}
			before, err := s.c.k.read(ring)
			if err != nil {
				return wrap(s, err)
			}
			if out, err = s.content(ring, parseMembers(before)); isNotExist(err) {
				gone = err // emptied just now, or not filled yet
				continue
			}
			if err != nil {
				return wrap(s, err)
			}
			after, err := s.c.k.read(ring)
			if err != nil {
				return wrap(s, err)
			}
			if bytes.Equal(before, after) {
				v = versionOf(ring, before)
				return nil
			}
		}
		return wrap(s, gone)
	})
	if err != nil {
		return nil, ccache.Version{}, err
	}
	return out, v, nil
}

// maxKeys bounds how many keys of a cache are read.
const maxKeys = 1 << 14

// content reads the members of a cache's keyring. Those that are gone meanwhile,
// or have expired, are passed over.
func (s store) content(ring int, members []int) (*ccache.Cache, error) {
	k := s.c.k
	client, owner, err := s.principal(ring)
	if err != nil {
		return nil, err
	}
	var offset time.Duration
	offsets, err := k.search(ring, typeUser, keyOffsets, 0)
	if err == nil {
		if b, err := k.read(offsets); err == nil {
			offset = parseOffset(b)
		}
	}
	var entries []ccache.Credential
	for _, key := range members[:min(len(members), maxKeys)] {
		if key == owner || key == offsets {
			continue
		}
		b, err := k.read(key)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		cred, err := ccache.DecodeCredential(b)
		clear(b)
		if err != nil {
			return nil, err
		}
		entries = append(entries, cred)
	}
	return ccache.NewCache(client, offset, entries), nil
}

// principal returns whose the cache is, and the number of the key that tells.
func (s store) principal(ring int) (client principal.Name, key int, err error) {
	if key, err = s.c.k.search(ring, typeUser, keyPrincipal, 0); err != nil {
		return client, 0, err
	}
	b, err := s.c.k.read(key)
	if err != nil {
		return client, 0, err
	}
	client, err = ccache.DecodePrincipal(b)
	return client, key, err
}

// Add makes a key of a ticket.
func (s store) Add(ctx context.Context, cred ccache.Credential) error {
	return do(ctx, func() error {
		ring, err := s.find()
		if err != nil {
			return wrap(s, err)
		}
		client, _, err := s.principal(ring)
		if err != nil {
			return wrap(s, err)
		}
		if !client.Equal(cred.Client) {
			return wrap(s, fmt.Errorf("%w: it is %s's, the ticket %s's", ccache.ErrOtherClient, client, cred.Client))
		}
		return wrap(s, s.add(ring, cred))
	})
}

// add makes a key that ends with the ticket. Kernels without big keys take what
// fits into an ordinary one.
func (s store) add(ring int, cred ccache.Credential) error {
	b := ccache.EncodeCredential(cred)
	defer clear(b)
	description := cred.Server.String()
	typ := typeBig
	if s.n.anchor == anchorLegacy {
		typ = typeUser // as old programs have it
	}
	key, err := s.c.k.add(typ, description, b, ring)
	if errors.Is(err, errors.ErrUnsupported) {
		key, err = s.c.k.add(typeUser, description, b, ring)
	}
	if err != nil {
		return err
	}
	if left := time.Until(cred.EndTime); left > 0 {
		return s.c.k.expire(key, int(left/time.Second)+1)
	}
	return nil
}

// Replace empties the cache's keyring, or makes it, and then adds the keys.
// Whoever reads meanwhile may see some of them.
func (s store) Replace(ctx context.Context, content *ccache.Cache) error {
	return do(ctx, func() error { return wrap(s, s.replace(content)) })
}

func (s store) replace(content *ccache.Cache) error {
	k := s.c.k
	collection, err := s.c.create()
	if err != nil {
		return err
	}
	if _, err := s.c.primary(collection); isNotExist(err) {
		if _, err := k.add(typeUser, keyPrimary, encodePrimary(s.c.initial()), collection); err != nil {
			return err
		}
	}
	ring, err := k.search(collection, typeKeyring, s.n.cache, 0)
	if isNotExist(err) {
		ring, err = k.add(typeKeyring, s.n.cache, nil, collection)
	}
	if err != nil {
		return err
	}
	if err := k.clear(ring); err != nil {
		return err
	}
	if _, err := k.add(typeUser, keyPrincipal, ccache.EncodePrincipal(content.Principal), ring); err != nil {
		return err
	}
	if content.KDCOffset != 0 {
		if _, err := k.add(typeUser, keyOffsets, encodeOffset(content.KDCOffset), ring); err != nil {
			return err
		}
	}
	for _, e := range content.Entries() {
		if err := s.add(ring, e); err != nil {
			return err
		}
	}
	return s.expire(ring, content)
}

// expire has the cache end with the last of its tickets.
func (s store) expire(ring int, content *ccache.Cache) error {
	var last time.Time
	for _, c := range content.Creds {
		if c.EndTime.After(last) {
			last = c.EndTime
		}
	}
	if last.IsZero() {
		return nil
	}
	return s.c.k.expire(ring, max(1, int(time.Until(last)/time.Second)+1))
}
