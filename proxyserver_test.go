package negotiate

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/patience"
)

// The names by which tests reach servers and proxies, so that each has a target
// of its own. All are this machine.
const (
	webHost   = "web.example.com"
	otherHost = "other.example.com"
	proxyHost = "proxy.example.com"
)

// testProxy is an HTTP proxy that asks for Negotiate, as Squid does: once on a
// connection, unless each is set. It is written against sockets and gss alone.
type testProxy struct {
	t        *testing.T
	host     string // host:port
	cert     *x509.Certificate
	provider gss.Provider // the acceptor's; nil asks nobody

	each     bool                                        // asks at each request
	closes   bool                                        // closes after each 407, and says so
	header   string                                      // where the proof is; empty is Proxy-Authenticate
	final    func(token []byte) []byte                   // alters the proof; nil does not
	refuse   func(name string) bool                      // refuses whoever has authenticated
	before   func(*proxyConn, *http.Request) (done bool) // runs first; done has answered
	smuggled string                                      // follows the 200 of a CONNECT

	listener net.Listener
	wg       sync.WaitGroup

	more atomic.Bool // a client has sent more on a connection than it should

	mu    sync.Mutex
	conns map[net.Conn]bool
	seen  []proxiedRequest
	total int
}

// proxiedRequest is a request as the proxy saw it.
type proxiedRequest struct {
	conn   int
	method string
	host   string
	token  bool // for the proxy
	header http.Header
}

// proxyConn is the proxy's side of a connection.
type proxyConn struct {
	net.Conn
	id    int
	in    *bufio.Reader
	user  string
	sc    gss.SecContext
	up    net.Conn // to the server
	upIn  *bufio.Reader
	proof string
	more  *atomic.Bool
}

type proxyOption func(*testProxy)

func startProxy(t *testing.T, options ...proxyOption) *testProxy {
	t.Helper()
	return listenProxy(t, nil, options)
}

// startTLSProxy has a proxy that is spoken to over TLS.
func startTLSProxy(t *testing.T, options ...proxyOption) *testProxy {
	t.Helper()
	cert := selfSigned(t, proxyHost)
	return listenProxy(t, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}, options)
}

func listenProxy(t *testing.T, config *tls.Config, options []proxyOption) *testProxy {
	leavesNothing(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &testProxy{t: t, listener: l, conns: make(map[net.Conn]bool)}
	p.provider = gsstest.New(gsstest.Options{Services: []gss.Name{gss.HostBased("HTTP", proxyHost)}})
	for _, o := range options {
		o(p)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p.host = net.JoinHostPort(proxyHost, port)
	if config != nil {
		p.cert = config.Certificates[0].Leaf
		p.listener = tls.NewListener(l, config)
	}
	p.wg.Go(p.accept)
	t.Cleanup(p.stop)
	t.Cleanup(func() { waitFor(t, func() bool { return p.openConns() == 0 }) })
	return p
}

// selfSigned is a certificate that is its own issuer.
func selfSigned(t *testing.T, host string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return selfSignedBy(t, host, key)
}

func selfSignedBy(t *testing.T, host string, key crypto.Signer) tls.Certificate {
	t.Helper()
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	tmpl := &x509.Certificate{
		SerialNumber: serial, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// url is the proxy's own.
func (p *testProxy) url() *url.URL {
	u := &url.URL{Scheme: "http", Host: p.host}
	if p.cert != nil {
		u.Scheme = "https"
	}
	return u
}

func (p *testProxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.total++
		c := &proxyConn{Conn: conn, id: p.total, in: bufio.NewReader(conn), more: &p.more}
		p.conns[conn] = true
		p.mu.Unlock()
		p.wg.Go(func() {
			defer p.forget(c)
			for p.serve(c) {
			}
		})
	}
}

func (p *testProxy) forget(c *proxyConn) {
	c.Close()
	if c.up != nil {
		c.up.Close()
	}
	if c.sc != nil {
		c.sc.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c.Conn)
}

func (p *testProxy) stop() {
	p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *testProxy) openConns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *testProxy) requests() []proxiedRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]proxiedRequest(nil), p.seen...)
}

// shape tells the requests as "P1 P1+": the connection, and + for a token.
func (p *testProxy) shape() string {
	var parts []string
	for _, r := range p.requests() {
		s := fmt.Sprintf("P%d", r.conn)
		if r.token {
			s += "+"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

// serve handles one request, and reports whether another may follow.
func (p *testProxy) serve(c *proxyConn) bool {
	req, err := http.ReadRequest(c.in)
	if err != nil {
		return false
	}
	if secured, ok := c.Conn.(*tls.Conn); ok && secured.ConnectionState().NegotiatedProtocol == "h2" {
		p.t.Error("the proxy was offered HTTP/2 and is spoken to in HTTP/1.1")
	}
	auth := req.Header.Get("Proxy-Authorization")
	p.mu.Lock()
	p.seen = append(p.seen, proxiedRequest{c.id, req.Method, req.Host, auth != "", req.Header.Clone()})
	p.mu.Unlock()
	if p.before != nil && p.before(c, req) {
		return false
	}
	if p.provider != nil && !p.admit(c, auth) {
		io.Copy(io.Discard, req.Body)
		return !p.closes
	}
	if req.Method == http.MethodConnect {
		p.tunnel(c, req.Host)
		return false
	}
	return p.forward(c, req)
}

// ask answers 407.
func (p *testProxy) ask(c *proxyConn, token []byte) bool {
	value := "Negotiate"
	if token != nil {
		value += " " + base64.StdEncoding.EncodeToString(token)
	}
	conn := ""
	if p.closes {
		conn = "Connection: close\r\n"
	}
	const body = "who are you, client?"
	fmt.Fprintf(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: %s\r\n%sContent-Length: %d\r\n\r\n%s", value, conn, len(body), body)
	return false
}

// admit reports whether the client may pass, else it has asked.
func (p *testProxy) admit(c *proxyConn, auth string) bool {
	c.proof = ""
	if auth == "" {
		return c.user != "" || p.ask(c, nil)
	}
	token, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(auth, "Negotiate "))
	if err != nil {
		return p.ask(c, nil)
	}
	sc := c.sc
	c.sc = nil
	if sc == nil {
		if sc, err = p.provider.Accept(context.Background(), gss.AcceptOptions{}); err != nil {
			return p.ask(c, nil)
		}
	}
	out, done, err := sc.Step(context.Background(), token)
	if err == nil && !done {
		c.sc = sc
		return p.ask(c, out)
	}
	defer sc.Close()
	if err != nil || p.refuse != nil && p.refuse(sc.Info().Initiator.Value) {
		return p.ask(c, nil)
	}
	if !p.each {
		c.user = sc.Info().Initiator.Value
	}
	if p.final != nil {
		out = p.final(out)
	}
	if out != nil {
		c.proof = "Negotiate " + base64.StdEncoding.EncodeToString(out)
	}
	return true
}

// proofHeader is the header line of the proof, if there is one.
func (p *testProxy) proofHeader(c *proxyConn) string {
	if c.proof == "" {
		return ""
	}
	name := p.header
	if name == "" {
		name = "Proxy-Authenticate"
	}
	return name + ": " + c.proof + "\r\n"
}

// dialHere dials the port of addr on this machine.
func dialHere(ctx context.Context, network, addr string) (net.Conn, error) {
	return patience.InOrder(new(net.Dialer).DialContext)(ctx, network, here(addr))
}

// here is the port of addr on this machine.
func here(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return net.JoinHostPort("127.0.0.1", port)
}

func (p *testProxy) tunnel(c *proxyConn, addr string) {
	up, err := new(net.Dialer).Dial("tcp", here(addr))
	if err != nil {
		io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	c.up = up
	fmt.Fprintf(c, "HTTP/1.1 200 Connection established\r\n%s\r\n%s", p.proofHeader(c), p.smuggled)
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(up, c.in); up.(*net.TCPConn).CloseWrite() })
	io.Copy(c, up)
	c.Close()
	up.Close()
	wg.Wait()
}

// forward sends the request to its server, over one connection for each of the
// client's.
func (p *testProxy) forward(c *proxyConn, req *http.Request) bool {
	if c.up == nil {
		up, err := new(net.Dialer).Dial("tcp", here(req.Host))
		if err != nil {
			io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
			return true
		}
		c.up, c.upIn = up, bufio.NewReader(up)
	}
	if req.Header.Get("Expect") != "" {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	for _, name := range []string{"Proxy-Authorization", "Proxy-Connection", "Expect"} {
		req.Header.Del(name)
	}
	if err := req.Write(c.up); err != nil {
		return false
	}
	resp, err := http.ReadResponse(c.upIn, req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if name, value, ok := strings.Cut(strings.TrimSpace(p.proofHeader(c)), ": "); ok {
		resp.Header.Set(name, value)
	}
	return resp.Write(c) == nil && !resp.Close
}

// through has a Transport for s by way of the proxy, and of no name of s but its
// own. It trusts s and the proxy.
func (p *testProxy) through(t *testing.T, s *testServer, tr *Transport) *http.Client {
	t.Helper()
	if tr.Base == nil {
		tr.Base = p.base(t, s)
	}
	tr.ProxyNegotiate = true
	return s.client(t, tr)
}

// base is an *http.Transport that reaches s through the proxy.
func (p *testProxy) base(t *testing.T, s *testServer) *http.Transport {
	b := s.base(t)
	b.DialContext = dialHere
	b.ForceAttemptHTTP2 = true // of a proxy, too, which must not be asked for it
	b.Proxy = http.ProxyURL(p.url())
	if b.TLSClientConfig == nil {
		b.TLSClientConfig = new(tls.Config)
	}
	b.TLSClientConfig = b.TLSClientConfig.Clone()
	pool := x509.NewCertPool()
	for _, cert := range []*x509.Certificate{s.Certificate(), p.cert} {
		if cert != nil {
			pool.AddCert(cert)
		}
	}
	b.TLSClientConfig.RootCAs = pool
	return b
}

// at is the server's URL under the name host.
func (s *testServer) at(host, path string) string {
	u, err := url.Parse(s.URL)
	if err != nil {
		panic(err)
	}
	u.Host = net.JoinHostPort(host, u.Port())
	return u.String() + path
}
