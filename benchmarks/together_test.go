package benchmarks

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// BenchmarkTogether makes tokens of one credential and accepts them, in several
// goroutines at once. They share the tickets and the keys, which are read without a
// lock, and the replay cache, which is written.
func BenchmarkTogether(b *testing.B) {
	x := newBed(b)
	for _, n := range []int{1, 2, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var taken atomic.Int64
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					for taken.Add(1) <= int64(b.N) {
						x.accept(b, x.token(b, gss.FlagMutual))
					}
				})
			}
			wg.Wait()
		})
	}
}
