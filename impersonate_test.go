package negotiate_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// who is the field by which a test's client says as whom it means to come.
const who = "X-Who"

// connections notes as whom each connection is used.
type connections struct {
	mu   sync.Mutex
	used map[string]string // by the client's address
}

// watch passes requests on to next and sees that each connection is one user's.
func (c *connections) watch(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		had, user := c.used[r.RemoteAddr], r.Header.Get(who)
		c.used[r.RemoteAddr] = user
		c.mu.Unlock()
		if had != "" && had != user {
			t.Errorf("a request of %s came on a connection of %s", user, had)
		}
		next.ServeHTTP(w, r)
	})
}

// TestImpersonatedUsersNeverCross goes on for two users, in both ways in which a
// service can, and as the service itself, over one Transport. Each user keeps a
// connection of his own, however often he is impersonated.
func TestImpersonatedUsersNeverCross(t *testing.T) {
	negotiate.LeavesNothing(t)
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "alice's password")
	kdc.AddPrincipal("bob", "bob's password")
	kdc.AddService("HTTP/127.0.0.1")
	kdc.AddService("HTTP/front.krb.test", krbtest.ProtocolTransition(), krbtest.DelegateTo("HTTP/127.0.0.1"))
	seen := &connections{used: map[string]string{}}
	server := httptest.NewServer(seen.watch(t, &negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			io.WriteString(w, id.Principal)
		}),
	}))
	t.Cleanup(server.Close)
	front := kdc.Acceptor("HTTP/front.krb.test")
	service, err := front.FromKeytab("HTTP/front.krb.test", kdc.Keytab("HTTP/front.krb.test"))
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Transport{DialContext: patience.InOrder(new(net.Dialer).DialContext), MaxIdleConnsPerHost: 10}
	tr := &negotiate.Transport{Base: base, Provider: front, Credential: service}
	t.Cleanup(tr.CloseIdleConnections)

	evidence := map[string]gss.Credential{"alice": brought(t, kdc, front, service, "alice"), "bob": brought(t, kdc, front, service, "bob")}
	for range 3 {
		for _, user := range []string{"alice", "bob", "HTTP/front.krb.test", "alice", "bob"} {
			creds := []gss.Credential{nil}
			if user != "HTTP/front.krb.test" {
				cred, err := front.Impersonate(t.Context(), service, gss.User(user))
				if err != nil {
					t.Fatal(err)
				}
				creds = []gss.Credential{cred, evidence[user]}
			}
			for n, cred := range creds {
				ctx := t.Context()
				if cred != nil {
					ctx = negotiate.WithCredential(ctx, cred)
				}
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set(who, user)
				if n == 1 {
					req.Header.Set(who, user+", by evidence")
				}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if got := string(body); got != user+"@KRB.TEST" {
					t.Errorf("a request of %s was served as %q (%s)", user, got, resp.Status)
				}
			}
		}
	}
	if got := len(seen.used); got != 5 {
		t.Errorf("%d connections, want 5: two users in two ways, and the service", got)
	}
}

// brought has a user come to the front end, and returns what that goes on with.
func brought(t *testing.T, kdc *krbtest.KDC, front *krb5.Provider, service gss.Credential, user string) gss.Credential {
	t.Helper()
	acceptor, err := front.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	if acceptor, err = front.DelegatingAcceptor(acceptor, service); err != nil {
		t.Fatal(err)
	}
	i, err := kdc.Provider(user).Initiate(t.Context(), gss.InitiateOptions{Target: gss.Principal("HTTP/front.krb.test")})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	token, _, err := i.Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := front.Accept(t.Context(), gss.AcceptOptions{Credential: acceptor})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, _, err := a.Step(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	return a.Info().Delegated
}
