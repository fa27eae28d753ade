package negotiate

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/gss"
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

// TestDialOfAnother has a connection being made for one identity, which takes long.
// What becomes of it is of no use to another, who must not wait for it.
func TestDialOfAnother(t *testing.T) {
	leavesNothing(t)
	slow := func(t *testing.T, tr *Transport, c *http.Client, url string, armed *atomic.Bool, begun, release chan struct{}) {
		alice, bob := as(t, tr.Provider, "alice"), as(t, tr.Provider, "bob")
		ask := func(cred gss.Credential, want string) {
			if a, err := do(t, c, newRequestAs(t, cred, url)); err != nil || a.Header.Get("X-User") != want {
				t.Errorf("want a response to %s, got %+v, %v", want, a.Response, err)
			}
		}
		ask(alice, "alice@EXAMPLE.TEST") // HTTP/2 is known, and who asks
		tr.CloseIdleConnections()
		armed.Store(true)
		var wg sync.WaitGroup
		wg.Go(func() { ask(alice, "alice@EXAMPLE.TEST") })
		<-begun
		c.Timeout = time.Minute
		ask(bob, "bob@EXAMPLE.TEST")
		close(release)
		wg.Wait()
	}
	t.Run("server", func(t *testing.T) {
		s := startH2(t, bound)
		armed, begun, release := new(atomic.Bool), make(chan struct{}), make(chan struct{})
		base := s.base(t)
		base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if armed.CompareAndSwap(true, false) {
				close(begun)
				<-release
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		tr := &Transport{Base: base, Opportunistic: OpportunisticLearned}
		slow(t, tr, s.client(t, tr), s.URL+"/private", armed, begun, release)
	})
	t.Run("proxy", func(t *testing.T) {
		armed, begun, release := new(atomic.Bool), make(chan struct{}), make(chan struct{})
		s := startH2(t, bound, named(webHost))
		p := startProxy(t, func(p *testProxy) {
			p.before = func(*proxyConn, *http.Request) bool {
				if armed.CompareAndSwap(true, false) {
					close(begun)
					<-release
				}
				return false
			}
		})
		tr := new(Transport)
		slow(t, tr, p.through(t, s, tr), s.at(webHost, "/private"), armed, begun, release)
	})
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

// TestIdleConnTimeoutDuringUse has the alarm of a connection go off while it is in
// use. When it is idle for long enough afterwards it is closed all the same.
func TestIdleConnTimeoutDuringUse(t *testing.T) {
	leavesNothing(t)
	synctest.Test(t, func(t *testing.T) {
		base := pipeServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				time.Sleep(2 * time.Minute)
			}
		}))
		base.IdleConnTimeout = time.Minute
		tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{})}
		c := &http.Client{Transport: tr}
		for _, path := range []string{"/", "/slow"} {
			get(t, c, "http://a.test"+path)
		}
		for _, step := range []struct {
			pause time.Duration
			want  int
		}{{59 * time.Second, 1}, {2 * time.Second, 0}} {
			time.Sleep(step.pause)
			synctest.Wait()
			if n := hosts(tr); n != step.want {
				t.Errorf("after %s more %d hosts have a connection, want %d", step.pause, n, step.want)
			}
		}
	})
}

// TestIdleWhileAsleep is a computer that has slept: the timers stood still, and the
// wall clock tells how long.
func TestIdleWhileAsleep(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	base := s.base(t)
	base.IdleConnTimeout = time.Hour
	tr := &Transport{Base: base}
	c := s.client(t, tr)
	get(t, c, s.URL+"/open")
	p := tr.state().pool
	p.mu.Lock()
	p.idle.Front().Value.(*conn).idleAt = time.Now().Round(0).Add(-2 * time.Hour)
	p.mu.Unlock()
	get(t, c, s.URL+"/open")
	if got := s.shape(); got != "C1 C2" {
		t.Errorf("the server saw %s, want a connection of its own for the second request", got)
	}
}

// TestOrderOfIdleConnections takes the one used last, and gives up the one that was
// not used for longest.
func TestOrderOfIdleConnections(t *testing.T) {
	leavesNothing(t)
	h := &host{}
	rested := func(c *conn) { c.idle = new(list.Element); h.last(c) }
	a, b, x, busy := new(conn), new(conn), &conn{owner: party{server: loneIdentity()}}, new(conn)
	h.conns = []*conn{a, b, x, busy}
	busy.users = []party{{}}
	for _, c := range []*conn{b, x, a} {
		rested(c)
	}
	if got := h.best(wanted{}); got != a {
		t.Error("the one used last was not taken")
	}
	if got := h.best(wanted{who: x.owner, shown: peers{server: true}}); got != x {
		t.Error("a connection of nobody was taken before the own")
	}
	for limit, want := range map[int]*conn{0: b, 1: b, 2: nil, 4: nil} {
		if got := h.surplus(party{}, limit); got != want {
			t.Errorf("with a limit of %d the wrong one is given up", limit)
		}
	}
	rested(b)
	if got := h.surplus(party{}, 1); got != a {
		t.Error("the one used last was given up")
	}
}

// TestLastUsedConnection sends a request on the connection that came to rest last,
// which is the least likely to be closed by the server.
func TestLastUsedConnection(t *testing.T) {
	leavesNothing(t)
	gates := map[string]chan struct{}{"first": make(chan struct{}), "second": make(chan struct{})}
	arrived := make(chan struct{})
	s := startServer(t)
	s.next = func(_ http.ResponseWriter, r *http.Request) {
		if gate := gates[r.URL.RawQuery]; gate != nil {
			arrived <- struct{}{}
			<-gate
		}
	}
	c := s.client(t, &Transport{})
	done := make(chan error)
	for _, which := range []string{"first", "second"} {
		go func() {
			_, err := do(t, c, newRequest(t, "GET", s.URL+"/open?"+which, nil))
			done <- err
		}()
		<-arrived
	}
	for _, which := range []string{"second", "first"} {
		close(gates[which])
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	get(t, c, s.URL+"/open")
	if got := s.shape(); got != "C1 C2 C1" {
		t.Errorf("the server saw %s, want the third request where the first was", got)
	}
}

// hosts counts the hosts to which there is a connection.
func hosts(tr *Transport) int {
	p := tr.state().pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.hosts)
}
