package negotiate_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

// sealedServer does as WinRM over http does: a connection that has authenticated
// keeps its context, all later messages on it are sealed, and none has a token.
type sealedServer struct {
	t        *testing.T
	url      string
	acceptor gss.Provider
	silent   bool // asks for nothing

	mu    sync.Mutex
	conns map[net.Conn]*sealedConn
	seen  int // tokens
}

type sealedConn struct {
	sc     gss.SecContext
	closed bool
}

type netConnKey struct{}

func newSealedServer(t *testing.T, acceptor gss.Provider) *sealedServer {
	s := &sealedServer{t: t, acceptor: acceptor, conns: make(map[net.Conn]*sealedConn)}
	srv := httptest.NewUnstartedServer(s)
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns[c] = new(sealedConn)
		return context.WithValue(ctx, netConnKey{}, c)
	}
	srv.Config.ConnState = func(c net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if conn := s.conns[c]; state == http.StateClosed && conn != nil {
			conn.closed = true
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	s.url = "http://" + wwwHost + ":" + port + "/"
	return s
}

func (s *sealedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	conn := s.conns[r.Context().Value(netConnKey{}).(net.Conn)]
	s.mu.Unlock()
	if text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Negotiate "); ok {
		s.authenticate(w, r, conn, text)
		return
	}
	if conn.sc == nil {
		if !s.silent {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
		}
		return
	}
	body, _ := io.ReadAll(r.Body)
	m := conn.sc.(gss.MessageProtector)
	msg, conf, err := m.Unwrap(body)
	switch {
	case err == nil && string(msg) == "forget me":
		conn.sc = nil
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(http.StatusUnauthorized)
		return
	case err == nil && string(msg) == "hang up":
		w.Header().Set("Connection", "close")
	case err != nil || !conf:
		http.Error(w, "not sealed", http.StatusBadRequest)
		return
	}
	sealed, err := m.Wrap(true, []byte("you said: "+string(msg)))
	if err != nil {
		s.t.Error(err)
	}
	w.Write(sealed)
}

func (s *sealedServer) authenticate(w http.ResponseWriter, r *http.Request, conn *sealedConn, text string) {
	s.mu.Lock()
	s.seen++
	s.mu.Unlock()
	token, _ := base64.StdEncoding.DecodeString(text)
	sc, err := s.acceptor.Accept(r.Context(), gss.AcceptOptions{})
	if err != nil {
		s.t.Error(err)
		return
	}
	reply, _, err := sc.Step(r.Context(), token)
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	conn.sc = sc
	w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(reply))
	io.WriteString(w, "welcome")
}

func (s *sealedServer) counts() (tokens, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if !c.closed {
			open++
		}
	}
	return s.seen, open
}

// sealing is a client of a sealedServer.
type sealing struct {
	t      *testing.T
	client *http.Client
	url    string
	p      *negotiate.Protection
}

func (s *sealing) post(body []byte) (*http.Response, []byte, error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(negotiate.WithProtection(s.t.Context(), s.p), "POST", s.url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, answer, nil
}

// say seals a message and opens the answer.
func (s *sealing) say(msg string) (string, *negotiate.Exchange) {
	s.t.Helper()
	sealed, err := s.p.Wrap(true, []byte(msg))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, answer, err := s.post(sealed)
	if err != nil {
		s.t.Fatal(err)
	}
	x, _ := negotiate.ExchangeFrom(resp)
	if resp.StatusCode != http.StatusOK {
		return resp.Status, x
	}
	m, ok := x.Protector()
	if !ok {
		s.t.Fatal("the exchange has no protector")
	}
	open, conf, err := m.Unwrap(answer)
	if err != nil || !conf {
		s.t.Fatalf("the answer: sealed %t, %v", conf, err)
	}
	return string(open), x
}

func newSealing(t *testing.T) (*world, *sealedServer, *sealing, *negotiate.Transport) {
	w := newWorld(t)
	server := newSealedServer(t, w.acceptor("HTTP/"+wwwHost))
	tr := &negotiate.Transport{Base: w.base, Provider: w.user("alice"), Mutual: negotiate.MutualRequired}
	t.Cleanup(tr.CloseIdleConnections)
	p := new(negotiate.Protection)
	t.Cleanup(func() { p.Close() })
	return w, server, &sealing{t, &http.Client{Transport: tr}, server.url, p}, tr
}

// begin makes the request that authenticates.
func (s *sealing) begin() *negotiate.Exchange {
	s.t.Helper()
	resp, body, err := s.post(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	x, _ := negotiate.ExchangeFrom(resp)
	if string(body) != "welcome" || x.Err != nil || !x.MutualVerified {
		s.t.Fatalf("got %s %q, %+v", resp.Status, body, x)
	}
	return x
}

func TestProtection(t *testing.T) {
	negotiate.LeavesNothing(t)
	_, server, s, tr := newSealing(t)
	if _, err := s.p.Wrap(true, []byte("x")); !errors.Is(err, gss.ErrNoContext) {
		t.Errorf("before any exchange: %v, want ErrNoContext", err)
	}
	x := s.begin()
	if want := gss.FlagConfidentiality | gss.FlagReplay | gss.FlagSequence; !x.Flags.Has(want) {
		t.Errorf("the context has the flags %s, want %s among them", x.Flags, want)
	}
	// What others do meanwhile leaves the connection alone.
	tr.CloseIdleConnections()
	other, err := s.client.Get(server.url)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, other.Body)
	other.Body.Close()
	if x, _ := negotiate.ExchangeFrom(other); x.Err != nil {
		t.Error(x.Err)
	} else if _, ok := x.Protector(); ok {
		t.Error("an exchange without WithProtection has a protector")
	}
	for _, msg := range []string{"hello", strings.Repeat("long ", 20000), "bye"} {
		got, x := s.say(msg)
		if got != "you said: "+msg || x.Legs != 1 || !x.MutualVerified || x.Initiator.Value != alice {
			t.Errorf("got %.40q, %+v", got, x)
		}
	}
	if tokens, open := server.counts(); tokens != 2 || open != 2 {
		t.Errorf("the server saw %d tokens and has %d connections, want 2 and 2: one of the Protection, one of the others", tokens, open)
	}
	s.p.Close()
	s.p.Close()
	waitUntil(t, "the connection to be closed", func() bool { _, open := server.counts(); return open == 1 })
	if _, err := s.p.GetMIC([]byte("x")); !errors.Is(err, gss.ErrNoContext) {
		t.Errorf("after Close: %v, want ErrNoContext", err)
	}
	if _, _, err := s.post([]byte("secret")); !isConnectionError(err) {
		t.Errorf("a request after Close: %v, want an error of the connection", err)
	}
}

func isConnectionError(err error) bool {
	x, ok := errors.AsType[*negotiate.ExchangeError](err)
	return ok && x.Stage == negotiate.StageConnection
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestProtectionLost has each way in which a sealed message could reach another
// context.
func TestProtectionLost(t *testing.T) {
	negotiate.LeavesNothing(t)
	t.Run("connection", func(t *testing.T) {
		_, server, s, _ := newSealing(t)
		s.begin()
		if got, _ := s.say("hang up"); got != "you said: hang up" {
			t.Errorf("got %q", got)
		}
		if _, _, err := s.post([]byte("sealed")); !isConnectionError(err) {
			t.Errorf("got %v, want an error of the connection", err)
		}
		if tokens, _ := server.counts(); tokens != 1 {
			t.Errorf("the server saw %d tokens, want 1: no new context may take the message", tokens)
		}
	})
	t.Run("context", func(t *testing.T) {
		_, server, s, _ := newSealing(t)
		s.begin()
		got, x := s.say("forget me")
		if e, ok := errors.AsType[*negotiate.ExchangeError](x.Err); got != "401 Unauthorized" || !ok || e.Stage != negotiate.StageRejected {
			t.Errorf("got %s, %v", got, x.Err)
		}
		if tokens, _ := server.counts(); tokens != 1 {
			t.Errorf("the server saw %d tokens, want 1", tokens)
		}
	})
	t.Run("origin", func(t *testing.T) {
		w, _, s, _ := newSealing(t)
		s.begin()
		other := newSealedServer(t, w.acceptor("HTTP/"+wwwHost))
		s.url = other.url
		if _, _, err := s.post([]byte("sealed")); !isConnectionError(err) {
			t.Errorf("got %v, want an error of the connection", err)
		}
		if _, open := other.counts(); open != 0 {
			t.Error("the other server was spoken to")
		}
	})
	t.Run("busy", func(t *testing.T) {
		_, server, s, _ := newSealing(t)
		s.begin()
		sealed, err := s.p.Wrap(true, []byte(strings.Repeat("long ", 1<<18)))
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(negotiate.WithProtection(t.Context(), s.p), "POST", server.url, bytes.NewReader(sealed))
		resp, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.post([]byte("sealed")); !isConnectionError(err) {
			t.Errorf("got %v, want an error of the connection", err)
		}
		resp.Body.Close()
	})
	t.Run("another client", func(t *testing.T) {
		w, _, s, _ := newSealing(t)
		s.begin()
		tr := &negotiate.Transport{Base: w.base, Provider: w.user("alice")}
		defer tr.CloseIdleConnections()
		s.client = &http.Client{Transport: tr}
		if _, _, err := s.post([]byte("sealed")); !isConnectionError(err) {
			t.Errorf("got %v, want an error of the connection", err)
		}
	})
}

// TestProtectionRefused is where no connection could be kept.
func TestProtectionRefused(t *testing.T) {
	negotiate.LeavesNothing(t)
	w, server, s, _ := newSealing(t)
	base := negotiate.Transport{Base: roundTripper{w.base}, Provider: w.user("alice")}
	s.client = &http.Client{Transport: &base}
	if _, _, err := s.post(nil); !isConnectionError(err) || !strings.Contains(err.Error(), "*http.Transport") {
		t.Errorf("another Base: %v", err)
	}
	if tokens, open := server.counts(); tokens != 0 || open != 0 {
		t.Errorf("%d tokens and %d connections, want none", tokens, open)
	}
	server.silent = true
	s.client = &http.Client{Transport: &negotiate.Transport{Base: w.base, Provider: w.user("alice")}}
	resp, _, err := s.post(nil)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := negotiate.ExchangeFrom(resp)
	if _, ok := x.Protector(); ok {
		t.Error("a server that asks for nothing leaves a protector")
	}
	s.client.CloseIdleConnections()
}

type roundTripper struct{ http.RoundTripper }

// TestProtectionFresh has a connection at rest on which the server knows the client
// already, and would not ask again.
func TestProtectionFresh(t *testing.T) {
	negotiate.LeavesNothing(t)
	_, server, s, tr := newSealing(t)
	tr.Mutual = negotiate.MutualDisabled
	first, err := s.client.Get(server.url)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, first.Body)
	first.Body.Close()
	if _, body, err := s.post(nil); err != nil || string(body) != "welcome" {
		t.Fatalf("got %q, %v", body, err)
	}
	if got, _ := s.say("hello"); got != "you said: hello" {
		t.Errorf("got %q", got)
	}
}

// TestProtectionForgotten drops one that nobody has closed.
func TestProtectionForgotten(t *testing.T) {
	negotiate.LeavesNothing(t)
	_, server, s, _ := newSealing(t)
	func() {
		forgotten := &sealing{t, s.client, s.url, new(negotiate.Protection)}
		forgotten.begin()
	}()
	waitUntil(t, "the garbage collector", func() bool {
		runtime.GC()
		_, open := server.counts()
		return open == 0
	})
}

// TestIdentityProtector has a Handler's Next seal what it answers.
func TestIdentityProtector(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	kept := make(chan gss.MessageProtector, 1)
	server := httptest.NewServer(&negotiate.Handler{
		Provider: w.acceptor("HTTP/" + wwwHost), Logger: w.secrets.logger(),
		Next: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			m, ok := id.Protector()
			if !ok {
				t.Error("the identity has no protector")
				return
			}
			sealed, err := m.Wrap(true, []byte("for "+id.Principal))
			if err != nil {
				t.Error(err)
			}
			rw.Write(sealed)
			kept <- m
		}),
	})
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	tr := &negotiate.Transport{Base: w.base, Provider: w.user("alice"), Mutual: negotiate.MutualRequired}
	defer tr.CloseIdleConnections()
	s := &sealing{t, &http.Client{Transport: tr}, "http://" + wwwHost + ":" + port + "/", new(negotiate.Protection)}
	defer s.p.Close()
	_, sealed, err := s.post(nil)
	if err != nil {
		t.Fatal(err)
	}
	if msg, conf, err := s.p.Unwrap(sealed); err != nil || !conf || string(msg) != "for "+alice {
		t.Errorf("got %q, sealed %t, %v", msg, conf, err)
	}
	server.Close() // waits for Next
	if _, err := (<-kept).GetMIC([]byte("x")); !errors.Is(err, gss.ErrNoContext) {
		t.Errorf("after Next: %v, want ErrNoContext", err)
	}
}

// TestProtectionOfAnother has requests that the Transport would not make as alice,
// and that reach neither her connection nor another.
func TestProtectionOfAnother(t *testing.T) {
	negotiate.LeavesNothing(t)
	w, server, s, tr := newSealing(t)
	tr.Allow = func(r *http.Request) bool { return r.URL.Path != "/public" }
	s.begin()
	bob, err := w.user("bob").Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	for name, test := range map[string]struct {
		ctx   context.Context
		path  string
		basic bool
		want  string
	}{
		"another credential": {ctx: negotiate.WithCredential(t.Context(), bob), want: negotiate.StageCredential},
		"no credential":      {ctx: negotiate.WithCredential(t.Context(), nil), want: negotiate.StageCredential},
		"own Authorization":  {ctx: t.Context(), basic: true, want: negotiate.StageCredential},
		"not allowed":        {ctx: t.Context(), path: "public", want: negotiate.StageAllow},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(negotiate.WithProtection(test.ctx, s.p), "POST", server.url+test.path, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			if test.basic {
				req.SetBasicAuth("bob", "secret")
			}
			resp, err := s.client.Do(req)
			if err == nil {
				resp.Body.Close()
				t.Fatalf("the server has answered %s", resp.Status)
			}
			if x, ok := errors.AsType[*negotiate.ExchangeError](err); !ok || x.Stage != test.want {
				t.Errorf("got %v, want an error of stage %q", err, test.want)
			}
		})
	}
	if got, _ := s.say("hello"); got != "you said: hello" {
		t.Errorf("alice's own: got %q", got)
	}
	if tokens, open := server.counts(); tokens != 1 || open != 1 {
		t.Errorf("the server saw %d tokens and has %d connections, want 1 and 1", tokens, open)
	}
}
