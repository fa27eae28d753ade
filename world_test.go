package negotiate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/leaktest"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// wwwHost is the name of the servers of a world, unless a test names another.
const wwwHost = "www.example.org"

// world is a Kerberos realm in which alice and bob have tickets, and what is
// said in it. When its test ends, no text that the module has made may have a
// token, a key or a password in it.
type world struct {
	*krbtest.KDC
	t       *testing.T
	secrets *secrets
	base    *http.Transport // it takes every host for this machine
}

const (
	alice         = "alice@" + krbtest.DefaultRealm
	bob           = "bob@" + krbtest.DefaultRealm
	alicePassword = "Alice's very own password"
	bobPassword   = "Bob's very own password"
)

func newWorld(t *testing.T, o ...krbtest.Option) *world {
	t.Helper()
	w := &world{t: t, secrets: newSecrets()}
	t.Cleanup(func() {
		if leak := w.secrets.found(); leak != "" {
			t.Errorf("a secret is in the text %q", leak)
		}
	})
	w.KDC = krbtest.NewKDC(t, append([]krbtest.Option{krbtest.WithLogger(w.secrets.logger())}, o...)...)
	for name, password := range map[string]string{"alice": alicePassword, "bob": bobPassword} {
		w.AddPrincipal(name, password)
		w.secrets.addWord(password)
	}
	w.AddService("HTTP/" + wwwHost)
	w.base = &http.Transport{DialContext: patience.InOrder(func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	})}
	t.Cleanup(w.base.CloseIdleConnections)
	return w
}

// user is a provider with the tickets of a principal as its default.
func (w *world) user(name string, o ...krbtest.TicketOption) *krb5.Provider {
	w.t.Helper()
	return w.provider(krb5.Options{CCache: "FILE:" + w.cacheOf(name, o...)})
}

// cacheOf is a credential cache whose keys are secrets.
func (w *world) cacheOf(name string, o ...krbtest.TicketOption) string {
	w.t.Helper()
	path := w.CCache(name, o...)
	w.secretCache(path)
	return path
}

func (w *world) secretCache(path string) {
	w.t.Helper()
	c, _, err := ccache.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, cred := range c.Creds {
		w.secrets.add(cred.Key)
		w.secrets.add(cred.Ticket)
	}
}

// acceptor is a provider that accepts as the services.
func (w *world) acceptor(services ...string) *krb5.Provider {
	w.t.Helper()
	path := w.Keytab(services...)
	w.secretKeytab(path)
	return w.provider(krb5.Options{Keytab: "FILE:" + path})
}

func (w *world) secretKeytab(path string) {
	w.t.Helper()
	k, _, err := keytab.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range k.Entries {
		w.secrets.add(e.Key)
	}
}

func (w *world) provider(o krb5.Options) *krb5.Provider {
	w.t.Helper()
	if o.Config == "" {
		o.Config = patience.ConfigFile(w.t, w.ConfigPath())
	}
	if o.CCache == "" {
		o.CCache = "FILE:" + w.t.TempDir() + "/none"
	}
	o.Logger = w.secrets.logger()
	p, err := krb5.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// client returns a client with the Transport. What the Transport lacks is
// filled in: alice's tickets, the way to the servers, and a logger.
func (w *world) client(tr *negotiate.Transport) *http.Client {
	w.t.Helper()
	if tr.Base == nil {
		tr.Base = w.base
	}
	if tr.Provider == nil {
		tr.Provider = w.user("alice")
	}
	tr.Logger = w.secrets.logger()
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// handler protects next for the service of wwwHost.
func (w *world) handler(next http.HandlerFunc) *negotiate.Handler {
	w.t.Helper()
	return &negotiate.Handler{Next: next, Provider: w.acceptor("HTTP/" + wwwHost), Logger: w.secrets.logger()}
}

// greet is a page that names who asks for it.
func greet(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	io.WriteString(w, "hello "+id.Principal)
}

// tapped is a server whose requests are known.
type tapped struct {
	*httptest.Server
	url string // by wwwHost

	mu   sync.Mutex
	seen []tappedRequest
}

// tappedRequest is one leg as it came.
type tappedRequest struct {
	method, path string
	token        []byte
	remote       string // tells connections apart
	status       int
}

// serve runs h under the name wwwHost. What its clients and it show each other
// is a secret.
func (w *world) serve(h http.Handler) *tapped {
	w.t.Helper()
	return w.start(h, startHTTP)
}

func startHTTP(s *httptest.Server) { s.Start() }

// serveH2 is serve over TLS, with HTTP/2 for clients that have it.
func (w *world) serveH2(h http.Handler) *tapped {
	w.t.Helper()
	s := w.start(h, func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() })
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	w.base.TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: "example.com"}
	w.base.ForceAttemptHTTP2 = true
	return s
}

func (w *world) start(h http.Handler, run func(*httptest.Server)) *tapped {
	w.t.Helper()
	s := &tapped{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token := tokenOf(r.Header.Get("Authorization"))
		w.secrets.add(token)
		s.mu.Lock()
		at := len(s.seen)
		s.seen = append(s.seen, tappedRequest{method: r.Method, path: r.URL.Path, token: token, remote: r.RemoteAddr})
		s.mu.Unlock()
		t := &tapWriter{ResponseWriter: rw, before: func(status int) {
			for _, v := range rw.Header().Values("WWW-Authenticate") {
				w.secrets.add(tokenOf(v))
			}
			s.mu.Lock()
			s.seen[at].status = status
			s.mu.Unlock()
		}}
		h.ServeHTTP(t, r)
		if !t.wrote {
			t.before(http.StatusOK)
		}
	}))
	s.Config.ErrorLog = log.New(w.secrets, "", 0)
	conns := leaktest.CountConns(s.Config)
	run(s.Server)
	w.t.Cleanup(s.Close)
	w.t.Cleanup(func() { w.base.CloseIdleConnections(); conns.WantNone(w.t) })
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	s.url = "http://" + net.JoinHostPort(wwwHost, port)
	return s
}

// tapWriter tells of the header before it goes out.
type tapWriter struct {
	http.ResponseWriter
	before func(status int)
	wrote  bool
}

func (w *tapWriter) WriteHeader(status int) {
	if !w.wrote && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.wrote = true
		w.before(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *tapWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

func (w *tapWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func tokenOf(value string) []byte {
	scheme, text, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Negotiate") {
		return nil
	}
	token, _ := base64.StdEncoding.DecodeString(text)
	return token
}

func (s *tapped) requests() []tappedRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]tappedRequest(nil), s.seen...)
}

// shape tells what came as "401 200+": the status of each leg, and + for a token
// in its request.
func (s *tapped) shape() string {
	var parts []string
	for _, r := range s.requests() {
		p := fmt.Sprint(r.status)
		if r.token != nil {
			p += "+"
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, " ")
}

func (s *tapped) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = nil
}

// peer is a server that accepts tokens and answers with what its test says.
type peer struct {
	acceptor gss.Provider
	open     bool // it does not ask for tokens, but takes them
	// answer writes the response to a token that was accepted, or to a request
	// without one if the peer is open. reply is the token for the client: its
	// proof if the client wants one.
	answer func(w http.ResponseWriter, r *http.Request, reply []byte)

	mu   sync.Mutex
	last gss.ContextInfo
	errs []error
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := tokenOf(r.Header.Get("Authorization"))
	if token == nil && !p.open {
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var reply []byte
	if token != nil {
		var info gss.ContextInfo
		var err error
		reply, info, err = p.accept(r.Context(), token)
		p.mu.Lock()
		p.last = info
		if err != nil {
			p.errs = append(p.errs, err)
		}
		p.mu.Unlock()
		if err != nil {
			w.Header().Set("WWW-Authenticate", bearing(reply))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	p.answer(w, r, reply)
}

func (p *peer) accept(ctx context.Context, token []byte) (reply []byte, info gss.ContextInfo, err error) {
	sc, err := p.acceptor.Accept(ctx, gss.AcceptOptions{})
	if err != nil {
		return nil, info, err
	}
	defer sc.Close()
	reply, done, err := sc.Step(ctx, token)
	if err == nil && !done {
		err = errors.New("the context needs more than one token")
	}
	return reply, sc.Info(), err
}

// accepted is what the last token proved.
func (p *peer) accepted() gss.ContextInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// bearing is a value of WWW-Authenticate with a token.
func bearing(token []byte) string {
	if len(token) == 0 {
		return "Negotiate"
	}
	return "Negotiate " + base64.StdEncoding.EncodeToString(token)
}

// prove is the answer of an honest server: its proof and a body.
func prove(w http.ResponseWriter, _ *http.Request, reply []byte) {
	if reply != nil {
		w.Header().Set("WWW-Authenticate", bearing(reply))
	}
	io.WriteString(w, "content")
}

// received is a response, read to its end.
type received struct {
	*http.Response
	body string
	x    *negotiate.Exchange
}

// send sends a request and reads the response.
func (w *world) send(c *http.Client, req *http.Request) (received, error) {
	w.t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		w.secrets.note(err, errors.Unwrap(err))
		return received{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Errorf("reading the body: %v", err)
	}
	x, ok := negotiate.ExchangeFrom(resp)
	if !ok {
		w.t.Fatal("the response has no Exchange")
	}
	w.secrets.note(x, *x)
	if x.Err != nil {
		w.secrets.note(x.Err, errors.Unwrap(x.Err))
	}
	return received{resp, string(body), x}, nil
}

// get fetches a page, and fails the test if there is no response.
func (w *world) get(c *http.Client, url string) received {
	w.t.Helper()
	got, err := w.send(c, w.request("GET", url, nil))
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) request(method, url string, body io.Reader) *http.Request {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return req
}

// stageOf is the stage of an exchange's error, "" for none.
func stageOf(err error) string {
	if e, ok := errors.AsType[*negotiate.ExchangeError](err); ok {
		return e.Stage
	}
	return ""
}
