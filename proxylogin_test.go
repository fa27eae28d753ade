package negotiate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// hop is a way to a server by a proxy.
type hop struct {
	name       string
	start      func(*testing.T, ...serverOption) *testServer
	startProxy func(*testing.T, ...proxyOption) *testProxy
}

func (h hop) tunnels() bool { return strings.HasPrefix(h.name, "https") }

var hops = []hop{
	{"http by http", startServer, startProxy},
	{"http by https", startServer, startTLSProxy},
	{"https by http", startTLS, startProxy},
	{"https by https", startTLS, startTLSProxy},
	{"https (HTTP/2) by http", startH2, startProxy},
}

// eachHop runs test with a server that is webHost, and a proxy.
func eachHop(t *testing.T, test func(*testing.T, hop, *testServer, *testProxy)) {
	for _, h := range hops {
		t.Run(h.name, func(t *testing.T) { test(t, h, h.start(t, named(webHost)), h.startProxy(t)) })
	}
}

// named has the server take tokens for the host only.
func named(hosts ...string) serverOption {
	var services []gss.Name
	for _, h := range hosts {
		services = append(services, gss.HostBased("HTTP", h))
	}
	return func(s *testServer) { s.provider = gsstest.New(gsstest.Options{Services: services}) }
}

// assertHopsApart checks that no token for the proxy has reached the server, and
// none for the server was given to the proxy as its own, nor with CONNECT.
func assertHopsApart(t *testing.T, s *testServer, p *testProxy) {
	t.Helper()
	own := make(map[string]string) // whose the contexts are
	note := func(value, whose string) {
		if value == "" {
			return
		}
		token := readToken(t, value)
		id := string(token.Context)
		if token.Target != "" && token.Target != "HTTP/"+whose+"@EXAMPLE.TEST" {
			t.Errorf("%s got a token for %s", whose, token.Target)
		}
		if was, ok := own[id]; ok && was != whose {
			t.Errorf("%s got a token of a context of %s", whose, was)
		}
		own[id] = whose
	}
	for _, r := range p.requests() {
		note(r.header.Get("Proxy-Authorization"), proxyHost)
		if r.method == http.MethodConnect && r.header.Get("Authorization") != "" {
			t.Error("a CONNECT has a token for the server")
		}
	}
	for _, r := range s.requests() {
		note(r.header.Get("Authorization"), webHost)
		if r.header.Get("Proxy-Authorization") != "" {
			t.Error("the server got a token for the proxy")
		}
	}
}

// tokenContent is some of what a token of gsstest has. Target and Initiator are in
// a context's first token only.
type tokenContent struct {
	Target, Initiator string
	Context           []byte
}

func readToken(t *testing.T, value string) (c tokenContent) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "Negotiate "))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(bytes.NewReader(raw[len("GSSTEST1"):])).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestProxyAndServer authenticates to both, with contexts of several legs.
func TestProxyAndServer(t *testing.T) {
	leavesNothing(t)
	for legs := 1; legs <= 3; legs++ {
		for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
			for _, h := range hops {
				t.Run(fmt.Sprintf("%d legs %s %s", legs, o, h.name), func(t *testing.T) {
					s, p := h.start(t, named(webHost)), h.startProxy(t)
					c := p.through(t, s, &Transport{
						Provider: gsstest.New(gsstest.Options{Legs: legs}), Opportunistic: o,
						Mutual: MutualRequired, ProxyMutual: MutualRequired,
					})
					for range 2 {
						a := get(t, c, s.at(webHost, "/private"))
						if a.StatusCode != 200 || a.body != "hello alice@EXAMPLE.TEST" || !a.ex.MutualVerified || a.ex.Target != gss.HostBased("HTTP", webHost) {
							t.Fatalf("got %d %q, %+v", a.StatusCode, a.body, a.ex)
						}
					}
					if conns := p.requests()[len(p.requests())-1].conn; conns != 1 {
						t.Errorf("%d connections to the proxy: %s", conns, p.shape())
					}
					assertHopsApart(t, s, p)
				})
			}
		}
	}
}

// TestProxyAsks has a server that does not ask, behind a proxy that does.
func TestProxyAsks(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		c := p.through(t, s, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})})
		for range 2 {
			if a := get(t, c, s.at(webHost, "/open")); a.StatusCode != 200 || a.body != "hello " || a.ex.Err != nil {
				t.Errorf("got %d %q, %+v", a.StatusCode, a.body, a.ex)
			}
		}
		want := "P1 P1+ P1+"
		if !h.tunnels() {
			want += " P1"
		}
		if got := p.shape(); got != want {
			t.Errorf("the proxy saw %s, want %s", got, want)
		}
		assertHopsApart(t, s, p)
	})
}

// TestProxyClosesAfter407 has a proxy that says so, one of the old ones that say
// it in their own way, and one that only does it.
func TestProxyClosesAfter407(t *testing.T) {
	leavesNothing(t)
	hangsUp := func(p *testProxy) {
		p.before = func(c *proxyConn, req *http.Request) bool {
			if req.Header.Get("Proxy-Authorization") == "" {
				p.ask(c, nil)
				c.in.Peek(1) // the next request must not come before the end
				return true
			}
			return false
		}
	}
	ways := map[string]struct {
		set   proxyOption
		shape string
	}{
		"Connection":       {func(p *testProxy) { p.closes = true }, "P1 P2+"},
		"Proxy-Connection": {func(p *testProxy) { p.before = oldWay }, "P1 P2+"},
		"silently":         {hangsUp, "P1 P2+"},
	}
	for way, w := range ways {
		for _, h := range hops {
			t.Run(way+"/"+h.name, func(t *testing.T) {
				s, p := h.start(t, named(webHost)), h.startProxy(t, w.set)
				a := get(t, p.through(t, s, &Transport{}), s.at(webHost, "/private"))
				if a.StatusCode != 200 {
					t.Fatalf("got %d, %v, the proxy saw %s", a.StatusCode, a.ex.Err, p.shape())
				}
				if got := p.shape(); !strings.HasPrefix(got, w.shape) {
					t.Errorf("the proxy saw %s, want %s", got, w.shape)
				}
				if h.tunnels() && way != "silently" && p.more.Load() {
					t.Error("more was sent on a connection that the proxy wants closed")
				}
				assertHopsApart(t, s, p)
			})
		}
	}
}

// wantNoMore notes a client that sends more on a connection.
func wantNoMore(c *proxyConn) {
	if _, err := c.in.Peek(1); err == nil {
		c.more.Store(true)
	}
}

// oldWay asks as proxies of HTTP/1.0 did.
func oldWay(c *proxyConn, req *http.Request) bool {
	if req.Header.Get("Proxy-Authorization") != "" {
		return false
	}
	io.WriteString(c, "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Connection: close\r\nContent-Length: 0\r\n\r\n")
	wantNoMore(c)
	return true
}

// TestProxyClosesInContext is the end of a context: its legs need one connection.
func TestProxyClosesInContext(t *testing.T) {
	leavesNothing(t)
	for _, h := range hops {
		t.Run(h.name, func(t *testing.T) {
			s, p := h.start(t, named(webHost)), h.startProxy(t, func(p *testProxy) { p.closes = true })
			c := p.through(t, s, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})})
			a, err := do(t, c, newRequest(t, "GET", s.at(webHost, "/private"), nil))
			if h.tunnels() {
				if ee, ok := errors.AsType[*ExchangeError](err); !ok || ee.Stage != StageProxy || !errors.Is(err, errProxyClosed) {
					t.Errorf("got %v", err)
				}
			} else if err != nil || a.StatusCode != 407 || stage(t, a.ex) != StageConnection {
				t.Errorf("got %+v, %v", a, err)
			}
			if got := p.shape(); got != "P1 P2+" {
				t.Errorf("the proxy saw %s", got)
			}
		})
	}
}

// TestProxyAsksEachTime has a proxy that knows no connections. Once that is
// known a request needs no 407.
func TestProxyAsksEachTime(t *testing.T) {
	leavesNothing(t)
	for legs := 1; legs <= 3; legs++ {
		t.Run(fmt.Sprint(legs), func(t *testing.T) {
			s := startServer(t, named(webHost))
			p := startProxy(t, func(p *testProxy) { p.each = true })
			c := p.through(t, s, &Transport{Provider: gsstest.New(gsstest.Options{Legs: legs}), Mutual: MutualRequired, ProxyMutual: MutualRequired})
			for i := range 3 {
				before := len(p.requests())
				a := get(t, c, s.at(webHost, "/private"))
				if a.StatusCode != 200 || a.body != "hello alice@EXAMPLE.TEST" {
					t.Fatalf("got %d %q, %v; the proxy saw %s", a.StatusCode, a.body, a.ex.Err, p.shape())
				}
				for _, r := range p.requests()[before:] {
					if i > 0 && !r.token {
						t.Errorf("request %d was sent without a token: %s", i, p.shape())
					}
				}
			}
			assertHopsApart(t, s, p)
		})
	}
}

// TestProxyRefuses has a proxy that lets nobody pass: for http its 407 is the
// response, for https the error of the connection.
func TestProxyRefuses(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		name  string
		set   func(*testProxy, *Transport)
		shape string
		is    error
	}{
		{"no permission", func(p *testProxy, _ *Transport) { p.refuse = func(string) bool { return true } }, "P1 P1+ P1+", errProxyRefused},
		{"no credential", func(_ *testProxy, tr *Transport) { tr.Provider.(*gsstest.Provider).SetDefault("") }, "P1", gss.ErrNoCred},
		{"other realm", func(_ *testProxy, tr *Transport) { tr.Provider = gsstest.New(gsstest.Options{Secret: "x"}) }, "P1 P1+ P1+", errProxyRefused},
		{"endless", func(_ *testProxy, tr *Transport) { tr.Provider = gsstest.New(gsstest.Options{Legs: 16}) },
			"P1 P1+ P1+ P1+ P1+ P1+ P1+ P1+ P1+ P1+", errTooLong},
		{"other schemes", func(p *testProxy, _ *Transport) {
			p.before = func(c *proxyConn, _ *http.Request) bool {
				io.WriteString(c, "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x, NTLM\r\nContent-Length: 0\r\n\r\n")
				return true
			}
		}, "P1", errNoProxyOffer},
		{"not wanted", func(_ *testProxy, tr *Transport) {
			tr.ProxyNegotiate = false
			tr.Base.(*http.Transport).ForceAttemptHTTP2 = false // net/http would speak it to the proxy
		}, "P1", nil},
		{"withdraws", func(p *testProxy, _ *Transport) {
			p.before = func(c *proxyConn, req *http.Request) bool {
				if req.Header.Get("Proxy-Authorization") == "" {
					return false
				}
				io.WriteString(c, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
				return true
			}
		}, "P1 P1+", errProxyWithdrawn},
	}
	for _, tt := range tests {
		for _, h := range hops {
			t.Run(tt.name+"/"+h.name, func(t *testing.T) {
				s, p := h.start(t, named(webHost)), h.startProxy(t)
				tr := &Transport{Provider: gsstest.New(gsstest.Options{})}
				c := p.through(t, s, tr)
				tt.set(p, tr)
				a, err := do(t, c, newRequest(t, "GET", s.at(webHost, "/private"), nil))
				if h.tunnels() {
					if err == nil || tt.is != nil && !errors.Is(err, tt.is) || tt.is != nil && !strings.Contains(err.Error(), p.host) {
						t.Errorf("got %v", err)
					}
				} else if err != nil || a.StatusCode != 407 || tt.is != nil && tt.is != errNoProxyOffer && !errors.Is(a.ex.Err, tt.is) {
					t.Errorf("got %+v, %v, %v", a.Response, a.ex, err)
				}
				if got := p.shape(); !strings.HasPrefix(tt.shape, got) || got == "" {
					t.Errorf("the proxy saw %s, want %s", got, tt.shape)
				}
				if n := len(s.requests()); n != 0 {
					t.Errorf("%d requests reached the server", n)
				}
			})
		}
	}
}

// TestProxyMutual has proxies that prove who they are, and others.
func TestProxyMutual(t *testing.T) {
	leavesNothing(t)
	var first []byte
	replay := func(b []byte) []byte {
		if first == nil {
			first = bytes.Clone(b)
		}
		return first
	}
	tests := []struct {
		name   string
		mutual Mutual
		final  func([]byte) []byte
		header string
		ok     bool
	}{
		{"disabled", MutualDisabled, proofs["garbage"], "", true},
		{"optional, good", MutualOptional, nil, "", true},
		{"optional, none", MutualOptional, proofs["none"], "", true},
		{"optional, garbage", MutualOptional, proofs["garbage"], "", false},
		{"optional, altered", MutualOptional, proofs["altered"], "", false},
		{"required, good", MutualRequired, nil, "", true},
		{"required, good in the other header", MutualRequired, nil, "Proxy-Authentication-Info", true},
		{"required, none", MutualRequired, proofs["none"], "", false},
		{"required, garbage", MutualRequired, proofs["garbage"], "", false},
		{"required, altered", MutualRequired, proofs["altered"], "", false},
		{"required, where the server's is", MutualRequired, nil, "WWW-Authenticate", false},
	}
	for _, tt := range tests {
		for _, h := range hops {
			t.Run(tt.name+"/"+h.name, func(t *testing.T) {
				s := h.start(t, named(webHost))
				p := h.startProxy(t, func(p *testProxy) { p.final, p.header = tt.final, tt.header })
				c := p.through(t, s, &Transport{ProxyMutual: tt.mutual})
				a, err := do(t, c, newRequest(t, "GET", s.at(webHost, "/open"), nil))
				checkProxyMutual(t, p, a, err, tt.ok)
				if h.tunnels() && !tt.ok && len(s.requests()) > 0 {
					t.Error("a request reached the server by a proxy that has proved nothing")
				}
			})
		}
	}
	for _, h := range hops {
		t.Run("replayed/"+h.name, func(t *testing.T) {
			first = nil
			s, p := h.start(t, named(webHost)), h.startProxy(t, func(p *testProxy) { p.final = replay })
			tr := &Transport{ProxyMutual: MutualRequired}
			c := p.through(t, s, tr)
			for _, ok := range []bool{true, false} {
				a, err := do(t, c, newRequest(t, "GET", s.at(webHost, "/open"), nil))
				checkProxyMutual(t, p, a, err, ok)
				tr.CloseIdleConnections()
			}
		})
		t.Run("never asked/"+h.name, func(t *testing.T) {
			s, p := h.start(t, named(webHost)), h.startProxy(t, func(p *testProxy) { p.provider = nil })
			a, err := do(t, p.through(t, s, &Transport{ProxyMutual: MutualRequired}), newRequest(t, "GET", s.at(webHost, "/open"), nil))
			checkProxyMutual(t, p, a, err, false)
		})
	}
}

func checkProxyMutual(t *testing.T, p *testProxy, a answer, err error, ok bool) {
	t.Helper()
	me, failed := errors.AsType[*MutualAuthenticationError](err)
	switch {
	case ok && (err != nil || a.StatusCode != 200):
		t.Errorf("got %+v, %v", a.Response, err)
	case !ok && (!failed || me.URL != "proxy "+p.url().String()):
		t.Errorf("got %+v, %v, want an error about the proxy", a.Response, err)
	}
}

// TestProxyMutualNeedsFlag has a provider that takes anything for a proof.
func TestProxyMutualNeedsFlag(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		provider := gsstest.New(gsstest.Options{})
		provider.Inject(gsstest.Fault{Op: gsstest.OpInitiateStep, Info: func(i *gss.ContextInfo) { i.Flags &^= gss.FlagMutual }})
		c := p.through(t, s, &Transport{ProxyMutual: MutualRequired, Provider: provider})
		a, err := do(t, c, newRequest(t, "GET", s.at(webHost, "/open"), nil))
		checkProxyMutual(t, p, a, err, false)
	})
}

// TestProxyIsGivenNoCredential delegates to the server, never to the proxy, and
// asks for no proof that is not wanted.
func TestProxyIsGivenNoCredential(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		provider := gsstest.New(gsstest.Options{})
		get(t, p.through(t, s, &Transport{Provider: provider, Delegation: DelegateAlways, Mutual: MutualRequired}), s.at(webHost, "/private"))
		for _, o := range provider.Initiations() {
			want := gss.FlagIntegrity
			if o.Target == gss.HostBased("HTTP", webHost) {
				want |= gss.FlagDelegate | gss.FlagMutual
			}
			if o.Flags != want {
				t.Errorf("the flags for %s are %s, want %s", o.Target, o.Flags, want)
			}
		}
	})
}

// TestProxyAndAllow authenticates to the proxy whatever Allow says of the server,
// and not to the server.
func TestProxyAndAllow(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		s.bound = true
		c := p.through(t, s, &Transport{Allow: func(r *http.Request) bool { return r.URL.Path == "/allowed" }})
		if a := get(t, c, s.at(webHost, "/allowed")); a.StatusCode != 200 || a.Header.Get("X-User") == "" {
			t.Errorf("allowed: got %d as %q", a.StatusCode, a.Header.Get("X-User"))
		}
		// The same proxy knows the same client, but the server must not.
		if a := get(t, c, s.at(webHost, "/open")); a.StatusCode != 200 || a.Header.Get("X-User") != "" {
			t.Errorf("not allowed: got %d as %q", a.StatusCode, a.Header.Get("X-User"))
		}
		if a := get(t, c, s.at(webHost, "/private")); a.StatusCode != 401 || stage(t, a.ex) != StageAllow {
			t.Errorf("not allowed: got %d, %v", a.StatusCode, a.ex.Err)
		}
		assertHopsApart(t, s, p)
	})
}

// TestProxyAndOwnAuthorization is a client of its own scheme, such as Bearer, that
// has to pass the proxy all the same.
func TestProxyAndOwnAuthorization(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		s.before = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Saw", r.Header.Get("Authorization"))
			r.Header.Del("Authorization")
		}
		req := newRequest(t, "GET", s.at(webHost, "/open"), nil)
		req.Header.Set("Authorization", "Bearer x")
		a, err := do(t, p.through(t, s, &Transport{}), req)
		if err != nil || a.StatusCode != 200 || a.Header.Get("X-Saw") != "Bearer x" {
			t.Errorf("got %+v, %v", a.Response, err)
		}
		if got := p.shape(); got != "P1 P1+" {
			t.Errorf("the proxy saw %s", got)
		}
	})
}

// TestProxyPerURL asks Base.Proxy for each request, with the request.
func TestProxyPerURL(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		base := p.base(t, s)
		base.Proxy = func(r *http.Request) (*url.URL, error) {
			if r.URL.Hostname() == otherHost && r.URL.Port() != "" {
				return nil, nil
			}
			return p.url(), nil
		}
		c := p.through(t, s, &Transport{Base: base, ProxyMutual: MutualRequired})
		for range 2 {
			get(t, c, s.at(webHost, "/open"))
			get(t, c, s.at(otherHost, "/open"))
		}
		for _, r := range p.requests() {
			if !strings.HasPrefix(r.host, webHost) {
				t.Errorf("the proxy was asked for %s", r.host)
			}
		}
		if len(p.requests()) == 0 {
			t.Error("the proxy was asked for nothing")
		}
		if len(s.requests()) != 4 {
			t.Errorf("the server saw %s", s.shape())
		}
		assertHopsApart(t, s, p)
	})
}

// TestProxyFromEnvironment honours HTTP_PROXY, HTTPS_PROXY and NO_PROXY. net/http
// reads them once in a process, so that this test has one of its own.
func TestProxyFromEnvironment(t *testing.T) {
	leavesNothing(t)
	const child = "NEGOTIATE_TEST_PROXY_FROM_ENVIRONMENT"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyFromEnvironment$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	s, p := startServer(t, named(webHost)), startProxy(t)
	t.Setenv("HTTP_PROXY", p.url().String())
	t.Setenv("HTTPS_PROXY", p.url().String())
	t.Setenv("NO_PROXY", otherHost)
	base := p.base(t, s)
	base.Proxy = http.ProxyFromEnvironment
	c := p.through(t, s, &Transport{Base: base})
	if a := get(t, c, s.at(webHost, "/private")); a.StatusCode != 200 || !strings.HasPrefix(p.shape(), "P1 P1+") {
		t.Errorf("got %d, %v; the proxy saw %s", a.StatusCode, a.ex.Err, p.shape())
	}
	before := len(p.requests())
	get(t, c, s.at(otherHost, "/open"))
	if n := len(p.requests()); n != before {
		t.Error("NO_PROXY was not honoured")
	}
	secure := startTLS(t, named(webHost))
	base = p.base(t, secure)
	base.Proxy = http.ProxyFromEnvironment
	if a := get(t, p.through(t, secure, &Transport{Base: base}), secure.at(webHost, "/private")); a.StatusCode != 200 || len(p.requests()) == before {
		t.Errorf("HTTPS_PROXY: got %d, %v", a.StatusCode, a.ex.Err)
	}
}

// TestProxyWithUserInfo leaves a proxy whose URL has a user to net/http's Basic.
func TestProxyWithUserInfo(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		p.before = func(c *proxyConn, req *http.Request) bool {
			if req.Header.Get("Proxy-Authorization") == "Basic dXNlcjpwYXNz" {
				c.user = "user"
				req.Header.Del("Proxy-Authorization")
			}
			return false
		}
		base := p.base(t, s)
		base.ForceAttemptHTTP2 = false // net/http would speak it to the proxy
		u := p.url()
		u.User = url.UserPassword("user", "pass")
		base.Proxy = http.ProxyURL(u)
		provider := gsstest.New(gsstest.Options{})
		p.provider = nil
		if a := get(t, p.through(t, s, &Transport{Base: base, Provider: provider}), s.at(webHost, "/private")); a.StatusCode != 200 {
			t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
		}
		for _, o := range provider.Initiations() {
			if o.Target == gss.HostBased("HTTP", proxyHost) {
				t.Error("a token was made for a proxy with a user of its own")
			}
		}
		for _, r := range p.requests() {
			if got := r.header.Get("Proxy-Authorization"); got != "Basic dXNlcjpwYXNz" {
				t.Errorf("the proxy got %q", got)
			}
		}
	})
}

// TestProxyLearned gives a proxy that is known to ask its token with the first
// request of each connection, until it refuses one.
func TestProxyLearned(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		tr := &Transport{}
		c := p.through(t, s, tr)
		again := func() string {
			tr.CloseIdleConnections()
			waitFor(t, func() bool { return p.openConns() == 0 })
			before := len(p.shape())
			do(t, c, newRequest(t, "GET", s.at(webHost, "/open"), nil))
			return strings.TrimSpace(p.shape()[before:])
		}
		if got := again(); got != "P1 P1+" {
			t.Errorf("at first the proxy saw %s", got)
		}
		if got := again(); got != "P2+" {
			t.Errorf("the proxy that is known to ask saw %s", got)
		}
		p.refuse = func(string) bool { return true }
		if got := again(); got != "P3+ P3+" {
			t.Errorf("the proxy that refuses saw %s", got)
		}
		p.refuse = nil
		if got := again(); got != "P4 P4+" {
			t.Errorf("the proxy that has refused saw %s", got)
		}
	})
}
