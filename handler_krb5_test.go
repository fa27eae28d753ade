package negotiate_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// kerberized is a realm with alice logged in, and a provider for both sides.
func kerberized(t *testing.T, services ...string) gss.Provider {
	t.Helper()
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	for _, s := range services {
		kdc.AddService(s)
	}
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), CCache: kdc.CCache("alice"), Keytab: kdc.Keytab(services...)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func clientOf(t *testing.T, transport *negotiate.Transport) *http.Client {
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestKerberosChannelBindings has Transport and Handler meet over TLS.
func TestKerberosChannelBindings(t *testing.T) {
	negotiate.LeavesNothing(t)
	provider := kerberized(t, "HTTP/127.0.0.1")
	ca := newAuthority(t)
	for _, policy := range []negotiate.BindingPolicy{negotiate.BindingIgnore, negotiate.BindingVerify, negotiate.BindingRequire} {
		for _, bind := range []negotiate.ChannelBindings{negotiate.BindNone, negotiate.BindTLSServerEndPoint} {
			t.Run(policy.String()+", "+bind.String(), func(t *testing.T) {
				s := &site{logs: &lockedBuffer{}}
				h := &negotiate.Handler{
					Next: http.HandlerFunc(s.serve), Provider: provider, ChannelBindings: policy,
					Logger: slog.New(slog.NewTextHandler(s.logs, nil)),
				}
				srv := &http.Server{Handler: h, TLSConfig: ca.serverConfig(ca.issue(t, "web.example.test"))}
				if err := h.ConfigureServer(srv); err != nil {
					t.Fatal(err)
				}
				address := serve(t, srv, true)
				resp, err := clientOf(t, &negotiate.Transport{
					Base:     ca.client(t, "web.example.test").Transport,
					Provider: provider, Mutual: negotiate.MutualOptional, ChannelBindings: bind,
				}).Get(address)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if policy == negotiate.BindingRequire && bind == negotiate.BindNone {
					if resp.StatusCode != http.StatusUnauthorized {
						t.Errorf("status %d, want 401", resp.StatusCode)
					}
					s.checkNotCalled(t)
					return
				}
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("status %d; log: %s", resp.StatusCode, s.logs)
				}
				id := s.identities()[0]
				want := policy != negotiate.BindingIgnore && bind == negotiate.BindTLSServerEndPoint
				if id.Principal != "alice@KRB.TEST" || id.ChannelBound != want {
					t.Errorf("the identity is %+v, want alice with ChannelBound %t", id, want)
				}
			})
		}
	}
}

// TestKerberosDelegation has a front end call a back end as its client.
func TestKerberosDelegation(t *testing.T) {
	negotiate.LeavesNothing(t)
	provider := kerberized(t, "HTTP/127.0.0.1", "HTTP/localhost")
	back := httptest.NewServer(&negotiate.Handler{
		Provider: provider,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			io.WriteString(w, id.Principal)
		}),
	})
	defer back.Close()
	backURL, err := url.Parse(back.URL)
	if err != nil {
		t.Fatal(err)
	}
	toBack := "http://localhost:" + backURL.Port()
	// The Transport has a provider of its own, as a zero one does.
	other, err := krb5.New(krb5.Options{})
	if err != nil {
		t.Fatal(err)
	}
	onward := clientOf(t, &negotiate.Transport{Provider: other, Mutual: negotiate.MutualRequired})
	front := httptest.NewServer(&negotiate.Handler{
		Provider: provider,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			if id.Delegated == nil {
				t.Error("there is no delegated credential")
				return
			}
			req, err := http.NewRequestWithContext(negotiate.WithCredential(r.Context(), id.Delegated), http.MethodGet, toBack, nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := onward.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			io.Copy(w, resp.Body)
		}),
	})
	defer front.Close()
	resp, err := clientOf(t, &negotiate.Transport{Provider: provider, Delegation: negotiate.DelegateAlways}).Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if string(body) != "alice@KRB.TEST" {
		t.Errorf("the back end sees %q, want alice", body)
	}
}
