//go:build interop

package benchmarks

import (
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

func TestMain(m *testing.M) { os.Exit(interop.Main(m)) }

// doer makes requests. newDoer is called for each goroutine.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// BenchmarkApache measures requests per second against mod_auth_gssapi, which
// authenticates each, by one goroutine and by a hundred. "plain" is a page that
// needs no authentication, by net/http alone. gokrb5 is asked with a 401 for each
// request, as "negotiate" is; "learned" is not, after the first. "bound" is on a
// page where Apache keeps the context with the connection.
func BenchmarkApache(b *testing.B) {
	bed := interop.Shared(b)
	ccache := bed.KDC.Kinit(b, interop.KinitOptions{Principal: "alice", Password: interop.AlicePassword})
	transport := func() *http.Transport {
		base := bed.Apache.Transport()
		base.MaxIdleConnsPerHost = 100
		b.Cleanup(base.CloseIdleConnections)
		return base
	}
	ours := func(o negotiate.Opportunism, m negotiate.Mutual) func(*testing.B) func() doer {
		return func(b *testing.B) func() doer {
			provider, err := krb5.New(krb5.Options{Config: bed.KDC.Config, CCache: ccache})
			if err != nil {
				b.Fatal(err)
			}
			tr := &negotiate.Transport{Base: transport(), Provider: provider, Opportunistic: o, Mutual: m}
			b.Cleanup(tr.CloseIdleConnections)
			return func() doer { return &http.Client{Transport: tr} }
		}
	}
	clients := []struct {
		name, path string
		make       func(*testing.B) func() doer
	}{
		{"plain", interop.PathAnonymous, func(*testing.B) func() doer {
			base := transport()
			return func() doer { return &http.Client{Transport: base} }
		}},
		{"negotiate", interop.PathPlain, ours(negotiate.OpportunisticNever, negotiate.MutualDisabled)},
		{"negotiate-mutual", interop.PathPlain, ours(negotiate.OpportunisticNever, negotiate.MutualRequired)},
		{"negotiate-learned", interop.PathPlain, ours(negotiate.OpportunisticLearned, negotiate.MutualDisabled)},
		{"negotiate-bound", interop.PathBound, ours(negotiate.OpportunisticNever, negotiate.MutualDisabled)},
		{"gokrb5", interop.PathPlain, func(b *testing.B) func() doer { return gokrb5Client(b, bed, ccache, transport()) }},
	}
	for _, c := range clients {
		for _, goroutines := range []int{1, 100} {
			name := map[int]string{1: "/1", 100: "/100"}[goroutines]
			b.Run(c.name+name, func(b *testing.B) {
				newDoer := c.make(b)
				url := bed.Apache.HTTP + c.path
				ask(b, newDoer(), url) // fetches the ticket
				load(b, goroutines, newDoer, url)
			})
		}
	}
}

// gokrb5Client has a client for each goroutine, as one is not safe for several,
// over one login and one pool.
func gokrb5Client(b *testing.B, bed *interop.Bed, ccache string, base *http.Transport) func() doer {
	conf, err := config.Load(bed.KDC.Config)
	if err != nil {
		b.Fatal(err)
	}
	cache, err := credentials.LoadCCache(trimFile(ccache))
	if err != nil {
		b.Fatal(err)
	}
	login, err := client.NewFromCCache(cache, conf, client.DisablePAFXFAST(true))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(login.Destroy)
	return func() doer {
		return spnego.NewClient(login, &http.Client{Transport: base}, "HTTP/"+bed.Apache.Host)
	}
}

// load makes b.N requests with so many goroutines.
func load(b *testing.B, goroutines int, newDoer func() doer, url string) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			c := newDoer()
			for next.Add(1) <= int64(b.N) {
				ask(b, c, url)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

func ask(b *testing.B, c doer, url string) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		b.Error(err)
		return
	}
	resp, err := c.Do(req)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Errorf("%s: %v", resp.Status, err)
	}
}
