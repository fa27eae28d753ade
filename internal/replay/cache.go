// Package replay remembers the authenticators that an acceptor has taken, so
// that none is taken twice.
package replay

import (
	"crypto/sha256"
	"errors"
	"sync"
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
// they could be accepted again (RFC 4120, section 3.2.3): by slices of the time
// that they bear, so that what is too old goes slice by slice.
//
// Its memory is bounded and nothing passes twice, so that when it is full
// something has to be refused. It drops the oldest slice and refuses what is as
// old. A client that floods it with authenticators of the future, to have those
// of others refused, spoils the slice that it floods and nothing else.
//
// It is safe for concurrent use.
type Cache struct {
	limit int // authenticators
	skew  time.Duration
	width time.Duration // of a slice

	mu      sync.Mutex
	slices  map[int64]*slice // by number: the time divided by width
	count   int              // authenticators in all slices
	oldest  int64            // no slice is older
	floor   int64            // of slices up to this one, some were dropped
	floored bool             // there is a floor
}

// slice is those of one stretch of time. A closed one has been dropped, and refuses all.
type slice struct {
	seen   map[key]struct{}
	closed bool
}

// key is the beginning of the authenticator's hash. Nobody can make two of the
// same key in less than some 2^64 trials, and gains nothing by it.
type key [16]byte

const (
	defaultSize   = 1 << 20
	slicesPerSkew = 64
)

// New returns a cache of so many authenticators; zero is 1<<20. The skew is by how
// much the time of an acceptable authenticator may differ from now.
func New(size int, skew time.Duration) *Cache {
	if size <= 0 {
		size = defaultSize
	}
	return &Cache{
		limit:  size,
		skew:   skew,
		width:  max(skew/slicesPerSkew, time.Second),
		slices: make(map[int64]*slice),
	}
}

func (c *Cache) number(t time.Time) int64 { return t.UnixNano() / int64(c.width) }

// Check records an authenticator that bears the time stamp, which is within the
// skew of now, by its ciphertext. It returns ErrRepeated or ErrForgotten if it must
// not be taken.
func (c *Cache) Check(now, stamp time.Time, cipher []byte) error {
	sum := sha256.Sum256(cipher)
	k := key(sum[:len(key{})])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	n := c.number(stamp)
	if s := c.slices[n]; s != nil {
		if _, ok := s.seen[k]; ok {
			return ErrRepeated
		}
	}
	if c.count >= c.limit && !c.makeRoom(c.number(now)) || c.refuses(n) {
		return ErrForgotten
	}
	s := c.slices[n]
	if s == nil {
		s = &slice{seen: make(map[key]struct{})}
		c.slices[n] = s
		c.oldest = min(c.oldest, n)
	}
	s.seen[k] = struct{}{}
	c.count++
	return nil
}

func (c *Cache) refuses(n int64) bool {
	s := c.slices[n]
	return c.floored && n <= c.floor || s != nil && s.closed
}

// expire drops the slices that are too old to be accepted again. They count as
// dropped, so that they stay refused if the clock is set back. If it is set back
// so far that this would refuse everybody for long, the past is forgotten.
func (c *Cache) expire(now time.Time) {
	if c.floored && c.floor > c.number(now.Add(c.skew)) {
		c.floored = false
	}
	first := c.number(now.Add(-c.skew)) // the oldest that may still be accepted
	if c.oldest >= first {
		return
	}
	for n := range c.slices {
		if n < first {
			c.drop(n)
		}
	}
	c.oldest = first
}

// drop forgets a slice of the past, and refuses what is as old.
func (c *Cache) drop(n int64) {
	c.count -= len(c.slices[n].seen)
	delete(c.slices, n)
	if !c.floored || n > c.floor {
		c.floor, c.floored = n, true
	}
}

// makeRoom drops the oldest slice of the past; if there is none, it closes the
// largest of the future. It returns false if all memory is in the present one.
func (c *Cache) makeRoom(present int64) bool {
	past, future := present, present
	for n, s := range c.slices {
		switch {
		case len(s.seen) == 0:
		case n < past:
			past = n
		case n > present && (future == present || len(s.seen) > len(c.slices[future].seen)):
			future = n
		}
	}
	switch {
	case past < present:
		c.drop(past)
	case future > present:
		s := c.slices[future]
		c.count -= len(s.seen)
		s.seen, s.closed = nil, true
	default:
		return false
	}
	return true
}
