//go:build !windows

// The default provider of Windows has no credential cache to log in by.

package spnego

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krbtest"
)

// site is a realm in which the user of this process is alice, and a server of
// it, which counts requests and those with a token.
type site struct {
	*httptest.Server
	kdc              *krbtest.KDC
	requests, tokens atomic.Int32
}

var services = []string{"HTTP/127.0.0.1", "HTTP/web.krb.test"}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{kdc: krbtest.NewKDC(t)}
	s.kdc.AddPrincipal("alice", "")
	for _, name := range services {
		s.kdc.AddService(name)
	}
	t.Setenv("KRB5_CONFIG", patience.ConfigFile(t, s.kdc.ConfigPath()))
	t.Setenv("KRB5CCNAME", "FILE:"+s.kdc.CCache("alice"))
	s.Server = s.serve(t, httptest.NewServer)
	return s
}

func (s *site) serve(t *testing.T, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	handler := &negotiate.Handler{Provider: s.kdc.Acceptor(services...), Next: http.HandlerFunc(hello), Logger: slog.New(slog.DiscardHandler)}
	server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.Header.Get("Authorization") != "" {
			s.tokens.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func hello(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	fmt.Fprintf(w, "%s %s", r.Method, id.Principal)
}

// names is a DNS in which every address is that of one name.
type names string

func (names) LookupCNAME(_ context.Context, host string) (string, error) { return host + ".", nil }
func (names) LookupHost(context.Context, string) ([]string, error)       { return []string{"127.0.0.1"}, nil }
func (n names) LookupAddr(context.Context, string) (found []string, _ error) {
	return []string{string(n)}, nil
}

// quiet keeps the deprecation out of the test's output.
func quiet(t *testing.T) *Transport {
	t.Helper()
	tr := &Transport{resolver: names("web.krb.test.")}
	tr.notice.Log(t.Context(), slog.New(slog.DiscardHandler), "", "")
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestTokenAtOnce(t *testing.T) {
	s := newSite(t)
	client := &http.Client{Transport: quiet(t)}
	for range 3 {
		if _, body := get(t, client, s.URL); body != "GET alice@KRB.TEST" {
			t.Fatalf("the server says %q, want alice", body)
		}
	}
	if r, n := s.requests.Load(), s.tokens.Load(); r != 3 || n != 3 {
		t.Errorf("%d requests, %d with a token; want 3, each with a token, as the original sends them", r, n)
	}
	if n := s.kdc.Requests().TGS; n != 1 {
		t.Errorf("%d tickets fetched, want 1", n)
	}
}

func TestNoCanonicalize(t *testing.T) {
	s := newSite(t)
	for noCanonicalize, want := range map[bool]string{false: "HTTP@web.krb.test", true: "HTTP@127.0.0.1"} {
		tr := quiet(t)
		tr.NoCanonicalize = noCanonicalize
		resp, _ := get(t, &http.Client{Transport: tr}, s.URL)
		if ex, _ := negotiate.ExchangeFrom(resp); ex.Target.Value != want {
			t.Errorf("NoCanonicalize %t: the token is for %v, want %s", noCanonicalize, ex.Target, want)
		}
	}
}

// TestEmbeddedTransport sets fields as old code does, on the embedded Transport
// and through it.
func TestEmbeddedTransport(t *testing.T) {
	s := newSite(t)
	tls := s.serve(t, func(h http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(h)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		return server
	})
	trusted := tls.Client().Transport.(*http.Transport).TLSClientConfig
	tr := quiet(t)
	tr.TLSClientConfig = trusted
	var dialled atomic.Int32
	tr.Transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	if _, body := get(t, &http.Client{Transport: tr}, tls.URL); body != "GET alice@KRB.TEST" {
		t.Errorf("the server says %q, want alice", body)
	}
	if dialled.Load() == 0 {
		t.Error("DialContext was not used")
	}
	if _, err := (&http.Client{Transport: quiet(t)}).Get(tls.URL); err == nil {
		t.Error("a certificate that nobody trusts is accepted without TLSClientConfig")
	}
}

// closeSignal tells when a connection is closed.
type closeSignal struct {
	net.Conn
	closed chan<- struct{}
}

func (c closeSignal) Close() error {
	c.closed <- struct{}{}
	return c.Conn.Close()
}

func TestCloseIdleConnections(t *testing.T) {
	s := newSite(t)
	closed := make(chan struct{}, 8)
	tr := quiet(t)
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return closeSignal{conn, closed}, err
	}
	client := &http.Client{Transport: tr}
	get(t, client, s.URL)
	client.CloseIdleConnections()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("the connection stays open")
	}
}

func TestNoTicket(t *testing.T) {
	s := newSite(t)
	t.Setenv("KRB5CCNAME", "FILE:"+filepath.Join(t.TempDir(), "none"))
	_, err := (&http.Client{Transport: quiet(t)}).Get(s.URL)
	var old *Error
	if !errors.As(err, &old) || !strings.Contains(err.Error(), "kinit") {
		t.Errorf("error %v; want an *Error that says what to do", err)
	}
	if n := s.tokens.Load(); n != 0 {
		t.Errorf("%d tokens without a ticket", n)
	}
	open := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "open") }))
	defer open.Close()
	if _, body := get(t, &http.Client{Transport: quiet(t)}, open.URL); body != "open" {
		t.Errorf("a server that asks for nothing says %q", body)
	}
}

// TestRefused has a server that wants nobody's tickets.
func TestRefused(t *testing.T) {
	newSite(t)
	never := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Negotiate")
		http.Error(w, "no", http.StatusUnauthorized)
	}))
	defer never.Close()
	if resp, body := get(t, &http.Client{Transport: quiet(t)}, never.URL); resp.StatusCode != http.StatusUnauthorized || body != "no\n" {
		t.Errorf("status %d, %q; want the server's 401", resp.StatusCode, body)
	}
}

func TestRequestIsNotChanged(t *testing.T) {
	s := newSite(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := quiet(t).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(req.Header) != 0 {
		t.Errorf("the request has got the header fields %v", req.Header)
	}
}

func TestSetSPNEGOHeader(t *testing.T) {
	s := newSite(t)
	p := New().(*provider)
	p.byAddress.Target = negotiate.CanonicalTarget(names("web.krb.test."))
	for _, canonicalize := range [][]bool{nil, {true}, {false}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if err := Provider(p).SetSPNEGOHeader(req, canonicalize...); err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "POST alice@KRB.TEST" {
			t.Errorf("canonicalize %v: the server says %q, %v; want alice", canonicalize, body, err)
		}
	}
	s.kdc.Remove("HTTP/web.krb.test")
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://elsewhere.krb.test/", nil)
	if err := p.SetSPNEGOHeader(req, false); err == nil || !strings.Contains(err.Error(), "elsewhere.krb.test") {
		t.Errorf("error %v; want one about elsewhere.krb.test, which is no service", err)
	}
	if req.Header.Get("Authorization") != "" {
		t.Error("a header was set in spite of the error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.SetSPNEGOHeader(req.WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the context's end; want context.Canceled", err)
	}
}

func TestDeprecationIsLoggedOnce(t *testing.T) {
	s := newSite(t)
	var logs bytes.Buffer
	former := slog.Default()
	t.Cleanup(func() { slog.SetDefault(former) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&logs, nil)))
	for range 2 {
		tr := &Transport{NoCanonicalize: true}
		for range 3 {
			get(t, &http.Client{Transport: tr}, s.URL)
		}
		tr.CloseIdleConnections()
	}
	if n := strings.Count(logs.String(), "deprecated"); n != 2 {
		t.Errorf("%d records; want one for each of two values:\n%s", n, &logs)
	}
	if !strings.Contains(logs.String(), "negotiate.Transport") {
		t.Errorf("the record does not say what to write instead:\n%s", &logs)
	}
	logs.Reset()
	for range 2 {
		p := New()
		for range 3 {
			if err := p.SetSPNEGOHeader(httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := strings.Count(logs.String(), "deprecated"); n != 2 || strings.Count(logs.String(), "negotiate.Transport") != 2 {
		t.Errorf("%d records; want one for each of two providers, that says what to write instead:\n%s", n, &logs)
	}
}
