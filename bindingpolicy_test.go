package negotiate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/patience"
)

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newECKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

func newECKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) issue(t *testing.T, host string) tls.Certificate {
	t.Helper()
	return a.issueFor(t, host, newECKey(t))
}

func (a *authority) issueFor(t *testing.T, host string, key crypto.Signer) tls.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) serverConfig(certs ...tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: certs}
}

// client keeps to one connection. An empty serverName sends no server name, as a
// URL with an address does.
func (a *authority) client(t *testing.T, serverName string) *http.Client {
	tr := &http.Transport{
		DialContext:     patience.InOrder(new(net.Dialer).DialContext),
		MaxConnsPerHost: 1,
		TLSClientConfig: &tls.Config{RootCAs: a.pool, ServerName: serverName},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// endPoint computes tls-server-end-point of a certificate signed with SHA-256.
func endPoint(der []byte) *gss.ChannelBindings {
	sum := sha256.Sum256(der)
	return &gss.ChannelBindings{ApplicationData: append([]byte("tls-server-end-point:"), sum[:]...)}
}

// shownEndPoint asks for the certificate that c sees on its connection.
func shownEndPoint(t *testing.T, c *http.Client, url string) *gss.ChannelBindings {
	t.Helper()
	a := ask(t, c, url)
	a.checkRefused(t)
	return endPoint(a.TLS.PeerCertificates[0].Raw)
}

// secureSite serves over TLS with cfg.
func secureSite(t *testing.T, policy negotiate.BindingPolicy, cfg *tls.Config) (*site, string) {
	t.Helper()
	s := newSite(t, gsstest.Options{})
	s.ChannelBindings = policy
	srv := &http.Server{Handler: s.Handler, TLSConfig: cfg}
	if err := s.ConfigureServer(srv); err != nil {
		t.Fatal(err)
	}
	return s, serve(t, srv, true)
}

// checkBound asserts that a client with bindings to what it sees gets in, and one
// with bindings to wrong does not.
func checkBound(t *testing.T, s *site, c *http.Client, url string, wrong *gss.ChannelBindings) {
	t.Helper()
	right := shownEndPoint(t, c, url)
	before := len(s.identities())
	a := login(t, c, url, s.initiate(t, "alice", gss.InitiateOptions{ChannelBindings: right}))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("bound to the right certificate: status %d; log: %s", a.StatusCode, s.logs)
	}
	if got := s.identities()[before:]; len(got) != 1 || !got[0].ChannelBound || !got[0].Flags.Has(gss.FlagChannelBound) {
		t.Errorf("the identity is not channel-bound: %+v", got)
	}
	login(t, c, url, s.initiate(t, "alice", gss.InitiateOptions{ChannelBindings: wrong})).checkRefused(t)
	if got := len(s.identities()) - before; got != 1 {
		t.Errorf("Next was called %d times, want once", got)
	}
}

func TestBindingPolicies(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	cert, other := ca.issue(t, "web.example.test"), ca.issue(t, "web.example.test")
	right, wrong := endPoint(cert.Certificate[0]), endPoint(other.Certificate[0])
	for _, test := range []struct {
		name      string
		policy    negotiate.BindingPolicy
		bindings  *gss.ChannelBindings
		in, bound bool
	}{
		{"ignore, none", negotiate.BindingIgnore, nil, true, false},
		{"ignore, right", negotiate.BindingIgnore, right, true, false},
		{"ignore, wrong", negotiate.BindingIgnore, wrong, true, false},
		{"verify, none", negotiate.BindingVerify, nil, true, false},
		{"verify, right", negotiate.BindingVerify, right, true, true},
		{"verify, wrong", negotiate.BindingVerify, wrong, false, false},
		{"verify, empty", negotiate.BindingVerify, &gss.ChannelBindings{}, false, false},
		{"require, none", negotiate.BindingRequire, nil, false, false},
		{"require, right", negotiate.BindingRequire, right, true, true},
		{"require, wrong", negotiate.BindingRequire, wrong, false, false},
	} {
		for _, delegate := range []gss.Flags{0, gss.FlagDelegate} {
			t.Run(test.name, func(t *testing.T) {
				s, url := secureSite(t, test.policy, ca.serverConfig(cert))
				c := ca.client(t, "web.example.test")
				a := login(t, c, url, s.initiate(t, "alice", gss.InitiateOptions{ChannelBindings: test.bindings, Flags: delegate}))
				if !test.in {
					a.checkRefused(t)
					s.checkNotCalled(t)
					return
				}
				if a.StatusCode != http.StatusOK {
					t.Fatalf("status %d; log: %s", a.StatusCode, s.logs)
				}
				if got := s.identities()[0].ChannelBound; got != test.bound {
					t.Errorf("ChannelBound is %t, want %t", got, test.bound)
				}
			})
		}
	}
}

// TestBindingsWithoutTLS passes on a token that is bound to a TLS connection, to a
// port without TLS.
func TestBindingsWithoutTLS(t *testing.T) {
	negotiate.LeavesNothing(t)
	stolen := endPoint([]byte("the certificate of a man in the middle"))
	for _, test := range []struct {
		policy   negotiate.BindingPolicy
		bindings *gss.ChannelBindings
		in       bool
	}{
		{negotiate.BindingVerify, nil, true},
		{negotiate.BindingVerify, stolen, false},
		{negotiate.BindingRequire, nil, false},
		{negotiate.BindingRequire, stolen, false},
	} {
		s := newSite(t, gsstest.Options{})
		s.ChannelBindings = test.policy
		ts := httptest.NewServer(s.Handler)
		defer ts.Close()
		a := login(t, ts.Client(), ts.URL, s.initiate(t, "alice", gss.InitiateOptions{ChannelBindings: test.bindings}))
		if got := a.StatusCode == http.StatusOK; got != test.in {
			t.Errorf("%s, bindings %t: status %d", test.policy, test.bindings != nil, a.StatusCode)
		}
		if !test.in {
			a.checkRefused(t)
			s.checkNotCalled(t)
		}
	}
}

// TestRotatingCertificates keeps a connection of each certificate open.
func TestRotatingCertificates(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	certs := []tls.Certificate{ca.issue(t, "web.example.test"), ca.issue(t, "web.example.test")}
	var handshakes atomic.Int32
	rotate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &certs[int(handshakes.Add(1)-1)%2], nil
	}
	for name, cfg := range map[string]*tls.Config{
		"GetCertificate": {GetCertificate: rotate},
		"beside Certificates": {
			Certificates: []tls.Certificate{ca.issue(t, "web.example.test")}, GetCertificate: rotate,
		},
		"GetConfigForClient": {GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{certs[int(handshakes.Add(1)-1)%2]}}, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			handshakes.Store(0)
			s, url := secureSite(t, negotiate.BindingRequire, cfg)
			one, two := ca.client(t, "web.example.test"), ca.client(t, "web.example.test")
			first, second := shownEndPoint(t, one, url), shownEndPoint(t, two, url)
			if string(first.ApplicationData) == string(second.ApplicationData) {
				t.Fatal("both connections show one certificate")
			}
			for range 2 {
				checkBound(t, s, one, url, second)
				checkBound(t, s, two, url, first)
			}
		})
	}
}

func TestCertificateBySelection(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, rs := ca.issue(t, "web.example.test"), ca.issueFor(t, "web.example.test", rsaKey)
	ec2 := ca.issue(t, "other.example.test")
	s, url := secureSite(t, negotiate.BindingRequire, ca.serverConfig(ec, rs, ec2))
	for _, test := range []struct {
		name       string
		serverName string
		suites     []uint16
		want       tls.Certificate
	}{
		{"first", "web.example.test", nil, ec},
		{"by key", "web.example.test", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, rs},
		{"by name", "other.example.test", nil, ec2},
		{"no name", "", nil, ec},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := ca.client(t, test.serverName)
			if test.suites != nil {
				cfg := c.Transport.(*http.Transport).TLSClientConfig
				cfg.MaxVersion, cfg.CipherSuites = tls.VersionTLS12, test.suites
			}
			want := endPoint(test.want.Certificate[0])
			if got := shownEndPoint(t, c, url); string(got.ApplicationData) != string(want.ApplicationData) {
				t.Fatal("the server shows a certificate that crypto/tls would not have chosen")
			}
			checkBound(t, s, c, url, endPoint([]byte("another")))
		})
	}
}

// TestResumption reconnects with a client that would resume its session, in which
// the server shows no certificate.
func TestResumption(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		for _, perClient := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				cfg := ca.serverConfig(ca.issue(t, "web.example.test"))
				if perClient {
					inner := cfg
					cfg = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return inner, nil }}
				}
				s, url := secureSite(t, negotiate.BindingRequire, cfg)
				c := ca.client(t, "web.example.test")
				clientConfig := c.Transport.(*http.Transport).TLSClientConfig
				clientConfig.ClientSessionCache, clientConfig.MaxVersion = tls.NewLRUClientSessionCache(4), version
				for range 3 {
					checkBound(t, s, c, url, endPoint([]byte("another")))
					c.CloseIdleConnections()
				}
			})
		}
	}
}

func TestTLSConfigIsNotChanged(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	cfg := ca.serverConfig(ca.issue(t, "web.example.test"))
	s := newSite(t, gsstest.Options{})
	srv := &http.Server{TLSConfig: cfg}
	if err := s.ConfigureServer(srv); err != nil || srv.TLSConfig != cfg {
		t.Errorf("without channel bindings the configuration was replaced, or: %v", err)
	}
	s.ChannelBindings = negotiate.BindingVerify
	if err := s.ConfigureServer(srv); err != nil {
		t.Fatal(err)
	}
	if srv.TLSConfig == cfg || len(cfg.Certificates) != 1 || cfg.GetCertificate != nil || cfg.SessionTicketsDisabled {
		t.Error("the caller's tls.Config was changed")
	}
}

func TestTwoBindingHandlersOnOneServer(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	one, two := newSite(t, gsstest.Options{}), newSite(t, gsstest.Options{})
	mux := http.NewServeMux()
	srv := &http.Server{Handler: mux, TLSConfig: ca.serverConfig(ca.issue(t, "web.example.test"))}
	for path, s := range map[string]*site{"/one": one, "/two": two} {
		s.ChannelBindings = negotiate.BindingRequire
		mux.Handle(path, s.Handler)
		if err := s.ConfigureServer(srv); err != nil {
			t.Fatal(err)
		}
	}
	url := serve(t, srv, true)
	c := ca.client(t, "web.example.test")
	checkBound(t, one, c, url+"/one", endPoint([]byte("another")))
	checkBound(t, two, c, url+"/two", endPoint([]byte("another")))
}

// TestIgnoringHandlerBesideRequiring configures the server for a handler without
// channel bindings last: the other's record of the certificate must stay.
func TestIgnoringHandlerBesideRequiring(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	s, ignoring := newSite(t, gsstest.Options{}), newSite(t, gsstest.Options{})
	s.ChannelBindings = negotiate.BindingRequire
	srv := &http.Server{Handler: s.Handler, TLSConfig: ca.serverConfig(ca.issue(t, "web.example.test"))}
	if err := s.ConfigureServer(srv); err != nil {
		t.Fatal(err)
	}
	if err := ignoring.ConfigureServer(srv); err != nil {
		t.Fatal(err)
	}
	checkBound(t, s, ca.client(t, "web.example.test"), serve(t, srv, true), endPoint([]byte("another")))
}

func TestUnknownPolicy(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.ChannelBindings = negotiate.BindingRequire + 1
	s.Certificate = func(r *http.Request) (*x509.Certificate, error) { return newAuthority(t).cert, nil }
	a := httptest.NewRecorder()
	s.ServeHTTP(a, httptest.NewRequest(http.MethodGet, "/", nil))
	if a.Code != http.StatusInternalServerError || !strings.Contains(s.logs.String(), "BindingPolicy(3)") {
		t.Errorf("status %d, want 500; log: %s", a.Code, s.logs)
	}
}

// TestCertificateWithoutServerName holds that GetCertificate is left out where
// crypto/tls leaves it out.
func TestCertificateWithoutServerName(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	fixed, byName := ca.issue(t, "web.example.test"), ca.issue(t, "web.example.test")
	s, url := secureSite(t, negotiate.BindingRequire, &tls.Config{
		Certificates:   []tls.Certificate{fixed},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &byName, nil },
	})
	for name, cert := range map[string]tls.Certificate{"": fixed, "web.example.test": byName} {
		c := ca.client(t, name)
		want := endPoint(cert.Certificate[0])
		if got := shownEndPoint(t, c, url); string(got.ApplicationData) != string(want.ApplicationData) {
			t.Errorf("for server name %q the server shows a certificate that crypto/tls would not have chosen", name)
		}
		checkBound(t, s, c, url, endPoint([]byte("another")))
	}
}

// TestUnknownCertificate holds that a policy which cannot be applied fails closed.
func TestUnknownCertificate(t *testing.T) {
	negotiate.LeavesNothing(t)
	ed25519 := &x509.Certificate{Raw: []byte("x"), SignatureAlgorithm: x509.PureEd25519}
	for name, certificate := range map[string]func(*http.Request) (*x509.Certificate, error){
		"not configured": nil,
		"no certificate": func(*http.Request) (*x509.Certificate, error) { return nil, nil },
		"error":          func(*http.Request) (*x509.Certificate, error) { return nil, errors.New("no idea") },
		"no hash":        func(*http.Request) (*x509.Certificate, error) { return ed25519, nil },
	} {
		for _, policy := range []negotiate.BindingPolicy{negotiate.BindingVerify, negotiate.BindingRequire, 7} {
			t.Run(name+", "+policy.String(), func(t *testing.T) {
				s := newSite(t, gsstest.Options{})
				s.ChannelBindings, s.Certificate = policy, certificate
				ts := httptest.NewTLSServer(s.Handler)
				defer ts.Close()
				for _, cb := range []*gss.ChannelBindings{nil, endPoint(ts.Certificate().Raw)} {
					sc := s.initiate(t, "alice", gss.InitiateOptions{ChannelBindings: cb})
					a := sendToken(t, ts.Client(), ts.URL, nextToken(t, sc, nil))
					if a.StatusCode != http.StatusInternalServerError {
						t.Errorf("status %d, want 500", a.StatusCode)
					}
				}
				s.checkNotCalled(t)
				if !strings.Contains(s.logs.String(), "level=ERROR") {
					t.Errorf("the log does not tell of it: %s", s.logs)
				}
				if name == "not configured" && policy <= negotiate.BindingRequire && !strings.Contains(s.logs.String(), "ConfigureServer") {
					t.Errorf("the log does not say what to do: %s", s.logs)
				}
			})
		}
	}
}

func TestCertificateHook(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.ChannelBindings = negotiate.BindingRequire
	ts := httptest.NewUnstartedServer(s.Handler)
	s.Certificate = func(*http.Request) (*x509.Certificate, error) { return ts.Certificate(), nil }
	if err := s.ConfigureServer(ts.Config); err != nil {
		t.Fatal(err)
	}
	ts.StartTLS()
	defer ts.Close()
	checkBound(t, s, ts.Client(), ts.URL, endPoint([]byte("another")))

	// TLS ends in front of the process.
	behind := httptest.NewServer(s.Handler)
	defer behind.Close()
	before := len(s.identities())
	login(t, behind.Client(), behind.URL, s.initiate(t, "alice", gss.InitiateOptions{ChannelBindings: endPoint([]byte("another"))})).checkRefused(t)
	a := login(t, behind.Client(), behind.URL, s.initiate(t, "alice", gss.InitiateOptions{ChannelBindings: endPoint(ts.Certificate().Raw)}))
	if a.StatusCode != http.StatusOK || len(s.identities()) != before+1 {
		t.Errorf("behind a TLS front: status %d", a.StatusCode)
	}
}

func TestConfigureServerWithoutCertificate(t *testing.T) {
	negotiate.LeavesNothing(t)
	for name, cfg := range map[string]*tls.Config{
		"nil":        nil,
		"empty":      {},
		"no chain":   {Certificates: []tls.Certificate{{}}},
		"unreadable": {Certificates: []tls.Certificate{{Certificate: [][]byte{{1, 2, 3}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, gsstest.Options{})
			s.ChannelBindings = negotiate.BindingVerify
			if err := s.ConfigureServer(&http.Server{TLSConfig: cfg}); err == nil {
				t.Error("no error")
			}
			s.ChannelBindings = negotiate.BindingIgnore
			if err := s.ConfigureServer(&http.Server{TLSConfig: cfg}); err != nil {
				t.Errorf("without channel bindings: %v", err)
			}
		})
	}
}

// TestFailingGetCertificate has handshakes fail as they do without the recording.
func TestFailingGetCertificate(t *testing.T) {
	negotiate.LeavesNothing(t)
	ca := newAuthority(t)
	for name, cfg := range map[string]*tls.Config{
		"GetCertificate":     {GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }},
		"nothing":            {GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }},
		"unreadable":         {GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }},
		"GetConfigForClient": {GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("none") }},
	} {
		t.Run(name, func(t *testing.T) {
			_, url := secureSite(t, negotiate.BindingRequire, cfg)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := ca.client(t, "web.example.test").Do(req); err == nil {
				resp.Body.Close()
				t.Errorf("the handshake succeeded: status %d", resp.StatusCode)
			}
		})
	}
}
