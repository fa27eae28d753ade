package replay

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clocked is a replay cache with the clock of a test.
type clocked struct {
	t *testing.T
	*Cache
	skew time.Duration
	now  time.Time
	next uint64 // the number of the next new authenticator
}

func newClocked(t *testing.T, size int) *clocked {
	const skew = 5 * time.Minute
	return &clocked{t: t, Cache: New(size, skew), skew: skew, now: time.Unix(1_700_000_000, 0)}
}

// width is that of a slice.
func (c *clocked) width() time.Duration { return c.parts[0].width }

// count is how many authenticators are remembered.
func (c *clocked) count() (n int) {
	for _, p := range c.parts {
		n += p.count
	}
	return n
}

// token is an authenticator and the time that it bears.
type token struct {
	stamp  time.Time
	cipher []byte
}

// fresh makes an authenticator whose clock is ahead by the given time.
func (c *clocked) fresh(ahead time.Duration) token {
	c.next++
	return token{c.now.Add(ahead), binary.BigEndian.AppendUint64(nil, c.next)}
}

// want is nil, ErrRepeated or ErrForgotten.
func (c *clocked) try(what string, tok token, want error) {
	c.t.Helper()
	if c.now.Sub(tok.stamp).Abs() > c.skew {
		c.t.Fatalf("%s: its time alone has it refused", what)
	}
	err := c.Check(c.now, tok.stamp, tok.cipher)
	if !errors.Is(err, want) {
		c.t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func TestWithinTheSkew(t *testing.T) {
	for _, ahead := range []time.Duration{-5 * time.Minute, -time.Minute, 0, time.Minute, 5 * time.Minute} {
		c := newClocked(t, 0)
		tok := c.fresh(ahead)
		c.try("the first time", tok, nil)
		c.try("again", tok, ErrRepeated)
		// As long as the time alone would let it in, and others come meanwhile.
		for c.now.Add(time.Second).Sub(tok.stamp) <= c.skew {
			c.now = c.now.Add(time.Second)
			c.try("another", c.fresh(0), nil)
			c.try("again later", tok, ErrRepeated)
		}
	}
}

// What is too old leaves memory.
func TestForgets(t *testing.T) {
	c := newClocked(t, minPart)
	for range 3600 {
		c.now = c.now.Add(time.Second)
		c.try("new", c.fresh(0), nil)
	}
	if limit := 305 + int(c.width()/time.Second); c.count() > limit {
		t.Errorf("%d authenticators are remembered, want those of the last 5 minutes (%d)", c.count(), limit)
	}
	for _, p := range c.parts {
		if limit := 2*slicesPerSkew + 2; len(p.slices) > limit {
			t.Errorf("%d slices, want at most %d", len(p.slices), limit)
		}
	}
}

// Under more load than it has memory for, no authenticator passes twice, those
// of the present pass, and the count stays within the limit.
func TestFull(t *testing.T) {
	c := newClocked(t, 100)
	var used []token
	for range 1000 {
		c.now = c.now.Add(time.Second / 2)
		tok := c.fresh(0)
		c.try("of the present", tok, nil)
		if used = append(used, tok); c.count() > 100 {
			t.Fatalf("%d authenticators are remembered, want at most 100", c.count())
		}
	}
	for _, tok := range used {
		if c.now.Sub(tok.stamp) <= c.skew {
			if err := c.Check(c.now, tok.stamp, tok.cipher); err == nil {
				t.Errorf("one of %v ago passed again", c.now.Sub(tok.stamp))
			}
		}
	}
	old := c.fresh(-2 * time.Minute)
	c.try("a new one that is as old as some that were dropped", old, ErrForgotten)
}

// A burst of one moment that fills the memory has the rest of that moment
// refused, and nothing of the next.
func TestBurst(t *testing.T) {
	c := newClocked(t, 10)
	for range 10 {
		c.try("within the limit", c.fresh(0), nil)
	}
	c.try("beyond it", c.fresh(0), ErrForgotten)
	c.now = c.now.Add(c.width())
	c.try("a moment later", c.fresh(0), nil)
}

// Somebody with a ticket floods the cache with authenticators of the future, in
// order to have everybody refused until then.
func TestFloodOfTheFuture(t *testing.T) {
	c := newClocked(t, 100)
	honest := c.fresh(0)
	c.try("before the flood", honest, nil)
	var flood []token
	for range 1000 {
		tok := c.fresh(4 * time.Minute)
		c.Check(c.now, tok.stamp, tok.cipher)
		flood = append(flood, tok)
	}
	for range 60 {
		c.try("during the flood", c.fresh(0), nil)
		c.now = c.now.Add(time.Second)
	}
	for _, tok := range flood {
		if c.Check(c.now, tok.stamp, tok.cipher) == nil {
			t.Fatal("one of the flood passed, perhaps for the second time")
		}
	}
	// The flooded moment itself is lost.
	c.now = flood[0].stamp
	c.try("in the flooded moment", c.fresh(0), ErrForgotten)
	c.now = c.now.Add(c.width())
	c.try("after it", c.fresh(0), nil)
}

// A clock that is set back lets nothing in again.
func TestClockSetBack(t *testing.T) {
	for _, back := range []time.Duration{time.Second, time.Minute, 5 * time.Minute, 9 * time.Minute} {
		c := newClocked(t, 0)
		var used []token
		for range 1200 {
			tok := c.fresh(0)
			c.try("new", tok, nil)
			used = append(used, tok)
			c.now = c.now.Add(time.Second)
		}
		c.now = c.now.Add(-back)
		for range int(back/time.Second) + 600 {
			c.now = c.now.Add(time.Second)
			for _, tok := range used {
				if c.now.Sub(tok.stamp).Abs() <= c.skew && c.Check(c.now, tok.stamp, tok.cipher) == nil {
					t.Fatalf("set back by %v: one of %s passed again at %s", back, tok.stamp, c.now)
				}
			}
		}
	}
	// By so much that it must have been wrong before: nobody is locked out.
	c := newClocked(t, 0)
	for range 1200 {
		c.try("new", c.fresh(0), nil)
		c.now = c.now.Add(time.Second)
	}
	c.now = c.now.Add(-time.Hour)
	c.try("after the clock was set right", c.fresh(0), nil)
}

func TestNoSkew(t *testing.T) {
	c := &clocked{t: t, Cache: New(0, 0), now: time.Unix(1_700_000_000, 0)}
	tok := c.fresh(0)
	c.try("the first time", tok, nil)
	c.try("again", tok, ErrRepeated)
}

// A large cache has parts, and is as large as was asked all the same: what is over
// is refused part by part, and nothing passes twice.
func TestParts(t *testing.T) {
	const size = 4 * minPart
	c := newClocked(t, size)
	if len(c.parts) != 4 || len(New(0, 0).parts) != maxParts || len(New(minPart, 0).parts) != 1 {
		t.Fatalf("%d parts", len(c.parts))
	}
	passed := 0
	for range 2 * size {
		tok := c.fresh(0)
		if c.Check(c.now, tok.stamp, tok.cipher) == nil {
			passed++
			c.try("again", tok, ErrRepeated)
		}
	}
	if passed != size || c.count() != size {
		t.Errorf("%d of one moment passed and %d are remembered, want %d", passed, c.count(), size)
	}
	c.now = c.now.Add(c.width())
	c.try("a moment later", c.fresh(0), nil)
}

// Of many goroutines with one authenticator, one wins.
func TestConcurrent(t *testing.T) {
	c := newClocked(t, 0)
	tok := c.fresh(0)
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if c.Check(c.now, tok.stamp, tok.cipher) == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 1 {
		t.Errorf("it passed %d times, want once", passed.Load())
	}
}

// Somebody picks authenticators by their hashes in order to fill one part with few.
func TestPartsCannotBePicked(t *testing.T) {
	c := newClocked(t, 4*minPart)
	for sent := 0; sent <= minPart; {
		tok := c.fresh(0)
		if sum := sha256.Sum256(tok.cipher); sum[0]%4 == 0 {
			sent++
			if err := c.Check(c.now, tok.stamp, tok.cipher); err != nil {
				t.Fatalf("number %d of them fills a part: %v", sent, err)
			}
		}
	}
}
