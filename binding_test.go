package negotiate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

func TestTLSServerEndPoint(t *testing.T) {
	leavesNothing(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	tests := []struct {
		alg  x509.SignatureAlgorithm
		key  crypto.Signer
		hash func([]byte) []byte
	}{
		{x509.SHA256WithRSA, rsaKey, sum256},
		{x509.SHA384WithRSA, rsaKey, sum384},
		{x509.SHA512WithRSA, rsaKey, sum512},
		{x509.SHA256WithRSAPSS, rsaKey, sum256},
		{x509.SHA384WithRSAPSS, rsaKey, sum384},
		{x509.SHA512WithRSAPSS, rsaKey, sum512},
		{x509.ECDSAWithSHA256, ecKey, sum256},
		{x509.ECDSAWithSHA384, ecKey, sum384},
		{x509.ECDSAWithSHA512, ecKey, sum512},
		{x509.PureEd25519, edKey, nil},
	}
	for _, tt := range tests {
		t.Run(tt.alg.String(), func(t *testing.T) {
			tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), SignatureAlgorithm: tt.alg}
			der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, tt.key.Public(), tt.key)
			if err != nil {
				t.Fatal(err)
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			b, err := TLSServerEndPoint(cert)
			if tt.hash == nil {
				if b != nil || !errors.Is(err, ErrNoBindingHash) {
					t.Errorf("got %v, %v", b, err)
				}
				return
			}
			if want := "tls-server-end-point:" + string(tt.hash(der)); err != nil || string(b.ApplicationData) != want {
				t.Errorf("got %q, %v", b.ApplicationData, err)
			}
		})
	}
	// Nothing signs with these any more, but certificates of theirs are left.
	for _, alg := range []x509.SignatureAlgorithm{x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256} {
		cert := &x509.Certificate{Raw: []byte("DER"), SignatureAlgorithm: alg}
		if b, err := TLSServerEndPoint(cert); err != nil || string(b.ApplicationData) != "tls-server-end-point:"+string(sum256(cert.Raw)) {
			t.Errorf("%s: got %+v, %v", alg, b, err)
		}
	}
	if _, err := TLSServerEndPoint(new(x509.Certificate)); !errors.Is(err, ErrNoBindingHash) {
		t.Errorf("an unknown algorithm gave %v", err)
	}
}

// newCertificate is self-signed.
func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func sum256(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
func sum384(b []byte) []byte { s := sha512.Sum384(b); return s[:] }
func sum512(b []byte) []byte { s := sha512.Sum512(b); return s[:] }

func TestChannelBindings(t *testing.T) {
	leavesNothing(t)
	for name, start := range map[string]func(*testing.T, ...serverOption) *testServer{"HTTP/1.1": startTLS, "HTTP/2": startH2, "plain": startServer} {
		for _, o := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
			t.Run(name+" "+o.String(), func(t *testing.T) {
				s := start(t)
				p := gsstest.New(gsstest.Options{})
				if s.TLS != nil {
					s.bindings = serverBindings(t, s.Server)
				}
				a := get(t, s.client(t, &Transport{Provider: p, ChannelBindings: BindTLSServerEndPoint, Opportunistic: o}), s.URL)
				if a.StatusCode != 200 || a.ex.ChannelBound != (s.TLS != nil) || a.ex.Opportunistic != (o == OpportunisticAlways) {
					t.Errorf("got %d, %+v", a.StatusCode, a.ex)
				}
				got := p.Initiations()[0].ChannelBindings
				if s.TLS == nil && got != nil || s.TLS != nil && string(got.ApplicationData) != string(s.bindings.ApplicationData) {
					t.Errorf("the token was bound to %+v", got)
				}
			})
		}
	}
}

// TestWrongChannel has an acceptor behind another certificate, as a relay does.
func TestWrongChannel(t *testing.T) {
	leavesNothing(t)
	s := startTLS(t)
	s.bindings = &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:other")}
	a := get(t, s.client(t, &Transport{ChannelBindings: BindTLSServerEndPoint}), s.URL)
	if a.StatusCode != 401 || stage(t, a.ex) != StageRejected || a.ex.ChannelBound {
		t.Errorf("got %d, %+v", a.StatusCode, a.ex)
	}
}

// TestUnknownChannel wants a binding where the certificate is not known. An
// unbound token must not go out instead.
func TestUnknownChannel(t *testing.T) {
	leavesNothing(t)
	s := startTLS(t)
	base := s.base(t)
	withoutTLS := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err == nil {
			resp.TLS = nil
		}
		return resp, err
	})
	a := get(t, s.client(t, &Transport{Base: withoutTLS, ChannelBindings: BindTLSServerEndPoint, Opportunistic: OpportunisticAlways}), s.URL)
	if a.StatusCode != 401 || stage(t, a.ex) != StageBinding || s.shape() != "C1" {
		t.Errorf("got %d, %v, %s", a.StatusCode, a.ex.Err, s.shape())
	}
}
