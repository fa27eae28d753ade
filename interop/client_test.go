//go:build interop

package interop_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// newTransport returns a Transport over the krb5 provider for a realm and a
// credential cache, with base below it.
func newTransport(t *testing.T, config, ccache string, base *http.Transport) *negotiate.Transport {
	t.Helper()
	t.Cleanup(base.CloseIdleConnections)
	provider, err := krb5.New(krb5.Options{Config: config, CCache: ccache})
	if err != nil {
		t.Fatal(err)
	}
	return &negotiate.Transport{Base: base, Provider: provider}
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

func TestClientPages(t *testing.T) {
	bed := interop.Shared(t)
	ccache := bed.Alice(t)
	for _, base := range []string{bed.Apache.HTTP, bed.Apache.HTTPS} {
		for _, path := range []string{interop.PathPlain, interop.PathBound, interop.PathSession, interop.PathDelegated} {
			tr := newTransport(t, bed.KDC.Config, ccache, bed.Apache.Transport())
			tr.Mutual = negotiate.MutualRequired
			resp, page := get(t, tr, base+path)
			if want := "You are " + alice + "."; resp.StatusCode != http.StatusOK || !strings.Contains(page, want) {
				t.Errorf("%s%s: got %s and %q, want a page with %q", base, path, resp.Status, page, want)
			}
			if exchange, ok := negotiate.ExchangeFrom(resp); !ok || !exchange.MutualVerified || exchange.Delegated {
				t.Errorf("%s%s: the exchange is %+v, want mutual authentication and no delegation", base, path, exchange)
			}
		}
	}
}

func TestClientWithoutTicket(t *testing.T) {
	bed := interop.Shared(t)
	tr := newTransport(t, bed.KDC.Config, "FILE:/nonexistent", bed.Apache.Transport())
	resp, _ := get(t, tr, bed.Apache.HTTP+interop.PathPlain)
	exchange, ok := negotiate.ExchangeFrom(resp)
	if resp.StatusCode != http.StatusUnauthorized || !ok || exchange.Err == nil {
		t.Errorf("got %s and the exchange %+v, want 401 and the reason", resp.Status, exchange)
	}
}

func TestClientEnctypes(t *testing.T) {
	for _, enctype := range []string{interop.AES256SHA1, interop.AES128SHA1, interop.AES256SHA2, interop.AES128SHA2} {
		t.Run(enctype, func(t *testing.T) {
			kdc := interop.NewMIT(t, interop.MITOptions{})
			kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
			server := interop.NewApache(t, interop.ApacheOptions{
				KDC: kdc, Service: interop.PrincipalOptions{Enctypes: []string{enctype}},
			})
			ccache := kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"})
			tr := newTransport(t, kdc.Config, ccache, server.Transport())
			tr.Mutual = negotiate.MutualRequired
			if resp, page := get(t, tr, server.HTTP); !strings.Contains(page, alice) {
				t.Errorf("got %s and %q, want alice's page", resp.Status, page)
			}
		})
	}
}

func TestClientDelegation(t *testing.T) {
	bed := interop.Shared(t)
	tr := newTransport(t, bed.KDC.Config, bed.Alice(t), bed.Apache.Transport())
	tr.Delegation = negotiate.DelegateAlways
	resp, _ := get(t, tr, bed.Apache.HTTPS+interop.PathDelegated)
	list := bed.KDC.Klist(t, bed.Apache.DelegatedCCache(t, resp.Header.Get("X-Delegated-Ccache")))
	for _, want := range []string{"Default principal: " + alice, "krbtgt/BED.TEST@BED.TEST"} {
		if !strings.Contains(list, want) {
			t.Errorf("the delegated credential cache has no %q:\n%s", want, list)
		}
	}
	tr.Delegation = negotiate.DelegateIfTrusted
	resp, _ = get(t, tr, bed.Apache.HTTPS+interop.PathDelegated)
	if ccache := resp.Header.Get("X-Delegated-Ccache"); ccache != "" {
		t.Errorf("a service without OK-AS-DELEGATE has got the credential cache %q", ccache)
	}
}

// TestClientOneTicket has goroutines ask at once for one service's ticket.
func TestClientOneTicket(t *testing.T) {
	bed := interop.Shared(t)
	tr := newTransport(t, bed.KDC.Config, bed.Alice(t), bed.Apache.Transport())
	before := bed.KDC.Count(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, bed.Apache.HTTP, nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if user := resp.Header.Get("X-Remote-User"); user != alice {
				t.Errorf("got %s as %q, want alice's page", resp.Status, user)
			}
		})
	}
	all.Wait()
	if got := bed.KDC.Count(t).Sub(before).TGSReq; got != 1 {
		t.Errorf("20 goroutines made %d TGS-REQs, want 1", got)
	}
}

func TestClientUpload(t *testing.T) {
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
