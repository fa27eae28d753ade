package negotiate

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/leaktest"
)

// TestOldSignatures reads certificates with signatures that nobody makes any more,
// whose hash is not good enough (RFC 5929, section 4.1).
func TestOldSignatures(t *testing.T) {
	leavesNothing(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), SignatureAlgorithm: x509.SHA256WithRSA}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	withRSA := func(last int) []byte {
		oid, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last})
		if err != nil {
			t.Fatal(err)
		}
		return oid
	}
	for alg, last := range map[x509.SignatureAlgorithm]int{x509.MD5WithRSA: 4, x509.SHA1WithRSA: 5} {
		old := bytes.ReplaceAll(der, withRSA(11), withRSA(last))
		cert, err := x509.ParseCertificate(old)
		if err != nil || cert.SignatureAlgorithm != alg {
			t.Fatalf("got %v, %v, want a certificate signed with %s", cert, err, alg)
		}
		b, err := TLSServerEndPoint(cert)
		if err != nil || string(b.ApplicationData) != "tls-server-end-point:"+string(sum256(old)) {
			t.Errorf("%s: got %+v, %v, want SHA-256", alg, b, err)
		}
	}
}

// secured serves h over TLS with the certificate that cert gives to each
// connection. Clients trust all of trusted.
func secured(t *testing.T, h http.Handler, config *tls.Config, configure func(*http.Server) error, trusted ...tls.Certificate) (address string, base *http.Transport) {
	t.Helper()
	leavesNothing(t)
	s := httptest.NewUnstartedServer(h)
	s.TLS = config
	s.Config.TLSConfig = config
	s.Config.ErrorLog = silent
	if configure != nil {
		if err := configure(s.Config); err != nil {
			t.Fatal(err)
		}
		s.TLS = s.Config.TLSConfig
	}
	// httptest adds a certificate of its own, which GetCertificate goes before.
	conns := leaktest.CountConns(s.Config)
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(func() { conns.WantNone(t) }) // after those who use base have given up
	pool := x509.NewCertPool()
	for _, c := range trusted {
		pool.AddCert(c.Leaf)
	}
	base = &http.Transport{DialContext: dialHere, TLSClientConfig: &tls.Config{RootCAs: pool}}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + webHost + ":" + u.Port(), base
}

// guard is a Handler that demands channel bindings, and says whether it got them.
func guard(policy BindingPolicy) *Handler {
	return &Handler{
		Provider: gsstest.New(gsstest.Options{}), ChannelBindings: policy, Logger: slog.New(slog.DiscardHandler),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := IdentityFrom(r.Context())
			if !id.ChannelBound {
				io.WriteString(w, "not ")
			}
			io.WriteString(w, "bound")
		}),
	}
}

// TestRotatingCertificate follows a certificate that changes between connections,
// between requests and between the legs of one.
func TestRotatingCertificate(t *testing.T) {
	leavesNothing(t)
	for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
		t.Run(o.String(), func(t *testing.T) {
			certs := []tls.Certificate{selfSigned(t, webHost), selfSigned(t, webHost)}
			var now atomic.Int32
			var between atomic.Bool // rotate after the next 401
			h := guard(BindingRequire)
			rotating := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" && between.Swap(false) {
					w.Header().Set("Connection", "close")
					now.Add(1)
				}
				h.ServeHTTP(w, r)
			})
			config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certs[now.Load()%2], nil }}
			address, base := secured(t, rotating, config, h.ConfigureServer, certs...)
			tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{}), ChannelBindings: BindTLSServerEndPoint, Opportunistic: o}
			t.Cleanup(tr.CloseIdleConnections)
			c := &http.Client{Transport: tr}
			steps := []struct {
				name string
				do   func()
			}{
				{"at first", func() {}},
				{"on the same connection", func() { now.Add(1) }},
				{"on a new one", tr.CloseIdleConnections},
				{"rotated between legs", func() { between.Store(true) }},
				{"after that", func() {}},
			}
			for _, step := range steps {
				step.do()
				if a := get(t, c, address); a.StatusCode != 200 || a.body != "bound" || !a.ex.ChannelBound || a.ex.Opportunistic != (o == OpportunisticAlways) || a.ex.Legs != map[Opportunism]int{OpportunisticNever: 2, OpportunisticAlways: 1}[o] {
					t.Errorf("%s: got %d %q, %+v", step.name, a.StatusCode, a.body, a.ex)
				}
			}
			if between.Load() != (o == OpportunisticAlways) {
				t.Error("nothing was rotated between legs")
			}
		})
	}
}

// TestMiddlebox ends TLS on the way with a certificate that the client trusts. A
// server that looks at channel bindings finds it out.
func TestMiddlebox(t *testing.T) {
	leavesNothing(t)
	for policy, want := range map[BindingPolicy]int{BindingIgnore: 200, BindingVerify: 401, BindingRequire: 401} {
		for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
			t.Run(policy.String()+" "+o.String(), func(t *testing.T) {
				own, other := selfSigned(t, webHost), selfSigned(t, webHost)
				h := guard(policy)
				one := func(c *tls.Certificate) *tls.Config {
					return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c, nil }}
				}
				server, toServer := secured(t, h, one(&own), h.ConfigureServer, own)
				origin, err := url.Parse(server)
				if err != nil {
					t.Fatal(err)
				}
				box := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(origin) }, Transport: toServer}
				address, base := secured(t, box, one(&other), nil, other)
				t.Cleanup(toServer.CloseIdleConnections)
				tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{}), ChannelBindings: BindTLSServerEndPoint, Opportunistic: o}
				t.Cleanup(tr.CloseIdleConnections)
				a := get(t, &http.Client{Transport: tr}, address)
				if a.StatusCode != want || want == 401 && (stage(t, a.ex) != StageRejected || strings.Contains(a.body, "bound")) {
					t.Errorf("got %d %q, %v", a.StatusCode, a.body, a.ex.Err)
				}
			})
		}
	}
}

// TestCertificateWithoutHash has a server with Ed25519. No unbound token goes to
// it in the place of one that cannot be bound.
func TestCertificateWithoutHash(t *testing.T) {
	leavesNothing(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSignedBy(t, webHost, key)
	for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
		tokens := 0
		h := guard(BindingIgnore)
		address, base := secured(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				tokens++
			}
			h.ServeHTTP(w, r)
		}), &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }}, nil, cert)
		tr := &Transport{Base: base, Provider: gsstest.New(gsstest.Options{}), ChannelBindings: BindTLSServerEndPoint, Opportunistic: o}
		t.Cleanup(tr.CloseIdleConnections)
		a := get(t, &http.Client{Transport: tr}, address)
		if a.StatusCode != 401 || stage(t, a.ex) != StageBinding || !errors.Is(a.ex.Err, ErrNoBindingHash) || tokens != 0 {
			t.Errorf("%s: got %d, %v, %d tokens", o, a.StatusCode, a.ex.Err, tokens)
		}
	}
}
