package krb5

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// replayCache remembers the authenticators that were accepted, for as long as
// they could be accepted again (RFC 4120, section 3.2.3): by slices of the time
// that they bear, so that what is too old goes slice by slice.
//
// Its memory is bounded and nothing passes twice, so that when it is full
// something has to be refused. It drops the oldest slice and refuses what is as
// old. A client that floods it with authenticators of the future, to have those
// of others refused, spoils the slice that it floods and nothing else.
type replayCache struct {
	limit int // authenticators
	skew  time.Duration
	width time.Duration // of a slice

	mu      sync.Mutex
	slices  map[int64]*replaySlice // by number: the time divided by width
	count   int                    // authenticators in all slices
	oldest  int64                  // no slice is older
	floor   int64                  // of slices up to this one, some were dropped
	floored bool                   // there is a floor
}

// replaySlice is one slice. A closed one has been dropped, and refuses all.
type replaySlice struct {
	seen   map[replayKey]struct{}
	closed bool
}

type replayKey [16]byte

const (
	defaultReplaySize = 1 << 20
	slicesPerSkew     = 64
)

func newReplayCache(size int, skew time.Duration) *replayCache {
	if size <= 0 {
		size = defaultReplaySize
	}
	return &replayCache{
		limit:  size,
		skew:   skew,
		width:  max(skew/slicesPerSkew, time.Second),
		slices: make(map[int64]*replaySlice),
	}
}

func (c *replayCache) number(t time.Time) int64 { return t.UnixNano() / int64(c.width) }

// check records an authenticator that bears the time stamp, which is within the
// skew of now, and fails if it came before.
func (c *replayCache) check(now, stamp time.Time, cipher []byte) error {
	sum := sha256.Sum256(cipher)
	key := replayKey(sum[:len(replayKey{})])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	n := c.number(stamp)
	if s := c.slices[n]; s != nil {
		if _, ok := s.seen[key]; ok {
			return refuse(gss.ErrDuplicateToken|gss.ErrFailure, krbmsg.ErrRepeat, "this token was used before: it was replayed, or sent twice")
		}
	}
	if c.count >= c.limit && !c.makeRoom(c.number(now)) || c.refuses(n) {
		return refuse(gss.ErrOldToken|gss.ErrFailure, krbmsg.ErrSkew, "so many authenticators came that it is no longer known whether one of %s was used: retry, or raise ReplayCacheSize", stamp.UTC().Format(time.RFC3339))
	}
	s := c.slices[n]
	if s == nil {
		s = &replaySlice{seen: make(map[replayKey]struct{})}
		c.slices[n] = s
		c.oldest = min(c.oldest, n)
	}
	s.seen[key] = struct{}{}
	c.count++
	return nil
}

func (c *replayCache) refuses(n int64) bool {
	s := c.slices[n]
	return c.floored && n <= c.floor || s != nil && s.closed
}

// expire drops the slices that are too old to be accepted again. They count as
// dropped, so that they stay refused if the clock is set back. If it is set back
// so far that this would refuse everybody for long, the past is forgotten.
func (c *replayCache) expire(now time.Time) {
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
func (c *replayCache) drop(n int64) {
	c.count -= len(c.slices[n].seen)
	delete(c.slices, n)
	if !c.floored || n > c.floor {
		c.floor, c.floored = n, true
	}
}

// makeRoom drops the oldest slice of the past; if there is none, it closes the
// largest of the future. It returns false if all memory is in the present one.
func (c *replayCache) makeRoom(present int64) bool {
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
