package replay

import (
	"sync"
	"time"
)

// part remembers authenticators by slices of the time that they bear, so that what
// is too old goes slice by slice. When it is full it drops the oldest slice and
// refuses what is as old. A client that floods it with authenticators of the future,
// to have those of others refused, spoils the slice that it floods and nothing else.
type part struct {
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

const slicesPerSkew = 64

func newPart(limit int, skew time.Duration) *part {
	return &part{
		limit:  limit,
		skew:   skew,
		width:  max(skew/slicesPerSkew, time.Second),
		slices: make(map[int64]*slice),
	}
}

func (p *part) number(t time.Time) int64 { return t.UnixNano() / int64(p.width) }

// check is Cache.Check, by the key.
func (p *part) check(now, stamp time.Time, k key) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	n := p.number(stamp)
	if s := p.slices[n]; s != nil {
		if _, ok := s.seen[k]; ok {
			return ErrRepeated
		}
	}
	if p.count >= p.limit && !p.makeRoom(p.number(now)) || p.refuses(n) {
		return ErrForgotten
	}
	s := p.slices[n]
	if s == nil {
		s = &slice{seen: make(map[key]struct{})}
		p.slices[n] = s
		p.oldest = min(p.oldest, n)
	}
	s.seen[k] = struct{}{}
	p.count++
	return nil
}

func (p *part) refuses(n int64) bool {
	s := p.slices[n]
	return p.floored && n <= p.floor || s != nil && s.closed
}

// expire drops the slices that are too old to be accepted again. They count as
// dropped, so that they stay refused if the clock is set back. If it is set back
// so far that this would refuse everybody for long, the past is forgotten.
func (p *part) expire(now time.Time) {
	if p.floored && p.floor > p.number(now.Add(p.skew)) {
		p.floored = false
	}
	first := p.number(now.Add(-p.skew)) // the oldest that may still be accepted
	if p.oldest >= first {
		return
	}
	for n := range p.slices {
		if n < first {
			p.drop(n)
		}
	}
	p.oldest = first
}

// drop forgets a slice of the past, and refuses what is as old.
func (p *part) drop(n int64) {
	p.count -= len(p.slices[n].seen)
	delete(p.slices, n)
	if !p.floored || n > p.floor {
		p.floor, p.floored = n, true
	}
}

// makeRoom drops the oldest slice of the past; if there is none, it closes the
// largest of the future. It returns false if all memory is in the present one.
func (p *part) makeRoom(present int64) bool {
	past, future := present, present
	for n, s := range p.slices {
		switch {
		case len(s.seen) == 0:
		case n < past:
			past = n
		case n > present && (future == present || len(s.seen) > len(p.slices[future].seen)):
			future = n
		}
	}
	switch {
	case past < present:
		p.drop(past)
	case future > present:
		s := p.slices[future]
		p.count -= len(s.seen)
		s.seen, s.closed = nil, true
	default:
		return false
	}
	return true
}
