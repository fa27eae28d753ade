package kerberos_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/compat/kerberos"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// site is a realm with alice and bob, and a server at http://127.0.0.1 that is
// known in the realm by several names.
type site struct {
	*httptest.Server
	kdc      *krbtest.KDC
	requests atomic.Int32
	// after runs when a client is authenticated; nil greets it.
	after http.HandlerFunc
	// keepProof is false to take the server's proof out of responses.
	keepProof bool
	// delegated tells that the last client handed its credential over.
	delegated atomic.Bool
}

var services = []string{"HTTP/127.0.0.1", "host/127.0.0.1", "HTTP/internal.krb.test", "host/internal.krb.test"}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{kdc: krbtest.NewKDC(t), keepProof: true}
	s.kdc.AddPrincipal("alice", "")
	s.kdc.AddPrincipal("bob", "")
	for _, name := range services {
		s.kdc.AddService(name)
	}
	handler := &negotiate.Handler{Provider: s.kdc.Acceptor(services...), Next: http.HandlerFunc(s.serve), Logger: slog.New(slog.DiscardHandler)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	s.delegated.Store(id.Delegated != nil)
	if !s.keepProof {
		w.Header().Del("WWW-Authenticate")
	}
	if s.after != nil {
		s.after(w, r)
		return
	}
	io.WriteString(w, id.Principal)
}

// get makes a request as alice, unless auth has another provider.
func (s *site) get(t *testing.T, auth *kerberos.HTTPKerberosAuth) (resp *http.Response, body string, err error) {
	t.Helper()
	if auth.Provider == nil {
		auth.Provider = s.kdc.Provider("alice")
	}
	if auth.Logger == nil {
		auth.Logger = slog.New(slog.DiscardHandler)
	}
	return s.getAsIs(t, auth)
}

func (s *site) getAsIs(t *testing.T, auth *kerberos.HTTPKerberosAuth) (resp *http.Response, body string, err error) {
	t.Helper()
	t.Cleanup(auth.CloseIdleConnections)
	resp, err = (&http.Client{Transport: auth}).Get(s.URL)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b), nil
}

func TestDefaults(t *testing.T) {
	s := newSite(t)
	s.keepProof = false // DISABLED, the default, does not ask for one
	resp, body, err := s.get(t, &kerberos.HTTPKerberosAuth{})
	if err != nil || body != "alice@KRB.TEST" {
		t.Fatalf("%q, %v; want alice", body, err)
	}
	if n := s.requests.Load(); n != 2 {
		t.Errorf("%d requests; want 2, since the token goes out when the server has asked", n)
	}
	if s.delegated.Load() {
		t.Error("the credential was handed over")
	}
	ex, ok := negotiate.ExchangeFrom(resp)
	if want := gss.HostBased("HTTP", "127.0.0.1"); !ok || ex.Target != want {
		t.Errorf("the exchange is %+v; want target %v", ex, want)
	}
}

func TestMutualAuthentication(t *testing.T) {
	tests := []struct {
		mode      kerberos.MutualAuthentication
		keepProof bool
		forge     bool
		fails     bool
		verified  bool
	}{
		{mode: kerberos.Disabled, keepProof: true},
		{mode: kerberos.Disabled},
		{mode: kerberos.Disabled, forge: true},
		{mode: kerberos.Optional, keepProof: true, verified: true},
		{mode: kerberos.Optional},
		{mode: kerberos.Optional, forge: true, fails: true},
		{mode: kerberos.Required, keepProof: true, verified: true},
		{mode: kerberos.Required, fails: true},
		{mode: kerberos.Required, forge: true, fails: true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s, proof %t, forged %t", tt.mode, tt.keepProof, tt.forge), func(t *testing.T) {
			s := newSite(t)
			s.keepProof = tt.keepProof
			if tt.forge {
				s.after = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("WWW-Authenticate", "Negotiate AAAA") }
			}
			resp, _, err := s.get(t, &kerberos.HTTPKerberosAuth{MutualAuthentication: tt.mode})
			if tt.fails {
				if _, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); !ok {
					t.Errorf("error %v; want a MutualAuthenticationError", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if ex, _ := negotiate.ExchangeFrom(resp); resp.StatusCode != http.StatusOK || ex.MutualVerified != tt.verified {
				t.Errorf("status %d, verified %t; want 200, %t", resp.StatusCode, ex.MutualVerified, tt.verified)
			}
		})
	}
}

func TestSanitizeMutualErrorResponse(t *testing.T) {
	s := newSite(t)
	s.keepProof = false
	s.after = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "because", http.StatusTeapot) }
	for _, tt := range []struct {
		mode     kerberos.MutualAuthentication
		sanitize *bool
		want     string
	}{
		{kerberos.Required, nil, ""},
		{kerberos.Required, new(true), ""},
		{kerberos.Required, new(false), "because\n"},
		{kerberos.Optional, new(true), "because\n"},
	} {
		resp, body, err := s.get(t, &kerberos.HTTPKerberosAuth{MutualAuthentication: tt.mode, SanitizeMutualErrorResponse: tt.sanitize})
		if err != nil || resp.StatusCode != http.StatusTeapot || body != tt.want {
			t.Errorf("%s: %v, %q, %v; want status 418 with %q", tt.mode, resp, body, err, tt.want)
		}
	}
}

func TestTarget(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		service, host string
		want          gss.Name
	}{
		{"", "", gss.HostBased("HTTP", "127.0.0.1")},
		{"host", "", gss.HostBased("host", "127.0.0.1")},
		{"", "Internal.KRB.test", gss.HostBased("HTTP", "internal.krb.test")},
		{"host", "internal.krb.test.", gss.HostBased("host", "internal.krb.test")},
	} {
		resp, body, err := s.get(t, &kerberos.HTTPKerberosAuth{Service: tt.service, HostnameOverride: tt.host})
		if err != nil {
			t.Fatal(err)
		}
		if ex, _ := negotiate.ExchangeFrom(resp); ex.Target != tt.want || body != "alice@KRB.TEST" {
			t.Errorf("Service %q, HostnameOverride %q: target %v, %q; want %v, alice", tt.service, tt.host, ex.Target, body, tt.want)
		}
	}
	resp, _, err := s.get(t, &kerberos.HTTPKerberosAuth{HostnameOverride: "elsewhere.krb.test"})
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with the name of nobody: %v, %v; want the server's 401", resp, err)
	}
}

func TestDelegate(t *testing.T) {
	s := newSite(t)
	if _, body, err := s.get(t, &kerberos.HTTPKerberosAuth{Delegate: true}); err != nil || body != "alice@KRB.TEST" {
		t.Fatalf("%q, %v; want alice", body, err)
	}
	if !s.delegated.Load() {
		t.Error("the server has got no credential")
	}
}

func TestForcePreemptive(t *testing.T) {
	s := newSite(t)
	if _, body, err := s.get(t, &kerberos.HTTPKerberosAuth{ForcePreemptive: true}); err != nil || body != "alice@KRB.TEST" {
		t.Fatalf("%q, %v; want alice", body, err)
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests; want 1 with a token at once", n)
	}
}

// collection makes a folder of credential caches the user's, with alice's as
// the default one.
func (s *site) collection(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s.kdc.WriteCCache(filepath.Join(dir, "tkt"), "alice")
	if err := os.WriteFile(filepath.Join(dir, "primary"), []byte("tkt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPrincipal(t *testing.T) {
	s := newSite(t)
	dir := s.collection(t)
	provider, err := krb5.New(krb5.Options{Config: s.kdc.ConfigPath(), CCache: "DIR:" + dir})
	if err != nil {
		t.Fatal(err)
	}
	bob := &kerberos.HTTPKerberosAuth{Principal: "bob@KRB.TEST", Provider: provider}
	resp, _, err := s.get(t, bob)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("bob, who has not logged in: %v, %v; want the server's 401", resp, err)
	}
	if ex, _ := negotiate.ExchangeFrom(resp); ex.Err == nil || !strings.Contains(ex.Err.Error(), "bob@KRB.TEST") {
		t.Errorf("the exchange says %v; want why bob has no credential", ex.Err)
	}
	s.kdc.WriteCCache(filepath.Join(dir, "tktbob"), "bob")
	if _, body, err := s.get(t, bob); err != nil || body != "bob@KRB.TEST" {
		t.Errorf("after bob's login: %q, %v; want bob", body, err)
	}
	if _, body, err := s.get(t, &kerberos.HTTPKerberosAuth{Provider: provider}); err != nil || body != "alice@KRB.TEST" {
		t.Errorf("without Principal: %q, %v; want alice, whose cache is the default", body, err)
	}
}

// TestPrincipalByEnvironment has the provider that is taken where none is given.
func TestPrincipalByEnvironment(t *testing.T) {
	s := newSite(t)
	dir := s.collection(t)
	s.kdc.WriteCCache(filepath.Join(dir, "tktbob"), "bob")
	broken := filepath.Join(dir, "broken.conf")
	if err := os.WriteFile(broken, []byte("[libdefaults\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KRB5_CONFIG", broken)
	t.Setenv("KRB5CCNAME", "DIR:"+dir)
	auth := &kerberos.HTTPKerberosAuth{Principal: "bob", Logger: slog.New(slog.DiscardHandler)}
	if resp, _, err := s.getAsIs(t, auth); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("with a broken krb5.conf: %v, %v; want the server's 401", resp, err)
	}
	t.Setenv("KRB5_CONFIG", s.kdc.ConfigPath())
	if _, body, err := s.getAsIs(t, auth); err != nil || body != "bob@KRB.TEST" {
		t.Errorf("%q, %v; want bob", body, err)
	}
}

func TestDeprecationIsLoggedOnce(t *testing.T) {
	s := newSite(t)
	var logs bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for range 2 {
		auth := &kerberos.HTTPKerberosAuth{Logger: logger}
		for range 3 {
			if _, _, err := s.get(t, auth); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := strings.Count(logs.String(), "deprecated"); n != 2 {
		t.Errorf("%d records; want one for each of two values:\n%s", n, &logs)
	}
	if !strings.Contains(logs.String(), "negotiate.Transport") {
		t.Errorf("the record does not say what to write instead:\n%s", &logs)
	}
	former := slog.Default()
	t.Cleanup(func() { slog.SetDefault(former) })
	slog.SetDefault(logger)
	logs.Reset()
	if _, _, err := s.getAsIs(t, &kerberos.HTTPKerberosAuth{Provider: s.kdc.Provider("alice")}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(logs.String(), "deprecated"); n != 1 {
		t.Errorf("%d records at slog.Default(); want 1:\n%s", n, &logs)
	}
}

func TestTransportIsTheOneInUse(t *testing.T) {
	s := newSite(t)
	auth := &kerberos.HTTPKerberosAuth{MutualAuthentication: kerberos.Required, Provider: s.kdc.Provider("alice")}
	if tr := auth.Transport(); tr != auth.Transport() || tr.Mutual != negotiate.MutualRequired {
		t.Error("Transport does not return one Transport with the options")
	}
	auth.Transport().Allow = func(*http.Request) bool { return false }
	resp, _, err := s.get(t, auth)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%v, %v; want the 401 of a request that Allow does not allow", resp, err)
	}
}
