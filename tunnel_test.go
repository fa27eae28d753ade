package negotiate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// proxied is a server and a proxy before it, by CONNECT.
func proxied(t *testing.T, options ...proxyOption) (*testServer, *testProxy) {
	t.Helper()
	return startTLS(t, named(webHost)), startProxy(t, options...)
}

// says has the proxy answer a request that has a token, or each, with text.
func says(text string, onlyTokens bool) proxyOption {
	return func(p *testProxy) {
		p.before = func(c *proxyConn, req *http.Request) bool {
			if onlyTokens && req.Header.Get("Proxy-Authorization") == "" {
				return false
			}
			io.WriteString(c, text)
			return true
		}
	}
}

// TestTunnelAnswers has proxies that answer CONNECT with what they should not.
func TestTunnelAnswers(t *testing.T) {
	leavesNothing(t)
	long := strings.Repeat("x", 8<<10)
	tests := []struct {
		name, text string
		onlyTokens bool
		want       string // in the error
	}{
		{"forbidden", "HTTP/1.1 403 Not you\r\nContent-Length: 0\r\n\r\n", true, "403 Not you"},
		{"401", "HTTP/1.1 401 Who\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n", false, "401 Who"},
		{"other success", "HTTP/1.1 204 No\r\n\r\n", true, "204"},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\n", true, "100"},
		{"nothing", "", true, "the proxy"},
		{"nothing at first", "", false, "the proxy"},
		{"no HTTP", "220 mail\r\n", true, "malformed"},
		{"half a header", "HTTP/1.1 200 OK\r\nA", true, "the proxy"},
		{"endless header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+long+"\r\n", 200), true, "unexpected EOF"},
		{"long status", "HTTP/1.1 403 " + long + "\r\n\r\n", true, "403 xxx"},
		{"data of its own", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, "data of its own"},
		{"bad token", "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate =\r\nContent-Length: 0\r\n\r\n", true, "refused"},
		{"huge token", "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate " + strings.Repeat("AAAA", maxToken/2) + "\r\nContent-Length: 0\r\n\r\n", true, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, p := proxied(t, says(tt.text, tt.onlyTokens))
			tr := &Transport{}
			_, err := do(t, p.through(t, s, tr), newRequest(t, "GET", s.at(webHost, "/private"), nil))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes of the proxy's text", len(err.Error()))
			}
			if len(s.requests()) > 0 {
				t.Error("a request reached the server")
			}
			assertPoolEmpty(t, tr)
		})
	}
}

// TestTunnelHeaderLimit bounds the header by what Base allows for one.
func TestTunnelHeaderLimit(t *testing.T) {
	leavesNothing(t)
	text := "HTTP/1.1 403 No\r\n" + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", maxDrain/1000+20) + "Content-Length: 0\r\n\r\n"
	for limit, want := range map[int64]string{1: "unexpected EOF", 0: "403 No"} {
		s, p := proxied(t, says(text, false))
		base := p.base(t, s)
		base.MaxResponseHeaderBytes = limit
		_, err := do(t, p.through(t, s, &Transport{Base: base}), newRequest(t, "GET", s.at(webHost, "/"), nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("limit %d: got %v, want %q in it", limit, err, want)
		}
	}
}

// TestTunnelSmuggling has a proxy send more than its 407.
func TestTunnelSmuggling(t *testing.T) {
	leavesNothing(t)
	s, p := proxied(t, func(p *testProxy) {
		p.before = func(c *proxyConn, req *http.Request) bool {
			if req.Header.Get("Proxy-Authorization") == "" {
				io.WriteString(c, "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
				wantNoMore(c)
				return true
			}
			return false
		}
	})
	if a := get(t, p.through(t, s, &Transport{}), s.at(webHost, "/private")); a.StatusCode != 200 || !strings.HasPrefix(p.shape(), "P1 P2+") || p.more.Load() {
		t.Errorf("got %d, the proxy saw %s", a.StatusCode, p.shape())
	}
}

// TestTunnelBodyOf407 takes bodies of any length, and a new connection after one
// that is too long or has no end of its own.
func TestTunnelBodyOf407(t *testing.T) {
	leavesNothing(t)
	const start = "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n"
	for name, tt := range map[string]struct {
		text  string
		ends  bool
		shape string
	}{
		"none":    {start + "Content-Length: 0\r\n\r\n", false, "P1 P1+"},
		"chunked": {start + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false, "P1 P1+"},
		"long":    {start + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 2*maxDrain, strings.Repeat("x", 2*maxDrain)), true, "P1 P2+"},
		"stalled": {start + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 2*maxDrain, strings.Repeat("x", maxDrain)), true, "P1 P2+"},
		"endless": {start + "\r\nabc", true, "P1 P2+"},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := proxied(t, func(p *testProxy) {
				p.before = func(c *proxyConn, req *http.Request) bool {
					switch {
					case req.Header.Get("Proxy-Authorization") != "":
						return false
					case tt.ends:
						io.WriteString(c, tt.text)
						if name == "stalled" {
							wantNoMore(c)
						}
						return true
					}
					io.WriteString(c, tt.text)
					next, err := http.ReadRequest(c.in)
					if err != nil || next.Header.Get("Proxy-Authorization") == "" {
						t.Errorf("the next request is %v, %v", next, err)
						return true
					}
					p.mu.Lock()
					p.seen = append(p.seen, proxiedRequest{c.id, next.Method, next.Host, true, next.Header})
					p.mu.Unlock()
					if p.admit(c, next.Header.Get("Proxy-Authorization")) {
						p.tunnel(c, next.Host)
					}
					return true
				}
			})
			if a := get(t, p.through(t, s, &Transport{}), s.at(webHost, "/private")); a.StatusCode != 200 {
				t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
			}
			if got := p.shape(); got != tt.shape || p.more.Load() {
				t.Errorf("the proxy saw %s, want %s, more %t", got, tt.shape, p.more.Load())
			}
		})
	}
}

// TestTunnelCancel ends the request's context at each wait of the tunnel.
func TestTunnelCancel(t *testing.T) {
	leavesNothing(t)
	onRequest := func(n int32) func(*testServer, *testProxy, *Transport, func()) {
		return func(_ *testServer, p *testProxy, _ *Transport, cancel func()) {
			var seen atomic.Int32
			p.before = func(c *proxyConn, _ *http.Request) bool {
				if seen.Add(1) != n {
					return false
				}
				cancel()
				c.in.Peek(1) // until the client hangs up
				return true
			}
		}
	}
	block := func(op gsstest.Op, step int) func(*testServer, *testProxy, *Transport, func()) {
		return func(_ *testServer, _ *testProxy, tr *Transport, cancel func()) {
			tr.Provider.(*gsstest.Provider).Inject(gsstest.Fault{Op: op, Step: step, Times: 1,
				Do: func(ctx context.Context) error { cancel(); return gsstest.Block(ctx) }})
		}
	}
	tests := map[string]func(*testServer, *testProxy, *Transport, func()){
		"dial": func(_ *testServer, _ *testProxy, tr *Transport, cancel func()) {
			tr.Base.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}
		},
		"TLS with the proxy": func(_ *testServer, p *testProxy, tr *Transport, cancel func()) {
			silence, hangUp := net.Pipe()
			tr.Base.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
				go func() { io.ReadFull(hangUp, make([]byte, 1)); cancel(); io.Copy(io.Discard, hangUp); hangUp.Close() }()
				return silence, nil
			}
			tr.Base.(*http.Transport).Proxy = http.ProxyURL(&url.URL{Scheme: "https", Host: p.host})
		},
		"first CONNECT": onRequest(1),
		"acquire":       block(gsstest.OpAcquire, 0),
		"initiate":      block(gsstest.OpInitiate, 0),
		"first step":    block(gsstest.OpInitiateStep, 1),
		"second step":   block(gsstest.OpInitiateStep, 2),
		"proof":         block(gsstest.OpInitiateStep, 3),
		"second leg":    onRequest(2),
		"third leg":     onRequest(3),
		"body of the 407": func(_ *testServer, p *testProxy, tr *Transport, cancel func()) {
			tr.Base.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dialHere(ctx, network, addr)
				return &secondRead{Conn: conn, do: cancel}, err // the first has the header
			}
			p.before = func(c *proxyConn, _ *http.Request) bool {
				io.WriteString(c, "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 9\r\n\r\nabc")
				c.in.Peek(1)
				return true
			}
		},
		"half a header": func(_ *testServer, p *testProxy, _ *Transport, cancel func()) {
			p.before = func(c *proxyConn, _ *http.Request) bool {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nA")
				cancel()
				c.in.Peek(1)
				return true
			}
		},
		"TLS with the server": func(_ *testServer, p *testProxy, tr *Transport, cancel func()) {
			p.provider, tr.ProxyMutual = nil, MutualDisabled
			p.before = func(c *proxyConn, _ *http.Request) bool {
				io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				c.in.Peek(1)
				cancel()
				io.Copy(io.Discard, c.in)
				return true
			}
		},
		"request in the tunnel": func(s *testServer, _ *testProxy, _ *Transport, cancel func()) {
			s.before = func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				cancel()
				<-r.Context().Done()
			}
		},
		"hook": func(_ *testServer, _ *testProxy, tr *Transport, cancel func()) {
			tr.Base.(*http.Transport).GetProxyConnectHeader = func(ctx context.Context, _ *url.URL, _ string) (http.Header, error) {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}
		},
	}
	for name, setup := range tests {
		t.Run(name, func(t *testing.T) {
			s, p := proxied(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			why := errors.New("no more")
			tr := &Transport{Base: p.base(t, s), Provider: gsstest.New(gsstest.Options{Legs: 2}), ProxyMutual: MutualRequired}
			c := p.through(t, s, tr)
			setup(s, p, tr, func() { cancel(why) })
			body := watch(t, strings.NewReader("x"))
			_, err := c.Do(newRequest(t, "POST", s.at(webHost, "/private"), body).WithContext(ctx))
			if !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			body.closedOnce()
			assertPoolEmpty(t, tr)
		})
	}
}

// secondRead does something before its second Read.
type secondRead struct {
	net.Conn
	n  int
	do func()
}

func (c *secondRead) Read(p []byte) (int, error) {
	if c.n++; c.n == 2 {
		c.do()
	}
	return c.Conn.Read(p)
}

// TestTunnelTimeout has a proxy that takes a CONNECT and is silent.
func TestTunnelTimeout(t *testing.T) {
	leavesNothing(t)
	synctest.Test(t, func(t *testing.T) {
		base := &http.Transport{
			Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.test:1"}),
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				client, proxy := net.Pipe()
				go func() { io.Copy(io.Discard, proxy); proxy.Close() }()
				return client, nil
			},
		}
		tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{}), ProxyNegotiate: true}
		start := time.Now()
		_, err := tr.RoundTrip(newRequest(t, "GET", "https://web.test/", nil))
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() || time.Since(start) != tunnelTimeout {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}

// TestTunnelHandshakeTimeout has a server behind the proxy that is silent. With a
// DialTLSContext net/http has no time-out of its own.
func TestTunnelHandshakeTimeout(t *testing.T) {
	leavesNothing(t)
	for _, scheme := range []string{"http", "https"} {
		synctest.Test(t, func(t *testing.T) {
			base := &http.Transport{
				TLSHandshakeTimeout: 10 * time.Second,
				Proxy:               http.ProxyURL(&url.URL{Scheme: scheme, Host: "proxy.test:1"}),
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					client, proxy := net.Pipe()
					go func() {
						defer proxy.Close()
						if scheme == "http" {
							io.ReadFull(proxy, make([]byte, len("CONNECT web.test:443 HTTP/1.1\r\nHost: web.test:443\r\nUser-Agent: Go-http-client/1.1\r\n\r\n")))
							io.WriteString(proxy, "HTTP/1.1 200 OK\r\n\r\n")
						}
						io.Copy(io.Discard, proxy)
					}()
					return client, nil
				},
			}
			if scheme == "http" {
				base.DialTLSContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("not for tunnels") }
			}
			tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{}), ProxyNegotiate: true}
			start := time.Now()
			_, err := tr.RoundTrip(newRequest(t, "GET", "https://web.test/", nil))
			if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() || time.Since(start) != base.TLSHandshakeTimeout {
				t.Errorf("%s: got %v after %s", scheme, err, time.Since(start))
			}
		})
	}
}

// TestTunnelDialers uses the dialers of Base as net/http does: DialTLSContext for
// an https proxy, and for no server behind a proxy.
func TestTunnelDialers(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		name string
		tls  bool
		set  func(b *http.Transport, used func(addr string))
		used bool
	}{
		{"DialTLSContext", false, func(b *http.Transport, used func(string)) {
			b.DialTLSContext = func(_ context.Context, _, addr string) (net.Conn, error) { used(addr); return nil, io.ErrNoProgress }
		}, false},
		{"DialTLSContext, https proxy", true, func(b *http.Transport, used func(string)) {
			b.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				used(addr)
				conn, err := dialHere(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return tls.Client(conn, &tls.Config{ServerName: proxyHost, RootCAs: b.TLSClientConfig.RootCAs}), nil
			}
		}, true},
		{"DialTLS, https proxy", true, func(b *http.Transport, used func(string)) {
			//lint:ignore SA1019 that is what is tested
			b.DialTLS = func(network, addr string) (net.Conn, error) {
				used(addr)
				conn, err := dialHere(context.Background(), network, addr)
				if err != nil {
					return nil, err
				}
				return tls.Client(conn, &tls.Config{ServerName: proxyHost, RootCAs: b.TLSClientConfig.RootCAs}), nil
			}
		}, true},
		{"Dial", false, func(b *http.Transport, used func(string)) {
			b.DialContext = nil
			//lint:ignore SA1019 that is what is tested
			b.Dial = func(network, addr string) (net.Conn, error) {
				used(addr)
				return dialHere(context.Background(), network, addr)
			}
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, start := startH2(t, named(webHost)), startProxy
			if tt.tls {
				start = startTLSProxy
			}
			p := start(t)
			s.bindings = serverBindings(t, s.Server)
			base := p.base(t, s)
			var used sync.Map
			tt.set(base, func(addr string) { used.Store(addr, true) })
			a := get(t, p.through(t, s, &Transport{Base: base, ChannelBindings: BindTLSServerEndPoint}), s.at(webHost, "/private"))
			if a.StatusCode != 200 || a.ProtoMajor != 2 || !a.ex.ChannelBound {
				t.Errorf("got %s %d, %+v", a.Proto, a.StatusCode, a.ex)
			}
			n := 0
			used.Range(func(addr, _ any) bool {
				if n++; addr != p.host {
					t.Errorf("the dialer was asked for %s", addr)
				}
				return true
			})
			if (n > 0) != tt.used {
				t.Errorf("the dialer was used for %d addresses", n)
			}
		})
	}
}

// TestDialerReturnsNothing is an error and no panic.
func TestDialerReturnsNothing(t *testing.T) {
	leavesNothing(t)
	nothing := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	proxy := http.ProxyURL(&url.URL{Scheme: "https", Host: "proxy.test:1"})
	for name, base := range map[string]*http.Transport{
		"DialContext":                  {DialContext: nothing},
		"DialTLSContext":               {DialTLSContext: nothing},
		"DialContext, for a proxy":     {DialContext: nothing, Proxy: proxy},
		"DialTLSContext, for a proxy":  {DialTLSContext: nothing, Proxy: proxy},
		"DialContext, without a login": {DialContext: nothing, Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.test:1"})},
	} {
		tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{}), ProxyNegotiate: true}
		if _, err := tr.RoundTrip(newRequest(t, "GET", "https://web.test/", nil)); err == nil || !strings.Contains(err.Error(), "neither a connection nor an error") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestTunnelHooks honours what Base says about CONNECT, and shows it no token.
func TestTunnelHooks(t *testing.T) {
	leavesNothing(t)
	s, p := proxied(t)
	base := p.base(t, s)
	var headers, responses []string
	base.ProxyConnectHeader = http.Header{"X-Not": {"this"}}
	base.GetProxyConnectHeader = func(_ context.Context, proxy *url.URL, target string) (http.Header, error) {
		headers = append(headers, proxy.String()+" "+target)
		return http.Header{"X-Hook": {"here"}}, nil
	}
	base.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
		if req.Method != "CONNECT" || req.Header.Get("X-Hook") != "here" || proxy.String() != p.url().String() {
			t.Errorf("the hook was shown %+v", req)
		}
		if req.Header.Get("Proxy-Authorization") != "" {
			t.Error("the hook was shown a token")
		}
		responses = append(responses, fmt.Sprint(resp.StatusCode))
		if resp.StatusCode == 407 {
			return errors.New("a hook that wants 200 only")
		}
		return nil
	}
	if a := get(t, p.through(t, s, &Transport{Base: base}), s.at(webHost, "/private")); a.StatusCode != 200 {
		t.Errorf("got %d", a.StatusCode)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	want := p.url().String() + " " + net.JoinHostPort(webHost, port)
	if fmt.Sprint(headers) != "["+want+" "+want+"]" || fmt.Sprint(responses) != "[407 200]" {
		t.Errorf("the hooks were called with %v and %v", headers, responses)
	}
	for _, r := range p.requests() {
		if r.header.Get("X-Hook") != "here" || r.header.Get("X-Not") != "" {
			t.Errorf("the proxy got %v", r.header)
		}
	}
}

// TestTunnelHookErrors end the request: those about the last response, and each
// of the function for headers.
func TestTunnelHookErrors(t *testing.T) {
	leavesNothing(t)
	mine := errors.New("mine")
	on := func(status int) func(*http.Transport) {
		return func(b *http.Transport) {
			b.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
				if resp.StatusCode == status {
					return mine
				}
				return nil
			}
		}
	}
	refuse := func(p *testProxy) { p.refuse = func(string) bool { return true } }
	tests := map[string]struct {
		set   func(*http.Transport)
		proxy proxyOption
	}{
		"on 200":              {on(200), func(*testProxy) {}},
		"on 403":              {on(403), says("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", true)},
		"on a 407 that stays": {on(407), refuse},
		"of the header": {func(b *http.Transport) {
			b.GetProxyConnectHeader = func(context.Context, *url.URL, string) (http.Header, error) { return nil, mine }
		}, func(*testProxy) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, p := proxied(t, tt.proxy)
			base := p.base(t, s)
			tt.set(base)
			if _, err := do(t, p.through(t, s, &Transport{Base: base}), newRequest(t, "GET", s.at(webHost, "/"), nil)); !errors.Is(err, mine) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestTunnelOwnProxyAuthorization leaves a caller's own login to the proxy alone,
// also when the proxy is known to ask for Negotiate.
func TestTunnelOwnProxyAuthorization(t *testing.T) {
	leavesNothing(t)
	s, p := proxied(t)
	base := p.base(t, s)
	var own atomic.Bool
	base.GetProxyConnectHeader = func(context.Context, *url.URL, string) (http.Header, error) {
		if !own.Load() {
			return nil, nil
		}
		return http.Header{"Proxy-Authorization": {"Basic eDp5"}}, nil
	}
	tr := &Transport{Base: base}
	c := p.through(t, s, tr)
	get(t, c, s.at(webHost, "/private"))
	tr.CloseIdleConnections()
	own.Store(true)
	_, err := do(t, c, newRequest(t, "GET", s.at(webHost, "/private"), nil))
	if !errors.Is(err, errOwnProxyAuth) {
		t.Errorf("got %v", err)
	}
	reqs := p.requests()
	if last := reqs[len(reqs)-1]; len(reqs) != 3 || last.header.Get("Proxy-Authorization") != "Basic eDp5" {
		t.Errorf("the proxy saw %s, and last %q", p.shape(), last.header.Get("Proxy-Authorization"))
	}
}

// TestTunnelTrustsNoProxy verifies the proxy's certificate.
func TestTunnelTrustsNoProxy(t *testing.T) {
	leavesNothing(t)
	s, p := startTLS(t, named(webHost)), startTLSProxy(t)
	base := p.base(t, s)
	base.TLSClientConfig.RootCAs = x509.NewCertPool()
	base.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	_, err := do(t, p.through(t, s, &Transport{Base: base}), newRequest(t, "GET", s.at(webHost, "/private"), nil))
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || p.shape() != "" {
		t.Errorf("got %v, the proxy saw %s", err, p.shape())
	}
}

// TestTunnelBindings ties tokens to the server's certificate, whatever the
// proxy's is.
func TestTunnelBindings(t *testing.T) {
	leavesNothing(t)
	for _, h := range hops[2:] {
		for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
			t.Run(h.name+" "+o.String(), func(t *testing.T) {
				s, p := h.start(t, named(webHost)), h.startProxy(t)
				s.bindings = serverBindings(t, s.Server)
				provider := gsstest.New(gsstest.Options{})
				a := get(t, p.through(t, s, &Transport{Provider: provider, ChannelBindings: BindTLSServerEndPoint, Opportunistic: o}), s.at(webHost, "/private"))
				if a.StatusCode != 200 || !a.ex.ChannelBound {
					t.Errorf("got %d, %+v", a.StatusCode, a.ex)
				}
				for _, i := range provider.Initiations() {
					if i.Target.Value == "HTTP@"+proxyHost && i.ChannelBindings != nil {
						t.Error("the proxy's token is bound to a channel that is not its own")
					}
				}
			})
		}
	}
	for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
		// Then net/http makes the tunnel, and tells of two handshakes.
		t.Run("without ProxyNegotiate "+o.String(), func(t *testing.T) {
			s, p := startTLS(t, named(webHost)), startTLSProxy(t, func(p *testProxy) { p.provider = nil })
			s.bindings = serverBindings(t, s.Server)
			base := p.base(t, s)
			base.ForceAttemptHTTP2 = false // it would be offered to the proxy
			a := get(t, s.client(t, &Transport{Base: base, ChannelBindings: BindTLSServerEndPoint, Opportunistic: o}), s.at(webHost, "/private"))
			if a.StatusCode != 200 || !a.ex.ChannelBound || len(p.requests()) != 1 {
				t.Errorf("got %d, %+v, the proxy saw %s", a.StatusCode, a.ex, p.shape())
			}
		})
	}
	t.Run("unbound by way of an https proxy", func(t *testing.T) {
		s, p := startServer(t, named(webHost)), startTLSProxy(t)
		if a := get(t, p.through(t, s, &Transport{ChannelBindings: BindTLSServerEndPoint}), s.at(webHost, "/private")); a.StatusCode != 200 || a.ex.ChannelBound {
			t.Errorf("got %d, %+v", a.StatusCode, a.ex)
		}
	})
}

// TestSOCKS leaves SOCKS proxies to net/http.
func TestSOCKS(t *testing.T) {
	leavesNothing(t)
	for name, start := range map[string]func(*testing.T, ...serverOption) *testServer{"http": startServer, "https": startTLS} {
		t.Run(name, func(t *testing.T) {
			s := start(t, named(webHost))
			addr := serveSOCKS(t)
			base := s.base(t)
			if base.TLSClientConfig != nil {
				base.TLSClientConfig.ServerName = "" // the certificate has webHost
			}
			base.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5h", Host: addr})
			p := gsstest.New(gsstest.Options{})
			tr := &Transport{Base: base, Provider: p, ProxyNegotiate: true, ProxyMutual: MutualRequired}
			if a := get(t, s.client(t, tr), s.at(webHost, "/private")); a.StatusCode != 200 || s.shape() != "C1 C1+" {
				t.Errorf("got %d, %v, the server saw %s", a.StatusCode, a.ex.Err, s.shape())
			}
			if n := p.Counts().Initiates; n != 1 {
				t.Errorf("%d contexts", n)
			}
		})
	}
}

// serveSOCKS serves SOCKS 5 without authentication, for names, and returns its
// address.
func serveSOCKS(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer conn.Close(); socks(conn) })
		}
	})
	return l.Addr().String()
}

func socks(conn net.Conn) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(conn, head); err != nil || head[0] != 5 {
		return
	}
	io.ReadFull(conn, make([]byte, head[1]))
	conn.Write([]byte{5, 0})
	req := make([]byte, 5)
	if _, err := io.ReadFull(conn, req); err != nil || req[3] != 3 {
		return
	}
	rest := make([]byte, int(req[4])+2)
	io.ReadFull(conn, rest)
	up, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", binary.BigEndian.Uint16(rest[req[4]:])))
	if err != nil {
		return
	}
	defer up.Close()
	conn.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0})
	done := make(chan struct{})
	go func() { io.Copy(up, conn); up.Close(); close(done) }()
	io.Copy(conn, up)
	conn.Close()
	<-done
}

// TestTunnelLimits counts tunnels as connections.
func TestTunnelLimits(t *testing.T) {
	leavesNothing(t)
	s, p := proxied(t)
	base := p.base(t, s)
	base.MaxConnsPerHost = 1
	provider := gsstest.New(gsstest.Options{})
	tr := &Transport{Base: base, Provider: provider}
	c := p.through(t, s, tr)
	for _, user := range []string{"alice", "bob", "alice"} {
		if a, err := do(t, c, newRequestAs(t, as(t, provider, user), s.at(webHost, "/private"))); err != nil || a.StatusCode != 200 {
			t.Errorf("got %+v, %v", a.Response, err)
		}
		waitFor(t, func() bool { return p.openConns() <= 1 })
	}
	tr.CloseIdleConnections()
	waitFor(t, func() bool { return p.openConns() == 0 })
	assertPoolEmpty(t, tr)
}

// TestTunnelReplacesDeadOne has a proxy that hangs up on an idle tunnel.
func TestTunnelReplacesDeadOne(t *testing.T) {
	leavesNothing(t)
	s, p := proxied(t)
	c := p.through(t, s, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})})
	for range 3 {
		if a := get(t, c, s.at(webHost, "/private")); a.StatusCode != 200 {
			t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
		}
		p.mu.Lock()
		for conn := range p.conns {
			conn.Close()
		}
		p.mu.Unlock()
	}
}
