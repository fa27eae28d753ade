//go:build interop

package krbtest_test

import (
	"context"
	"testing"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krbtest"
)

// BenchmarkKDC is a login, which is two AS-REQs, and a service ticket. The same
// client asks this KDC and MIT's over UDP on loopback.
func BenchmarkKDC(b *testing.B) {
	b.Run("krbtest", func(b *testing.B) {
		k := krbtest.NewKDC(b)
		k.AddPrincipal("alice", "secret")
		k.AddService("HTTP/www.krb.test")
		loginAndTicket(b, k.Addr(), k.Realm(), "www.krb.test")
	})
	b.Run("krb5kdc", func(b *testing.B) {
		k := interop.NewMIT(b, interop.MITOptions{Realm: "MIT.TEST"})
		k.AddPrincipal(b, "alice", interop.PrincipalOptions{Password: "secret"})
		k.AddService(b, "HTTP/www.mit.test", interop.PrincipalOptions{})
		loginAndTicket(b, k.Addr, k.Realm, "www.mit.test")
	})
}

func loginAndTicket(b *testing.B, addr, realm, host string) {
	b.Helper()
	alice := principal.New(realm, "alice")
	key, err := etype.StringToKey(etype.AES256SHA1, "secret", realm+"alice", nil)
	if err != nil {
		b.Fatal(err)
	}
	c := &kdcclient.Client{
		UDPLimit: 4096,
		Servers: func(context.Context, string) ([]kdcclient.Server, error) {
			return []kdcclient.Server{{Network: "udp", Address: addr}}, nil
		},
	}
	enctypes := []int32{int32(etype.AES256SHA1)}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tgt, err := c.AS(b.Context(), kdcclient.ASRequest{
				Client: alice, ETypes: enctypes,
				Key: func(etype.ID, string, []byte) (*etype.Key, error) { return key, nil },
			})
			if err != nil {
				b.Error(err)
				return
			}
			_, err = c.TGS(b.Context(), kdcclient.TGSRequest{
				TGT: tgt, Server: principal.Service(realm, "HTTP", host), ETypes: enctypes,
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins+tickets/s")
}
