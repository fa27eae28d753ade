package negotiate

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/leaktest"
)

// TestIdentitiesNeverCross has a server that takes whoever authenticated on a
// connection for the sender of all that follows on it, as mod_auth_gssapi does
// with GssapiConnectionBound. Two credentials, callers without one and somebody
// else share one Base.
func TestIdentitiesNeverCross(t *testing.T) {
	leavesNothing(t)
	servers := map[string]func(*testing.T, ...serverOption) *testServer{"HTTP/1.1": startServer, "HTTP/2": startH2}
	for proto, start := range servers {
		for _, opportunistic := range []Opportunism{OpportunisticNever, OpportunisticLearned, OpportunisticAlways} {
			t.Run(fmt.Sprintf("%s %s", proto, opportunistic), func(t *testing.T) {
				s := start(t, func(s *testServer) { s.bound = true })
				p := gsstest.New(gsstest.Options{})
				base := s.base(t)
				base.MaxIdleConnsPerHost = 20
				tr := &Transport{Base: base, Provider: p, Opportunistic: opportunistic,
					Allow: func(r *http.Request) bool { return r.Header.Get("X-Anonymous") == "" }}
				c := s.client(t, tr)
				alice, bob := as(t, p, "alice"), as(t, p, "bob")
				// Once HTTP/2 is known to be spoken its connections are shared. A
				// server gives up those of whom it does not hear within seconds, which
				// is short for hundreds of handshakes on a busy machine.
				for _, client := range []*http.Client{c, {Transport: base}} {
					warm := newRequest(t, "GET", s.URL+"/open", nil)
					warm.Header.Set("X-Anonymous", "1")
					resp, err := client.Do(warm)
					if err != nil {
						t.Fatal(err)
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}

				ask := func(who int) {
					req := newRequest(t, "GET", s.URL+"/open", nil)
					client, want := c, ""
					switch who {
					case 0:
						req.URL.Path, want = "/private", "alice@EXAMPLE.TEST"
						req = req.WithContext(WithCredential(req.Context(), alice))
					case 1:
						req.URL.Path, want = "/private", "bob@EXAMPLE.TEST"
						req = req.WithContext(WithCredential(req.Context(), bob))
					case 2:
						req.Header.Set("X-Anonymous", "1")
					case 3:
						client = &http.Client{Transport: base}
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if got := resp.Header.Get("X-User"); got != want || resp.StatusCode != 200 {
						t.Errorf("a request of %q was served as %q, status %d", want, got, resp.StatusCode)
					}
				}
				var wg sync.WaitGroup
				for i := range 200 {
					wg.Go(func() {
						for round := range 4 { // so that there are connections of others to be had
							ask((i + round) % 4)
						}
					})
				}
				wg.Wait()
				assertOneIdentityPerConn(t, s)
			})
		}
	}
}

// assertOneIdentityPerConn looks at what the server saw: nobody may follow on a
// connection that has carried a token but its owner.
func assertOneIdentityPerConn(t *testing.T, s *testServer) {
	t.Helper()
	tokens := 0
	after := make(map[int64]bool)
	for _, r := range s.requests() {
		if r.token {
			tokens++
			after[r.conn] = true
		} else if after[r.conn] && r.path == "/open" {
			t.Errorf("a request without a credential came on connection %d, after a token", r.conn)
		}
	}
	if tokens == 0 {
		t.Error("the server saw no token at all")
	}
}

// TestConnectionsAreReused keeps the rule above from being kept by never using
// a connection twice.
func TestConnectionsAreReused(t *testing.T) {
	leavesNothing(t)
	for proto, start := range map[string]func(*testing.T, ...serverOption) *testServer{"HTTP/1.1": startServer, "HTTP/2": startH2} {
		t.Run(proto, func(t *testing.T) {
			s := start(t, func(s *testServer) { s.bound = true })
			p := gsstest.New(gsstest.Options{})
			p.SetDefault("")
			c := s.client(t, &Transport{Provider: p})
			creds := map[string]gss.Credential{"alice": as(t, p, "alice"), "bob": as(t, p, "bob")}
			for range 5 {
				for _, user := range []string{"", "alice", "bob"} {
					req, want := newRequest(t, "GET", s.URL+"/open", nil), ""
					if user != "" {
						req, want = newRequestAs(t, creds[user], s.URL+"/private"), user+"@EXAMPLE.TEST"
					}
					a, err := do(t, c, req)
					if err != nil {
						t.Fatal(err)
					}
					if got := a.Header.Get("X-User"); got != want {
						t.Errorf("served as %q, want %q", got, want)
					}
				}
			}
			// One for nobody, one for each user.
			if n := s.conns.Load(); n != 3 {
				t.Errorf("%d connections for 3 identities: %s", n, s.shape())
			}
		})
	}
}

// TestNewLoginIsSeen changes the default credential between two requests.
func TestNewLoginIsSeen(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.bound = true })
	p := gsstest.New(gsstest.Options{})
	c := s.client(t, &Transport{Provider: p})
	for _, user := range []string{"alice", "bob", "alice"} {
		p.SetDefault(user)
		if a := get(t, c, s.URL); a.body != "hello "+user+"@EXAMPLE.TEST" {
			t.Errorf("as %s: %q", user, a.body)
		}
	}
}

// TestThreeLegsAmongOthers has many contexts of three legs compete for few
// connections with each other, with requests of the same client that need no
// token, and with others on Base.
func TestThreeLegsAmongOthers(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	base := s.base(t)
	base.MaxIdleConnsPerHost = 100
	competing := s.base(t)
	competing.MaxConnsPerHost = 5
	multi := s.client(t, &Transport{Base: competing, Provider: gsstest.New(gsstest.Options{Legs: 3}), Mutual: MutualOptional})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			for round := range 6 {
				req := newRequest(t, "GET", s.URL+"/open", nil)
				rt := multi.Transport
				switch (i + round) % 4 {
				case 0, 1:
					req.URL.Path = "/private"
				case 2:
					rt = base
				}
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 {
					x, _ := ExchangeFrom(resp)
					t.Errorf("%s: status %d, %+v", req.URL.Path, resp.StatusCode, x)
				}
			}
		})
	}
	wg.Wait()
	// On each connection the legs of one context stand together. Where net/http drops
	// one, as it does on a busy machine, the rest is on no other: the context begins
	// anew there.
	on := make(map[int64]string)
	for _, r := range s.requests() {
		on[r.conn] += map[bool]string{true: "+", false: "-"}[r.token]
	}
	for conn, seq := range on {
		parts := strings.Split(seq, "-")
		for i, part := range parts {
			if len(part)%3 != 0 && i < len(parts)-1 {
				t.Errorf("connection %d carried %s", conn, seq)
			}
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	leavesNothing(t)
	for proto, start := range map[string]func(*testing.T, ...serverOption) *testServer{"HTTP/1.1": startServer, "HTTP/2": startH2} {
		t.Run(proto, func(t *testing.T) {
			s := start(t)
			before := leaktest.TakeCensus()
			tr := &Transport{}
			c := s.client(t, tr)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if a, err := do(t, c, newRequest(t, "GET", s.URL, nil)); err != nil || a.StatusCode != 200 {
						t.Errorf("got %v, %v", a.Response, err)
					}
				})
			}
			wg.Wait()
			tr.CloseIdleConnections()
			if left := before.Exceeded(time.Minute); left != "" {
				t.Error(left)
			}
		})
	}
}
