package negotiate

import (
	"context"
	"fmt"
	"io"
	"net/http"
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
	return len(p.ends)
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

// TestCredentialIsClosedUnderLoad has credentials come and go beside requests that
// are made with them. None is left with a connection, and none fails.
func TestCredentialIsClosedUnderLoad(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.bound = true })
	p := gsstest.New(gsstest.Options{})
	tr := &Transport{Provider: p}
	c := s.client(t, tr)
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for range 20 {
				cred := as(t, p, "alice")
				var users sync.WaitGroup
				for range 3 {
					users.Go(func() {
						if a, err := do(t, c, newRequestAs(t, cred, s.URL+"/private")); err != nil || a.StatusCode != 200 {
							t.Errorf("got %+v, %v", a.Response, err)
						}
					})
				}
				cred.Close()
				users.Wait()
			}
		})
	}
	load.Wait()
	waitFor(t, func() bool { _, all := idleOf(tr, nil); return all == 0 })
	if n := watched(tr); n != 0 {
		t.Errorf("%d credentials would tell of their end", n)
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
