package benchmarks

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/replay"
)

// replaySkew is the usual one, so that what is remembered is of ten minutes.
const replaySkew = 5 * time.Minute

// BenchmarkReplay is the acceptor's replay cache with so many authenticators in
// it, which have come evenly over the last minutes. "full" is one that has to
// drop old ones for each slice of new ones.
func BenchmarkReplay(b *testing.B) {
	for _, n := range []int{0, 1000, 10_000, 100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before := inUse()
			s := newStream(max(2*n, 1<<20), max(n, 1))
			for range n {
				s.next(b)
			}
			used := inUse() - before
			b.ResetTimer()
			for range b.N {
				s.next(b)
			}
			if n > 0 {
				b.ReportMetric(float64(used)/float64(n), "B/entry")
			}
		})
	}
	b.Run("full", func(b *testing.B) {
		const limit = 100_000
		s := newStream(limit, 4*limit)
		for range 8 * limit {
			s.next(b)
		}
		b.ResetTimer()
		for range b.N {
			s.next(b)
		}
	})
}

// stream is authenticators as they come to a cache.
type stream struct {
	cache *replay.Cache
	now   time.Time
	step  time.Duration
	n     uint64
}

// newStream is a stream that brings as many authenticators as the rate says
// within the skew.
func newStream(limit, rate int) *stream {
	return &stream{cache: replay.New(limit, replaySkew), now: time.Unix(1_700_000_000, 0), step: replaySkew / time.Duration(rate)}
}

func (s *stream) next(b *testing.B) {
	s.n++
	s.now = s.now.Add(s.step)
	var authenticator [260]byte
	binary.BigEndian.PutUint64(authenticator[:], s.n)
	if err := s.cache.Check(s.now, s.now, authenticator[:]); err != nil {
		b.Fatal(err)
	}
}
