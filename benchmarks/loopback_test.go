package benchmarks

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// hello is the page that is asked for.
var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })

func serve(tb testing.TB, h http.Handler) (url string) {
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s.URL
}

// base is an http.Transport that keeps so many connections.
func base(tb testing.TB, conns int) *http.Transport {
	t := &http.Transport{MaxIdleConns: conns, MaxIdleConnsPerHost: conns}
	tb.Cleanup(t.CloseIdleConnections)
	return t
}

// transport is ours, which authenticates to x's service.
func (x *bed) transport(tb testing.TB, base *http.Transport, o negotiate.Opportunism, m negotiate.Mutual) *negotiate.Transport {
	t := &negotiate.Transport{
		Base: base, Provider: x.ours, Credential: x.cred,
		Opportunistic: o, Mutual: m, Target: negotiate.HostTarget(host),
	}
	tb.Cleanup(t.CloseIdleConnections)
	return t
}

func (x *bed) handler() http.Handler {
	return &negotiate.Handler{Next: hello, Provider: x.ours, Credential: x.acceptor}
}

// BenchmarkLoopback is a GET on a connection that is kept alive, client and server
// in this process. "plain" is net/http alone, "header" is net/http with a header
// that is as long as the token's and means nothing.
func BenchmarkLoopback(b *testing.B) {
	x := newBed(b)
	plain, authenticated := serve(b, hello), serve(b, x.handler())
	run := func(name string, rt http.RoundTripper, url string, h http.Header) {
		b.Run(name, func(b *testing.B) {
			c := &http.Client{Transport: rt}
			ask(b, c, url, h)
			b.ReportAllocs()
			for b.Loop() {
				ask(b, c, url, h)
			}
		})
	}
	run("plain", base(b, 1), plain, nil)
	run("header", base(b, 1), plain, x.headerOf(b))
	run("negotiate", x.transport(b, base(b, 1), negotiate.OpportunisticAlways, negotiate.MutualDisabled), authenticated, nil)
	run("negotiate-mutual", x.transport(b, base(b, 1), negotiate.OpportunisticAlways, negotiate.MutualRequired), authenticated, nil)
	run("negotiate-challenge", x.transport(b, base(b, 1), negotiate.OpportunisticNever, negotiate.MutualDisabled), authenticated, nil)
	b.Run("gokrb5", func(b *testing.B) {
		url := serve(b, spnego.SPNEGOKRB5Authenticate(hello, x.gokrb5Keytab(b), service.DecodePAC(false)))
		rt := preemptive{x.gokrb5Setter(b), base(b, 1)}
		c := &http.Client{Transport: rt}
		ask(b, c, url, nil)
		b.ReportAllocs()
		for b.Loop() {
			ask(b, c, url, nil)
		}
	})
}

// BenchmarkLoopbackInTurn is of the two that the bar is about.
func BenchmarkLoopbackInTurn(b *testing.B) {
	x := newBed(b)
	plain, authenticated := serve(b, hello), serve(b, x.handler())
	get := func(rt http.RoundTripper, url string) func() {
		c := &http.Client{Transport: rt}
		return func() { ask(b, c, url, nil) }
	}
	lanes := []lane{
		{"plain", get(base(b, 1), plain)},
		{"negotiate", get(x.transport(b, base(b, 1), negotiate.OpportunisticAlways, negotiate.MutualDisabled), authenticated)},
	}
	b.Run("all", func(b *testing.B) { inTurn(b, lanes) })
}

func (x *bed) headerOf(tb testing.TB) http.Header {
	return http.Header{"Authorization": {"Nothing " + encode(x.token(tb, 0))}}
}

// BenchmarkGoroutines is BenchmarkLoopback with many goroutines, each with a
// connection of its own.
func BenchmarkGoroutines(b *testing.B) {
	x := newBed(b)
	plain, authenticated := serve(b, hello), serve(b, x.handler())
	for _, n := range []int{1, 3, 10, 30, 100, 300, 1000} {
		b.Run(fmt.Sprintf("plain/%d", n), func(b *testing.B) {
			c := &http.Client{Transport: base(b, n)}
			load(b, n, func() doer { return c }, plain)
		})
		b.Run(fmt.Sprintf("negotiate/%d", n), func(b *testing.B) {
			c := &http.Client{Transport: x.transport(b, base(b, n), negotiate.OpportunisticAlways, negotiate.MutualDisabled)}
			load(b, n, func() doer { return c }, authenticated)
		})
	}
}
