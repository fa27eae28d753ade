//go:build interop

package interop_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/leaktest"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// serverHost is the name of the module's own server in the shared bed.
const serverHost = "server.bed.test"

// serveHandler runs a Handler over TLS under the name host. It answers as
// [interop.Acceptor] does, and with alice's name in X-Remote-User.
func serveHandler(t *testing.T, config, keytab, host string, policy negotiate.BindingPolicy) (url string, cert *interop.Certificate) {
	t.Helper()
	interop.Host(t, host)
	provider, err := krb5.New(krb5.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	credential, err := provider.AcceptorFromKeytab(keytab)
	if err != nil {
		t.Fatal(err)
	}
	h := &negotiate.Handler{
		Next: http.HandlerFunc(whoami), Provider: provider, Credential: credential,
		ChannelBindings: policy, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if cert, err = interop.NewCertificate(t.TempDir(), host, interop.CertECDSA); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert.Cert, cert.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Config.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	if err := h.ConfigureServer(server.Config); err != nil {
		t.Fatal(err)
	}
	server.TLS = server.Config.TLSConfig
	conns := leaktest.CountConns(server.Config)
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(func() { conns.WantNone(t) }) // after its clients have given up
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + net.JoinHostPort(host, port), cert
}

func whoami(w http.ResponseWriter, r *http.Request) {
	id, ok := negotiate.IdentityFrom(r.Context())
	if !ok {
		http.Error(w, "nobody", http.StatusInternalServerError)
		return
	}
	bound := "unbound"
	if id.ChannelBound {
		bound = "bound"
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if id.Delegated != nil && id.Delegated.Name() == gss.User(id.Principal) {
		bound += " delegated"
	}
	w.Header().Set("X-Remote-User", id.Principal)
	w.Header().Set("X-Delegated", fmt.Sprint(id.Delegated != nil))
	fmt.Fprintf(w, "%s %s\n%s", id.Principal, bound, body)
}

func TestServerCurl(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	url, cert := serveHandler(t, bed.KDC.Config, bed.KDC.ServiceKeytab(t, "HTTP/"+serverHost), serverHost, negotiate.BindingIgnore)
	env := bed.KDC.Env(bed.Alice(t))
	got := interop.CurlNegotiate(t, env, "--cacert", cert.CA, "--data", "the body", url)
	if want := alice + " unbound\nthe body"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, delegation := range []string{"none", "policy", "always"} {
		got := interop.CurlNegotiate(t, env, "--cacert", cert.CA, "--delegation", delegation,
			"--output", "/dev/null", "--write-out", "%header{x-delegated}", url)
		if want := fmt.Sprint(delegation == "always"); got != want {
			t.Errorf("curl --delegation %s: the server has a delegated credential: %s, want %s", delegation, got, want)
		}
	}
	status := interop.CurlNegotiate(t, bed.KDC.Env(""), "--cacert", cert.CA, "--output", "/dev/null", "--write-out", "%{http_code}", url)
	if status != "401" {
		t.Errorf("got status %s without a ticket, want 401", status)
	}
}

func TestServerRequestsKerberos(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	url, cert := serveHandler(t, bed.KDC.Config, bed.KDC.ServiceKeytab(t, "HTTP/"+serverHost), serverHost, negotiate.BindingIgnore)
	got := interop.RequestsKerberosGet(t, bed.KDC.Env(bed.Alice(t)), url, "required", cert.CA)
	if want := []string{"200", alice, alice + " unbound", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestServerChannelBindings(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	env := bed.KDC.Env(bed.Alice(t))
	for _, policy := range []negotiate.BindingPolicy{negotiate.BindingVerify, negotiate.BindingRequire} {
		url, cert := serveHandler(t, bed.KDC.Config, bed.KDC.ServiceKeytab(t, "HTTP/"+serverHost), serverHost, policy)
		for name, test := range map[string]struct {
			bindings []byte
			status   string
		}{
			"right": {endPoint(cert), "200"},
			"wrong": {endPoint384(cert), "401"},
			"none":  {nil, map[negotiate.BindingPolicy]string{negotiate.BindingVerify: "200", negotiate.BindingRequire: "401"}[policy]},
		} {
			mutual := map[string]string{"200": "mutual", "401": "one-sided"}[test.status]
			if got := interop.BoundGet(t, env, url, cert.CA, test.bindings); got[0] != test.status || got[1] != mutual {
				t.Errorf("%v, %s bindings: got %q, want status %s, %s", policy, name, got, test.status, mutual)
			}
		}
	}
}

func TestServerDelegation(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	url, cert := serveHandler(t, bed.KDC.Config, bed.KDC.ServiceKeytab(t, "HTTP/"+serverHost), serverHost, negotiate.BindingRequire)
	got := interop.DelegatingGet(t, bed.KDC.Env(bed.Alice(t)), url, cert.CA, endPoint(cert))
	if want := []string{"200", "mutual", alice + " bound delegated"}; !slices.Equal(got[:len(want)], want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestServerForeignTickets has the Handler and the Transport meet with tickets
// of the other KDCs.
func TestServerForeignTickets(t *testing.T) {
	leavesNothing(t)
	t.Run("Heimdal", func(t *testing.T) {
		kdc := interop.NewHeimdal(t, interop.HeimdalOptions{})
		kdc.AddUser(t, "alice", "pw")
		keytab := kdc.AddService(t, "HTTP/web.heim.test")
		meet(t, kdc.Config, kdc.Kinit(t, "alice", "pw"), keytab, "web.heim.test", "alice@HEIM.TEST")
	})
	t.Run("Samba", func(t *testing.T) {
		kdc := interop.NewSamba(t, interop.SambaOptions{Accounts: []interop.SambaAccount{
			{Name: "alice", Password: "Alice.password1", Groups: 30},
			{Name: "svc-web", Password: "Service.password1", SPNs: []string{"HTTP/web.ad.test"}},
		}})
		keytab := kdc.Keytab(t, "HTTP/web.ad.test")
		meet(t, kdc.Config, kdc.Kinit(t, "alice", "Alice.password1"), keytab, "web.ad.test", "alice@AD.TEST")
	})
}

func meet(t *testing.T, config, ccache, keytab, host, want string) {
	t.Helper()
	url, cert := serveHandler(t, config, keytab, host, negotiate.BindingRequire)
	tr := newTransport(t, config, ccache, interop.Transport(cert))
	tr.Mutual = negotiate.MutualRequired
	tr.ChannelBindings = negotiate.BindTLSServerEndPoint
	resp, page := get(t, tr, url)
	if resp.StatusCode != http.StatusOK || page != want+" bound\n" {
		t.Errorf("got %s and %q, want the page of %s, bound", resp.Status, page, want)
	}
}
