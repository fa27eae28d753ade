//go:build interop

package benchmarks

import (
	"testing"

	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krbtest"
)

// BenchmarkKDC has one client ask this KDC and MIT's.
func BenchmarkKDC(b *testing.B) {
	b.Run("krbtest", func(b *testing.B) {
		k := krbtest.NewKDC(b)
		k.AddPrincipal("alice", "secret")
		k.AddService(spn)
		loginAndTicket(b, k.Addr(), k.Realm(), host)
	})
	b.Run("krb5kdc", func(b *testing.B) {
		k := interop.NewMIT(b, interop.MITOptions{Realm: "MIT.TEST"})
		k.AddPrincipal(b, "alice", interop.PrincipalOptions{Password: "secret"})
		k.AddService(b, "HTTP/www.mit.test", interop.PrincipalOptions{})
		loginAndTicket(b, k.Addr, k.Realm, "www.mit.test")
	})
}
