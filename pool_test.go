package negotiate

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// TestTokenOnSharedConnection has a request of nobody under way on an HTTP/2
// connection. A token must not follow on it.
func TestTokenOnSharedConnection(t *testing.T) {
	leavesNothing(t)
	started, release := make(chan struct{}), make(chan struct{})
	s := startH2(t, func(s *testServer) {
		s.bound = true
		s.next = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("wait") {
				close(started)
				<-release
			}
		}
	})
	tr := &Transport{Allow: func(r *http.Request) bool { return r.URL.Path != "/open" }}
	c := s.client(t, tr)
	done := make(chan error)
	go func() {
		_, err := do(t, c, newRequest(t, "GET", s.URL+"/open?wait", nil))
		done <- err
	}()
	<-started
	get(t, c, s.URL+"/private")
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	get(t, c, s.URL+"/open")
	get(t, c, s.URL+"/private")
	if got := s.shape(); got != "C1 C1 C2+ C1 C2" {
		t.Errorf("the server saw %s", got)
	}
}

// TestMaxConcurrentStreams needs more connections than one.
func TestMaxConcurrentStreams(t *testing.T) {
	leavesNothing(t)
	const streams, requests = 2, 6
	var inside sync.WaitGroup
	inside.Add(requests)
	s := start(t, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
		s.StartTLS()
	}, func(s *testServer) {
		s.next = func(http.ResponseWriter, *http.Request) { inside.Done(); inside.Wait() }
	})
	base := s.base(t)
	base.MaxIdleConnsPerHost = requests
	tr := &Transport{Base: base}
	c := s.client(t, tr)
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			if a, err := do(t, c, newRequest(t, "GET", s.URL, nil)); err != nil || a.StatusCode != 200 {
				t.Errorf("got %+v, %v", a.Response, err)
			}
		})
	}
	wg.Wait()
	if n := s.conns.Load(); n < requests/streams {
		t.Errorf("%d connections of %d streams for %d requests at a time", n, streams, requests)
	}
	assertPoolEmpty(t, tr)
}

// TestHTTP2DialsOnce has many requests at once to a host that is known to speak
// HTTP/2 and has no connection left.
func TestHTTP2DialsOnce(t *testing.T) {
	leavesNothing(t)
	s := startH2(t)
	tr := &Transport{}
	c := s.client(t, tr)
	get(t, c, s.URL+"/open")
	tr.CloseIdleConnections()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if a, err := do(t, c, newRequest(t, "GET", s.URL+"/open", nil)); err != nil || a.StatusCode != 200 {
				t.Errorf("got %+v, %v", a.Response, err)
			}
		})
	}
	wg.Wait()
	if n := s.conns.Load(); n != 2 {
		t.Errorf("%d connections, want one before and one after", n)
	}
}

// TestDialFailsForAll has a host that spoke HTTP/2 and is gone. Nobody waits
// for the failures of others.
func TestDialFailsForAll(t *testing.T) {
	leavesNothing(t)
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("gone")
		base := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			time.Sleep(time.Second)
			return nil, gone
		}}
		tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{})}
		tr.state().pool.h2.add(routeKey{scheme: "http", addr: "a.test:80"}.String())
		begun := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := tr.RoundTrip(newRequest(t, "GET", "http://a.test/", nil)); !errors.Is(err, gone) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %s, want the second dial at most", took)
		}
	})
}

// TestWaiterOfDeadConnection waits for a connection that is closed instead of
// given back.
func TestWaiterOfDeadConnection(t *testing.T) {
	leavesNothing(t)
	release := make(chan struct{})
	s := startServer(t, func(s *testServer) {
		s.next = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/open" {
				w.Header().Set("Connection", "close")
				w.(http.Flusher).Flush()
				<-release
			}
		}
	})
	base := s.base(t)
	base.MaxConnsPerHost = 1
	tr := &Transport{Base: base}
	c := s.client(t, tr)
	slow, err := c.Get(s.URL + "/open")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if a, err := do(t, c, newRequest(t, "GET", s.URL, nil)); err != nil || a.StatusCode != 200 {
			t.Errorf("got %+v, %v", a.Response, err)
		}
	})
	waitFor(t, func() bool { return waiters(tr) == 1 })
	close(release)
	io.Copy(io.Discard, slow.Body)
	slow.Body.Close()
	wg.Wait()
}

// TestTurnIsPassedOn ends the wait of one whose turn has come. The next must
// not wait for ever.
func TestTurnIsPassedOn(t *testing.T) {
	leavesNothing(t)
	p := newPool(new(http.Transport))
	h := p.host(routeKey{})
	mine, next := make(chan struct{}), make(chan struct{})
	h.waiters = []chan struct{}{next} // mine was taken off, and is about to be closed
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.wait(ctx, h, mine); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	select {
	case <-next:
	default:
		t.Error("the turn is lost")
	}
}

// TestMaxIdleConnsPerHost bounds the idle connections of one identity, not
// those of all.
func TestMaxIdleConnsPerHost(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	base := s.base(t)
	base.MaxIdleConnsPerHost = 2
	p := gsstest.New(gsstest.Options{})
	tr := &Transport{Base: base, Provider: p}
	c := s.client(t, tr)
	for _, user := range []string{"alice", "bob"} {
		cred := as(t, p, user)
		var inside, wg sync.WaitGroup
		inside.Add(5)
		s.next = func(http.ResponseWriter, *http.Request) { inside.Done(); inside.Wait() }
		for range 5 {
			wg.Go(func() {
				if a, err := do(t, c, newRequestAs(t, cred, s.URL)); err != nil || a.StatusCode != 200 {
					t.Errorf("got %+v, %v", a.Response, err)
				}
			})
		}
		wg.Wait()
	}
	pool := tr.state().pool
	waitFor(t, func() bool {
		pool.mu.Lock()
		defer pool.mu.Unlock()
		idle := 0
		for _, h := range pool.hosts {
			idle += len(h.conns)
		}
		return idle == 4
	})
}
