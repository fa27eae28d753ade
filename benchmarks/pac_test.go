package benchmarks

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// pacGroups make a PAC of 6 kB. Active Directory takes more room for a group of
// another domain, so that 400 groups may make one as well.
const pacGroups = 660

// BenchmarkPAC is of a user in many groups, whose ticket has a PAC of 6 kB, and of
// one in none, whose ticket has no PAC. "first" is the acceptor's part for a
// ticket that it has not seen before, "accept" for one that it has.
func BenchmarkPAC(b *testing.B) {
	x := newBed(b)
	groups := make([]uint32, pacGroups)
	for i := range groups {
		groups[i] = uint32(2000 + i)
	}
	x.kdc.AddPrincipal("carol", "", krbtest.Groups(groups...))
	for name, user := range map[string]string{"none": "alice", "groups": "carol"} {
		credential := func() gss.Credential {
			c := must(x.ours.FromCCache(x.kdc.CCache(user, krbtest.WithTicket(spn))))(b)
			return must(c.(gss.Resolver).Resolve(b.Context()))(b)
		}
		tokenOf := func(c gss.Credential) []byte {
			_, token := x.initiate(b, c, gss.FlagMutual)
			return token
		}
		accept := func(token []byte) { x.accept(b, token) }
		known := credential()
		b.Run("initiate/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tokenOf(known)
			}
			b.ReportMetric(float64(len(tokenOf(known))), "B/token")
		})
		b.Run("accept/"+name, func(b *testing.B) { each(b, func() []byte { return tokenOf(known) }, accept) })
		b.Run("first/"+name, func(b *testing.B) { each(b, func() []byte { return tokenOf(credential()) }, accept) })
	}
}
