package benchmarks

import (
	"fmt"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// BenchmarkSize is of tickets with so many octets of authorization data, as a
// domain controller puts a user's groups there. "first" is the acceptor's part for
// a ticket that it has not seen before, "accept" for one that it has.
func BenchmarkSize(b *testing.B) {
	x := newBed(b)
	for _, octets := range []int{0, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 62 << 10} {
		alice := x.stranger(b, octets)
		token := func() []byte {
			_, token := x.initiate(b, alice, gss.FlagMutual)
			return token
		}
		b.Run(fmt.Sprintf("initiate/%d", octets), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				token()
			}
		})
		b.Run(fmt.Sprintf("accept/%d", octets), func(b *testing.B) {
			each(b, token, func(token []byte) { x.accept(b, token) })
		})
		b.Run(fmt.Sprintf("first/%d", octets), func(b *testing.B) {
			each(b, func() []byte { return x.strangersToken(b, octets) }, func(token []byte) { x.accept(b, token) })
		})
	}
}
