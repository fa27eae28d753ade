package benchmarks

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/spnego"
)

// doer makes requests.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// ask makes one GET with the header h, if any.
func ask(b *testing.B, c doer, url string, h http.Header) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		b.Error(err)
		return
	}
	maps.Copy(req.Header, h)
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

// load makes b.N requests with so many goroutines, each with a doer of newDoer.
// None is measured before all have a connection.
func load(b *testing.B, goroutines int, newDoer func() doer, url string) {
	var next atomic.Int64
	var ready, done sync.WaitGroup
	ready.Add(goroutines)
	start := make(chan struct{})
	for range goroutines {
		done.Go(func() {
			c := newDoer()
			ask(b, c, url, nil)
			ready.Done()
			<-start
			for next.Add(1) <= int64(b.N) {
				ask(b, c, url, nil)
			}
		})
	}
	ready.Wait()
	b.ResetTimer()
	close(start)
	done.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// lane is one of several ways to do something.
type lane struct {
	name string
	do   func()
}

// inTurn compares lanes of which a few per cent matter: it changes from one to the
// next every few milliseconds, so that the machine's whims fall on all of them.
func inTurn(b *testing.B, lanes []lane) {
	const block = 20
	spent := make([]time.Duration, len(lanes))
	for _, l := range lanes {
		l.do()
	}
	for done := 0; done < b.N; done += block {
		for i, l := range lanes {
			start := time.Now()
			for range block {
				l.do()
			}
			spent[i] += time.Since(start)
		}
	}
	rounds := float64((b.N + block - 1) / block)
	for i, l := range lanes {
		b.ReportMetric(float64(spent[i].Nanoseconds())/rounds/block, "ns/"+l.name)
	}
}

// preemptive sends each request with a token of a peer that sets the header and
// leaves the rest to others.
type preemptive struct {
	setHeader func(*http.Request) error
	base      http.RoundTripper
}

func (p preemptive) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if err := p.setHeader(req); err != nil {
		return nil, err
	}
	return p.base.RoundTrip(req)
}

func (x *bed) gokrb5Setter(tb testing.TB) func(*http.Request) error {
	cl := x.gokrb5(tb)
	return func(req *http.Request) error { return spnego.SetSPNEGOHeader(cl, req, spn) }
}

func encode(token []byte) string { return base64.StdEncoding.EncodeToString(token) }
