//go:build interop

package interop_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// The tests of this file are about what needs more than the shared bed's Apache
// and one user: see transport_test.go for those.

// newTransport returns a Transport over the krb5 provider for a realm and a
// credential cache, with base below it.
func newTransport(t *testing.T, config, ccache string, base *http.Transport) *negotiate.Transport {
	t.Helper()
	t.Cleanup(base.CloseIdleConnections)
	provider, err := krb5.New(krb5.Options{Config: config, CCache: ccache})
	if err != nil {
		t.Fatal(err)
	}
	tr := &negotiate.Transport{Base: base, Provider: provider}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// get returns the answer with its body read and closed.
func get(t *testing.T, tr http.RoundTripper, url string) (resp *http.Response, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, tr, req)
}

func send(t *testing.T, tr http.RoundTripper, req *http.Request) (resp *http.Response, body string) {
	t.Helper()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(read)
}

func TestClientUpload(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	body := strings.Repeat("0123456789abcdef", 1<<12)
	want := fmt.Sprintf("%s PUT %x\n", alice, sha256.Sum256([]byte(body)))
	for _, base := range []string{bed.Apache.HTTP, bed.Apache.HTTPS} {
		tr := newTransport(t, bed.KDC.Config, bed.Alice(t), bed.Apache.Transport())
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+interop.PathUpload, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, got := send(t, tr, req); got != want {
			t.Errorf("%s: got %q, want %q", base, got, want)
		}
	}
}

func TestClientChannelBindings(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	for name, test := range map[string]struct {
		cert   interop.CertKind
		server func(*interop.Certificate) []byte
		bind   negotiate.ChannelBindings
		want   string
	}{
		"ECDSA":   {interop.CertECDSA, endPoint, negotiate.BindTLSServerEndPoint, alice + " bound\n"},
		"RSA":     {interop.CertRSA, endPoint, negotiate.BindTLSServerEndPoint, alice + " bound\n"},
		"SHA-384": {interop.CertSHA384, endPoint384, negotiate.BindTLSServerEndPoint, alice + " bound\n"},
		"none":    {interop.CertECDSA, endPoint, negotiate.BindNone, alice + " unbound\n"},
		"other":   {interop.CertECDSA, endPoint384, negotiate.BindTLSServerEndPoint, "other bindings\n"},
	} {
		t.Run(name, func(t *testing.T) {
			acceptor := interop.NewAcceptor(t, interop.AcceptorOptions{KDC: bed.KDC, Cert: test.cert, Bindings: test.server})
			tr := newTransport(t, bed.KDC.Config, bed.Alice(t), interop.Transport(acceptor.Certificate))
			tr.ChannelBindings = test.bind
			if resp, got := get(t, tr, acceptor.URL); got != test.want {
				t.Errorf("got %s and %q, want %q", resp.Status, got, test.want)
			}
		})
	}
}

func TestClientCrossRealm(t *testing.T) {
	leavesNothing(t)
	a := interop.NewMIT(t, interop.MITOptions{Realm: "A.TEST"})
	b := interop.NewMIT(t, interop.MITOptions{Realm: "B.TEST"})
	interop.Trust(t, a, b)
	a.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	server := interop.NewApache(t, interop.ApacheOptions{KDC: b})
	ccache := a.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"})
	tr := newTransport(t, a.Config, ccache, server.Transport())
	tr.Mutual = negotiate.MutualRequired
	if resp, page := get(t, tr, server.HTTP); !strings.Contains(page, "alice@A.TEST") {
		t.Errorf("got %s and %q, want the page of alice@A.TEST", resp.Status, page)
	}
}

// TestClientIdentitiesNeverCross shares one http.Transport between alice, bob
// and a client without a credential, on a page where Apache takes whoever holds
// a connection for whoever authenticated on it.
func TestClientIdentitiesNeverCross(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	for _, url := range []string{bed.Apache.HTTP + interop.PathBound, bed.Apache.HTTPS + interop.PathBound} {
		base := bed.Apache.Transport()
		asAlice := newTransport(t, bed.KDC.Config, bed.Alice(t), base)
		asBob := newTransport(t, bed.KDC.Config, bed.Bob(t), base)
		for range 3 {
			for _, client := range []struct {
				tr   http.RoundTripper
				want string
			}{{asAlice, alice}, {asBob, "bob@BED.TEST"}, {base, ""}} {
				resp, _ := get(t, client.tr, url)
				if user := resp.Header.Get("X-Remote-User"); user != client.want {
					t.Errorf("%s: the client that is %q was taken for %q", url, client.want, user)
				}
			}
		}
	}
}
