// Package replay remembers the authenticators that an acceptor has taken, so
// that none is taken twice.
package replay

import (
	"crypto/sha256"
	"errors"
	"hash/maphash"
	"time"
)

var (
	// ErrRepeated is returned for an authenticator that came before.
	ErrRepeated = errors.New("replay: the authenticator came before")

	// ErrForgotten is returned for an authenticator of a time of which not all
	// are remembered, so that it may have come before.
	ErrForgotten = errors.New("replay: it is not known whether the authenticator came before")
)

// Cache remembers the authenticators that were accepted, for as long as
// they could be accepted again (RFC 4120, section 3.2.3). Its memory is bounded and
// nothing passes twice, so that when it is full something has to be refused.
//
// It is safe for concurrent use. A large one has several parts, each with some of
// the authenticators and a lock of its own. Nobody can tell which go to one part, in
// order to fill that alone with few.
type Cache struct {
	seed  maphash.Seed
	parts []*part
}

// key is the beginning of the authenticator's hash. Nobody can make two of the
// same key in less than some 2^64 trials, and gains nothing by it.
type key [16]byte

const (
	defaultSize = 1 << 20
	maxParts    = 16
	minPart     = 1 << 16 // authenticators
)

// New returns a cache of so many authenticators; zero is 1<<20. The skew is by how
// much the time of an acceptable authenticator may differ from now.
func New(size int, skew time.Duration) *Cache {
	if size <= 0 {
		size = defaultSize
	}
	n := min(max(size/minPart, 1), maxParts)
	c := &Cache{maphash.MakeSeed(), make([]*part, n)}
	for i := range c.parts {
		c.parts[i] = newPart(size/n, skew)
	}
	return c
}

// Check records an authenticator that bears the time stamp, which is within the
// skew of now, by its ciphertext. It returns ErrRepeated or ErrForgotten if it must
// not be taken.
func (c *Cache) Check(now, stamp time.Time, cipher []byte) error {
	sum := sha256.Sum256(cipher)
	k := key(sum[:len(key{})])
	return c.part(k).check(now, stamp, k)
}

func (c *Cache) part(k key) *part {
	return c.parts[maphash.Bytes(c.seed, k[:])%uint64(len(c.parts))]
}
