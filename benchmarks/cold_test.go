package benchmarks

import (
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/dpotapov/go-spnego"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

// BenchmarkCold has a hundred goroutines want a ticket that nobody has yet, and
// counts what that costs the KDC.
func BenchmarkCold(b *testing.B) {
	const goroutines = 100
	x := newBed(b)
	x.kdc.AddService("HTTP/localhost") // as go-spnego calls the server, whatever its URL says
	run := func(name string, newClient func(testing.TB) func() error) {
		b.Run(name, func(b *testing.B) {
			var requests int
			for b.Loop() {
				b.StopTimer()
				get := newClient(b)
				x.kdc.ResetRequests()
				b.StartTimer()
				together(b, goroutines, get)
				requests += int(x.kdc.Requests().TGS)
			}
			b.ReportMetric(float64(requests)/float64(b.N), "TGS-REQ/op")
		})
	}
	run("negotiate", func(tb testing.TB) func() error {
		p := must(krb5.New(krb5.Options{Config: x.kdc.ConfigPath(), CCache: x.kdc.CCache("alice")}))(tb)
		return func() error {
			sc, err := p.Initiate(b.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", host)})
			if err != nil {
				return err
			}
			_, _, err = sc.Step(b.Context(), nil)
			return err
		}
	})
	run("gokrb5", func(tb testing.TB) func() error {
		set := x.gokrb5Setter(tb)
		return func() error { return set(must(http.NewRequest("GET", "http://"+host, nil))(tb)) }
	})
	run("go-spnego", func(tb testing.TB) func() error {
		setenv(tb, "KRB5_CONFIG", x.kdc.ConfigPath())
		setenv(tb, "KRB5CCNAME", "FILE:"+x.ccache)
		// Each goroutine has one of its own, as it is not safe for several. One alone
		// asks the KDC anew for each request, too.
		return func() error {
			return spnego.New().SetSPNEGOHeader(must(http.NewRequest("GET", "http://localhost", nil))(tb))
		}
	})
}

// together calls f from so many goroutines at once.
func together(b *testing.B, goroutines int, f func() error) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range goroutines {
		wg.Go(func() {
			<-start
			if err := f(); err != nil {
				b.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
}

func setenv(tb testing.TB, name, value string) {
	old := os.Getenv(name)
	os.Setenv(name, value)
	tb.Cleanup(func() { os.Setenv(name, old) })
}
