package krbtest_test

import (
	"encoding/pem"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// A client that reaches the KDC over HTTPS only.
func ExampleKDC_Proxy() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/www.krb.test")
	proxy := httptest.NewTLSServer(kdc.Proxy())
	defer proxy.Close()

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	anchor, conf := filepath.Join(dir, "proxy.pem"), filepath.Join(dir, "krb5.conf")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})
	settings := fmt.Sprintf("[libdefaults]\ndefault_realm = KRB.TEST\n[realms]\nKRB.TEST = {\n kdc = %s/KdcProxy\n http_anchors = FILE:%s\n}\n", proxy.URL, anchor)
	for path, content := range map[string]string{anchor: string(certificate), conf: settings} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			log.Fatal(err)
		}
	}

	p, err := krb5.New(krb5.Options{Config: conf, CCache: kdc.CCache("alice")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = token(p, gss.HostBased("HTTP", "www.krb.test"))
	fmt.Println(err == nil, kdc.Requests().TGS)
	// Output: true 1
}
