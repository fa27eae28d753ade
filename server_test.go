package negotiate

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/leaktest"
	"github.com/go-negotiate/negotiate/internal/patience"
)

// testServer asks for Negotiate. It is written against gss alone and knows
// nothing of this package, so that it shows what a real server would see.
type testServer struct {
	*httptest.Server
	provider *gsstest.Provider
	next     http.HandlerFunc // what an authenticated client gets; nil tells its name

	acceptor   gss.Provider                             // in the place of provider; nil for that
	bound      bool                                     // a connection, once authenticated, stays so
	lazy       bool                                     // asks before it reads a body
	challenges []string                                 // the 401's headers; nil is "Negotiate"
	bindings   *gss.ChannelBindings                     // the acceptor's
	before     func(http.ResponseWriter, *http.Request) // runs first
	final      func(token []byte) []byte                // alters the last token; nil does not
	refuse     func(name string) bool                   // refuses whoever has authenticated
	padding    int                                      // lengthens the body of a 401
	conns      atomic.Int64
	open       *leaktest.Conns

	mu   sync.Mutex
	seen []seenRequest
	only gss.SecContext // of answerToken
}

type seenRequest struct {
	conn   int64
	method string
	path   string
	token  bool
	body   string
	header http.Header
	proto  int
}

// serverConn is the server's memory of a connection.
type serverConn struct {
	id   int64
	mu   sync.Mutex
	user string
	sc   gss.SecContext
}

type serverConnKey struct{}

type serverOption func(*testServer)

func startServer(t *testing.T, options ...serverOption) *testServer {
	t.Helper()
	return start(t, (*httptest.Server).Start, options...)
}

func startTLS(t *testing.T, options ...serverOption) *testServer {
	t.Helper()
	return start(t, (*httptest.Server).StartTLS, options...)
}

func startH2(t *testing.T, options ...serverOption) *testServer {
	t.Helper()
	return start(t, func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }, options...)
}

func start(t *testing.T, run func(*httptest.Server), options ...serverOption) *testServer {
	leavesNothing(t)
	s := &testServer{provider: gsstest.New(gsstest.Options{})}
	for _, o := range options {
		o(s)
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.open = leaktest.CountConns(s.Config)
	s.Config.ErrorLog = silent
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, serverConnKey{}, &serverConn{id: s.conns.Add(1)})
	}
	run(s.Server)
	t.Cleanup(s.Close)
	t.Cleanup(func() { s.open.WantNone(t) }) // after those who use s have given up
	return s
}

// base is an *http.Transport for s.
func (s *testServer) base(t *testing.T) *http.Transport {
	b := s.Client().Transport.(*http.Transport).Clone()
	b.Protocols = nil
	b.ExpectContinueTimeout = time.Hour
	b.ForceAttemptHTTP2 = s.EnableHTTP2
	b.DialContext = patience.InOrder(new(net.Dialer).DialContext)
	t.Cleanup(b.CloseIdleConnections)
	return b
}

func (s *testServer) requests() []seenRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seenRequest(nil), s.seen...)
}

// shape tells the requests as "C1 C1+": the connection, and + for a token.
func (s *testServer) shape() string {
	var parts []string
	for _, r := range s.requests() {
		p := fmt.Sprintf("C%d", r.conn)
		if r.token {
			p += "+"
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, " ")
}

func (s *testServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(serverConnKey{}).(*serverConn)
	if s.before != nil {
		s.before(w, r)
	}
	auth := r.Header.Get("Authorization")
	var body []byte
	if !s.lazy || auth != "" || r.URL.Path == "/open" {
		body, _ = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	s.seen = append(s.seen, seenRequest{c.id, r.Method, r.URL.Path, auth != "", string(body), r.Header.Clone(), r.ProtoMajor})
	s.mu.Unlock()

	c.mu.Lock()
	user := ""
	if s.bound {
		user = c.user
	}
	c.mu.Unlock()
	switch {
	case auth != "":
		user = s.accept(w, r, c, auth)
		if user == "" {
			return
		}
	case r.URL.Path == "/open" || user != "":
	default:
		s.ask(w, nil)
		return
	}
	w.Header().Set("X-User", user)
	if s.next != nil {
		s.next(w, r)
		return
	}
	fmt.Fprintf(w, "hello %s", user)
}

func (s *testServer) ask(w http.ResponseWriter, token []byte) {
	h := w.Header()["Www-Authenticate"]
	switch {
	case token != nil:
		h = append(h, "Negotiate "+base64.StdEncoding.EncodeToString(token))
	case s.challenges != nil:
		h = append(h, s.challenges...)
	default:
		h = append(h, "Negotiate")
	}
	w.Header()["Www-Authenticate"] = h
	w.WriteHeader(http.StatusUnauthorized)
	io.WriteString(w, "who are you?")
	w.Write(make([]byte, s.padding))
}

// accept takes a token and returns whose it is, or answers 401.
func (s *testServer) accept(w http.ResponseWriter, r *http.Request, c *serverConn, auth string) string {
	token, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(auth, "Negotiate "))
	if err != nil {
		s.ask(w, nil)
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sc := c.sc
	if sc == nil {
		if sc, err = s.accepts().Accept(r.Context(), gss.AcceptOptions{ChannelBindings: s.bindings}); err != nil {
			s.ask(w, nil)
			return ""
		}
	}
	c.sc = nil
	out, done, err := sc.Step(r.Context(), token)
	if err == nil && !done {
		c.sc = sc
		s.ask(w, out)
		return ""
	}
	defer sc.Close()
	if err != nil {
		s.ask(w, out)
		return ""
	}
	user := sc.Info().Initiator.Value
	if s.refuse != nil && s.refuse(user) {
		s.ask(w, out)
		return ""
	}
	if s.bound {
		c.user = user
	}
	if s.final != nil {
		out = s.final(out)
	}
	if out != nil {
		w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(out))
	}
	return user
}

// accepts is the provider that takes tokens.
func (s *testServer) accepts() gss.Provider {
	if s.acceptor != nil {
		return s.acceptor
	}
	return s.provider
}

// client returns a Transport for s that has the fields of tr, over its own Base
// and provider unless it has them.
func (s *testServer) client(t *testing.T, tr *Transport) *http.Client {
	if tr.Base == nil {
		tr.Base = s.base(t)
	}
	if tr.Provider == nil {
		tr.Provider = gsstest.New(gsstest.Options{})
	}
	t.Cleanup(tr.CloseIdleConnections)
	t.Cleanup(func() {
		if p, ok := tr.Provider.(*gsstest.Provider); ok {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := p.WaitIdle(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is a response, read to its end.
type answer struct {
	*http.Response
	body string
	ex   *Exchange
}

func do(t *testing.T, c *http.Client, req *http.Request) (answer, error) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("reading the body: %v", err)
	}
	ex, ok := ExchangeFrom(resp)
	if !ok {
		t.Error("the response has no Exchange")
		ex = new(Exchange)
	}
	if resp.Request.Header.Get("Authorization") != req.Header.Get("Authorization") {
		t.Error("the response's request shows another Authorization than the caller's")
	}
	return answer{resp, string(b), ex}, nil
}

func get(t *testing.T, c *http.Client, url string) answer {
	t.Helper()
	a, err := do(t, c, newRequest(t, "GET", url, nil))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newRequest(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// as is a credential of p for a user, closed with the test. Where that comes after
// testServer.client it is before the look at what the Transport leaves open.
func as(t *testing.T, p gss.Provider, user string) gss.Credential {
	t.Helper()
	c, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(user)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// newRequestAs is a GET with the credential.
func newRequestAs(t *testing.T, cred gss.Credential, url string) *http.Request {
	t.Helper()
	req := newRequest(t, "GET", url, nil)
	return req.WithContext(WithCredential(req.Context(), cred))
}

// roundTripFunc is a Base that is no *http.Transport.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serverBindings are those of a TLS server of httptest.
func serverBindings(t *testing.T, s *httptest.Server) *gss.ChannelBindings {
	t.Helper()
	b, err := TLSServerEndPoint(s.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// urlT is a shorter name where lines get long.
type urlT = url.URL

// hangUp writes text to the client, HTTP/1.1 only, and closes the connection.
func hangUp(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(conn, text)
	conn.Close()
	panic(http.ErrAbortHandler)
}

// silent is a server's log that nobody reads.
var silent = log.New(io.Discard, "", 0)
