//go:build interop

package krbtest_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-negotiate/negotiate/krbtest"
)

// MIT's tools reach the KDC through the proxy and nothing else, other realms
// included.
func TestMITThroughProxy(t *testing.T) {
	k := newRealm(t)
	other := krbtest.NewKDC(t, krbtest.WithRealm("B.TEST"))
	other.AddService("HTTP/www.b.test")
	k.Trust(other)
	server := httptest.NewUnstartedServer(k.Proxy())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	cert := filepath.Join(dir, "cert.pem")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := "[libdefaults]\n default_realm = KRB.TEST\n dns_lookup_kdc = false\n rdns = false\n dns_canonicalize_hostname = false\n[realms]\n"
	for _, name := range []string{"KRB.TEST", "B.TEST"} {
		conf += fmt.Sprintf(" %s = {\n  kdc = %s/KdcProxy\n  http_anchors = FILE:%s\n }\n", name, server.URL, cert)
	}
	path := filepath.Join(dir, "krb5.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	c := mit(t, k)
	c.env = []string{"KRB5_CONFIG=" + path} // the last one counts
	c.must("secret\n", "kinit", "alice")
	c.must("", "kvno", "-k", k.Keytab("HTTP/www.krb.test"), "HTTP/www.krb.test")
	c.must("", "kvno", "HTTP/www.b.test")
	if got := k.Requests(); got.UDP != 0 || got.AS != 2 || got.Service != 1 || got.Referral != 1 {
		t.Errorf("the KDC got %+v", got)
	}
	if got := other.Requests().Service; got != 1 {
		t.Errorf("the other realm's KDC got %d requests, want 1", got)
	}
	c.fails("Password incorrect", "Secret\n", "kinit", "alice")
}
