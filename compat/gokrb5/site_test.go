package spnego

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/goidentity/v6"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/service"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

const spn = "HTTP/127.0.0.1"

// newRealm is a realm with alice, bob and a service at 127.0.0.1.
func newRealm(t *testing.T, o ...krbtest.Option) *krbtest.KDC {
	t.Helper()
	kdc := krbtest.NewKDC(t, o...)
	kdc.AddPrincipal("alice", "secret")
	kdc.AddPrincipal("bob", "secret")
	kdc.AddService(spn)
	return kdc
}

func loadConfig(t *testing.T, kdc *krbtest.KDC) *config.Config {
	t.Helper()
	conf, err := config.Load(kdc.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// clientOf is a client of gokrb5 with a ticket-granting ticket.
func clientOf(t *testing.T, kdc *krbtest.KDC, user string) *client.Client {
	t.Helper()
	cache, err := credentials.LoadCCache(kdc.CCache(user))
	if err != nil {
		t.Fatal(err)
	}
	cl, err := client.NewFromCCache(cache, loadConfig(t, kdc), client.DisablePAFXFAST(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Destroy)
	return cl
}

func loadKeytab(t *testing.T, kdc *krbtest.KDC, principals ...string) *keytab.Keytab {
	t.Helper()
	kt, err := keytab.Load(kdc.Keytab(principals...))
	if err != nil {
		t.Fatal(err)
	}
	return kt
}

// site is a server with a handler of this module.
type site struct {
	*httptest.Server
	requests, authenticated atomic.Int32
}

func newSite(t *testing.T, kdc *krbtest.KDC, next http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	handler := &negotiate.Handler{
		Provider: kdc.Acceptor(spn),
		Logger:   slog.New(slog.DiscardHandler),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.authenticated.Add(1)
			next(w, r)
		}),
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// hello tells what the server has got.
func hello(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Method, id.Principal, body)
}

// oldSite is a server as programs have it that use gokrb5.
func oldSite(t *testing.T, kt *keytab.Keytab, settings ...func(*service.Settings)) *httptest.Server {
	t.Helper()
	if !setsLogger(settings) {
		settings = append(settings, service.Logger(discardLogger))
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		creds := goidentity.FromHTTPRequestContext(r)
		fmt.Fprintf(w, "%s %s %t", creds.UserName(), creds.Domain(), creds.Authenticated())
	})
	server := httptest.NewServer(SPNEGOKRB5Authenticate(app, kt, settings...))
	t.Cleanup(server.Close)
	return server
}

const helloAlice = "alice KRB.TEST true"

func setsLogger(settings []func(*service.Settings)) bool {
	return service.NewSettings(nil, settings...).Logger() != nil
}

// newClient is a client of this module that insists on the server's proof.
func newClient(t *testing.T, provider gss.Provider) *http.Client {
	t.Helper()
	tr := &negotiate.Transport{Provider: provider, Mutual: negotiate.MutualRequired}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// doer sends requests.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

func do(t *testing.T, c doer, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, text(t, resp)
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// quietly keeps the deprecation of a client out of the test's output.
func quietly(t *testing.T, c *Client) *Client {
	t.Helper()
	c.notice.Log(t.Context(), slog.New(slog.DiscardHandler), "", "")
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// eventually waits until ok is true, which depends on other goroutines.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Error("it does not come about")
			return
		}
	}
}
