package negotiate

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// TestForwardedBody sends each kind of body through a proxy that asks: at once, and
// when it has the body. What is asked for at once may find so much of a body still
// here that it can be sent again.
func TestForwardedBody(t *testing.T) {
	leavesNothing(t)
	for _, k := range bodyKinds {
		for path, atOnce := range map[string]bool{"/open": false, "/private": false, "/open?at-once": true, "/private?at-once": true} {
			t.Run(k.name+path, func(t *testing.T) {
				s, p := startServer(t, named(webHost)), startProxy(t, func(p *testProxy) {
					p.before = func(c *proxyConn, req *http.Request) bool {
						if !atOnce && c.user == "" && req.Header.Get("Proxy-Authorization") == "" {
							io.Copy(io.Discard, req.Body)
						}
						return false
					}
				})
				base := p.base(t, s)
				base.ExpectContinueTimeout = -1 // no Expect
				c := p.through(t, s, &Transport{Base: base, MaxBodyBuffer: 64 << 10})
				req, closed := k.request(t, s.at(webHost, path))
				a, err := do(t, c, req)
				closed()
				if err != nil {
					t.Fatal(err)
				}
				if !k.getBody && len(k.content) > 64<<10 && !(atOnce && a.StatusCode == 200) {
					by, asks := 407, "who are you, client?"
					if atOnce && a.StatusCode == 401 {
						by, asks = 401, "who are you?" // the server, after the proxy
					}
					if a.StatusCode != by || stage(t, a.ex) != StageBody || !errors.Is(a.ex.Err, ErrBodyNotReplayable) || a.body != asks {
						t.Errorf("got %d %q, %v", a.StatusCode, a.body, a.ex.Err)
					}
					return
				}
				seen := s.requests()
				if a.StatusCode != 200 || seen[len(seen)-1].body != k.content {
					t.Errorf("got %d, %v; the server got %d bytes", a.StatusCode, a.ex.Err, len(seen[len(seen)-1].body))
				}
				assertHopsApart(t, s, p)
			})
		}
	}
}

// TestForwardedBodyExpects keeps a body that cannot be kept until the proxy has
// let the request pass.
func TestForwardedBodyExpects(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, named(webHost))
	var expected atomic.Bool
	p := startProxy(t, func(p *testProxy) {
		p.before = func(c *proxyConn, req *http.Request) bool {
			if req.Header.Get("Proxy-Authorization") != "" {
				return false
			}
			expected.Store(req.Header.Get("Expect") == "100-continue")
			p.ask(c, nil)
			return true
		}
	})
	// The server must not be authenticated to, which is no matter to the proxy.
	c := p.through(t, s, &Transport{MaxBodyBuffer: -1, Allow: func(*http.Request) bool { return false }})
	req, closed := bodyKind{content: "content", length: true}.request(t, s.at(webHost, "/open"))
	a, err := do(t, c, req)
	closed()
	if seen := s.requests(); err != nil || a.StatusCode != 200 || !expected.Load() || seen[0].body != "content" {
		t.Errorf("got %+v, %v, %v, expected %t, the server got %+v, the proxy %s", a.Response, a.ex.Err, err, expected.Load(), seen, p.shape())
	}
}

// TestForwardedOwnProxyAuthorization leaves a caller's own header alone, also when
// the proxy is known to ask for Negotiate.
func TestForwardedOwnProxyAuthorization(t *testing.T) {
	leavesNothing(t)
	s, p := startServer(t, named(webHost)), startProxy(t)
	c := p.through(t, s, &Transport{ProxyMutual: MutualOptional})
	get(t, c, s.at(webHost, "/private"))
	tr := c.Transport.(*Transport)
	tr.CloseIdleConnections()
	req := newRequest(t, "GET", s.at(webHost, "/open"), nil)
	req.Header.Set("Proxy-Authorization", "Basic eDp5")
	a, err := do(t, c, req)
	reqs := p.requests()
	if last := reqs[len(reqs)-1]; err != nil || a.StatusCode != 407 || last.header.Get("Proxy-Authorization") != "Basic eDp5" || last.conn != 2 {
		t.Errorf("got %+v, %v, the proxy saw %s", a.Response, err, p.shape())
	}
}

// TestServersDoNotAskAsProxies gives no token to a server that answers 407,
// directly or in a tunnel.
func TestServersDoNotAskAsProxies(t *testing.T) {
	leavesNothing(t)
	posing := func(s *testServer) {
		s.before = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Proxy-Authenticate", "Negotiate")
			w.WriteHeader(407)
		}
	}
	check := func(t *testing.T, s *testServer, c *http.Client) {
		t.Helper()
		if a := get(t, c, s.at(webHost, "/open")); a.StatusCode != 407 || a.ex.Legs != 1 {
			t.Errorf("got %d after %d legs", a.StatusCode, a.ex.Legs)
		}
		for _, r := range s.requests() {
			if r.header.Get("Proxy-Authorization") != "" {
				t.Error("the server got a token for a proxy")
			}
		}
	}
	t.Run("directly", func(t *testing.T) {
		s := startServer(t, posing)
		base := s.base(t)
		base.DialContext = dialHere
		check(t, s, s.client(t, &Transport{Base: base, ProxyNegotiate: true}))
	})
	t.Run("in a tunnel", func(t *testing.T) {
		s, p := startTLS(t, posing), startProxy(t)
		check(t, s, p.through(t, s, &Transport{}))
	})
}

// TestExchangeEnds has a proxy that asks at each request, and a server, each with
// contexts of many legs. There is an end to answering.
func TestExchangeEnds(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, named(webHost))
	p := startProxy(t, func(p *testProxy) { p.each = true })
	a := get(t, p.through(t, s, &Transport{Provider: gsstest.New(gsstest.Options{Legs: maxLegs})}), s.at(webHost, "/private"))
	if !errors.Is(a.ex.Err, errTooLong) || len(p.requests()) > maxRequests {
		t.Errorf("got %d, %v after %d requests", a.StatusCode, a.ex.Err, len(p.requests()))
	}
}

// TestForwardedStale has a proxy that hangs up on a connection it has kept. No
// token is sent twice, not to the proxy either.
func TestForwardedStale(t *testing.T) {
	leavesNothing(t)
	for _, each := range []bool{false, true} {
		var n atomic.Int32
		var tokens sync.Map
		s := startServer(t, named(webHost))
		p := startProxy(t, func(p *testProxy) {
			p.each = each
			p.before = func(c *proxyConn, req *http.Request) bool {
				for _, field := range []string{"Authorization", "Proxy-Authorization"} {
					if v := req.Header.Get(field); v != "" {
						if _, again := tokens.LoadOrStore(v, true); again {
							t.Errorf("the token in %s was sent twice", field)
						}
					}
				}
				return n.Add(1) == 9
			}
		})
		c := p.through(t, s, &Transport{Opportunistic: OpportunisticAlways})
		for range 12 {
			if a := get(t, c, s.at(webHost, "/private")); a.StatusCode != 200 {
				t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
			}
		}
		if reqs := p.requests(); reqs[len(reqs)-1].conn != 2 {
			t.Errorf("the proxy saw %s", p.shape())
		}
		assertHopsApart(t, s, p)
	}
}

// TestForwardedServersApart never has two servers on one connection to a proxy,
// which may keep a connection of its own for each of its clients'.
func TestForwardedServersApart(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, named(webHost, otherHost), func(s *testServer) { s.bound = true })
	p := startProxy(t)
	c := p.through(t, s, &Transport{})
	for range 3 {
		for _, host := range []string{webHost, otherHost} {
			if a := get(t, c, s.at(host, "/private")); a.StatusCode != 200 || a.ex.Target != gss.HostBased("HTTP", host) && a.ex.Legs > 1 {
				t.Errorf("got %d, %+v", a.StatusCode, a.ex)
			}
		}
	}
	hosts := make(map[int]string)
	for _, r := range p.requests() {
		if was, ok := hosts[r.conn]; ok && was != r.host {
			t.Errorf("requests for %s and %s came on one connection", was, r.host)
		}
		hosts[r.conn] = r.host
	}
}

// TestIdentitiesNeverCrossAtProxy has a proxy and a server that both take whoever
// has authenticated on a connection for the sender of all that follows. Some are
// known to both, some to the proxy only, and some have no credential. Nobody goes
// by the connection of another.
func TestIdentitiesNeverCrossAtProxy(t *testing.T) {
	leavesNothing(t)
	for _, h := range hops {
		for _, o := range []Opportunism{OpportunisticNever, OpportunisticLearned} {
			t.Run(h.name+" "+o.String(), func(t *testing.T) {
				s := h.start(t, named(webHost), bound)
				p := h.startProxy(t)
				provider := gsstest.New(gsstest.Options{})
				provider.SetDefault("")
				base := p.base(t, s)
				base.ForceAttemptHTTP2 = h.tunnels() && p.cert == nil // net/http alone would speak it to the proxy
				base.MaxIdleConnsPerHost = 20
				tr := &Transport{Base: base, Provider: provider, Opportunistic: o,
					Allow: func(r *http.Request) bool { return r.URL.Path != "/open" }}
				c := p.through(t, s, tr)
				other := s.client(t, &Transport{Base: base, Provider: provider}) // without ProxyNegotiate
				creds := map[string]gss.Credential{"alice": as(t, provider, "alice"), "bob": as(t, provider, "bob")}
				known := func(user, path, want string) {
					req := newRequestAs(t, creds[user], s.at(webHost, path))
					req.Header.Set("X-Who", user)
					a, err := do(t, c, req)
					if err != nil || a.StatusCode != 200 || a.Header.Get("X-User") != want {
						t.Errorf("%s was served as %+v, %v, want %q", user, a.Response, err, want)
					}
				}
				unknown := func(client *http.Client) {
					resp, err := client.Do(newRequest(t, "GET", s.at(webHost, "/open"), nil))
					if err != nil {
						return // the proxy's 407 to CONNECT
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != 407 {
						t.Errorf("somebody without a credential passed the proxy: %d as %q", resp.StatusCode, resp.Header.Get("X-User"))
					}
				}
				var wg sync.WaitGroup
				for i := range 30 {
					wg.Go(func() {
						for round := range 6 { // so that there are connections of others to be had
							switch (i + round) % 6 {
							case 0:
								known("alice", "/private", "alice@EXAMPLE.TEST")
							case 1:
								known("bob", "/private", "bob@EXAMPLE.TEST")
							case 2:
								known("alice", "/open", "")
							case 3:
								known("bob", "/open", "")
							case 4:
								unknown(c)
							case 5:
								unknown(other)
							}
						}
					})
				}
				wg.Wait()
				assertOnePartyPerConn(t, s)
				assertOneUserPerProxyConn(t, p)
				assertHopsApart(t, s, p)
			})
		}
	}
}

// assertOnePartyPerConn looks at the connections that the server saw, of which the
// proxy makes one for each of its clients': who comes by one is X-Who.
func assertOnePartyPerConn(t *testing.T, s *testServer) {
	t.Helper()
	on := make(map[int64]string)
	for _, r := range s.requests() {
		who := r.header.Get("X-Who")
		if was, ok := on[r.conn]; ok && was != who {
			t.Errorf("requests of %q and %q came by one connection", was, who)
		}
		on[r.conn] = who
	}
	if len(on) < 2 {
		t.Errorf("the server knows %v", on)
	}
}

// assertOneUserPerProxyConn looks at the tokens that the proxy saw.
func assertOneUserPerProxyConn(t *testing.T, p *testProxy) {
	t.Helper()
	on := make(map[int]string)
	for _, r := range p.requests() {
		user := initiatorOf(t, r.header.Get("Proxy-Authorization"))
		if was := on[r.conn]; user != "" && was != "" && was != user {
			t.Errorf("%s and %s are on one connection to the proxy", was, user)
		}
		if user != "" {
			on[r.conn] = user
		}
	}
	if len(on) < 2 {
		t.Errorf("the proxy knows %v", on)
	}
}

// TestProxyKnowsClientsApart has clients that are known to the proxy only,
// and clients that have no credential. What a connection to the server carries is
// of one of them.
func TestProxyKnowsClientsApart(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		provider := gsstest.New(gsstest.Options{})
		tr := &Transport{Provider: provider}
		c := p.through(t, s, tr)
		creds := map[string]gss.Credential{"alice": as(t, provider, "alice"), "bob": as(t, provider, "bob"), "": nil}
		for range 3 {
			for who, cred := range creds {
				req := newRequestAs(t, cred, s.at(webHost, "/open"))
				req.Header.Set("X-Who", who)
				a, err := do(t, c, req)
				if who == "" && err == nil && a.StatusCode != 407 {
					t.Errorf("somebody without a credential passed the proxy: %d", a.StatusCode)
				}
				if who != "" && (err != nil || a.StatusCode != 200) {
					t.Errorf("%s: got %+v, %v", who, a.Response, err)
				}
			}
		}
		assertOnePartyPerConn(t, s)
		if n := s.conns.Load(); n != 2 {
			t.Errorf("%d connections for two clients", n)
		}
	})
}

// initiatorOf is whom a first token is of.
func initiatorOf(t *testing.T, value string) string {
	if value == "" {
		return ""
	}
	return readToken(t, value).Initiator
}

// TestProxyPartiesApart has an Allow that forbids the server to know
// alice, who is known to the proxy, and somebody who is known to neither.
func TestProxyPartiesApart(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		s.bound = true
		provider := gsstest.New(gsstest.Options{})
		base := p.base(t, s)
		base.MaxIdleConnsPerHost = 20
		tr := &Transport{Base: base, Provider: provider, Allow: func(r *http.Request) bool { return r.Header.Get("X-Anonymous") == "" }}
		c := p.through(t, s, tr)
		creds := map[string]gss.Credential{"alice": as(t, provider, "alice"), "bob": as(t, provider, "bob")}
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				for round := range 4 { // so that there are connections of others to be had
					user := []string{"alice", "bob"}[(i+round)%2]
					req, want := newRequestAs(t, creds[user], s.at(webHost, "/private")), user+"@EXAMPLE.TEST"
					if (i+round)%4 < 2 {
						req = newRequestAs(t, creds[user], s.at(webHost, "/open"))
						req.Header.Set("X-Anonymous", "1")
						want = ""
					}
					req.Header.Set("X-Who", user)
					a, err := do(t, c, req)
					if err != nil || a.StatusCode != 200 || a.Header.Get("X-User") != want {
						t.Errorf("a request of %q was served as %+v, %v", want, a.Response, err)
					}
				}
			})
		}
		wg.Wait()
		assertOnePartyPerConn(t, s)
	})
}
