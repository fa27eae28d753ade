package negotiate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// A client that needs nothing but what kinit, or a login to the domain, has left
// behind. Here the environment leads to a realm that the example has started.
func ExampleTransport() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next:     http.HandlerFunc(hello),
	})
	defer server.Close()
	defer setenv("KRB5_CONFIG", kdc.ConfigPath())()
	defer setenv("KRB5CCNAME", kdc.CCache("alice"))()

	client := &http.Client{Transport: &negotiate.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	// Output: Hello, alice@KRB.TEST!
}

// A server that lets nobody in who is not authenticated.
func ExampleHandler() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")

	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"), // nil takes the keytab of KRB5_KTNAME
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			fmt.Fprintf(w, "%s by %s", id.Principal, id.Mechanism.Describe())
		}),
	})
	defer server.Close()

	alice := &http.Client{Transport: &negotiate.Transport{Provider: kdc.Provider("alice")}}
	defer alice.CloseIdleConnections()
	for _, client := range []*http.Client{alice, server.Client()} {
		resp, err := client.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d: %s\n", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	// Output:
	// 200: alice@KRB.TEST by krb5
	// 401: 401 This server requires HTTP Negotiate (Kerberos) authentication.
}

// With MutualRequired the client takes an answer only from who has the key of the
// server that it wanted. TLS is not needed for that.
func ExampleTransport_mutual() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next:     http.HandlerFunc(hello),
	})
	defer server.Close()
	impostor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "Thank you for your token!")
	}))
	defer impostor.Close()

	client := &http.Client{Transport: &negotiate.Transport{
		Provider: kdc.Provider("alice"),
		Mutual:   negotiate.MutualRequired,
	}}
	defer client.CloseIdleConnections()
	for _, url := range []string{server.URL, impostor.URL} {
		resp, err := client.Get(url)
		if refusal, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); ok {
			fmt.Println(refusal.Reason)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		x, _ := negotiate.ExchangeFrom(resp)
		fmt.Println(x.Target, "has proved itself:", x.MutualVerified)
		resp.Body.Close()
	}
	// Output:
	// HTTP@127.0.0.1 has proved itself: true
	// it accepted the token and sent no proof of its identity
}

// A client that can send a token in its first request saves a round trip. With
// OpportunisticLearned it does so once the server has asked.
func ExampleTransport_opportunistic() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next:     http.HandlerFunc(hello),
	})
	defer server.Close()

	client := &http.Client{Transport: &negotiate.Transport{
		Provider:      kdc.Provider("alice"),
		Opportunistic: negotiate.OpportunisticLearned,
	}}
	defer client.CloseIdleConnections()
	for range 3 {
		resp, err := client.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		x, _ := negotiate.ExchangeFrom(resp)
		fmt.Printf("%s after %d requests\n", resp.Status, x.Legs)
	}
	// Output:
	// 200 OK after 2 requests
	// 200 OK after 1 requests
	// 200 OK after 1 requests
}

// Channel bindings tie the token to the server's certificate. Somebody in the
// middle with another certificate, which the client trusts for whatever reason,
// cannot pass the token on.
func ExampleTransport_channelBindings() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")

	h := &negotiate.Handler{
		Provider:        kdc.Acceptor("HTTP/127.0.0.1"),
		ChannelBindings: negotiate.BindingRequire,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			fmt.Fprintf(w, "%s, bound to this connection: %t", id.Principal, id.ChannelBound)
		}),
	}
	server := httptest.NewTLSServer(h)
	defer server.Close()
	// An http.Server tells its certificate through Handler.ConfigureServer.
	h.Certificate = func(*http.Request) (*x509.Certificate, error) { return server.Certificate(), nil }

	for _, bindings := range []negotiate.ChannelBindings{negotiate.BindNone, negotiate.BindTLSServerEndPoint} {
		client := &http.Client{Transport: &negotiate.Transport{
			Base:            server.Client().Transport, // trusts the test's certificate
			Provider:        kdc.Provider("alice"),
			ChannelBindings: bindings,
		}}
		resp, err := client.Get(server.URL)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		client.CloseIdleConnections()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d %s\n", bindings, resp.StatusCode, strings.TrimSpace(string(body)))
	}
	// Output:
	// none: 401 401 This server requires HTTP Negotiate (Kerberos) authentication.
	// tls-server-end-point: 200 alice@KRB.TEST, bound to this connection: true
}

// A server with TLS that requires channel bindings.
func ExampleHandler_ConfigureServer() {
	certificate, err := tls.LoadX509KeyPair("server.crt", "server.key")
	if err != nil {
		log.Fatal(err)
	}
	h := &negotiate.Handler{Next: http.HandlerFunc(hello), ChannelBindings: negotiate.BindingRequire}
	srv := &http.Server{
		Addr:      ":8443",
		Handler:   h,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	if err := h.ConfigureServer(srv); err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.ListenAndServeTLS("", "")) // the certificate is in TLSConfig
}

// One Transport for requests of several users. Their connections are kept apart.
func ExampleWithCredential() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddPrincipal("bob", "hidden")
	kdc.AddService("HTTP/127.0.0.1")
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next:     http.HandlerFunc(hello),
	})
	defer server.Close()

	provider, err := krb5.New(krb5.Options{Config: kdc.ConfigPath()})
	if err != nil {
		log.Fatal(err)
	}
	alice, err := provider.FromPassword("alice", "secret")
	if err != nil {
		log.Fatal(err)
	}
	bob, err := provider.FromCCache(kdc.CCache("bob"))
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: &negotiate.Transport{Provider: provider}}
	defer client.CloseIdleConnections()
	for _, user := range []gss.Credential{alice, bob, alice} {
		ctx := negotiate.WithCredential(context.Background(), user)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(body))
	}
	// Output:
	// Hello, alice@KRB.TEST!
	// Hello, bob@KRB.TEST!
	// Hello, alice@KRB.TEST!
}

// A front end that calls a back end as its user, who has delegated a credential
// to it.
func ExampleIdentity_delegated() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1") // the front end
	kdc.AddService("HTTP/localhost") // the back end
	back := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/localhost"),
		Next:     http.HandlerFunc(hello),
	})
	defer back.Close()
	backURL := strings.Replace(back.URL, "127.0.0.1", "localhost", 1)

	// A credential belongs to a provider: the front end uses the same one for
	// both sides.
	provider := kdc.Acceptor("HTTP/127.0.0.1")
	onward := &http.Client{Transport: &negotiate.Transport{Provider: provider}}
	defer onward.CloseIdleConnections()
	front := httptest.NewServer(&negotiate.Handler{
		Provider: provider,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			if id.Delegated == nil { // or the request would be made with our own credential
				http.Error(w, "log in with kinit -f, and delegate", http.StatusForbidden)
				return
			}
			ctx := negotiate.WithCredential(r.Context(), id.Delegated)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, backURL, nil)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			resp, err := onward.Do(req)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			fmt.Fprint(w, "The back end says: ")
			io.Copy(w, resp.Body)
		}),
	})
	defer front.Close()

	client := &http.Client{Transport: &negotiate.Transport{
		Provider:   kdc.Provider("alice"),
		Delegation: negotiate.DelegateAlways,
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(front.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	// Output: The back end says: Hello, alice@KRB.TEST!
}

// A failed authentication is the server's 401, not an error. The Exchange tells
// why.
func ExampleExchangeFrom() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/127.0.0.1")
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next:     http.HandlerFunc(hello),
	})
	defer server.Close()

	yesterday := kdc.Provider("alice", krbtest.ExpiresIn(-24*time.Hour))
	client := &http.Client{Transport: &negotiate.Transport{Provider: yesterday}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		fmt.Println(resp.Status) // and x.Err is a message for people
		if errors.Is(x.Err, gss.ErrNoCred) || errors.Is(x.Err, gss.ErrCredentialsExpired) {
			fmt.Println("run kinit")
		}
	}
	// Output:
	// 401 Unauthorized
	// run kinit
}

// A server that is reached by another name than its own, such as that of a tunnel.
func ExampleHostTarget() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/www.krb.test")
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/www.krb.test"),
		Next:     http.HandlerFunc(hello),
	})
	defer server.Close()

	client := &http.Client{Transport: &negotiate.Transport{
		Provider: kdc.Provider("alice"),
		Target:   negotiate.HostTarget("www.krb.test"),
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(server.URL) // http://127.0.0.1:PORT
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	// Output: Hello, alice@KRB.TEST!
}

// hello greets the authenticated client.
func hello(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	fmt.Fprintf(w, "Hello, %s!", id.Principal)
}

// setenv sets an environment variable until the function that it returns is
// called.
func setenv(name, value string) (restore func()) {
	former, was := os.LookupEnv(name)
	os.Setenv(name, value)
	return func() {
		if was {
			os.Setenv(name, former)
		} else {
			os.Unsetenv(name)
		}
	}
}

// Tokens for the servers of a company only, by https only, and the credential
// itself for one of them.
func ExampleAllowHosts() {
	t := &negotiate.Transport{
		Allow:           negotiate.AllowHosts("https://*.corp.example.com", "https://portal.example.net:8443"),
		Delegation:      negotiate.DelegateIfTrusted,
		AllowDelegation: negotiate.AllowHosts("front.corp.example.com"),
	}
	for _, url := range []string{
		"https://front.corp.example.com/",
		"https://wiki.corp.example.com/",
		"http://wiki.corp.example.com/",
		"https://corp.example.com.evil.test/",
	} {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: token %t, credential %t\n", url, t.Allow(req), t.Allow(req) && t.AllowDelegation(req))
	}
	// Output:
	// https://front.corp.example.com/: token true, credential true
	// https://wiki.corp.example.com/: token true, credential false
	// http://wiki.corp.example.com/: token false, credential false
	// https://corp.example.com.evil.test/: token false, credential false
}
