package kerberos_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/compat/kerberos"
	"github.com/go-negotiate/negotiate/krbtest"
)

// The Python program
//
//	auth = HTTPKerberosAuth(mutual_authentication=REQUIRED, hostname_override="web.krb.test")
//	print(requests.get(url, auth=auth).text)
//
// carried over line by line, and as it should be.
func Example() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/web.krb.test")
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/web.krb.test"),
		Next:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello!") }),
	})
	defer server.Close()

	for _, transport := range []http.RoundTripper{
		&kerberos.HTTPKerberosAuth{
			MutualAuthentication: kerberos.Required,
			HostnameOverride:     "web.krb.test",
			Provider:             kdc.Provider("alice"),
			Logger:               slog.New(slog.DiscardHandler),
		},
		&negotiate.Transport{
			Mutual:   negotiate.MutualRequired,
			Target:   negotiate.HostTarget("web.krb.test"),
			Provider: kdc.Provider("alice"),
		},
	} {
		client := &http.Client{Transport: transport}
		resp, err := client.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(text))
		client.CloseIdleConnections()
	}
	// Output:
	// Hello!
	// Hello!
}
