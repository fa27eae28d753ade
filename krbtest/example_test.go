package krbtest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// In a test, krbtest.NewKDC(t) takes the place of Start and Close.
func Example() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")

	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			fmt.Fprintf(w, "Hello, %s!", id.Principal)
		}),
	})
	defer server.Close()

	transport := &negotiate.Transport{Provider: kdc.Provider("alice")}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for i := range 3 {
		resp, err := client.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(body))
		if i == 0 {
			kdc.ResetRequests()
		}
	}
	fmt.Println("tickets fetched since the first answer:", kdc.Requests().TGS)
	// Output:
	// Hello, alice@KRB.TEST!
	// Hello, alice@KRB.TEST!
	// Hello, alice@KRB.TEST!
	// tickets fetched since the first answer: 0
}

// A client that does not reach the KDC at first, and then does.
func ExampleKDC_SetFault() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/www.krb.test")
	alice := kdc.Provider("alice")

	kdc.SetFault(krbtest.FailTimes(1, 60)) // KRB_ERR_GENERIC
	for range 2 {
		_, err := token(alice, gss.HostBased("HTTP", "www.krb.test"))
		fmt.Println(err == nil)
	}
	// Output:
	// false
	// true
}

// Clients of one realm reach the services of another.
func ExampleKDC_Trust() {
	here := krbtest.Start(krbtest.WithRealm("HERE.TEST"))
	defer here.Close()
	there := krbtest.Start(krbtest.WithRealm("THERE.TEST"))
	defer there.Close()
	here.Trust(there)
	here.AddPrincipal("alice", "secret")
	there.AddService("HTTP/www.there.test")

	// The KDC of HERE refers the client to that of THERE.
	t, err := token(here.Provider("alice"), gss.HostBased("HTTP", "www.there.test"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	server, err := there.Acceptor("HTTP/www.there.test").Accept(ctx, gss.AcceptOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	if _, _, err := server.Step(ctx, t); err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Info().Initiator.Value)
	// Output: alice@HERE.TEST
}

// token returns the first token of a context.
func token(p gss.Provider, target gss.Name) ([]byte, error) {
	ctx := context.Background()
	client, err := p.Initiate(ctx, gss.InitiateOptions{Target: target})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	t, _, err := client.Step(ctx, nil)
	return t, err
}
