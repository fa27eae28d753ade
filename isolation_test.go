package negotiate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// servers are the ways to speak to a server that takes whoever has authenticated
// on a connection for the sender of all that follows.
var servers = map[string]func(*testing.T, ...serverOption) *testServer{"HTTP/1.1": startServer, "HTTP/2": startH2}

func bound(s *testServer) { s.bound = true }

func eachServer(t *testing.T, test func(t *testing.T, s *testServer)) {
	for proto, start := range servers {
		t.Run(proto, func(t *testing.T) { test(t, start(t, bound)) })
	}
}

// TestOtherSchemeAfterNegotiate asks as alice and then with a password of bob's,
// which must not go where alice is known. The server must see what it sees of
// bob alone.
func TestOtherSchemeAfterNegotiate(t *testing.T) {
	leavesNothing(t)
	eachServer(t, func(t *testing.T, s *testServer) {
		s.before = basicOfBob
		c := s.client(t, &Transport{})
		for range 3 {
			if a := get(t, c, s.URL+"/private"); a.body != "hello alice@EXAMPLE.TEST" {
				t.Errorf("got %q", a.body)
			}
			req := newRequest(t, "GET", s.URL+"/open", nil)
			req.SetBasicAuth("bob", "x")
			a, err := do(t, c, req)
			if err != nil || a.Header.Get("X-Basic") != "bob" || a.Header.Get("X-User") != "" {
				t.Errorf("got %+v, %v, want a response to bob and nobody else", a.Response, err)
			}
		}
		if n := s.conns.Load(); n != 2 {
			t.Errorf("%d connections for two clients: %s", n, s.shape())
		}
	})
}

// basicOfBob takes Basic out of the way of the scripted server, and says whose it
// is.
func basicOfBob(w http.ResponseWriter, r *http.Request) {
	if user, _, ok := r.BasicAuth(); ok {
		w.Header().Set("X-Basic", user)
		r.Header.Del("Authorization")
	}
}

// TestOwnNegotiate passes tokens of the callers' own on, as a reverse proxy does
// that stands before a server of connections. Whose they are nobody can tell, so
// that no other request may follow one on its connection.
func TestOwnNegotiate(t *testing.T) {
	leavesNothing(t)
	eachServer(t, func(t *testing.T, s *testServer) {
		clients := gsstest.New(gsstest.Options{})
		tr := &Transport{Provider: gsstest.New(gsstest.Options{}), Allow: func(*http.Request) bool { return false }}
		s.client(t, tr)
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				req, want := newRequest(t, "GET", s.URL+"/open", nil), ""
				if user := []string{"alice", "bob", ""}[i%3]; user != "" {
					req.Header.Set("Authorization", encodeToken(firstToken(t, clients, user)))
					want = user + "@EXAMPLE.TEST"
				}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if got := resp.Header.Get("X-User"); got != want {
					t.Errorf("a request of %q was served as %q", want, got)
				}
			})
		}
		wg.Wait()
		assertOneIdentityPerConn(t, s)
		assertPoolEmpty(t, tr)
	})
}

// firstToken is that of a context for the server.
func firstToken(t *testing.T, p *gsstest.Provider, user string) []byte {
	sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: as(t, p, user), Target: gss.HostBased("HTTP", "127.0.0.1")})
	if err != nil {
		t.Error(err)
		return nil
	}
	defer sc.Close()
	token, _, err := sc.Step(t.Context(), nil)
	if err != nil {
		t.Error(err)
	}
	return token
}

// TestReverseProxy is net/http's reverse proxy over a Transport, with clients
// that authenticate to the server behind it or do not.
func TestReverseProxy(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, bound)
	origin, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := &Transport{}
	s.client(t, tr)
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(origin) }, Transport: withNobody{tr}})
	defer front.Close()
	clients := gsstest.New(gsstest.Options{})
	for range 3 {
		for _, user := range []string{"alice", "", "bob", ""} {
			req, want := newRequest(t, "GET", front.URL+"/open", nil), ""
			if user != "" {
				req.Header.Set("Authorization", encodeToken(firstToken(t, clients, user)))
				want = user + "@EXAMPLE.TEST"
			}
			resp, err := front.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("X-User"); got != want {
				t.Errorf("a client that is %q was served as %q", want, got)
			}
		}
	}
	front.Client().CloseIdleConnections()
}

// withNobody makes requests as nobody, as a front end does whose clients have
// delegated nothing.
type withNobody struct{ tr *Transport }

func (n withNobody) RoundTrip(r *http.Request) (*http.Response, error) {
	return n.tr.RoundTrip(r.WithContext(WithCredential(r.Context(), nil)))
}

// TestNewLoginClosesOldConnections changes the default credential, and one that
// follows a source, while there are idle connections, and those in use.
func TestNewLoginClosesOldConnections(t *testing.T) {
	leavesNothing(t)
	eachServer(t, func(t *testing.T, s *testServer) {
		p := gsstest.New(gsstest.Options{})
		base := s.base(t)
		base.MaxIdleConnsPerHost = 10
		following, err := p.Acquire(t.Context(), gss.CredentialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer following.Close()
		for name, cred := range map[string]gss.Credential{"default": nil, "following": following} {
			p.SetDefault("alice")
			started, release := make(chan struct{}), make(chan struct{})
			s.next = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					w.(http.Flusher).Flush()
					close(started)
					<-release
				}
			}
			tr := &Transport{Base: base, Provider: p, Credential: cred}
			c := s.client(t, tr)
			get(t, c, s.URL+"/private")
			bob := as(t, p, "bob")
			defer bob.Close()
			do(t, c, newRequestAs(t, bob, s.URL+"/private"))
			slow := make(chan error)
			go func() {
				_, err := do(t, c, newRequest(t, "GET", s.URL+"/slow", nil))
				slow <- err
			}()
			<-started
			get(t, c, s.URL+"/private") // beside it, so that one is idle, or on it
			for _, user := range []string{"carol", ""} {
				p.SetDefault(user)
				resp, err := c.Do(newRequest(t, "GET", s.URL+"/open", nil))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := resp.Header.Get("X-User"); got != "" {
					t.Errorf("%s: nobody was served as %q", name, got)
				}
			}
			close(release)
			if err := <-slow; err != nil {
				t.Errorf("%s: the request under way failed: %v", name, err)
			}
			waitFor(t, func() bool { return len(owners(tr)) == 1 })
			for owner := range owners(tr) {
				if owner.server.source != bob {
					t.Errorf("%s: a connection is still of %+v", name, owner)
				}
			}
			tr.CloseIdleConnections()
		}
	})
}

// owners tells whose connections a Transport has, except for clean ones.
func owners(tr *Transport) map[party]int {
	p := tr.state().pool
	p.mu.Lock()
	defer p.mu.Unlock()
	of := make(map[party]int)
	for _, h := range p.hosts {
		for _, c := range h.conns {
			if c.owner.rank() > 0 {
				of[c.owner]++
			}
		}
	}
	return of
}

// TestNewLoginUnderLoad changes the default credential again and again under
// running requests.
func TestNewLoginUnderLoad(t *testing.T) {
	leavesNothing(t)
	eachServer(t, func(t *testing.T, s *testServer) {
		p := gsstest.New(gsstest.Options{})
		base := s.base(t)
		base.MaxIdleConnsPerHost = 10
		tr := &Transport{Base: base, Provider: p}
		c := s.client(t, tr)
		users := []string{"alice", "bob", "carol"}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if i%10 == 0 {
					p.SetDefault(users[i/10%3])
					return
				}
				a, err := do(t, c, newRequest(t, "GET", s.URL+"/private", nil))
				if err != nil {
					t.Error(err)
					return
				}
				if got := a.Header.Get("X-User"); got == "" || a.ex.Legs > 1 && got != a.ex.Initiator.Value {
					t.Errorf("served as %q, authenticated as %q", got, a.ex.Initiator.Value)
				}
			})
		}
		wg.Wait()
		p.SetDefault("dave")
		if a := get(t, c, s.URL+"/private"); a.body != "hello dave@EXAMPLE.TEST" {
			t.Errorf("got %q", a.body)
		}
		for owner := range owners(tr) {
			if owner.server.name.Value != "dave@EXAMPLE.TEST" {
				t.Errorf("a connection is still of %+v", owner)
			}
		}
	})
}

// TestOwnedConnectionsEnd closes idle connections that are somebody's in time,
// also where Base has no limit, since nobody says when a credential is given up.
func TestOwnedConnectionsEnd(t *testing.T) {
	leavesNothing(t)
	synctest.Test(t, func(t *testing.T) {
		provider := gsstest.New(gsstest.Options{})
		base := pipeServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" && r.URL.Path != "/open" {
				w.Header().Set("WWW-Authenticate", "Negotiate")
				w.WriteHeader(401)
			}
		}))
		tr := &Transport{Base: base, Provider: provider}
		c := &http.Client{Transport: tr}
		get(t, c, "http://a.test/private")
		get(t, c, "http://b.test/open")
		synctest.Wait()
		conns := func() int {
			p := tr.state().pool
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.idle.Len()
		}
		for _, step := range []struct {
			pause time.Duration
			want  int
		}{{defaultIdleTimeout - time.Second, 2}, {2 * time.Second, 1}, {24 * time.Hour, 1}} {
			time.Sleep(step.pause)
			synctest.Wait()
			if n := conns(); n != step.want {
				t.Errorf("after %s more %d connections are idle, want %d", step.pause, n, step.want)
			}
		}
		tr.CloseIdleConnections()
		synctest.Wait()
	})
}

// TestManyIdentities is bounded by Base's limit of all connections, or a default
// one.
func TestManyIdentities(t *testing.T) {
	leavesNothing(t)
	for limit, want := range map[int]int{0: defaultMaxIdle, 10: 10} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			s := startServer(t)
			p := gsstest.New(gsstest.Options{})
			base := s.base(t)
			base.MaxIdleConns = limit
			tr := &Transport{Base: base, Provider: p}
			c := s.client(t, tr)
			for i := range defaultMaxIdle + 20 {
				if a, err := do(t, c, newRequestAs(t, as(t, p, fmt.Sprintf("user%d", i)), s.URL)); err != nil || a.StatusCode != 200 {
					t.Fatalf("got %+v, %v", a.Response, err)
				}
			}
			waitFor(t, func() bool { return s.open.Open() <= want })
			tr.CloseIdleConnections()
			s.open.WantNone(t)
		})
	}
}

// TestUncomparableCredential has a credential that cannot be a map's key.
func TestUncomparableCredential(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, bound)
	p := gsstest.New(gsstest.Options{})
	c := s.client(t, &Transport{Provider: takesUncomparable{p}})
	for _, user := range []string{"alice", "bob", "alice"} {
		cred := uncomparable{as(t, p, user), nil}
		if a, err := do(t, c, newRequestAs(t, cred, s.URL)); err != nil || a.body != "hello "+user+"@EXAMPLE.TEST" {
			t.Errorf("got %+v, %v", a, err)
		}
	}
	if n := s.conns.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

type uncomparable struct {
	gss.Credential
	_ []byte
}

type takesUncomparable struct{ *gsstest.Provider }

func (p takesUncomparable) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	o.Credential = o.Credential.(uncomparable).Credential
	return p.Provider.Initiate(ctx, o)
}

// TestSharedBodyEndsOnce reads and closes the body of a response by HTTP/2, also at
// the same time. Its place on the connection is given back once, and not that of
// another.
func TestSharedBodyEndsOnce(t *testing.T) {
	leavesNothing(t)
	started, release := make(chan struct{}), make(chan struct{})
	s := startH2(t, func(s *testServer) {
		s.next = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				w.(http.Flusher).Flush()
				close(started)
				<-release
			}
			io.WriteString(w, "some")
		}
	})
	tr := &Transport{}
	c := s.client(t, tr)
	slow, err := c.Get(s.URL + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	<-started
	for range 20 {
		resp, err := c.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(io.Discard, resp.Body) })
		wg.Go(func() { resp.Body.Close() })
		wg.Wait()
	}
	p := tr.state().pool
	p.mu.Lock()
	for _, h := range p.hosts {
		for _, c := range h.conns {
			if len(c.users) != 1 {
				t.Errorf("%d exchanges count as under way, want the slow one", len(c.users))
			}
		}
	}
	p.mu.Unlock()
	close(release)
	io.Copy(io.Discard, slow.Body)
	slow.Body.Close()
	assertPoolEmpty(t, tr)
}

// TestNewLoginAndOtherCredentials closes the connection of the old login also if
// other credentials have been in use since, and one that was made its own only
// after the new login was seen.
func TestNewLoginAndOtherCredentials(t *testing.T) {
	leavesNothing(t)
	t.Run("in use", func(t *testing.T) {
		s := startServer(t, bound)
		started, release := make(chan struct{}), make(chan struct{})
		s.next = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				w.(http.Flusher).Flush()
				close(started)
				<-release
			}
		}
		p := gsstest.New(gsstest.Options{})
		tr := &Transport{Provider: p}
		c := s.client(t, tr)
		slow := make(chan error)
		go func() {
			_, err := do(t, c, newRequest(t, "GET", s.URL+"/slow", nil))
			slow <- err
		}()
		<-started
		p.SetDefault("bob")
		get(t, c, s.URL+"/open")
		following, err := p.Acquire(t.Context(), gss.CredentialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer following.Close()
		do(t, c, newRequestAs(t, following, s.URL+"/open"))
		close(release)
		if err := <-slow; err != nil {
			t.Error(err)
		}
		waitFor(t, func() bool { return len(owners(tr)) == 0 })
	})
	t.Run("not yet owned", func(t *testing.T) {
		s := startServer(t, bound)
		p := gsstest.New(gsstest.Options{})
		tr := &Transport{Provider: p}
		c := s.client(t, tr)
		p.Inject(gsstest.Fault{Op: gsstest.OpInitiate, Times: 1, Do: func(context.Context) error {
			p.SetDefault("bob")
			get(t, c, s.URL+"/open")
			return nil
		}})
		if a := get(t, c, s.URL+"/private"); a.body != "hello alice@EXAMPLE.TEST" {
			t.Errorf("got %q", a.body)
		}
		waitFor(t, func() bool { return len(owners(tr)) == 0 })
	})
}

// TestAbandonedContext gives up a context in its middle, on a connection that
// others may use. Its server waits for the rest, so nobody begins another there.
func TestAbandonedContext(t *testing.T) {
	leavesNothing(t)
	s := startH2(t)
	p := gsstest.New(gsstest.Options{Legs: 2})
	ctx, cancel := context.WithCancel(t.Context())
	p.Inject(gsstest.Fault{Op: gsstest.OpInitiateStep, Step: 2, Times: 1, Do: func(ctx context.Context) error { cancel(); return gsstest.Block(ctx) }})
	c := s.client(t, &Transport{Provider: p})
	if _, err := c.Do(newRequest(t, "GET", s.URL, nil).WithContext(ctx)); err == nil {
		t.Fatal("the request was not cancelled")
	}
	if a := get(t, c, s.URL); a.StatusCode != 200 || s.shape() != "C1 C1+ C2 C2+ C2+" {
		t.Errorf("got %d, the server saw %s", a.StatusCode, s.shape())
	}
}

// TestMutualOnCleanConnection has a server that asks once a connection, and a
// redirect after which no token may go out unasked. There has to be a connection
// on which the server asks.
func TestMutualOnCleanConnection(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, bound)
	base := s.base(t)
	base.DialContext = dialHere
	s.next = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, s.at(webHost, "/private"), http.StatusFound)
		}
	}
	c := s.client(t, &Transport{Base: base, Mutual: MutualRequired})
	c.CheckRedirect = nil
	for _, url := range []string{s.at(webHost, "/private"), s.at(otherHost, "/away")} {
		if a := get(t, c, url); a.StatusCode != 200 || !a.ex.MutualVerified || a.ex.Opportunistic {
			t.Errorf("%s: got %d, %+v", url, a.StatusCode, a.ex)
		}
	}
}
