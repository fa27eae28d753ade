package krb5

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// replayCache remembers the authenticators that were accepted, for as long as
// they could be accepted again (RFC 4120, section 3.2.3). It holds two
// generations: the older one is dropped when all in it have become too old, or
// when memory is full. In the latter case authenticators as old as the newest
// that was dropped are refused from then on: memory is bounded and nothing
// passes twice.
type replayCache struct {
	limit int // entries of one generation

	mu        sync.Mutex
	young     map[replayKey]struct{}
	old       map[replayKey]struct{}
	since     time.Time // begin of young
	newest    time.Time // newest authenticator in young
	oldNewest time.Time // newest authenticator in old
	floor     time.Time // authenticators up to this time are refused
}

type replayKey [16]byte

const defaultReplaySize = 1 << 20

func newReplayCache(size int) *replayCache {
	if size <= 0 {
		size = defaultReplaySize
	}
	return &replayCache{limit: max(size/2, 1), young: make(map[replayKey]struct{})}
}

// check records an authenticator of the given time, and fails if it came before.
func (c *replayCache) check(now time.Time, skew time.Duration, stamp time.Time, cipher []byte) error {
	sum := sha256.Sum256(cipher)
	key := replayKey(sum[:16])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rotate(now, skew)
	if !stamp.After(c.floor) {
		return refuse(gss.ErrOldToken|gss.ErrFailure, krbmsg.ErrSkew, "the authenticator is of %s, and so many came since that it is no longer known whether it was used: retry, or raise ReplayCacheSize", stamp.UTC().Format(time.RFC3339))
	}
	if c.has(key) {
		return refuse(gss.ErrDuplicateToken|gss.ErrFailure, krbmsg.ErrRepeat, "this token was used before: it was replayed, or sent twice")
	}
	c.young[key] = struct{}{}
	if stamp.After(c.newest) {
		c.newest = stamp
	}
	return nil
}

func (c *replayCache) has(key replayKey) bool {
	if _, ok := c.young[key]; ok {
		return true
	}
	_, ok := c.old[key]
	return ok
}

// rotate begins a new generation when the young one is full or has lasted for
// the whole time in which an authenticator is valid.
func (c *replayCache) rotate(now time.Time, skew time.Duration) {
	window := 2 * skew
	if c.since.IsZero() || now.Before(c.since) {
		c.since = now
	}
	full := len(c.young) >= c.limit
	if !full && now.Sub(c.since) <= window {
		return
	}
	if full && now.Sub(c.since) <= window && c.oldNewest.After(c.floor) {
		c.floor = c.oldNewest
	}
	c.old, c.oldNewest = c.young, c.newest
	c.young, c.newest = make(map[replayKey]struct{}), time.Time{}
	c.since = now
}
