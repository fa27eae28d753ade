//go:build interop

package benchmarks

import (
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

func TestMain(m *testing.M) { os.Exit(interop.Main(m)) }

// site is an Apache with mod_auth_gssapi and a client who has a ticket for it. Its
// replay cache is off, so that a client with a fixed header tells Apache's own
// time for a request.
type site struct {
	bed    *interop.Bed
	apache *interop.Apache
	ccache string
}

func newSite(b *testing.B) *site {
	b.Helper()
	bed := interop.Shared(b)
	return &site{
		bed:    bed,
		apache: interop.NewApache(b, interop.ApacheOptions{KDC: bed.KDC, Keytab: bed.Apache.Keytab, NoReplayCache: true}),
		ccache: bed.Alice(b),
	}
}

func (s *site) url(path string) string { return s.apache.HTTP + path }

func (s *site) provider(b *testing.B) *krb5.Provider {
	return must(krb5.New(krb5.Options{Config: s.bed.KDC.Config, CCache: s.ccache}))(b)
}

// header has a token, which Apache takes again and again.
func (s *site) header(b *testing.B) http.Header { return s.headerBy(b, s.provider(b)) }

func (s *site) headerBy(b *testing.B, p *krb5.Provider) http.Header {
	sc := must(p.Initiate(b.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", s.apache.Host)}))(b)
	token, _, err := sc.Step(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	return http.Header{"Authorization": {"Negotiate " + encode(token)}}
}

func (s *site) ours(b *testing.B, conns int, o negotiate.Opportunism, m negotiate.Mutual) doer {
	t := &negotiate.Transport{Base: base(b, conns), Provider: s.provider(b), Opportunistic: o, Mutual: m}
	b.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// BenchmarkApache is a GET on a connection that is kept alive. "plain" is a page
// that needs no authentication, "header" has the same token each time; both by
// net/http and by wrk, a client in C that does nothing else.
func BenchmarkApache(b *testing.B) {
	s := newSite(b)
	header := s.header(b)
	run := func(name, url string, h http.Header, newClient func(*testing.B) doer) {
		b.Run(name, func(b *testing.B) {
			c := newClient(b)
			ask(b, c, url, h)
			b.ReportAllocs()
			for b.Loop() {
				ask(b, c, url, h)
			}
		})
	}
	bare := func(b *testing.B) doer { return &http.Client{Transport: base(b, 1)} }
	ours := func(o negotiate.Opportunism, m negotiate.Mutual) func(*testing.B) doer {
		return func(b *testing.B) doer { return s.ours(b, 1, o, m) }
	}
	b.Run("wrk-plain", func(b *testing.B) { wrk(b, s.url(interop.PathAnonymous), nil) })
	run("plain", s.url(interop.PathAnonymous), nil, bare)
	b.Run("wrk-header", func(b *testing.B) { wrk(b, s.url(interop.PathPlain), header) })
	run("header", s.url(interop.PathPlain), header, bare)
	run("negotiate", s.url(interop.PathPlain), nil, ours(negotiate.OpportunisticAlways, negotiate.MutualDisabled))
	run("negotiate-mutual", s.url(interop.PathPlain), nil, ours(negotiate.OpportunisticAlways, negotiate.MutualRequired))
	run("negotiate-challenge", s.url(interop.PathPlain), nil, ours(negotiate.OpportunisticNever, negotiate.MutualDisabled))
	run("negotiate-bound", s.url(interop.PathBound), nil, ours(negotiate.OpportunisticNever, negotiate.MutualDisabled))
	run("gokrb5", s.url(interop.PathPlain), nil, func(b *testing.B) doer {
		cl := gokrb5Client(b, s.bed.KDC.Config, s.ccache)
		set := func(req *http.Request) error { return spnego.SetSPNEGOHeader(cl, req, "HTTP/"+s.apache.Host) }
		return &http.Client{Transport: preemptive{set, base(b, 1)}}
	})
	run("gokrb5-challenge", s.url(interop.PathPlain), nil, func(b *testing.B) doer {
		return spnego.NewClient(gokrb5Client(b, s.bed.KDC.Config, s.ccache), &http.Client{Transport: base(b, 1)}, "HTTP/"+s.apache.Host)
	})
	b.Run("requests-kerberos", func(b *testing.B) { s.python(b, "preemptive") })
	b.Run("requests-kerberos-challenge", func(b *testing.B) { s.python(b, "challenge") })
}

// BenchmarkApacheInTurn is of those that the bars are about, and "token", which is
// net/http with a token made for each request: what a client cannot do without.
func BenchmarkApacheInTurn(b *testing.B) {
	s := newSite(b)
	p, bare := s.provider(b), &http.Client{Transport: base(b, 1)}
	get := func(c doer, path string, h http.Header) func() {
		return func() { ask(b, c, s.url(path), h) }
	}
	lanes := []lane{
		{"plain", get(&http.Client{Transport: base(b, 1)}, interop.PathAnonymous, nil)},
		{"header", get(&http.Client{Transport: base(b, 1)}, interop.PathPlain, s.header(b))},
		{"token", func() { ask(b, bare, s.url(interop.PathPlain), s.headerBy(b, p)) }},
		{"negotiate", get(s.ours(b, 1, negotiate.OpportunisticAlways, negotiate.MutualDisabled), interop.PathPlain, nil)},
		{"challenge", get(s.ours(b, 1, negotiate.OpportunisticNever, negotiate.MutualDisabled), interop.PathPlain, nil)},
	}
	b.Run("all", func(b *testing.B) { inTurn(b, lanes) })
}

// BenchmarkApacheGoroutines is BenchmarkApache with a hundred goroutines.
func BenchmarkApacheGoroutines(b *testing.B) {
	s := newSite(b)
	const n = 100
	bare := &http.Client{Transport: base(b, n)}
	b.Run("plain", func(b *testing.B) { load(b, n, func() doer { return bare }, s.url(interop.PathAnonymous)) })
	b.Run("negotiate", func(b *testing.B) {
		c := s.ours(b, n, negotiate.OpportunisticAlways, negotiate.MutualDisabled)
		load(b, n, func() doer { return c }, s.url(interop.PathPlain))
	})
	b.Run("gokrb5", func(b *testing.B) {
		cl := gokrb5Client(b, s.bed.KDC.Config, s.ccache)
		set := func(req *http.Request) error { return spnego.SetSPNEGOHeader(cl, req, "HTTP/"+s.apache.Host) }
		c := &http.Client{Transport: preemptive{set, base(b, n)}}
		load(b, n, func() doer { return c }, s.url(interop.PathPlain))
	})
}

var wrkRate = regexp.MustCompile(`Requests/sec:\s*([0-9.]+)`)

// wrk makes requests on one connection for a second, however large b.N is.
func wrk(b *testing.B, url string, h http.Header) {
	path, err := exec.LookPath("wrk")
	if err != nil {
		b.Fatalf("%v: install Debian's package wrk, or all peers with interop/peers.sh", err)
	}
	args := []string{"--threads", "1", "--connections", "1", "--duration", "1s"}
	for name, values := range h {
		args = append(args, "--header", name+": "+values[0])
	}
	out, err := exec.CommandContext(b.Context(), path, append(args, url)...).CombinedOutput()
	m := wrkRate.FindSubmatch(out)
	if err != nil || m == nil || strings.Contains(string(out), "Non-2xx") {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	rate := must(strconv.ParseFloat(string(m[1]), 64))(b)
	b.ReportMetric(1e9/rate, "ns/op")
}

//go:embed requests_kerberos.py
var requestsKerberos string

// python has requests-kerberos make the requests, and measure itself.
func (s *site) python(b *testing.B, mode string) {
	out := interop.Python(b, s.bed.KDC.Env(s.ccache), requestsKerberos, s.url(interop.PathPlain), mode, fmt.Sprint(b.N))
	seconds := must(strconv.ParseFloat(strings.TrimSpace(out), 64))(b)
	b.ReportMetric(seconds*1e9/float64(b.N), "ns/op")
}
