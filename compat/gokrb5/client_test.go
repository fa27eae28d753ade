package spnego

import (
	"context"
	"errors"
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

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/service"
	gokrb5 "github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krbtest"
)

var discardLogger = log.New(io.Discard, "", 0)

// TestClientLogins has each of the ways in which programs make a client of
// gokrb5.
func TestClientLogins(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	conf := loadConfig(t, kdc)
	for name, cl := range map[string]*client.Client{
		"password": client.NewWithPassword("alice", "KRB.TEST", "secret", conf, client.DisablePAFXFAST(true)),
		"keytab":   client.NewWithKeytab("alice", "KRB.TEST", loadKeytab(t, kdc, "alice"), conf, client.DisablePAFXFAST(true)),
		"cache":    clientOf(t, kdc, "alice"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(cl.Destroy)
			resp, body := do(t, quietly(t, NewClient(cl, nil, "")), http.MethodGet, s.URL, "")
			if body != "GET alice@KRB.TEST " {
				t.Errorf("the server says %d %q, want alice", resp.StatusCode, body)
			}
		})
	}
}

func TestClientEncryptionTypes(t *testing.T) {
	for _, enctype := range []string{"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128"} {
		t.Run(enctype, func(t *testing.T) {
			kdc := newRealm(t, krbtest.WithEnctypes(enctype))
			s := newSite(t, kdc, hello)
			cl := clientOf(t, kdc, "alice")
			// gokrb5 has the types of SHA-2 and asks for none of them by itself.
			cl.Config.LibDefaults.DefaultTGSEnctypeIDs = []int32{17, 18, 19, 20}
			if _, body := do(t, quietly(t, NewClient(cl, nil, "")), http.MethodGet, s.URL, ""); body != "GET alice@KRB.TEST " {
				t.Errorf("the server says %q, want alice", body)
			}
		})
	}
}

func TestClientMethods(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), nil, ""))
	for _, tt := range []struct {
		name string
		send func() (*http.Response, error)
		want string
	}{
		{"Get", func() (*http.Response, error) { return c.Get(s.URL) }, "GET alice@KRB.TEST "},
		{"Head", func() (*http.Response, error) { return c.Head(s.URL) }, ""},
		{"Post", func() (*http.Response, error) { return c.Post(s.URL, "text/plain", strings.NewReader("body")) }, "POST alice@KRB.TEST body"},
		{"Post of a body that comes once", func() (*http.Response, error) {
			return c.Post(s.URL, "text/plain", io.MultiReader(strings.NewReader("bo"), strings.NewReader("dy")))
		}, "POST alice@KRB.TEST body"},
		{"PostForm", func() (*http.Response, error) { return c.PostForm(s.URL, url.Values{"a": {"b"}}) }, "POST alice@KRB.TEST a=b"},
	} {
		resp, err := tt.send()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if body := text(t, resp); resp.StatusCode != http.StatusOK || body != tt.want {
			t.Errorf("%s: status %d, %q; want 200, %q", tt.name, resp.StatusCode, body, tt.want)
		}
	}
	for _, send := range []func() (*http.Response, error){
		func() (*http.Response, error) { return c.Get("%") },
		func() (*http.Response, error) { return c.Head("%") },
		func() (*http.Response, error) { return c.Post("%", "", nil) },
	} {
		if _, err := send(); err == nil {
			t.Error("a URL that is none is no error")
		}
	}
}

// TestClientLargeBody has a server that takes the body before it asks for
// authentication, and a body beyond what a Transport keeps by itself: the
// original repeats any.
func TestClientLargeBody(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	greedy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(fmt.Sprint(n)))
		s.Config.Handler.ServeHTTP(w, r)
	}))
	defer greedy.Close()
	const size = negotiate.DefaultMaxBodyBuffer + 1
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), nil, ""))
	resp, err := c.Post(greedy.URL, "text/plain", io.MultiReader(strings.NewReader(strings.Repeat("x", size))))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, resp), fmt.Sprintf("POST alice@KRB.TEST %d", size); got != want {
		t.Errorf("the server says %q, want %q", got, want)
	}
}

func TestClientRedirect(t *testing.T) {
	kdc := newRealm(t)
	var s *site
	s = newSite(t, kdc, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, s.URL+"/there", http.StatusTemporaryRedirect)
			return
		}
		hello(w, r)
	})
	httpClient := &http.Client{}
	var seen []string
	httpClient.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		seen = append(seen, req.URL.Path)
		return nil
	}
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), httpClient, ""))
	for range 12 { // the original counts redirects for good, up to 10
		if _, body := do(t, c, http.MethodPost, s.URL+"/", "body"); body != "POST alice@KRB.TEST body" {
			t.Fatalf("the server says %q, want alice and the body", body)
		}
	}
	if len(seen) != 12 || seen[0] != "/there" {
		t.Errorf("CheckRedirect has seen %q", seen)
	}
}

// TestClientLeavesAlone looks at what the original changes: the request, and
// the http.Client that others may use.
func TestClientLeavesAlone(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "alice's"})
		cookies := r.CookiesNamed("session")
		fmt.Fprint(w, len(cookies))
	})
	shared := &http.Client{}
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), shared, ""))
	if c.Client != shared {
		t.Error("the embedded Client is another than was given")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"0", "1"} {
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, resp); got != want {
			t.Errorf("request %d has %s cookies, want %s", i, got, want)
		}
	}
	if req.Header.Get("Authorization") != "" || req.Host != strings.TrimPrefix(s.URL, "http://") {
		t.Errorf("the request has become %v, host %s", req.Header, req.Host)
	}
	if shared.Jar != nil || shared.CheckRedirect != nil || shared.Transport != nil {
		t.Errorf("the http.Client has become %+v", shared)
	}
	bob := quietly(t, NewClient(clientOf(t, kdc, "bob"), shared, ""))
	if _, got := do(t, bob, http.MethodGet, s.URL, ""); got != "0" {
		t.Errorf("bob comes with %s cookies of alice", got)
	}
}

// TestClientFollowsSettings changes the http.Client after NewClient, as
// programs do by the embedded field.
func TestClientFollowsSettings(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), nil, ""))
	do(t, c, http.MethodGet, s.URL, "")
	var dialled atomic.Int32
	c.Transport = &http.Transport{DialContext: patience.InOrder(func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	})}
	for range 3 {
		do(t, c, http.MethodGet, s.URL, "")
	}
	if n := dialled.Load(); n != 1 {
		t.Errorf("the new Transport has dialled %d times, want 1 for 3 requests", n)
	}
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	c.Timeout = time.Millisecond
	_, err := c.Get(slow.URL)
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("error %v; want the end of Timeout", err)
	}
}

func TestClientSPN(t *testing.T) {
	kdc := newRealm(t)
	kdc.AddService("HTTP/web.krb.test")
	s := newSite(t, kdc, hello)
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), nil, "HTTP/web.krb.test"))
	resp, _ := do(t, c, http.MethodGet, s.URL, "")
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token for another service: status %d, want the server's 401", resp.StatusCode)
	}
	ex, _ := negotiate.ExchangeFrom(resp)
	if failed, ok := errors.AsType[*negotiate.ExchangeError](ex.Err); !ok || failed.Stage != negotiate.StageRejected || ex.Target.Value != "HTTP/web.krb.test" {
		t.Errorf("the exchange is %+v; want a refusal of a token for HTTP/web.krb.test", ex)
	}
}

// TestClientCanonicalName has a host whose name the realm does not know.
func TestClientCanonicalName(t *testing.T) {
	kdc := newRealm(t)
	kdc.AddService("HTTP/web.krb.test")
	cl := clientOf(t, kdc, "alice")
	cl.Config.LibDefaults.DNSCanonicalizeHostname = true
	var lookups atomic.Int32
	tickets := newTickets(cl)
	tickets.lookupCNAME = func(_ context.Context, host string) (string, error) {
		lookups.Add(1)
		if host != "alias.krb.test" && host != "elsewhere.krb.test" {
			return "", errors.New("no such host")
		}
		return "Web.krb.test.", nil
	}
	get := func(host string) (string, error) {
		t.Helper()
		got, err := tickets.forHost(t.Context(), "HTTP", host)
		if err != nil {
			return "", err
		}
		return got.server.String(), nil
	}
	for range 3 {
		if got, err := get("alias.krb.test"); err != nil || got != "HTTP/web.krb.test@KRB.TEST" {
			t.Fatalf("ticket for %q, %v; want that of the canonical name", got, err)
		}
	}
	if n := lookups.Load(); n != 1 {
		t.Errorf("%d DNS lookups for one host, want 1", n)
	}
	if got, err := get("127.0.0.1"); err != nil || got != "HTTP/127.0.0.1@KRB.TEST" || lookups.Load() != 1 {
		t.Errorf("ticket for %q, %v, after %d lookups; want no lookup for a name that the realm knows", got, err, lookups.Load())
	}
	if _, err := get("nowhere.krb.test"); err == nil || !strings.Contains(err.Error(), "S_PRINCIPAL_UNKNOWN") {
		t.Errorf("a host without another name: %v; want the KDC's answer", err)
	}
	cl.Config.LibDefaults.DNSCanonicalizeHostname = false
	if got, err := get("elsewhere.krb.test"); err == nil {
		t.Errorf("ticket for %q in spite of dns_canonicalize_hostname = false", got)
	}
}

func TestClientWithoutTicket(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	destroyed := clientOf(t, kdc, "alice")
	destroyed.Destroy()
	wrong := client.NewWithPassword("alice", "KRB.TEST", "wrong", loadConfig(t, kdc), client.DisablePAFXFAST(true))
	for name, c := range map[string]*Client{
		"no such service": NewClient(clientOf(t, kdc, "alice"), nil, "HTTP/nobody.krb.test"),
		"destroyed":       NewClient(destroyed, nil, ""),
		"wrong password":  NewClient(wrong, nil, ""),
		"no client":       NewClient(nil, nil, ""),
	} {
		resp, err := quietly(t, c).Get(s.URL)
		if err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %v, %v; want the server's 401 and an error", name, resp, err)
			continue
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: the body is open", name)
		}
	}
}

// TestClientOneTicket has many goroutines want one ticket. The client of gokrb5 asks
// again over TCP what is not answered over UDP within seconds.
func TestClientOneTicket(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	cl := clientOf(t, kdc, "alice")
	cl.Config.LibDefaults.UDPPreferenceLimit = 1 // TCP only
	c := quietly(t, NewClient(cl, nil, ""))
	begun, release := make(chan struct{}, 20), make(chan struct{})
	tickets := c.initiators.tickets
	tickets.fetch = func(spn string) (*ticket, error) {
		begun <- struct{}{}
		<-release
		return tickets.fetchFromClient(spn)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			resp, err := c.Get(s.URL)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	eventually(t, func() bool { return s.requests.Load() == 20 })
	<-begun
	close(release)
	wg.Wait()
	if n := s.authenticated.Load(); n != 20 {
		t.Errorf("%d requests were authenticated, want 20", n)
	}
	if n := kdc.Requests().TGS; n != 1 {
		t.Errorf("the KDC was asked for %d tickets, want 1", n)
	}
}

// settle waits until gokrb5's client, which cannot be interrupted, has come back.
func settle(t *testing.T, c *Client) {
	t.Helper()
	tickets := c.initiators.tickets
	eventually(t, func() bool {
		tickets.mu.Lock()
		defer tickets.mu.Unlock()
		return len(tickets.requests) == 0
	})
}

// TestClientContext ends a request that waits for a KDC which does not answer.
func TestClientContext(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	release := make(chan struct{})
	kdc.SetFault(krbtest.Held(release))
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), nil, ""))
	defer settle(t, c)
	defer close(release)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	go func() {
		eventually(t, func() bool { return kdc.Requests().TGS > 0 })
		cancel(reason)
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(req); !errors.Is(err, reason) && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want the context's", err)
	}
	c.initiators.tickets.mu.Lock()
	defer c.initiators.tickets.mu.Unlock()
	if len(c.initiators.tickets.requests) != 1 {
		t.Error("the request has waited for the KDC")
	}
}

// TestClientRefusedForGood has a server that refuses all tokens: the original
// never comes back.
func TestClientRefusedForGood(t *testing.T) {
	kdc := newRealm(t)
	var requests atomic.Int32
	never := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer never.Close()
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), nil, spn))
	if resp, _ := do(t, c, http.MethodGet, never.URL, ""); resp.StatusCode != http.StatusUnauthorized || requests.Load() > 3 {
		t.Errorf("status %d after %d requests; want 401 after 3 at most", resp.StatusCode, requests.Load())
	}
}

// TestClientWithOriginalServer meets a server that runs gokrb5, which proves
// nothing.
func TestClientWithOriginalServer(t *testing.T) {
	kdc := newRealm(t)
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "welcome") })
	original := httptest.NewServer(gokrb5.SPNEGOKRB5Authenticate(app, loadKeytab(t, kdc, spn), service.Logger(discardLogger)))
	defer original.Close()
	c := quietly(t, NewClient(clientOf(t, kdc, "alice"), nil, ""))
	if resp, body := do(t, c, http.MethodGet, original.URL, ""); body != "welcome" {
		t.Errorf("the server says %d %q", resp.StatusCode, body)
	}
}

func TestSetSPNEGOHeader(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	cl := clientOf(t, kdc, "alice")
	for _, name := range []string{"", spn} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if err := SetSPNEGOHeader(cl, req, name); err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body := text(t, resp); body != "POST alice@KRB.TEST body" {
			t.Errorf("SPN %q: the server says %q, want alice", name, body)
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err := SetSPNEGOHeader(cl, req, "HTTP/nobody.krb.test"); err == nil || !strings.Contains(err.Error(), "HTTP/nobody.krb.test") {
		t.Errorf("error %v; want one about HTTP/nobody.krb.test", err)
	}
	if req.Header.Get("Authorization") != "" {
		t.Error("a header was set in spite of the error")
	}
}
