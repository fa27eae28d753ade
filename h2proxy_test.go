package negotiate

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/leaktest"
)

// h2Proxy is a proxy that is spoken to in HTTP/2 over TLS, forwards http and asks
// nobody who he is. For each of its clients' connections it has one transport.
type h2Proxy struct {
	url  *url.URL
	cert *x509.Certificate

	mu   sync.Mutex
	up   map[string]*http.Transport
	seen int // requests
}

func startH2Proxy(t *testing.T) *h2Proxy {
	t.Helper()
	leavesNothing(t)
	pair := selfSigned(t, proxyHost)
	p := &h2Proxy{cert: pair.Leaf, up: make(map[string]*http.Transport)}
	s := httptest.NewUnstartedServer(p)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}}
	s.Config.ErrorLog = silent
	conns := leaktest.CountConns(s.Config)
	s.StartTLS()
	t.Cleanup(p.close)
	t.Cleanup(s.Close)
	t.Cleanup(func() { conns.WantNone(t) })
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p.url = &url.URL{Scheme: "https", Host: net.JoinHostPort(proxyHost, port)}
	return p
}

func (p *h2Proxy) close() {
	for _, up := range p.up {
		up.CloseIdleConnections()
	}
}

// upstream is the transport for the client's connection.
func (p *h2Proxy) upstream(client string) *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	if p.up[client] == nil {
		// One connection, for all that come by the client's.
		p.up[client] = &http.Transport{DialContext: dialHere, MaxConnsPerHost: 1}
	}
	return p.up[client]
}

func (p *h2Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 2 || r.Method == http.MethodConnect {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", r.Host
	resp, err := p.upstream(r.RemoteAddr).RoundTrip(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// TestProxyOfHTTP2 has a proxy that is spoken to in HTTP/2, as net/http does where
// ForceAttemptHTTP2 is set and ProxyNegotiate is not. Its connections are kept
// apart as those to a server are.
func TestProxyOfHTTP2(t *testing.T) {
	leavesNothing(t)
	s, p := startServer(t, named(webHost), bound), startH2Proxy(t)
	provider := gsstest.New(gsstest.Options{})
	tr := &Transport{Base: p.base(t, s), Provider: provider}
	c := s.client(t, tr)
	creds := map[string]gss.Credential{"alice": as(t, provider, "alice"), "bob": as(t, provider, "bob"), "": nil}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			for round := range 3 {
				user := []string{"alice", "bob", ""}[(i+round)%3]
				path, want := "/private", user+"@EXAMPLE.TEST"
				if user == "" {
					path, want = "/open", ""
				}
				a, err := do(t, c, newRequestAs(t, creds[user], s.at(webHost, path)))
				if err != nil || a.StatusCode != 200 || a.ProtoMajor != 2 || a.Header.Get("X-User") != want {
					t.Errorf("%q was served as %+v, %v", user, a.Response, err)
				}
			}
		})
	}
	wg.Wait()
	assertOneIdentityPerConn(t, s)
	if p.seen < 90 {
		t.Errorf("%d requests came by the proxy", p.seen)
	}
	assertPoolEmpty(t, tr)
}

// TestTunnelByProxyOfHTTP2 has such a proxy, which takes no CONNECT by HTTP/2. With
// ProxyNegotiate it is not offered that; without, net/http offers it, and what
// comes of that is as it is without the Transport: a failure that does not hang.
func TestTunnelByProxyOfHTTP2(t *testing.T) {
	leavesNothing(t)
	s, p := startTLS(t, named(webHost)), startH2Proxy(t)
	base := p.base(t, s)
	_, without := base.RoundTrip(newRequest(t, "GET", s.at(webHost, "/private"), nil))
	tr := &Transport{Base: base}
	_, err := s.client(t, tr).Do(newRequest(t, "GET", s.at(webHost, "/private"), nil))
	if (err == nil) != (without == nil) {
		t.Errorf("got %v, and without the Transport %v", err, without)
	}
	assertPoolEmpty(t, tr)
}

// base is an *http.Transport that reaches s through the proxy.
func (p *h2Proxy) base(t *testing.T, s *testServer) *http.Transport {
	b := s.base(t)
	b.DialContext = dialHere
	b.ForceAttemptHTTP2 = true
	b.Proxy = http.ProxyURL(p.url)
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	if cert := s.Certificate(); cert != nil {
		pool.AddCert(cert)
	}
	b.TLSClientConfig = &tls.Config{RootCAs: pool}
	return b
}
