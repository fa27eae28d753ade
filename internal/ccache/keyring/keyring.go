// Package keyring keeps credential caches in the kernel's keys (Linux), laid out
// as MIT has it: in the keyring of a session, a user or, surviving both, of a
// user number ("persistent") is the keyring of a collection, in that are those of
// its caches, and in each of these a key for the owner's name and one for each
// ticket.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"github.com/go-negotiate/negotiate/internal/ccache"
)

// ErrUnsupported is returned where the system has no such keys, or the kernel
// forbids their use, as in most containers.
var ErrUnsupported = errors.New("the system's kernel keeps no keys for this process: use a FILE:, DIR: or KCM: cache")

// Open returns the cache or the collection, one of the two, that has the name:
// what stands after "KEYRING:".
func Open(residual string) (ccache.Store, ccache.Collection, error) {
	return open(newKernel(), residual)
}

func open(k kernel, residual string) (ccache.Store, ccache.Collection, error) {
	n, err := parseName(residual)
	if err != nil {
		return nil, nil, err
	}
	c := collection{k, n}
	if n.cache != "" {
		return c.store(n.cache), nil, nil
	}
	return nil, c, nil
}

// kernel is what the kernel does with keys. Keys and keyrings are named by number,
// the negative ones being those of the caller. Errors about what is not there wrap
// fs.ErrNotExist.
type kernel interface {
	// persistent returns the keyring of a user number.
	persistent(uid int) (int, error)
	// id returns the number of one of the caller's keyrings.
	id(ring int) (int, error)
	// search finds a key below a keyring, and links it to another unless that is 0.
	search(ring int, typ, description string, link int) (int, error)
	// read returns the content of a key, or the members of a keyring. It is
	// an error if there is more than a key can hold.
	read(key int) ([]byte, error)
	// describe returns the type and the description.
	describe(key int) (typ, description string, err error)
	// add makes a key in a keyring, or changes the one of the same description.
	add(typ, description string, payload []byte, ring int) (int, error)
	link(key, ring int) error
	clear(ring int) error
	// expire has a key vanish after so many seconds.
	expire(key int, seconds int) error
	euid() int
}

// The caller's keyrings.
const (
	threadKeyring      = -1
	sessionKeyring     = -3
	userKeyring        = -4
	userSessionKeyring = -5
)

// Types of keys.
const (
	typeKeyring = "keyring"
	typeUser    = "user"
	typeBig     = "big_key"
)

// do runs an operation on one thread: what makes a keyring the caller's own is
// linked to a keyring of the thread.
func do(ctx context.Context, f func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return f()
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// find returns the number of the collection's keyring.
func (c collection) find() (int, error) {
	anchor, link, name, err := c.anchor()
	if err != nil {
		return 0, err
	}
	return c.k.search(anchor, typeKeyring, name, link)
}

// anchor returns the keyring in which the collection's is, by which name, and the
// keyring that makes it the caller's own; 0 if it is without that.
func (c collection) anchor() (ring, link int, name string, err error) {
	name = "_krb_" + c.n.collection
	switch c.n.anchor {
	case anchorPersistent:
		ring, err = c.persistent()
		return ring, threadKeyring, "_krb", err
	case anchorUser:
		return userKeyring, threadKeyring, name, nil
	}
	// A process without a session keyring reads the user's instead, and would
	// get one of its own by writing to it.
	session, err := c.k.id(sessionKeyring)
	if err != nil {
		return 0, 0, "", err
	}
	if users, err := c.k.id(userSessionKeyring); err == nil && session == users {
		return userSessionKeyring, 0, name, nil
	}
	return sessionKeyring, 0, name, nil
}

// persistent returns the keyring of the user number. A kernel that has none of
// this kind has the user's.
func (c collection) persistent() (int, error) {
	uid := c.k.euid()
	if c.n.collection != "" {
		uid = c.n.uid
	}
	ring, err := c.k.persistent(uid)
	if errors.Is(err, errors.ErrUnsupported) && uid == c.k.euid() {
		return userKeyring, nil
	}
	return ring, err
}

// create returns the collection's keyring, which it makes if need be.
func (c collection) create() (int, error) {
	anchor, link, name, err := c.anchor()
	if err != nil {
		return 0, err
	}
	ring, err := c.k.search(anchor, typeKeyring, name, link)
	if !isNotExist(err) {
		return ring, err
	}
	if link == 0 {
		return c.k.add(typeKeyring, name, nil, anchor)
	}
	if ring, err = c.k.add(typeKeyring, name, nil, link); err != nil {
		return 0, err
	}
	return ring, c.k.link(ring, anchor)
}

// wrap names the cache or collection in an error.
func wrap(name fmt.Stringer, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}
