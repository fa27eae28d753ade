//go:build interop

package interop_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"slices"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

// endPoint is tls-server-end-point for certificates signed with SHA-256 or an
// older hash.
func endPoint(cert *interop.Certificate) []byte {
	hash := sha256.Sum256(cert.Leaf.Raw)
	return append([]byte("tls-server-end-point:"), hash[:]...)
}

// endPoint384 is endPoint for certificates signed with SHA-384.
func endPoint384(cert *interop.Certificate) []byte {
	hash := sha512.Sum384(cert.Leaf.Raw)
	return append([]byte("tls-server-end-point:"), hash[:]...)
}

func noBindings(*interop.Certificate) []byte { return nil }

func TestAcceptor(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	env := bed.KDC.Env(bed.Alice(t))
	bound := []string{"200", "mutual", alice + " bound"}
	unbound := []string{"200", "mutual", alice + " unbound"}
	for _, test := range []struct {
		name           string
		cert           interop.CertKind
		server, client func(*interop.Certificate) []byte
		want           []string
	}{
		{"ECDSA", interop.CertECDSA, endPoint, endPoint, bound},
		{"RSA", interop.CertRSA, endPoint, endPoint, bound},
		{"SHA-384", interop.CertSHA384, endPoint384, endPoint384, bound},
		{"none presented", interop.CertECDSA, endPoint, noBindings, unbound},
		{"others presented", interop.CertECDSA, endPoint, endPoint384, []string{"401", "one-sided", "other bindings"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			acceptor := interop.NewAcceptor(t, interop.AcceptorOptions{KDC: bed.KDC, Cert: test.cert, Bindings: test.server})
			got := interop.BoundGet(t, env, acceptor.URL, acceptor.Certificate.CA, test.client(acceptor.Certificate))
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestAcceptorCurl: curl presents no bindings, and comes in unbound.
func TestAcceptorCurl(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	acceptor := interop.NewAcceptor(t, interop.AcceptorOptions{KDC: bed.KDC, Bindings: endPoint})
	page := interop.CurlNegotiate(t, bed.KDC.Env(bed.Alice(t)), "--cacert", acceptor.Certificate.CA, acceptor.URL)
	if want := alice + " unbound\n"; page != want {
		t.Errorf("got %q, want %q", page, want)
	}
}
