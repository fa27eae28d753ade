package spnego_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/jcmturner/goidentity/v6"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/go-negotiate/negotiate"
	spnego "github.com/go-negotiate/negotiate/compat/gokrb5"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// A client and a server that were written for gokrb5. The import path is all
// that has changed in them.
func Example() {
	kdc := realm()
	defer kdc.Close()

	kt, err := keytab.Load(kdc.Keytab("HTTP/127.0.0.1"))
	if err != nil {
		log.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		creds := goidentity.FromHTTPRequestContext(r)
		fmt.Fprintf(w, "Hello, %s of %s!", creds.UserName(), creds.Domain())
	})
	server := httptest.NewServer(spnego.SPNEGOKRB5Authenticate(app, kt))
	defer server.Close()

	conf, err := config.Load(kdc.ConfigPath())
	if err != nil {
		log.Fatal(err)
	}
	cl := client.NewWithPassword("alice", "KRB.TEST", "secret", conf, client.DisablePAFXFAST(true))
	defer cl.Destroy()
	c := spnego.NewClient(cl, nil, "HTTP/127.0.0.1")
	defer c.CloseIdleConnections()
	resp, err := c.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	// Output: Hello, alice of KRB.TEST!
}

// The same client and server without gokrb5.
func Example_instead() {
	kdc := realm()
	defer kdc.Close()

	service, err := krb5.New(krb5.Options{Config: kdc.ConfigPath()})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := service.AcceptorFromKeytab(kdc.Keytab("HTTP/127.0.0.1"))
	if err != nil {
		log.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := negotiate.IdentityFrom(r.Context())
		fmt.Fprintf(w, "Hello, %s!", id.Principal)
	})
	server := httptest.NewServer(&negotiate.Handler{Next: app, Provider: service, Credential: keys})
	defer server.Close()

	provider, err := krb5.New(krb5.Options{Config: kdc.ConfigPath()})
	if err != nil {
		log.Fatal(err)
	}
	alice, err := provider.FromPassword("alice@KRB.TEST", "secret")
	if err != nil {
		log.Fatal(err)
	}
	c := &http.Client{Transport: &negotiate.Transport{Provider: provider, Credential: alice}}
	defer c.CloseIdleConnections()
	resp, err := c.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	// Output: Hello, alice@KRB.TEST!
}

func realm() *krbtest.KDC {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the deprecations are logged
	kdc := krbtest.Start()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")
	return kdc
}
