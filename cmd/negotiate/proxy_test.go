package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

// TestUserHeader sends what a client could forge the user's name with, octet by
// octet, and looks at what arrives behind.
func TestUserHeader(t *testing.T) {
	arrived := make(chan *http.Request, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- r
	}))
	defer upstream.Close()
	addr := startRelay(t, upstream.URL, "alice@X.TEST")
	for _, lines := range []string{
		"X-Remote-User: root",
		"x-remote-user: root\r\nX-REMOTE-USER: root",
		"X_Remote_User: root",
		"X-Remote_User: root\r\nX_Remote-User: root",
		"X.Remote.User: root\r\nX~Remote~User: root\r\nX+Remote|User: root",
		"Connection: X-Remote-User",
		"Connection: close, x-remote-user\r\nX-Remote-User: root",
		"Connection: X-Remote-User\r\nConnection: keep-alive",
		"Keep-Alive: X-Remote-User\r\nProxy-Connection: X-Remote-User",
		"Trailer: X-Remote-User\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Remote-User: root",
		"Upgrade: X-Remote-User\r\nConnection: Upgrade, X-Remote-User",
		"Te: trailers\r\nConnection: Te, X-Remote-User",
	} {
		got := rawRequest(t, addr, lines, arrived)
		for name, values := range got.Header {
			if plainName(name) == "x-remote-user" && (name != "X-Remote-User" || fmt.Sprint(values) != "[alice@X.TEST]") {
				t.Errorf("%q: behind arrives %s: %q", lines, name, values)
			}
		}
		if got.Header.Get("X-Remote-User") != "alice@X.TEST" {
			t.Errorf("%q: behind arrives the user %q", lines, got.Header.Get("X-Remote-User"))
		}
		if len(got.Trailer) > 0 {
			t.Errorf("%q: behind arrive the trailers %v", lines, got.Trailer)
		}
		if got.Header.Get("Authorization") != "" {
			t.Errorf("%q: behind arrives an Authorization", lines)
		}
	}
}

// startRelay serves upstream to anybody, under the name of user.
func startRelay(t *testing.T, upstream, user string) (addr string) {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	relay := newProxy(u, "X-Remote-User", slog.New(slog.DiscardHandler))
	t.Cleanup(relay.close)
	srv := httptest.NewServer(&negotiate.Handler{Provider: acceptAll(user), Next: relay, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// rawRequest sends a request with the given lines in its header, and returns what
// arrived behind.
func rawRequest(t *testing.T, addr, lines string, arrived <-chan *http.Request) *http.Request {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Negotiate AAAA\r\n%s\r\n\r\n", lines)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", lines, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%q: got %s", lines, resp.Status)
	}
	return <-arrived
}

// TestClimbingPath asks for what is above the folder of --upstream.
func TestClimbingPath(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) }))
	defer upstream.Close()
	addr := startRelay(t, upstream.URL+"/base", "alice@X.TEST")
	for path, want := range map[string]string{
		"/../admin": "400 ", "/a/../../admin": "400 ", "/%2e%2e/admin": "400 ", "/..%2fadmin": "400 ", "/a%2F..%2F..%2Fadmin": "400 ",
		"/..\\admin": "400 ", "/..%5cadmin": "400 ", "/a/..": "400 ",
		"/a..b/...": "/base/a..b/...", "/a?b=../c": "/base/a?b=../c", "/a%2Fb": "/base/a%2Fb",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = path // sent as it is
		req.Header.Set("Authorization", "Negotiate AAAA")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s: got %s %q, %v, want %q", path, resp.Status, body, err, want)
		}
	}
}

// TestUnspeakableName is a client whose name would break the header.
func TestUnspeakableName(t *testing.T) {
	for _, name := range []string{"al\nice@X.TEST", "alice\x00@X.TEST", " alice", "alice@X.TEST "} {
		addr := startRelay(t, "http://127.0.0.1:1", name)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Negotiate AAAA")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		// The Handler refuses some of them itself.
		if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: got %s, want 403 or 401", name, resp.Status)
		}
	}
}

// acceptAll is a provider that takes any token for one of a user.
type acceptAll string

func (acceptAll) String() string        { return "accept all" }
func (acceptAll) Mechanisms() []gss.OID { return []gss.OID{gss.MechSPNEGO} }

func (acceptAll) Acquire(context.Context, gss.CredentialOptions) (gss.Credential, error) {
	return nil, gss.ErrUnavailable
}

func (acceptAll) Initiate(context.Context, gss.InitiateOptions) (gss.SecContext, error) {
	return nil, gss.ErrUnavailable
}

func (p acceptAll) Accept(context.Context, gss.AcceptOptions) (gss.SecContext, error) {
	return acceptedContext{string(p)}, nil
}

type acceptedContext struct{ user string }

func (acceptedContext) Step(context.Context, []byte) ([]byte, bool, error) { return nil, true, nil }
func (acceptedContext) Close() error                                       { return nil }

func (c acceptedContext) Info() gss.ContextInfo {
	return gss.ContextInfo{Mechanism: gss.MechKRB5, Initiator: gss.User(c.user)}
}
