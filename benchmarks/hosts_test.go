package benchmarks

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

// BenchmarkHosts is a Transport that goes round so many servers. "token" is the
// time to make a token when all tickets are there, "memory" what the Transport and
// its provider keep when no connection is left.
func BenchmarkHosts(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("token/%d", n), func(b *testing.B) {
			x, hosts := newHosts(b, n)
			x.visit(b, hosts)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				x.visit(b, hosts[i:i+1])
				i = (i + 1) % n
			}
		})
	}
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("memory/%d", n), func(b *testing.B) {
			var tickets, all float64
			for b.Loop() {
				x, hosts := newHosts(b, n)
				tickets += perHost(n, func() any { x.visit(b, hosts); return x })
				x, hosts = newHosts(b, n)
				all += perHost(n, func() any { return []any{x, x.getAll(b, hosts)} })
			}
			b.ReportMetric(tickets/float64(b.N), "B/ticket")
			b.ReportMetric(max(0, all-tickets)/float64(b.N), "B/host")
		})
	}
}

// newHosts is a bed with so many servers.
func newHosts(b *testing.B, n int) (*bed, []string) {
	x := newBed(b)
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("www%d.krb.test", i)
		x.kdc.AddService("HTTP/" + hosts[i])
	}
	return x, hosts
}

// visit makes a token for each of the hosts.
func (x *bed) visit(b *testing.B, hosts []string) {
	for _, h := range hosts {
		sc, err := x.ours.Initiate(b.Context(), gss.InitiateOptions{Credential: x.cred, Target: gss.HostBased("HTTP", h)})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := sc.Step(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// getAll has a Transport get a page of each of the hosts, which ask for
// authentication, and close its connections.
func (x *bed) getAll(b *testing.B, hosts []string) *negotiate.Transport {
	server := serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	all := base(b, 0)
	all.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(server, "http://"))
	}
	t := &negotiate.Transport{Base: all, Provider: x.ours, Credential: x.cred, Opportunistic: negotiate.OpportunisticLearned}
	for _, h := range hosts {
		ask(b, &http.Client{Transport: t}, "http://"+h, nil)
	}
	t.CloseIdleConnections()
	return t
}

// perHost is how much memory f takes that is still used when it returns, by one
// of n.
func perHost(n int, f func() any) float64 {
	before := inUse()
	kept := f()
	after := inUse()
	runtime.KeepAlive(kept)
	return float64(int64(after)-int64(before)) / float64(n)
}

// inUse is the heap in use. What finalizers and pools hold takes two collections
// to go.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
