package negotiate_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

func TestSecondLegOnAnotherConnection(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	ts := s.start(t)
	sc := s.initiate(t, "alice", gss.InitiateOptions{Flags: gss.FlagMutual})
	first, second := oneConn(t), oneConn(t)
	a := sendToken(t, first, ts.URL, nextToken(t, sc, nil))
	a.checkRefused(t)
	tok := nextToken(t, sc, a.token(t))
	a = sendToken(t, second, ts.URL, tok)
	a.checkRefused(t)
	if a.token(t) != nil {
		t.Error("the refusal has a token, as if the context went on")
	}
	s.checkNotCalled(t)

	// On the first connection the context still waits.
	if a := sendToken(t, first, ts.URL, tok); a.body != "alice@EXAMPLE.TEST" {
		t.Errorf("on its own connection the leg gave status %d with body %q", a.StatusCode, a.body)
	}
}

func TestLegsWithoutConfigureServer(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	ts := httptest.NewServer(s.Handler)
	defer ts.Close()
	a := sendToken(t, ts.Client(), ts.URL, nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil))
	a.checkRefused(t)
	if a.token(t) != nil {
		t.Error("the client was asked for another leg that cannot work")
	}
	s.checkNotCalled(t)
	if !strings.Contains(s.logs.String(), "Handler.ConfigureServer") {
		t.Errorf("the log does not say what to do: %s", s.logs)
	}
}

func TestOneLegWithoutConfigureServer(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	ts := httptest.NewServer(s.Handler)
	defer ts.Close()
	if a := login(t, ts.Client(), ts.URL, s.initiate(t, "alice", gss.InitiateOptions{})); a.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200", a.StatusCode)
	}
}

func TestEndlessContext(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 16})
	ts := s.start(t)
	sc := s.initiate(t, "alice", gss.InitiateOptions{})
	c, legs := oneConn(t), 0
	for in := []byte(nil); legs == 0 || in != nil; legs++ {
		a := sendToken(t, c, ts.URL, nextToken(t, sc, in))
		a.checkRefused(t)
		in = a.token(t)
	}
	if legs != 8 {
		t.Errorf("the context was given up after %d legs, want 8", legs)
	}
	s.checkNotCalled(t)
}

func TestContextWithoutReplyToken(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.Provider = silent{s.fake}
	ts := s.start(t)
	sendToken(t, ts.Client(), ts.URL, []byte("anything")).checkRefused(t)
	s.checkNotCalled(t)
	if !strings.Contains(s.logs.String(), "no token for the client") {
		t.Errorf("the log does not say what happened: %s", s.logs)
	}
}

// silent is a provider whose contexts wait for more without saying so to the peer.
type silent struct{ gss.Provider }

func (silent) Accept(context.Context, gss.AcceptOptions) (gss.SecContext, error) {
	return silentContext{}, nil
}

type silentContext struct{}

func (silentContext) Step(context.Context, []byte) ([]byte, bool, error) { return nil, false, nil }
func (silentContext) Info() gss.ContextInfo                              { return gss.ContextInfo{Initiator: gss.User("mallory")} }
func (silentContext) Close() error                                       { return nil }

// TestDoneWithErrorIsAnError has a provider that says both.
func TestDoneWithErrorIsAnError(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.Provider = contradicting{s.fake}
	ts := s.start(t)
	sendToken(t, ts.Client(), ts.URL, []byte("anything")).checkRefused(t)
	s.checkNotCalled(t)
}

type contradicting struct{ gss.Provider }

func (contradicting) Accept(context.Context, gss.AcceptOptions) (gss.SecContext, error) {
	return contradictingContext{}, nil
}

type contradictingContext struct{ silentContext }

func (contradictingContext) Step(context.Context, []byte) ([]byte, bool, error) {
	return []byte("token"), true, errors.New("no")
}

// TestAbandonedContext begins a context, forgets it, and begins another on the same
// connection.
func TestAbandonedContext(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	ts := s.start(t)
	c := oneConn(t)
	sendToken(t, c, ts.URL, nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)).checkRefused(t)
	if a := login(t, c, ts.URL, s.initiate(t, "bob", gss.InitiateOptions{})); a.body != "bob@EXAMPLE.TEST" {
		t.Errorf("bob logged in as %q, status %d", a.body, a.StatusCode)
	}
}

// TestSharedConnection has two users behind one proxy connection, their legs
// interleaved. It may cost them their contexts, never their identities.
func TestSharedConnection(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	ts := s.start(t)
	c := oneConn(t)
	alice := s.initiate(t, "alice", gss.InitiateOptions{})
	bob := s.initiate(t, "bob", gss.InitiateOptions{})

	toAlice := sendToken(t, c, ts.URL, nextToken(t, alice, nil)).token(t)
	toBob := sendToken(t, c, ts.URL, nextToken(t, bob, nil)).token(t)
	ask(t, c, ts.URL).checkRefused(t) // a third, without a token
	sendToken(t, c, ts.URL, nextToken(t, alice, toAlice)).checkRefused(t)
	sendToken(t, c, ts.URL, nextToken(t, bob, toBob)).checkRefused(t)
	s.checkNotCalled(t)
	if got := s.fake.Counts().OpenContexts; got != 2 { // the clients' own
		t.Errorf("%d contexts are open, want none of the server", got-2)
	}
}

func TestNoIdentityStaysOnTheConnection(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	ts := s.start(t)
	c := oneConn(t)
	if a := login(t, c, ts.URL, s.initiate(t, "alice", gss.InitiateOptions{})); a.StatusCode != http.StatusOK {
		t.Fatalf("status %d", a.StatusCode)
	}
	ask(t, c, ts.URL).checkRefused(t)
	ask(t, c, ts.URL, "Basic YTpi").checkRefused(t)
}

func TestContextEndsWithItsConnection(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	ts := s.start(t)
	sc := s.initiate(t, "alice", gss.InitiateOptions{})
	c := oneConn(t)
	sendToken(t, c, ts.URL, nextToken(t, sc, nil)).checkRefused(t)
	sc.Close()
	if got := s.fake.Counts().OpenContexts; got != 1 {
		t.Fatalf("%d contexts are open, want the one that waits", got)
	}
	c.CloseIdleConnections()
	// newSite waits until the server has closed the context. Without the hook on
	// the connection's end it would wait for ever.
}

// TestTwoHandlersOnOneServer has a context of one handler wait while the other
// gets tokens on the same connection.
func TestTwoHandlersOnOneServer(t *testing.T) {
	negotiate.LeavesNothing(t)
	one, two := newSite(t, gsstest.Options{Legs: 2}), newSite(t, gsstest.Options{Legs: 2})
	mux := http.NewServeMux()
	mux.Handle("/one", one.Handler)
	mux.Handle("/two", two.Handler)
	ts := httptest.NewUnstartedServer(mux)
	for _, s := range []*site{one, two} {
		if err := s.ConfigureServer(ts.Config); err != nil {
			t.Fatal(err)
		}
	}
	ts.Start()
	defer ts.Close()
	c := oneConn(t)
	alice := one.initiate(t, "alice", gss.InitiateOptions{})
	bob := two.initiate(t, "bob", gss.InitiateOptions{})
	toAlice := sendToken(t, c, ts.URL+"/one", nextToken(t, alice, nil)).token(t)
	toBob := sendToken(t, c, ts.URL+"/two", nextToken(t, bob, nil)).token(t)
	if a := sendToken(t, c, ts.URL+"/one", nextToken(t, alice, toAlice)); a.body != "alice@EXAMPLE.TEST" {
		t.Errorf("alice got %q with status %d", a.body, a.StatusCode)
	}
	if a := sendToken(t, c, ts.URL+"/two", nextToken(t, bob, toBob)); a.body != "bob@EXAMPLE.TEST" {
		t.Errorf("bob got %q with status %d", a.body, a.StatusCode)
	}
}

func TestConfigureServerKeepsHooks(t *testing.T) {
	negotiate.LeavesNothing(t)
	type key struct{}
	s := newSite(t, gsstest.Options{})
	s.next = func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) != "kept" {
			t.Error("the server's own ConnContext was lost")
		}
	}
	closed := make(chan struct{})
	srv := &http.Server{
		Handler:     s.Handler,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return context.WithValue(ctx, key{}, "kept") },
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(closed)
			}
		},
	}
	if err := s.ConfigureServer(srv); err != nil {
		t.Fatal(err)
	}
	url := serve(t, srv, false)
	c := oneConn(t)
	if a := login(t, c, url, s.initiate(t, "alice", gss.InitiateOptions{})); a.StatusCode != http.StatusOK {
		t.Errorf("status %d", a.StatusCode)
	}
	c.CloseIdleConnections()
	<-closed
}

// serve runs srv on loopback until the test ends, and returns its URL.
func serve(t *testing.T, srv *http.Server, secure bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if secure {
			srv.ServeTLS(l, "", "")
		} else {
			srv.Serve(l)
		}
	}()
	t.Cleanup(func() { srv.Close(); <-served })
	if secure {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

func TestHijackedConnection(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler)
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		rw.Flush()
	})
	srv := &http.Server{Handler: mux}
	if err := s.ConfigureServer(srv); err != nil {
		t.Fatal(err)
	}
	url := serve(t, srv, false)
	c := oneConn(t)
	sendToken(t, c, url, nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)).checkRefused(t)
	ask(t, c, url+"/hijack")
	// newSite waits for the end of the context that waited.
}

func TestHTTP2(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, secure := range []bool{true, false} {
		for _, legs := range []int{1, 2} {
			name := map[bool]string{true: "TLS", false: "prior knowledge"}[secure]
			t.Run(name, func(t *testing.T) {
				s := newSite(t, gsstest.Options{Legs: legs})
				ca := newAuthority(t)
				srv := &http.Server{Handler: s.Handler, TLSConfig: ca.serverConfig(ca.issue(t, "web.example.test"))}
				var protocols http.Protocols
				protocols.SetHTTP2(secure)
				protocols.SetUnencryptedHTTP2(!secure)
				srv.Protocols = &protocols
				if secure {
					s.ChannelBindings = negotiate.BindingVerify
				}
				if err := s.ConfigureServer(srv); err != nil {
					t.Fatal(err)
				}
				url := serve(t, srv, secure)
				c := ca.client(t, "web.example.test")
				c.Transport.(*http.Transport).Protocols = &protocols

				sc := s.initiate(t, "alice", gss.InitiateOptions{Flags: gss.FlagMutual})
				a := login(t, c, url, sc)
				if a.body != "alice@EXAMPLE.TEST" || a.ProtoMajor != 2 {
					t.Fatalf("%s status %d with body %q; log: %s", a.Proto, a.StatusCode, a.body, s.logs)
				}
				if _, done, err := sc.Step(t.Context(), a.token(t)); !done || err != nil {
					t.Errorf("the client does not believe the server: done=%t, %v", done, err)
				}
				// Requests share the connection, and no identity with it.
				ask(t, c, url).checkRefused(t)
				if secure {
					checkBound(t, s, c, url, endPoint([]byte("another")))
				}
				checkMixedStreams(t, s, c, url)
			})
		}
	}
}

// checkMixedStreams sends the requests of several users over one HTTP/2 connection
// at once. A context of several legs may get lost, but who gets through is who
// he is.
func checkMixedStreams(t *testing.T, s *site, c *http.Client, url string) {
	t.Helper()
	var wg sync.WaitGroup
	for _, user := range []string{"alice", "bob", "carol", "dave"} {
		for range 4 {
			sc := s.initiate(t, user, gss.InitiateOptions{})
			wg.Go(func() {
				body, err := quietLogin(t.Context(), c, url, sc)
				if err == nil && body != user+"@EXAMPLE.TEST" && !strings.HasPrefix(body, "401") {
					t.Errorf("%s got %q", user, body)
				}
			})
		}
	}
	wg.Wait()
	for _, id := range s.identities() {
		if id.Principal == "" {
			t.Error("Next was called with an empty identity")
		}
	}
}

var _ http.Handler = (*negotiate.Handler)(nil)
