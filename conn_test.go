package negotiate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/patience"
)

// TestConnectionCloseBetweenLegs has a server that does not keep connections.
// One token is enough for some mechanisms; a context of several legs cannot go
// on elsewhere.
func TestConnectionCloseBetweenLegs(t *testing.T) {
	leavesNothing(t)
	for legs, want := range map[int]string{1: "C1 C2+", 2: "C1 C2+"} {
		s := startServer(t, func(s *testServer) {
			s.before = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }
		})
		p := gsstest.New(gsstest.Options{Legs: legs})
		a := get(t, s.client(t, &Transport{Provider: p}), s.URL)
		if got := s.shape(); got != want {
			t.Errorf("%d legs: the server saw %s, want %s", legs, got, want)
		}
		switch {
		case legs == 1 && a.StatusCode != 200:
			t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
		case legs == 2 && (a.StatusCode != 401 || a.body != "who are you?" || stage(t, a.ex) != StageConnection):
			t.Errorf("got %d %q, %v", a.StatusCode, a.body, a.ex.Err)
		}
	}
}

// TestConnectionLostInContext breaks the connection under a context.
func TestConnectionLostInContext(t *testing.T) {
	leavesNothing(t)
	var n atomic.Int32
	s := startServer(t, func(s *testServer) {
		s.before = func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 3 {
				hangUp(w, "")
			}
		}
	})
	_, err := do(t, s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 3})}), newRequest(t, "GET", s.URL, nil))
	if ee, ok := errors.AsType[*ExchangeError](err); !ok || ee.Stage != StageConnection {
		t.Errorf("got %v", err)
	}
	if n.Load() != 3 {
		t.Errorf("the server saw %d requests: a leg of the context was sent again", n.Load())
	}
}

// TestConnectionDroppedBetweenLegs has net/http drop a connection between the legs of
// a context, as it does where the end of a request's writing becomes known late. The
// context begins anew on another; no leg of it goes elsewhere. There is an end to it.
func TestConnectionDroppedBetweenLegs(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		name    string
		legs    int
		drops   map[int64]int // of each connection, after which write
		shape   string
		body    bool
		outcome string // the stage; empty: success
	}{
		{"first leg", 2, map[int64]int{1: 2}, "C1 C1+ C2+ C2+", false, ""},
		{"second leg", 3, map[int64]int{1: 3}, "C1 C1+ C1+ C2+ C2+ C2+", false, ""},
		{"with a body", 2, map[int64]int{1: 4}, "C1 C1+ C2+ C2+", true, ""},
		{"twice", 2, map[int64]int{1: 2, 2: 1}, "C1 C1+ C2+ C3+ C3+", false, ""},
		{"again and again", 2, map[int64]int{1: 2, 2: 1, 3: 1, 4: 1, 5: 1}, "C1 C1+ C2+ C3+ C4+", false, StageConnection},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			base := s.base(t)
			var dialled int64
			base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dialled++
				conn, err := patience.InOrder(new(net.Dialer).DialContext)(ctx, network, addr)
				return &slowWriter{Conn: conn, left: test.drops[dialled], closed: make(chan struct{})}, err
			}
			p := gsstest.New(gsstest.Options{Legs: test.legs})
			c := s.client(t, &Transport{Base: base, Provider: p, Mutual: MutualOptional})
			req := newRequest(t, "GET", s.URL, nil)
			if test.body {
				req = newRequest(t, "POST", s.URL, io.MultiReader(strings.NewReader("some body"))) // without GetBody
				req.ContentLength = int64(len("some body"))                                        // so that a request is two writes
			}
			a, err := do(t, c, req)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.shape(); got != test.shape {
				t.Errorf("the server saw %s, want %s", got, test.shape)
			}
			if test.outcome != "" {
				if a.StatusCode != 401 || a.body != "who are you?" || stage(t, a.ex) != test.outcome {
					t.Errorf("got %d %q, %v", a.StatusCode, a.body, a.ex.Err)
				}
			} else if a.StatusCode != 200 || a.ex.Err != nil || !a.ex.MutualVerified || a.ex.Legs != len(s.requests()) {
				t.Errorf("got %d %q, %+v", a.StatusCode, a.body, a.ex)
			}
			if seen := s.requests(); test.body && seen[len(seen)-1].body != "some body" {
				t.Errorf("the last leg had the body %q", seen[len(seen)-1].body)
			}
			waitIdle(t, p)
		})
	}
}

// slowWriter is a connection that writes, and does not return from one of the writes
// until it is closed.
type slowWriter struct {
	net.Conn
	left   int // writes up to that one
	once   sync.Once
	closed chan struct{}
}

func (w *slowWriter) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if w.left--; w.left == 0 {
		<-w.closed
	}
	return n, err
}

func (w *slowWriter) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// TestStaleConnection has a server that hangs up on a connection it has kept
// alive, when the next request is under way on it.
func TestStaleConnection(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		name   string
		method string
		header string
		body   string
		o      Opportunism
		resent bool
	}{
		{"GET", "GET", "", "", OpportunisticNever, true},
		{"GET with a token", "GET", "", "", OpportunisticAlways, true},
		{"POST", "POST", "", "x", OpportunisticNever, false},
		{"POST with a token", "POST", "", "x", OpportunisticAlways, false},
		{"POST with a key", "POST", "Idempotency-Key", "x", OpportunisticAlways, true},
		{"PUT", "PUT", "", "x", OpportunisticAlways, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			at := int32(3)
			if tt.o == OpportunisticAlways {
				at = 2
			}
			var tokens sync.Map
			s := startServer(t, func(s *testServer) {
				s.before = func(w http.ResponseWriter, r *http.Request) {
					if a := r.Header.Get("Authorization"); a != "" {
						if _, again := tokens.LoadOrStore(a, true); again {
							t.Error("a token was sent twice")
						}
					}
					if n.Add(1) == at {
						hangUp(w, "")
					}
				}
			})
			c := s.client(t, &Transport{Opportunistic: tt.o})
			get(t, c, s.URL)
			req := newRequest(t, tt.method, s.URL, strings.NewReader(tt.body))
			if tt.header != "" {
				req.Header.Set(tt.header, "1")
			}
			a, err := do(t, c, req)
			if tt.resent && (err != nil || a.StatusCode != 200) || !tt.resent && err == nil {
				t.Errorf("got %+v, %v", a.Response, err)
			}
		})
	}
}

// TestFreshConnectionIsNotRetried keeps a server that hangs up on everybody from
// being asked again and again.
func TestFreshConnectionIsNotRetried(t *testing.T) {
	leavesNothing(t)
	var n atomic.Int32
	s := startServer(t, func(s *testServer) {
		s.before = func(w http.ResponseWriter, r *http.Request) { n.Add(1); hangUp(w, "") }
	})
	if _, err := do(t, s.client(t, &Transport{}), newRequest(t, "GET", s.URL, nil)); err == nil || n.Load() != 1 {
		t.Errorf("got %v after %d requests", err, n.Load())
	}
}

// TestOtherBase has a Base that keeps its own connections.
func TestOtherBase(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.bound = true })
	base := s.base(t)
	other := roundTripFunc(base.RoundTrip)
	c := s.client(t, &Transport{Base: other})
	for range 2 {
		if a := get(t, c, s.URL); a.StatusCode != 200 {
			t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
		}
	}
	// Nobody follows on a connection with a token, not even on Base itself.
	for range 3 {
		resp, err := base.RoundTrip(newRequest(t, "GET", s.URL+"/open", nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if u := resp.Header.Get("X-User"); u != "" {
			t.Errorf("a stranger was served as %s", u)
		}
	}

	c = s.client(t, &Transport{Base: other, Provider: gsstest.New(gsstest.Options{Legs: 2})})
	a := get(t, c, s.URL)
	if a.StatusCode != 401 || a.body != "who are you?" || stage(t, a.ex) != StageConnection {
		t.Errorf("got %d %q, %v", a.StatusCode, a.body, a.ex.Err)
	}
}

func TestOtherBaseIsTakenAsItIs(t *testing.T) {
	leavesNothing(t)
	var closed atomic.Int32
	s := startTLS(t)
	base := s.base(t)
	tr := &Transport{Base: closingBase{roundTripFunc(base.RoundTrip), &closed}, ChannelBindings: BindTLSServerEndPoint}
	s.bindings = serverBindings(t, s.Server)
	if a := get(t, s.client(t, tr), s.URL); a.StatusCode != 200 || !a.ex.ChannelBound {
		t.Errorf("got %d, %+v", a.StatusCode, a.ex)
	}
	tr.CloseIdleConnections()
	if closed.Load() != 1 {
		t.Error("CloseIdleConnections did not reach Base")
	}
}

type closingBase struct {
	http.RoundTripper
	n *atomic.Int32
}

func (b closingBase) CloseIdleConnections() { b.n.Add(1) }

// TestBaseIsLeftAlone: what else uses Base neither gets a connection of the
// Transport nor loses its own.
func TestBaseIsLeftAlone(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	base := s.base(t)
	tr := &Transport{Base: base}
	c := s.client(t, tr)
	plain := func() {
		resp, err := base.RoundTrip(newRequest(t, "GET", s.URL+"/open", nil))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	plain()
	get(t, c, s.URL)
	plain()
	tr.CloseIdleConnections()
	plain()
	if got := s.shape(); got != "C1 C2 C2+ C1 C1" {
		t.Errorf("the server saw %s", got)
	}
}

func TestLimits(t *testing.T) {
	leavesNothing(t)
	users := []string{"alice", "bob", "carol", "dave"}
	tests := []struct {
		name  string
		set   func(*http.Transport)
		conns int64 // for two rounds of four identities
	}{
		{"none", func(*http.Transport) {}, 4},
		{"DisableKeepAlives", func(b *http.Transport) { b.DisableKeepAlives = true }, 8},
		{"MaxIdleConnsPerHost negative", func(b *http.Transport) { b.MaxIdleConnsPerHost = -1 }, 8},
		{"MaxIdleConns", func(b *http.Transport) { b.MaxIdleConns = 1 }, 8},
		{"MaxConnsPerHost", func(b *http.Transport) { b.MaxConnsPerHost = 1 }, 8},
		{"MaxConnsPerHost high", func(b *http.Transport) { b.MaxConnsPerHost = 4 }, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t)
			p := gsstest.New(gsstest.Options{})
			base := s.base(t)
			tt.set(base)
			c := s.client(t, &Transport{Base: base, Provider: p})
			creds := make(map[string]gss.Credential)
			for _, u := range users {
				creds[u] = as(t, p, u)
			}
			for range 2 {
				for _, u := range users {
					if a, err := do(t, c, newRequestAs(t, creds[u], s.URL)); err != nil || a.StatusCode != 200 {
						t.Errorf("got %+v, %v", a.Response, err)
					}
				}
			}
			if n := s.conns.Load(); n != tt.conns {
				t.Errorf("%d connections, want %d: %s", n, tt.conns, s.shape())
			}
		})
	}
}

// TestMaxConnsPerHost waits for a connection, no longer than the context allows.
func TestMaxConnsPerHost(t *testing.T) {
	leavesNothing(t)
	release := make(chan struct{})
	var inside, most atomic.Int32
	s := startServer(t, func(s *testServer) {
		s.next = func(w http.ResponseWriter, r *http.Request) {
			most.Store(max(most.Load(), inside.Add(1)))
			defer inside.Add(-1)
			if r.URL.Path == "/slow" {
				w.(http.Flusher).Flush()
				<-release
			}
		}
	})
	base := s.base(t)
	base.MaxConnsPerHost = 1
	tr := &Transport{Base: base}
	c := s.client(t, tr)
	slow, err := c.Get(s.URL + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := c.Do(newRequest(t, "GET", s.URL, nil).WithContext(ctx))
		failed <- err
	}()
	waitFor(t, func() bool { return waiters(tr) == 1 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a connection ended with %v", err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if a, err := do(t, c, newRequest(t, "GET", s.URL, nil)); err != nil || a.StatusCode != 200 {
				t.Errorf("got %+v, %v", a.Response, err)
			}
		})
	}
	waitFor(t, func() bool { return waiters(tr) == 10 })
	close(release)
	io.Copy(io.Discard, slow.Body)
	slow.Body.Close()
	wg.Wait()
	if most.Load() != 1 || s.conns.Load() != 1 {
		t.Errorf("%d requests at a time, %d connections", most.Load(), s.conns.Load())
	}
}

func waiters(t *Transport) int {
	p := t.state().pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, h := range p.hosts {
		n += len(h.waiters)
	}
	return n
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen within a minute")
		}
	}
}

// pipeServer serves HTTP/1.1 in memory, so that time can be virtual.
func pipeServer(t *testing.T, h http.Handler) *http.Transport {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		l.conns <- server
		return client, nil
	}}
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestIdleConnTimeout(t *testing.T) {
	leavesNothing(t)
	synctest.Test(t, func(t *testing.T) {
		base := pipeServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		base.IdleConnTimeout = time.Minute
		tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{})}
		c := &http.Client{Transport: tr}
		var reused []bool
		for _, pause := range []time.Duration{0, 59 * time.Second, 59 * time.Second, 61 * time.Second} {
			time.Sleep(pause)
			synctest.Wait()
			req := newRequest(t, "GET", "http://a.test/", nil)
			req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
				GotConn: func(i httptrace.GotConnInfo) { reused = append(reused, i.Reused) },
			}))
			if _, err := do(t, c, req); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(reused); got != "[false true true false]" {
			t.Errorf("reused connections: %s", got)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if n := hosts(tr); n != 0 {
			t.Errorf("%d hosts have a connection that nobody used for a minute", n)
		}
	})
}

func TestTraceOfCaller(t *testing.T) {
	leavesNothing(t)
	wrote := make(chan struct{}, 2)
	s := startTLS(t, func(s *testServer) {
		// Else the answer may be there before the goroutine that writes says so.
		s.before = func(http.ResponseWriter, *http.Request) { <-wrote }
	})
	c := s.client(t, &Transport{})
	var events []string
	var mu sync.Mutex
	note := func(e string) { mu.Lock(); defer mu.Unlock(); events = append(events, e) }
	req := newRequest(t, "GET", s.URL, nil)
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(addr string) { note("get " + addr) },
		GotConn: func(i httptrace.GotConnInfo) {
			note(fmt.Sprintf("got %s reused=%t", i.Conn.RemoteAddr(), i.Reused))
		},
		GotFirstResponseByte: func() { note("byte") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { note("wrote"); wrote <- struct{}{} },
	}))
	if _, err := do(t, c, req); err != nil {
		t.Fatal(err)
	}
	addr := s.Listener.Addr().String()
	want := fmt.Sprintf("[get %s got %s reused=false wrote byte wrote byte]", addr, addr)
	if got := fmt.Sprint(events); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestCancel cancels the request at each of its waits.
func TestCancel(t *testing.T) {
	leavesNothing(t)
	block := func(op gsstest.Op, step int) func(*testServer, *gsstest.Provider, func()) {
		return func(_ *testServer, p *gsstest.Provider, cancel func()) {
			p.Inject(gsstest.Fault{Op: op, Step: step, Do: func(ctx context.Context) error { cancel(); return gsstest.Block(ctx) }})
		}
	}
	onRequest := func(n int32) func(*testServer, *gsstest.Provider, func()) {
		return func(s *testServer, _ *gsstest.Provider, cancel func()) {
			var seen atomic.Int32
			s.before = func(_ http.ResponseWriter, r *http.Request) {
				if seen.Add(1) == n {
					io.Copy(io.Discard, r.Body) // net/http watches the connection from here on
					cancel()
					<-r.Context().Done()
				}
			}
		}
	}
	tests := map[string]func(*testServer, *gsstest.Provider, func()){
		"acquire":    block(gsstest.OpAcquire, 0),
		"initiate":   block(gsstest.OpInitiate, 0),
		"first step": block(gsstest.OpInitiateStep, 1),
		"next step":  block(gsstest.OpInitiateStep, 2),
		"last step":  block(gsstest.OpInitiateStep, 3),
		"first leg":  onRequest(1),
		"second leg": onRequest(2),
		"third leg":  onRequest(3),
		"body of the 401": func(s *testServer, _ *gsstest.Provider, cancel func()) {
			s.before = func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("WWW-Authenticate", "Negotiate")
				w.WriteHeader(401)
				w.(http.Flusher).Flush()
				cancel()
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}
		},
	}
	for name, setup := range tests {
		for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
			if name == "third leg" && o == OpportunisticAlways {
				continue // there is none
			}
			t.Run(name+" "+o.String(), func(t *testing.T) {
				s := startServer(t)
				p := gsstest.New(gsstest.Options{Legs: 2})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				setup(s, p, cancel)
				tr := &Transport{Provider: p, Opportunistic: o, Mutual: MutualRequired}
				c := s.client(t, tr)
				body := watch(t, strings.NewReader("x"))
				req := newRequest(t, "POST", s.URL, body).WithContext(ctx)
				_, err := c.Do(req)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				body.closedOnce()
				assertPoolEmpty(t, tr)
			})
		}
	}
}

// assertPoolEmpty checks that no connection counts as used.
func assertPoolEmpty(t *testing.T, tr *Transport) {
	t.Helper()
	tr.CloseIdleConnections()
	p := tr.state().pool
	waitFor(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.hosts) == 0
	})
}

// TestDialCancelled cancels while the connection is being made.
func TestDialCancelled(t *testing.T) {
	leavesNothing(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no more")
	base := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel(why)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{})}
	_, err := tr.RoundTrip(newRequest(t, "GET", "http://a.test/", nil).WithContext(ctx))
	if !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	assertPoolEmpty(t, tr)
}

// TestHTTP2StreamsAreShared has many requests of one identity on one connection.
func TestHTTP2StreamsAreShared(t *testing.T) {
	leavesNothing(t)
	var inside sync.WaitGroup
	const n = 10
	inside.Add(n)
	s := startH2(t, func(s *testServer) {
		s.next = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/together" {
				inside.Done()
				inside.Wait()
			}
		}
	})
	c := s.client(t, &Transport{})
	get(t, c, s.URL)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if a, err := do(t, c, newRequest(t, "GET", s.URL+"/together", nil)); err != nil || a.StatusCode != 200 || a.ProtoMajor != 2 {
				t.Errorf("got %+v, %v", a.Response, err)
			}
		})
	}
	wg.Wait()
	if s.conns.Load() != 1 {
		t.Errorf("%d connections", s.conns.Load())
	}
}

// TestHTTP11Required has an HTTP/2 server that wants authentication over
// HTTP/1.1, as IIS does.
func TestHTTP11Required(t *testing.T) {
	leavesNothing(t)
	s, resets := startResetting(t, http2.ErrCodeHTTP11Required)
	c := s.client(t, &Transport{})
	for _, k := range bodyKinds[:5] {
		req, closed := k.request(t, s.URL)
		a, err := do(t, c, req)
		closed()
		if err != nil || a.StatusCode != 200 || a.ProtoMajor != 1 {
			t.Errorf("%s: got %+v, %v", k.name, a.Response, err)
		}
	}
	if n := resets.Load(); n != 1 {
		t.Errorf("HTTP/2 was tried %d times, want it remembered", n)
	}
}

// startResetting starts a server that resets each HTTP/2 stream with code and
// serves HTTP/1.1. It counts the streams.
func startResetting(t *testing.T, code http2.ErrCode) (*testServer, *atomic.Int32) {
	resets := new(atomic.Int32)
	return start(t, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) {
				serveResets(conn, code, resets)
			},
		}
		s.StartTLS()
	}), resets
}

// serveResets speaks just enough HTTP/2 to refuse all streams.
func serveResets(conn net.Conn, code http2.ErrCode, resets *atomic.Int32) {
	defer conn.Close()
	br := bufio.NewReader(conn)
	if _, err := io.ReadFull(br, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(conn, br)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	fr.WriteSettings()
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				fr.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			resets.Add(1)
			fr.WriteRSTStream(f.StreamID, code)
		}
	}
}

// TestRefusedStream has an HTTP/2 server that never takes a request. There is
// an end to trying.
func TestRefusedStream(t *testing.T) {
	leavesNothing(t)
	s, resets := startResetting(t, http2.ErrCodeRefusedStream)
	_, err := do(t, s.client(t, &Transport{}), newRequest(t, "POST", s.URL, strings.NewReader("x")))
	if err == nil || resets.Load() != maxResends+1 {
		t.Errorf("got %v after %d tries", err, resets.Load())
	}
}

// TestProxy sends through a proxy for http, and sees that the proxy is chosen
// by the request itself.
func TestProxy(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	var through atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through.Add(1)
		r.RequestURI = ""
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}))
	defer proxy.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	base := s.base(t)
	base.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Path == "/proxied" && r.URL.Port() != "" && r.Header.Get("X-A") == "b" {
			return url.Parse(proxy.URL)
		}
		return nil, nil
	}
	c := s.client(t, &Transport{Base: base})
	for _, path := range []string{"/direct", "/proxied", "/direct"} {
		req := newRequest(t, "GET", s.URL+path, nil)
		req.Header.Set("X-A", "b")
		if a, err := do(t, c, req); err != nil || a.StatusCode != 200 {
			t.Errorf("%s: got %+v, %v", path, a.Response, err)
		}
	}
	if through.Load() != 2 {
		t.Errorf("%d requests went through the proxy, want 2", through.Load())
	}
}

// TestProtocolOfBase has copies of Base speak what Base speaks.
func TestProtocolOfBase(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		name string
		set  func(*testing.T, *http.Transport)
		want int
	}{
		{"plain struct", func(t *testing.T, b *http.Transport) {}, 1},
		{"forced", func(t *testing.T, b *http.Transport) { b.ForceAttemptHTTP2 = true }, 2},
		{"switched off", func(t *testing.T, b *http.Transport) {
			b.ForceAttemptHTTP2 = true
			b.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}, 1},
		{"Protocols", func(t *testing.T, b *http.Transport) {
			b.Protocols = new(http.Protocols)
			b.Protocols.SetHTTP2(true)
		}, 2},
		{"x/net/http2", func(t *testing.T, b *http.Transport) {
			//lint:ignore SA1019 what is tested is what programs still do
			if err := http2.ConfigureTransport(b); err != nil {
				t.Fatal(err)
			}
		}, 2},
	}
	for _, tt := range tests {
		for _, used := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s used=%t", tt.name, used), func(t *testing.T) {
				s := startH2(t)
				base := &http.Transport{TLSClientConfig: s.base(t).TLSClientConfig.Clone()}
				base.TLSClientConfig.NextProtos = nil
				defer base.CloseIdleConnections()
				tt.set(t, base)
				if used {
					resp, err := base.RoundTrip(newRequest(t, "GET", s.URL+"/open", nil))
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
				}
				if a := get(t, s.client(t, &Transport{Base: base}), s.URL); a.StatusCode != 200 || a.ProtoMajor != tt.want {
					t.Errorf("got %s, want HTTP/%d", a.Proto, tt.want)
				}
			})
		}
	}
}

// TestOffersOnlyWhatItSpeaks has a configuration that offers HTTP/2 with a Base
// that does not speak it, which net/http alone fails with.
func TestOffersOnlyWhatItSpeaks(t *testing.T) {
	leavesNothing(t)
	s := startH2(t)
	base := s.base(t)
	base.ForceAttemptHTTP2 = false
	base.DialContext = new(net.Dialer).DialContext // switches HTTP/2 off
	base.TLSClientConfig.NextProtos = []string{"h2", "http/1.1"}
	if a := get(t, s.client(t, &Transport{Base: base}), s.URL); a.StatusCode != 200 || a.ProtoMajor != 1 {
		t.Errorf("got %s %d", a.Proto, a.StatusCode)
	}
}

// TestFailedDialIsClosed has a dialer that agrees on HTTP/2 for a Base that does
// not speak it.
func TestFailedDialIsClosed(t *testing.T) {
	leavesNothing(t)
	s := startH2(t)
	base := s.base(t)
	base.ForceAttemptHTTP2 = false
	var below *closeNoted
	base.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		below = &closeNoted{Conn: conn}
		config := base.TLSClientConfig.Clone()
		config.NextProtos, config.ServerName = []string{"h2"}, "127.0.0.1"
		return tls.Client(below, config), nil
	}
	tr := &Transport{Base: base}
	if _, err := do(t, s.client(t, tr), newRequest(t, "GET", s.URL, nil)); err == nil || !below.closed.Load() {
		t.Errorf("got %v, the connection is closed: %t", err, below.closed.Load())
	}
	assertPoolEmpty(t, tr)
}

type closeNoted struct {
	net.Conn
	closed atomic.Bool
}

func (c *closeNoted) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// TestOtherSchemes go to Base.
func TestOtherSchemes(t *testing.T) {
	leavesNothing(t)
	base := new(http.Transport)
	base.RegisterProtocol("test", roundTripFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 299, Body: http.NoBody, Request: r}, nil
	}))
	tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{})}
	resp, err := tr.RoundTrip(newRequest(t, "GET", "test:x", nil))
	if err != nil || resp.StatusCode != 299 {
		t.Errorf("got %v, %v", resp, err)
	}
	if _, ok := ExchangeFrom(resp); ok {
		t.Error("there is an Exchange")
	}
}

// TestSwitchingProtocols hands the connection over to the caller.
func TestSwitchingProtocols(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) {
		s.next = func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			line, _ := rw.ReadString('\n')
			io.WriteString(conn, line)
		}
	})
	tr := &Transport{}
	c := s.client(t, tr)
	req := newRequest(t, "GET", s.URL, nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	rwc, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.StatusCode != 101 {
		t.Fatalf("got %d with a body of type %T", resp.StatusCode, resp.Body)
	}
	io.WriteString(rwc, "hello\n")
	if line, err := bufio.NewReader(rwc).ReadString('\n'); line != "hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
	assertPoolEmpty(t, tr)
}

// TestRequestClose has a caller that wants the connection closed, and all legs
// on it before.
func TestRequestClose(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	tr := &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})}
	c := s.client(t, tr)
	for range 2 {
		req := newRequest(t, "GET", s.URL, nil)
		req.Close = true
		if a, err := do(t, c, req); err != nil || a.StatusCode != 200 {
			t.Errorf("got %+v, %v", a.Response, err)
		}
	}
	if got := s.shape(); got != "C1 C1+ C1+ C2 C2+ C2+" {
		t.Errorf("the server saw %s", got)
	}
}

// TestUnnamedIdentity has a credential that does not tell whose it is. Its
// connections are used once.
func TestUnnamedIdentity(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.bound = true })
	p := unnamed{gsstest.New(gsstest.Options{NoResolver: true})}
	tr := &Transport{Provider: p}
	c := s.client(t, tr)
	for _, user := range []string{"alice", "bob"} {
		p.SetDefault(user)
		if a := get(t, c, s.URL); a.body != "hello "+user+"@EXAMPLE.TEST" {
			t.Errorf("as %s: %q", user, a.body)
		}
		if n := hosts(tr); n != 0 {
			t.Error("a connection is kept that nobody can use")
		}
	}
}

type unnamed struct{ *gsstest.Provider }

func (p unnamed) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	c, err := p.Provider.Acquire(ctx, o)
	return unnamedCredential{c}, err
}

func (p unnamed) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	o.Credential = o.Credential.(unnamedCredential).Credential
	return p.Provider.Initiate(ctx, o)
}

type unnamedCredential struct{ gss.Credential }

func (unnamedCredential) Name() gss.Name { return gss.Name{} }

// TestOwnTokenStaysOutOfPool has a caller that makes its tokens itself. What it
// has authenticated is not for others.
func TestOwnTokenStaysOutOfPool(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.bound = true })
	p := gsstest.New(gsstest.Options{})
	c := s.client(t, &Transport{Provider: p})
	sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", "127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	token, _, err := sc.Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req := newRequest(t, "GET", s.URL, nil)
	req.Header.Set("Authorization", encodeToken(token))
	if a, err := do(t, c, req); err != nil || a.Header.Get("X-User") == "" {
		t.Fatalf("got %+v, %v", a.Response, err)
	}
	if a := get(t, c, s.URL+"/open"); a.Header.Get("X-User") != "" {
		t.Errorf("served as %s", a.Header.Get("X-User"))
	}
}

// TestGarbageResponse is no reason to send a request again.
func TestGarbageResponse(t *testing.T) {
	leavesNothing(t)
	var n atomic.Int32
	s := startServer(t, func(s *testServer) {
		s.before = func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) > 2 {
				hangUp(w, "HTTP/1.1 what?\r\n\r\n")
			}
		}
	})
	s.Config.ErrorLog = silent
	c := s.client(t, &Transport{})
	get(t, c, s.URL)
	if _, err := do(t, c, newRequest(t, "GET", s.URL, nil)); err == nil || n.Load() != 3 {
		t.Errorf("got %v after %d requests", err, n.Load())
	}
}

// TestHalfOpenContext gives up in the middle of a context, of which the server
// holds its half for the connection. The next request goes elsewhere.
func TestHalfOpenContext(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	c := s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 16})})
	if a := get(t, c, s.URL); stage(t, a.ex) != StageStep {
		t.Fatalf("got %v", a.ex.Err)
	}
	get(t, c, s.URL+"/open")
	if got := s.requests(); got[len(got)-1].conn != 2 {
		t.Errorf("the server saw %s", s.shape())
	}
}

// TestBindingFollowsConnection has a server that closes the connection after its
// 401 and shows another certificate on the next one.
func TestBindingFollowsConnection(t *testing.T) {
	leavesNothing(t)
	certs := []tls.Certificate{newCertificate(t), newCertificate(t)}
	var n atomic.Int32
	s := start(t, func(s *httptest.Server) {
		s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: certs[min(n.Add(1)-1, 1):][:1]}, nil
		}}
		s.StartTLS()
	}, func(s *testServer) {
		s.before = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }
	})
	var err error
	if s.bindings, err = TLSServerEndPoint(certs[1].Leaf); err != nil {
		t.Fatal(err)
	}
	base := s.base(t)
	base.TLSClientConfig.InsecureSkipVerify = true
	a := get(t, s.client(t, &Transport{Base: base, ChannelBindings: BindTLSServerEndPoint}), s.URL)
	if got := s.shape(); a.StatusCode != 200 || got != "C1 C2+" || !a.ex.ChannelBound {
		t.Errorf("got %d, %v; the server saw %s", a.StatusCode, a.ex.Err, got)
	}
}

// TestOtherBaseCannotRepeatTokens sees what a Base gets with a token.
func TestOtherBaseCannotRepeatTokens(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	base := s.base(t)
	c := s.client(t, &Transport{Base: roundTripFunc(func(r *http.Request) (*http.Response, error) {
		if token := r.Header.Get("Authorization") != ""; token != r.Close || token == (r.GetBody != nil) {
			t.Errorf("token %t, Close %t, GetBody %t", token, r.Close, r.GetBody != nil)
		}
		return base.RoundTrip(r)
	})})
	if a, err := do(t, c, newRequest(t, "POST", s.URL, strings.NewReader("x"))); err != nil || a.StatusCode != 200 {
		t.Errorf("got %+v, %v", a.Response, err)
	}
}

// TestRequiredRedirectedToBound comes by redirect to a server that takes a
// connection for the client. The client must not show a token unasked, and gets
// a proof all the same.
func TestRequiredRedirectedToBound(t *testing.T) {
	leavesNothing(t)
	second := startServer(t, func(s *testServer) { s.bound = true })
	first := startServer(t, func(s *testServer) {
		s.next = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, second.URL, http.StatusFound) }
	})
	c := first.client(t, &Transport{Mutual: MutualRequired})
	get(t, c, second.URL)
	c.CheckRedirect = nil
	if a := get(t, c, first.URL); !a.ex.MutualVerified || a.ex.Opportunistic {
		t.Errorf("Exchange is %+v", a.ex)
	}
	if got := second.shape(); got != "C1 C1+ C2 C2+" {
		t.Errorf("the second server saw %s", got)
	}
}

// TestContextOfCaller reaches what looks at the response.
func TestContextOfCaller(t *testing.T) {
	leavesNothing(t)
	type key struct{}
	s := startServer(t)
	req := newRequest(t, "GET", s.URL, nil)
	req = req.WithContext(context.WithValue(req.Context(), key{}, "value"))
	a, err := do(t, s.client(t, &Transport{}), req)
	if err != nil || a.Request.Context().Value(key{}) != "value" {
		t.Errorf("the context of the response's request is not derived from the caller's, %v", err)
	}
}
