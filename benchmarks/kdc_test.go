package benchmarks

import (
	"context"
	"testing"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/krbtest"
)

// BenchmarkNewKDC is what a test pays for a realm: until it answers, and until it
// is gone with a user, a service and all their files.
func BenchmarkNewKDC(b *testing.B) {
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			k := krbtest.Start()
			b.StopTimer()
			k.Close()
			b.StartTimer()
		}
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			k := krbtest.Start()
			k.AddPrincipal("alice", "secret")
			k.AddService(spn)
			k.ConfigPath()
			k.Keytab(spn)
			k.CCache("alice")
			k.Close()
		}
	})
}

// loginAndTicket is a login, which is two AS-REQs, and a TGS-REQ for a ticket of
// the host, with our client over UDP on loopback.
func loginAndTicket(b *testing.B, addr, realm, host string) {
	b.Helper()
	alice := principal.New(realm, "alice")
	key := must(etype.StringToKey(etype.AES256SHA1, "secret", realm+"alice", nil))(b)
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
