//go:build !windows

// The default provider of Windows has no credential cache to log in by.

package spnego_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/go-negotiate/negotiate"
	spnego "github.com/go-negotiate/negotiate/compat/gospnego"
	"github.com/go-negotiate/negotiate/krbtest"
)

// The import path is all that has changed in this program.
func Example() {
	login, logout := loggedIn()
	defer logout()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the deprecation is logged

	c := &http.Client{
		Transport: &spnego.Transport{NoCanonicalize: true},
	}
	resp, err := c.Get(login)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	c.CloseIdleConnections()
	// Output: Hello, alice@KRB.TEST!
}

// loggedIn stands for an environment in which kinit was run, and a server in it.
func loggedIn() (url string, done func()) {
	kdc := krbtest.Start()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")
	for name, value := range map[string]string{"KRB5_CONFIG": kdc.ConfigPath(), "KRB5CCNAME": kdc.CCache("alice")} {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			fmt.Fprintf(w, "Hello, %s!\n", id.Principal)
		}),
	})
	return server.URL, func() {
		server.Close()
		kdc.Close()
		os.Unsetenv("KRB5_CONFIG")
		os.Unsetenv("KRB5CCNAME")
	}
}
