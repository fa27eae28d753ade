package negotiate

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// idleOf counts the connections of a credential, at the server or at a proxy, and
// those of anybody.
func idleOf(tr *Transport, cred gss.Credential) (its, all int) {
	p := tr.state().pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		for _, c := range h.conns {
			all++
			if c.owner.server.source == cred || c.owner.proxy.source == cred {
				its++
			}
		}
	}
	return its, all
}

// watched counts the credentials that would tell the pool of their end.
func watched(tr *Transport) int {
	p := tr.state().pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, h := range p.held {
		if h.stop != nil {
			n++
		}
	}
	return n
}

// TestConnectionsGoWithTheCredential closes a credential while some of its
// connections rest and one is in use. Those of another one stay.
func TestConnectionsGoWithTheCredential(t *testing.T) {
	leavesNothing(t)
	for proto, start := range map[string]func(*testing.T, ...serverOption) *testServer{"HTTP/1.1": startServer, "HTTP/2": startH2} {
		t.Run(proto, func(t *testing.T) {
			started, release := make(chan struct{}), make(chan struct{})
			s := start(t, func(s *testServer) {
				s.bound = true
				s.next = func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/slow" {
						w.(http.Flusher).Flush()
						close(started)
						<-release
						io.WriteString(w, "the end")
					}
				}
			})
			p := gsstest.New(gsstest.Options{})
			tr := &Transport{Provider: p}
			c := s.client(t, tr)
			alice, bob := as(t, p, "alice"), as(t, p, "bob")
			for _, cred := range []gss.Credential{alice, bob} {
				if a, err := do(t, c, newRequestAs(t, cred, s.URL+"/private")); err != nil || a.StatusCode != 200 {
					t.Fatalf("got %+v, %v", a.Response, err)
				}
			}
			var slow sync.WaitGroup
			slow.Go(func() {
				a, err := do(t, c, newRequestAs(t, alice, s.URL+"/slow"))
				if err != nil || a.StatusCode != 200 || a.body != "the end" {
					t.Errorf("the request under way: %+v, %v", a.Response, err)
				}
			})
			<-started
			if a, err := do(t, c, newRequestAs(t, alice, s.URL+"/private")); err != nil || a.StatusCode != 200 {
				t.Fatalf("got %+v, %v", a.Response, err) // beside it, so that one is idle, or on it
			}
			if n := watched(tr); n != 2 {
				t.Errorf("%d credentials would tell of their end, want 2", n)
			}

			alice.Close()
			if its, all := idleOf(tr, alice); its != 1 || all != 2 {
				t.Errorf("%d of its connections and %d of all are left, want the one in use and bob's", its, all)
			}
			close(release)
			slow.Wait()
			waitFor(t, func() bool { its, _ := idleOf(tr, alice); return its == 0 })
			if its, _ := idleOf(tr, bob); its != 1 {
				t.Errorf("another credential has %d connections, want 1", its)
			}

			// It can still be used, and what comes of that is not kept.
			if a, err := do(t, c, newRequestAs(t, alice, s.URL+"/private")); err != nil || a.Header.Get("X-User") != "alice@EXAMPLE.TEST" {
				t.Errorf("got %+v, %v", a.Response, err)
			}
			waitFor(t, func() bool { its, _ := idleOf(tr, alice); return its == 0 })

			tr.CloseIdleConnections()
			if n := watched(tr); n != 0 {
				t.Errorf("%d credentials would tell of their end, and have no connections", n)
			}
		})
	}
}

// TestConnectionsGoWithTheProxyCredential does so where only a proxy was shown a
// token.
func TestConnectionsGoWithTheProxyCredential(t *testing.T) {
	leavesNothing(t)
	for _, h := range hops {
		t.Run(h.name, func(t *testing.T) {
			s := h.start(t, named(webHost))
			px := h.startProxy(t)
			p := gsstest.New(gsstest.Options{})
			base := px.base(t, s)
			base.ForceAttemptHTTP2 = h.tunnels() && px.cert == nil
			tr := &Transport{Base: base, Provider: p}
			c := px.through(t, s, tr)
			alice := as(t, p, "alice")
			if a, err := do(t, c, newRequestAs(t, alice, s.at(webHost, "/open"))); err != nil || a.StatusCode != 200 {
				t.Fatalf("got %+v, %v", a.Response, err)
			}
			if its, _ := idleOf(tr, alice); its != 1 {
				t.Fatalf("it has %d connections, want 1", its)
			}
			tr.CloseIdleConnections()
			if n := watched(tr); n != 0 {
				t.Errorf("%d credentials would tell of their end, and have no connections", n)
			}
			if a, err := do(t, c, newRequestAs(t, alice, s.at(webHost, "/open"))); err != nil || a.StatusCode != 200 {
				t.Fatalf("got %+v, %v", a.Response, err)
			}
			alice.Close()
			if its, all := idleOf(tr, alice); its != 0 || all != 0 {
				t.Errorf("%d of its connections and %d of all are left", its, all)
			}
		})
	}
}

// TestCredentialIsClosedUnderLoad has credentials of several users come and go
// beside requests that are made with them, and beside requests of nobody. None is
// left with a connection, none fails, and none is served as another.
func TestCredentialIsClosedUnderLoad(t *testing.T) {
	leavesNothing(t)
	for _, limit := range []int{0, 2} {
		eachServer(t, func(t *testing.T, s *testServer) {
			p := gsstest.New(gsstest.Options{})
			base := s.base(t)
			base.MaxConnsPerHost = limit // so that some wait for their turn
			tr := &Transport{Base: base, Provider: p}
			c := s.client(t, tr)
			ask := func(cred gss.Credential, path, want string) {
				a, err := do(t, c, newRequestAs(t, cred, s.URL+path))
				if err != nil || a.StatusCode != 200 || a.Header.Get("X-User") != want {
					t.Errorf("want a response to %q, got %+v, %v", want, a.Response, err)
				}
			}
			var load sync.WaitGroup
			for i := range 8 {
				load.Go(func() {
					for j := range 6 {
						user := []string{"alice", "bob"}[(i+j)%2]
						cred := as(t, p, user)
						var users sync.WaitGroup
						for range 3 {
							users.Go(func() { ask(cred, "/private", user+"@EXAMPLE.TEST") })
						}
						users.Go(func() { ask(nil, "/open", "") })
						cred.Close()
						users.Wait()
					}
				})
			}
			load.Wait()
			waitFor(t, func() bool { return held(tr) == 0 })
			if n := watched(tr); n != 0 {
				t.Errorf("%d credentials would tell of their end", n)
			}
			tr.CloseIdleConnections()
			assertPoolEmpty(t, tr)
		})
	}
}

// held counts the connections that are somebody's.
func held(tr *Transport) int {
	p := tr.state().pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, h := range p.held {
		n += len(h.conns)
	}
	return n
}

// TestCredentialIsClosedMeanwhile closes a credential in each of the functions that
// a request calls on its way.
func TestCredentialIsClosedMeanwhile(t *testing.T) {
	leavesNothing(t)
	for _, at := range []string{"Allow", "Target", "Proxy", "DialContext", "GetConn", "GotConn", "WroteHeaders", "GotFirstResponseByte"} {
		t.Run(at, func(t *testing.T) {
			eachServer(t, func(t *testing.T, s *testServer) {
				p := gsstest.New(gsstest.Options{})
				var cred gss.Credential
				called := func(where string) {
					if where == at {
						cred.Close()
					}
				}
				base := s.base(t)
				base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					called("DialContext")
					return new(net.Dialer).DialContext(ctx, network, addr)
				}
				base.Proxy = func(*http.Request) (*url.URL, error) { called("Proxy"); return nil, nil }
				tr := &Transport{
					Base: base, Provider: p,
					Allow: func(*http.Request) bool { called("Allow"); return true },
					Target: func(r *http.Request) (gss.Name, error) {
						called("Target")
						return gss.HostBased("HTTP", r.URL.Hostname()), nil
					},
				}
				c := s.client(t, tr)
				cred = as(t, p, "alice")
				for range 2 {
					req := newRequestAs(t, cred, s.URL+"/private")
					req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
						GetConn:              func(string) { called("GetConn") },
						GotConn:              func(httptrace.GotConnInfo) { called("GotConn") },
						WroteHeaders:         func() { called("WroteHeaders") },
						GotFirstResponseByte: func() { called("GotFirstResponseByte") },
					}))
					if a, err := do(t, c, req); err != nil || a.Header.Get("X-User") != "alice@EXAMPLE.TEST" {
						t.Errorf("got %+v, %v", a.Response, err)
					}
				}
				waitFor(t, func() bool { its, _ := idleOf(tr, cred); return its == 0 })
				if n := watched(tr); n != 0 {
					t.Errorf("%d credentials would tell of their end", n)
				}
			})
		})
	}
}

// poolOfMany has a connection of each of n owners, each to a host of its own. They
// are not to be used.
func poolOfMany(n int) *pool {
	p := newPool(new(http.Transport))
	for i := range n {
		h := p.host(routeKey{addr: fmt.Sprint(i)})
		c := &conn{host: h}
		h.conns = append(h.conns, c)
		p.own(c, party{server: identity{source: i, name: gss.User("alice")}}, peers{server: true})
	}
	return p
}

// TestEndOfOneAmongMany has a gateway close a credential after each request, and
// follow one after another. What that costs must not grow with the connections of
// others, on whom nothing is done: the old way copied the list of each host.
func TestEndOfOneAmongMany(t *testing.T) {
	leavesNothing(t)
	p := poolOfMany(1000)
	names := []gss.Name{gss.User("bob"), gss.User("carol")}
	i := 0
	allocs := testing.AllocsPerRun(10, func() {
		p.end("another")
		p.follow(standing{source: "another", name: names[i%2]})
		i++
	})
	if allocs > 10 {
		t.Errorf("the end of a credential without connections takes %v allocations, with 1000 connections of others", allocs)
	}
}

// wayward tells of its end as its function says.
type wayward struct {
	gss.Credential
	onClose func(f func()) (stop func(), open bool)
}

func (w *wayward) Resolve(context.Context) (gss.Credential, error) { return w.Credential, nil }
func (w *wayward) OnClose(f func()) (stop func(), open bool)       { return w.onClose(f) }

// TestWaywardNotices has credentials keep to less than gss.CloseNotifier asks.
func TestWaywardNotices(t *testing.T) {
	leavesNothing(t)
	for name, stop := range map[string]func(){"no way to call it off": nil, "tells more than once, and goes on": func() {}} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, bound)
			p := gsstest.New(gsstest.Options{})
			tr := &Transport{Provider: p}
			c := s.client(t, tr)
			var notices []func()
			cred := &wayward{as(t, p, "alice"), func(f func()) (func(), bool) {
				notices = append(notices, f)
				return stop, true
			}}
			for range 3 {
				if a, err := do(t, c, newRequestAs(t, cred, s.URL+"/private")); err != nil || a.StatusCode != 200 {
					t.Errorf("got %+v, %v", a.Response, err)
				}
				if stop == nil {
					tr.CloseIdleConnections()
				}
				for range 2 {
					for _, f := range notices {
						f()
					}
				}
				assertPoolEmpty(t, tr)
			}
			if n := held(tr); n != 0 {
				t.Errorf("%d connections are still somebody's", n)
			}
		})
	}
}

// follower resolves to another credential, and counts who waits for its end.
type follower struct {
	gss.Credential
	mu      sync.Mutex
	waiting int
}

func (f *follower) Resolve(context.Context) (gss.Credential, error) { return f.Credential, nil }

func (f *follower) OnClose(func()) (stop func(), open bool) {
	f.add(1)
	return func() { f.add(-1) }, true
}

func (f *follower) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting += n
}

// TestCredentialForgetsTheTransport uses one credential with many Transports, of
// which it must keep none alive.
func TestCredentialForgetsTheTransport(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	cred := &follower{}
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			tr := &Transport{Provider: p}
			c := s.client(t, tr)
			cred.Credential = as(t, p, "alice")
			tr.Credential = cred
			get(t, c, s.URL+"/private")
			if cred.waiting != 1 {
				t.Errorf("%d wait for the credential's end, want the Transport", cred.waiting)
			}
			tr.CloseIdleConnections()
			if cred.waiting != 0 {
				t.Errorf("%d wait for the credential's end, and it has no connections", cred.waiting)
			}
		})
	}
}
