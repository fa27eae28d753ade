package negotiate

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// The tests of this file take the steps of flaws that others had, against a server
// that takes whoever has authenticated on a connection for the sender of all that
// follows. docs/connections.md says which flaw is which.

// attack is a client whose first user has authenticated, and whose connection is
// still alive.
type attack struct {
	t      *testing.T
	server *testServer
	client *http.Client
	creds  map[string]gss.Credential
}

// eachAttack has alice log in by HTTP/1.1 and by HTTP/2, with each Opportunism, and
// then takes the steps.
func eachAttack(t *testing.T, o gsstest.Options, mech gss.OID, steps func(*attack)) {
	for proto, start := range servers {
		for _, opportunistic := range []Opportunism{OpportunisticNever, OpportunisticLearned, OpportunisticAlways} {
			t.Run(proto+" "+opportunistic.String(), func(t *testing.T) {
				s := start(t, bound, func(s *testServer) { s.before = otherSchemes })
				provider := gsstest.New(o)
				provider.SetDefault("")
				a := &attack{t: t, server: s}
				a.client = s.client(t, &Transport{Provider: provider, Mechanism: mech, Opportunistic: opportunistic})
				a.creds = map[string]gss.Credential{"alice": as(t, provider, "alice"), "bob": as(t, provider, "bob"), "": nil}
				a.as("alice")
				if n := s.open.Open(); n != 1 {
					t.Fatalf("%d connections are alive, want that of alice", n)
				}
				steps(a)
				before := s.conns.Load()
				a.as("alice")
				if n := s.conns.Load(); n != before {
					t.Error("the connection of alice was closed, so that nothing was shown")
				}
			})
		}
	}
}

// otherSchemes takes what is no Negotiate out of the way of the scripted server,
// and tells of it.
func otherSchemes(w http.ResponseWriter, r *http.Request) {
	if auth := r.Header.Get("Authorization"); auth != "" && !strings.HasPrefix(auth, "Negotiate ") {
		w.Header().Set("X-Other", auth)
		r.Header.Del("Authorization")
	}
}

// as asks as the user, "" for nobody, who must be served as what he is.
func (a *attack) as(user string) {
	a.t.Helper()
	path, want := "/private", user+"@EXAMPLE.TEST"
	if user == "" {
		path, want = "/open", ""
	}
	got, err := do(a.t, a.client, newRequestAs(a.t, a.creds[user], a.server.URL+path))
	if err != nil || got.StatusCode != 200 || got.Header.Get("X-User") != want {
		a.t.Errorf("%q was served as %q: %+v, %v", user, got.Header.Get("X-User"), got.Response, err)
	}
}

// by asks with an Authorization of another scheme, with a Transport that would be
// alice. Nobody but the user of that scheme may be known to the server.
func (a *attack) by(auth string) {
	a.t.Helper()
	req := newRequestAs(a.t, a.creds["alice"], a.server.URL+"/open")
	req.Header.Set("Authorization", auth)
	got, err := do(a.t, a.client, req)
	if err != nil || got.Header.Get("X-Other") != auth || got.Header.Get("X-User") != "" {
		a.t.Errorf("a request by %s was served as %q: %+v, %v", strings.Fields(auth)[0], got.Header.Get("X-User"), got.Response, err)
	}
}

// ntlm has two legs and authenticates connections.
var ntlm = gsstest.Options{Legs: 2}

// TestCVE20140015 asks as another user after NTLM has authenticated the connection.
func TestCVE20140015(t *testing.T) {
	leavesNothing(t)
	eachAttack(t, ntlm, gss.MechNTLM, func(a *attack) {
		a.as("bob")
		a.as("alice")
	})
}

// TestCVE20153143 asks as nobody after NTLM has authenticated the connection.
func TestCVE20153143(t *testing.T) {
	leavesNothing(t)
	eachAttack(t, ntlm, gss.MechNTLM, func(a *attack) { a.as("") })
}

// TestCVE20153148 asks as nobody, as another user and with a password after
// Negotiate has authenticated the connection.
func TestCVE20153148(t *testing.T) {
	leavesNothing(t)
	eachAttack(t, gsstest.Options{}, "", func(a *attack) {
		a.as("")
		a.as("bob")
		a.by("Basic Ym9iOng=")
		a.as("")
	})
}

// TestCVE20261965 asks as another user of Negotiate after Negotiate has
// authenticated the connection, one after the other and at the same time.
func TestCVE20261965(t *testing.T) {
	leavesNothing(t)
	eachAttack(t, gsstest.Options{}, "", func(a *attack) {
		a.as("bob")
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { a.as("alice"); a.as("bob") })
		}
		wg.Wait()
	})
}

// TestCVE20265545 asks by any other scheme after Negotiate has authenticated the
// connection.
func TestCVE20265545(t *testing.T) {
	leavesNothing(t)
	eachAttack(t, gsstest.Options{}, "", func(a *attack) {
		for _, auth := range []string{"Basic Ym9iOng=", "Bearer bob", `Digest username="bob"`, "basic Ym9iOng="} {
			a.by(auth)
		}
	})
}

// TestCVE202688007 has a reverse proxy before a server of connections. The victim's
// client has shown a token of its own, at once and as an answer. Others come by
// other connections to the proxy, and have none or one of their own.
func TestCVE202688007(t *testing.T) {
	leavesNothing(t)
	for proto, start := range servers {
		for _, front := range []string{"HTTP/1.1", "HTTP/2"} {
			t.Run(proto+" behind "+front, func(t *testing.T) {
				s := start(t, bound)
				origin, err := url.Parse(s.URL)
				if err != nil {
					t.Fatal(err)
				}
				tr := &Transport{Provider: gsstest.New(gsstest.Options{})}
				s.client(t, tr)
				proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{
					Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(origin) }, Transport: withNobody{tr},
				})
				proxy.EnableHTTP2 = front == "HTTP/2"
				proxy.StartTLS()
				t.Cleanup(proxy.Close)
				clients := gsstest.New(gsstest.Options{})
				ask := func(user string) {
					// A client, and so a connection, for each.
					base := proxy.Client().Transport.(*http.Transport).Clone()
					defer base.CloseIdleConnections()
					req, want := newRequest(t, "GET", proxy.URL+"/open", nil), ""
					if user != "" {
						req.Header.Set("Authorization", encodeToken(firstToken(t, clients, user)))
						want = user + "@EXAMPLE.TEST"
					}
					resp, err := base.RoundTrip(req)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if got := resp.Header.Get("X-User"); got != want {
						t.Errorf("a client that is %q was served as %q", want, got)
					}
				}
				for _, user := range []string{"alice", "", "bob", "", "alice", ""} {
					ask(user)
				}
				var wg sync.WaitGroup
				for i := range 30 {
					wg.Go(func() { ask([]string{"alice", "", "bob"}[i%3]) })
				}
				wg.Wait()
				assertOneIdentityPerConn(t, s)
			})
		}
	}
}
