package negotiate_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// TestCosts counts what does not depend on the machine: requests and connections
// that a server sees, and tickets that the KDC issues.
func TestCosts(t *testing.T) {
	negotiate.LeavesNothing(t)
	const times = 5
	for _, tt := range []struct {
		opportunistic negotiate.Opportunism
		mutual        negotiate.Mutual
		requests      int32
	}{
		{negotiate.OpportunisticNever, negotiate.MutualDisabled, 2 * times},
		{negotiate.OpportunisticNever, negotiate.MutualRequired, times + 1}, // on a connection that has seen a token, another goes out unasked
		{negotiate.OpportunisticLearned, negotiate.MutualDisabled, times + 1},
		{negotiate.OpportunisticAlways, negotiate.MutualDisabled, times},
		{negotiate.OpportunisticAlways, negotiate.MutualRequired, times},
	} {
		t.Run(tt.opportunistic.String()+", mutual "+tt.mutual.String(), func(t *testing.T) {
			s := newCostly(t)
			c := s.client(t, tt.opportunistic, tt.mutual)
			for range times {
				s.get(t, c)
			}
			if n := s.requests.Load(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			if n := s.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
			if n := s.kdc.Requests(); n.TGS != 1 || n.AS != 0 {
				t.Errorf("the KDC was asked %+v, want for one ticket", n)
			}
		})
	}
}

// TestCostOfManyGoroutines is a hundred goroutines that want the same ticket, which
// is not there yet.
func TestCostOfManyGoroutines(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newCostly(t)
	c := s.client(t, negotiate.OpportunisticAlways, negotiate.MutualDisabled)
	var all sync.WaitGroup
	start := make(chan struct{})
	for range 100 {
		all.Go(func() {
			<-start
			s.get(t, c)
		})
	}
	close(start)
	all.Wait()
	if n := s.kdc.Requests(); n.TGS != 1 || n.AS != 0 {
		t.Errorf("the KDC was asked %+v, want for one ticket", n)
	}
	if n := s.requests.Load(); n != 100 {
		t.Errorf("%d requests, want 100", n)
	}
}

// costly is a server with a Handler, and what it and the KDC have been asked.
type costly struct {
	kdc             *krbtest.KDC
	provider        *krb5.Provider
	url             string
	requests, conns atomic.Int32
}

func newCostly(tb testing.TB) *costly {
	s := &costly{kdc: krbtest.NewKDC(tb)}
	s.kdc.AddPrincipal("alice", "")
	s.kdc.AddService("HTTP/127.0.0.1")
	p, err := krb5.New(krb5.Options{Config: patience.ConfigFile(tb, s.kdc.ConfigPath()), CCache: s.kdc.CCache("alice"), Keytab: s.kdc.Keytab("HTTP/127.0.0.1")})
	if err != nil {
		tb.Fatal(err)
	}
	s.provider = p
	h := &negotiate.Handler{Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }), Provider: p}
	s.url = s.serve(tb, h)
	return s
}

func (s *costly) serve(tb testing.TB, h http.Handler) string {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	srv.Start()
	tb.Cleanup(srv.Close)
	return srv.URL
}

func (s *costly) client(tb testing.TB, o negotiate.Opportunism, m negotiate.Mutual) *http.Client {
	t := &negotiate.Transport{Base: &http.Transport{DialContext: patience.InOrder(new(net.Dialer).DialContext)}, Provider: s.provider, Opportunistic: o, Mutual: m}
	tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

func (s *costly) get(tb testing.TB, c *http.Client) { get(tb, c, s.url) }

func get(tb testing.TB, c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil {
		tb.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		tb.Errorf("%s: %v", resp.Status, err)
	}
}
