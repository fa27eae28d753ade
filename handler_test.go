package negotiate_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/patience"
)

var webServer = gss.HostBased("HTTP", "web.example.test")

// site is a Handler on the fake provider, and what its Next was called with.
type site struct {
	*negotiate.Handler
	fake *gsstest.Provider
	logs *lockedBuffer
	next http.HandlerFunc // what Next does further; nil for nothing

	mu    sync.Mutex
	seen  []*negotiate.Identity
	calls int
}

// newSite checks when the test ends that nothing of the provider is left open.
func newSite(t *testing.T, o gsstest.Options) *site {
	t.Helper()
	s := &site{fake: gsstest.New(o), logs: &lockedBuffer{}}
	s.Handler = &negotiate.Handler{
		Next:     http.HandlerFunc(s.serve),
		Provider: s.fake,
		Logger:   slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	t.Cleanup(func() {
		// The servers are closed by now, but their connections may still be ending.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := s.fake.WaitIdle(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	id, ok := negotiate.IdentityFrom(r.Context())
	s.mu.Lock()
	s.calls++
	if ok {
		copied := *id
		s.seen = append(s.seen, &copied)
	}
	s.mu.Unlock()
	switch {
	case s.next != nil:
		s.next(w, r)
	case ok:
		io.WriteString(w, id.Principal)
	default:
		io.WriteString(w, "nobody")
	}
}

// start serves the site over plain HTTP with its connections told apart.
func (s *site) start(t *testing.T) *httptest.Server {
	t.Helper()
	ts := httptest.NewUnstartedServer(s.Handler)
	if err := s.ConfigureServer(ts.Config); err != nil {
		t.Fatal(err)
	}
	ts.Start()
	t.Cleanup(ts.Close)
	patience.Order(ts.Client())
	return ts
}

func (s *site) identities() []*negotiate.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// checkNotCalled asserts rule 5: nobody came through.
func (s *site) checkNotCalled(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls != 0 {
		t.Errorf("Next was called %d times, want never", s.calls)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// initiate begins a context of the user's towards the site.
func (s *site) initiate(t testing.TB, user string, o gss.InitiateOptions) gss.SecContext {
	t.Helper()
	return initiateWith(t, s.fake, user, o)
}

func initiateWith(t testing.TB, p *gsstest.Provider, user string, o gss.InitiateOptions) gss.SecContext {
	t.Helper()
	cred, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(user)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cred.Close() })
	o.Credential, o.Target = cred, webServer
	sc, err := p.Initiate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sc.Close() })
	return sc
}

func nextToken(t testing.TB, sc gss.SecContext, in []byte) []byte {
	t.Helper()
	out, _, err := sc.Step(t.Context(), in)
	if err != nil {
		t.Fatalf("the client's Step: %v", err)
	}
	return out
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// token is the one in the answer's challenge; nil if there is none.
func (a answer) token(t testing.TB) []byte {
	t.Helper()
	_, encoded, ok := strings.Cut(a.Header.Get("WWW-Authenticate"), " ")
	if !ok {
		return nil
	}
	tok, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatalf("the challenge %q: %v", a.Header.Get("WWW-Authenticate"), err)
	}
	return tok
}

func (a answer) checkRefused(t testing.TB) {
	t.Helper()
	if a.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d with body %q, want 401", a.StatusCode, a.body)
	}
	if got := a.Header.Get("WWW-Authenticate"); got != "Negotiate" && !strings.HasPrefix(got, "Negotiate ") {
		t.Errorf("WWW-Authenticate is %q, want a Negotiate challenge", got)
	}
}

func ask(t testing.TB, c *http.Client, url string, authorization ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(authorization) > 0 {
		req.Header["Authorization"] = authorization
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

func sendToken(t testing.TB, c *http.Client, url string, token []byte) answer {
	t.Helper()
	return ask(t, c, url, "Negotiate "+base64.StdEncoding.EncodeToString(token))
}

// login runs a context to its end over one client, and returns the last answer.
func login(t testing.TB, c *http.Client, url string, sc gss.SecContext) answer {
	t.Helper()
	tok := nextToken(t, sc, nil)
	for {
		a := sendToken(t, c, url, tok)
		reply := a.token(t)
		if a.StatusCode != http.StatusUnauthorized || reply == nil {
			return a
		}
		tok = nextToken(t, sc, reply)
	}
}

// oneConn is a client that keeps to one connection. An http.Transport with
// MaxConnsPerHost of 1 does not: on a busy machine it drops one that has answered
// before it knows that the request was written.
func oneConn(t testing.TB) *http.Client {
	tr := new(pinned)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// pinned sends requests on one connection, one after the other, and fails if the
// server closes it.
type pinned struct {
	conn net.Conn
	r    *bufio.Reader
}

func (p *pinned) RoundTrip(req *http.Request) (*http.Response, error) {
	if p.conn == nil {
		conn, err := new(net.Dialer).DialContext(req.Context(), "tcp", req.URL.Host)
		if err != nil {
			return nil, err
		}
		p.conn, p.r = conn, bufio.NewReader(conn)
	}
	if err := req.Write(p.conn); err != nil {
		return nil, err
	}
	return http.ReadResponse(p.r, req)
}

func (p *pinned) CloseIdleConnections() {
	if p.conn != nil {
		p.conn.Close()
	}
}

func TestHandlerChallenges(t *testing.T) {
	negotiate.LeavesNothing(t)
	long := base64.StdEncoding.EncodeToString(make([]byte, 64<<10+1))
	for name, fields := range map[string][]string{
		"none":             nil,
		"empty":            {""},
		"another scheme":   {"Basic YWxpY2U6c2VjcmV0"},
		"longer scheme":    {"NegotiateX YWJj"},
		"no token":         {"Negotiate"},
		"blank token":      {"Negotiate   "},
		"no base64":        {"Negotiate !!!!"},
		"no padding":       {"Negotiate YQ"},
		"too much padding": {"Negotiate YQ==="},
		"stray bits":       {"Negotiate YR=="},
		"URL alphabet":     {"Negotiate -_-_"},
		"space inside":     {"Negotiate YWJj YWJj"},
		"tab":              {"Negotiate\tYWJj"},
		"list":             {"Negotiate YWJj, Basic YWJj"},
		"two fields":       {"Negotiate YWJj", "Negotiate YWJj"},
		"two schemes":      {"Basic YWJj", "Negotiate YWJj"},
		"too long":         {"Negotiate " + long},
		"NTLM type 1":      {"Negotiate " + base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00\x01\x00\x00\x00"))},
		"scheme NTLM":      {"NTLM TlRMTVNTUAABAAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, gsstest.Options{})
			ts := s.start(t)
			a := ask(t, ts.Client(), ts.URL, fields...)
			a.checkRefused(t)
			if got := a.Header.Values("WWW-Authenticate"); len(got) != 1 || got[0] != "Negotiate" {
				t.Errorf("WWW-Authenticate is %q, want Negotiate alone", got)
			}
			if !strings.Contains(a.body, "Negotiate") {
				t.Errorf("the body %q does not say what is wanted", a.body)
			}
			s.checkNotCalled(t)
			if got := s.fake.Counts().Accepts; got != 0 {
				t.Errorf("the provider was bothered %d times", got)
			}
			for _, field := range fields {
				if _, value, ok := strings.Cut(field, " "); ok && len(strings.TrimSpace(value)) > 3 && strings.Contains(s.logs.String(), strings.TrimSpace(value)) {
					t.Errorf("the log shows the value of Authorization: %s", s.logs)
				}
			}
		})
	}
}

func TestHandlerAuthenticates(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, legs := range []int{1, 2, 3} {
		for _, flags := range []gss.Flags{0, gss.FlagMutual, gss.FlagMutual | gss.FlagDelegate} {
			t.Run(fmt.Sprintf("%d legs, %s", legs, flags), func(t *testing.T) {
				s := newSite(t, gsstest.Options{Legs: legs})
				ts := s.start(t)
				sc := s.initiate(t, "alice", gss.InitiateOptions{Flags: flags})
				a := login(t, ts.Client(), ts.URL, sc)
				if a.StatusCode != http.StatusOK || a.body != "alice@EXAMPLE.TEST" {
					t.Fatalf("status %d with body %q, want 200 for alice; log: %s", a.StatusCode, a.body, s.logs)
				}
				id := s.identities()[0]
				if id.Mechanism != gss.MechKRB5 || id.Expires.IsZero() || id.ChannelBound || !id.Flags.Has(flags) {
					t.Errorf("the identity is %+v", id)
				}
				if got, want := id.Delegated != nil, flags.Has(gss.FlagDelegate); got != want {
					t.Errorf("a delegated credential is there: %t, want %t", got, want)
				}
				if !flags.Has(gss.FlagMutual) {
					if got := a.Header.Values("WWW-Authenticate"); got != nil {
						t.Errorf("WWW-Authenticate is %q, want none", got)
					}
					return
				}
				if _, done, err := sc.Step(t.Context(), a.token(t)); !done || err != nil {
					t.Errorf("the client does not believe the server: done=%t, %v", done, err)
				}
				if !sc.Info().Flags.Has(gss.FlagMutual) {
					t.Error("the context is not mutual")
				}
			})
		}
	}
}

func TestHandlerTakesAnyCaseOfTheScheme(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	ts := s.start(t)
	for _, scheme := range []string{"negotiate", "NEGOTIATE", "Negotiate  "} {
		tok := nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)
		a := ask(t, ts.Client(), ts.URL, scheme+" "+base64.StdEncoding.EncodeToString(tok))
		if a.StatusCode != http.StatusOK {
			t.Errorf("%q gave status %d", scheme, a.StatusCode)
		}
	}
}

func TestReplySurvivesWhateverNextDoes(t *testing.T) {
	negotiate.LeavesNothing(t)
	for name, next := range map[string]http.HandlerFunc{
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"flush":      func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "x") },
		"204":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"304":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"http.Error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"500":        func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		},
		"further scheme": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, gsstest.Options{})
			s.next = next
			ts := s.start(t)
			c := oneConn(t)
			c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			sc := s.initiate(t, "alice", gss.InitiateOptions{Flags: gss.FlagMutual})
			a := sendToken(t, c, ts.URL, nextToken(t, sc, nil))
			if _, done, err := sc.Step(t.Context(), a.token(t)); !done || err != nil {
				t.Errorf("with status %d the client does not believe the server: done=%t, %v", a.StatusCode, done, err)
			}
		})
	}
}

func TestNextDoesNotSeeTheToken(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.next = func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.Header["Authorization"]; ok {
			t.Error("Next sees Authorization")
		}
		if got := r.Header.Get("X-Other"); got != "kept" {
			t.Errorf("Next sees X-Other %q", got)
		}
	}
	tok := nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(tok))
	r.Header.Set("X-Other", "kept")
	before := r.Header.Clone()
	s.ServeHTTP(httptest.NewRecorder(), r)
	if len(s.identities()) != 1 {
		t.Fatal("Next was not called")
	}
	if got := r.Header.Get("Authorization"); got != before.Get("Authorization") {
		t.Error("the request of the handlers outside was changed")
	}
	if _, ok := negotiate.IdentityFrom(r.Context()); ok {
		t.Error("the request outside has the identity")
	}
}

// TestProviderFailures holds rule 5 for each failure the fake provider can be
// told, at the first leg and at a later one.
func TestProviderFailures(t *testing.T) {
	negotiate.LeavesNothing(t)
	failures := map[string]gsstest.Fault{
		"error":           {Err: &gss.Error{Major: gss.ErrDefectiveToken}},
		"foreign error":   {Err: errors.New("no GSS-API error")},
		"no credential":   {Err: gss.ErrNoCred},
		"duplicate":       {Err: gss.ErrFailure | gss.ErrDuplicateToken},
		"error and token": {Err: gss.ErrCredentialsExpired, Out: []byte("error token")},
		"error, identity": {Err: gss.ErrFailure, Info: func(i *gss.ContextInfo) { i.Initiator = gss.User("mallory") }},
		"waiting fails":   {Do: func(context.Context) error { return context.DeadlineExceeded }},
		"no name":         {Info: func(i *gss.ContextInfo) { i.Initiator = gss.Name{} }},
		"type, no name":   {Info: func(i *gss.ContextInfo) { i.Initiator = gss.User("") }},
		"anonymous":       {Info: func(i *gss.ContextInfo) { i.Flags |= gss.FlagAnonymous }},
		"line feed":       {Info: func(i *gss.ContextInfo) { i.Initiator = gss.User("alice\nadmin") }},
		"NUL":             {Info: func(i *gss.ContextInfo) { i.Initiator = gss.User("alice\x00@EXAMPLE.TEST") }},
		"no UTF-8":        {Info: func(i *gss.ContextInfo) { i.Initiator = gss.User("alice\xff") }},
	}
	for name, fault := range failures {
		for legs := 1; legs <= 3; legs++ {
			for leg := 1; leg <= legs; leg++ {
				t.Run(fmt.Sprintf("%s/leg %d of %d", name, leg, legs), func(t *testing.T) {
					s := newSite(t, gsstest.Options{Legs: legs})
					fault.Op, fault.Step = gsstest.OpAcceptStep, leg
					s.fake.Inject(fault)
					ts := s.start(t)
					sc := s.initiate(t, "alice", gss.InitiateOptions{Flags: gss.FlagMutual | gss.FlagDelegate})
					c, tok := oneConn(t), nextToken(t, sc, nil)
					for range leg - 1 {
						a := sendToken(t, c, ts.URL, tok)
						a.checkRefused(t)
						tok = nextToken(t, sc, a.token(t))
					}
					a := sendToken(t, c, ts.URL, tok)
					if fault.Info != nil && fault.Err == nil {
						// These strike when the context is done.
						for range legs - leg {
							a.checkRefused(t)
							a = sendToken(t, c, ts.URL, nextToken(t, sc, a.token(t)))
						}
					}
					a.checkRefused(t)
					if got := string(a.token(t)); got != string(fault.Out) {
						t.Errorf("the challenge has token %q, want %q", got, fault.Out)
					}
					s.checkNotCalled(t)
					if !strings.Contains(s.logs.String(), "refused") {
						t.Errorf("the log does not tell of it: %s", s.logs)
					}
				})
			}
		}
	}
}

func TestAcceptFails(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.fake.Inject(gsstest.Fault{Op: gsstest.OpAccept, Err: &gss.Error{Major: gss.ErrNoCred, Err: errors.New("no keytab at /nowhere")}})
	ts := s.start(t)
	a := sendToken(t, ts.Client(), ts.URL, nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil))
	a.checkRefused(t)
	s.checkNotCalled(t)
	if !strings.Contains(s.logs.String(), "no keytab at /nowhere") {
		t.Errorf("the log does not give the cause: %s", s.logs)
	}
}

func TestLargeErrorTokenIsNotSent(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.fake.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Err: gss.ErrFailure, Out: make([]byte, 100<<10)})
	ts := s.start(t)
	a := sendToken(t, ts.Client(), ts.URL, nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil))
	a.checkRefused(t)
	if a.token(t) != nil {
		t.Errorf("an error token of %d bytes was sent", len(a.token(t)))
	}
}

// TestUnfinishedContextHasNoIdentity has a provider that names the client before
// the context is done.
func TestUnfinishedContextHasNoIdentity(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	s.fake.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Info: func(i *gss.ContextInfo) { i.Initiator = gss.User("mallory") }})
	ts := s.start(t)
	a := sendToken(t, ts.Client(), ts.URL, nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil))
	a.checkRefused(t)
	s.checkNotCalled(t)
}

func TestCancelledRequest(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.fake.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Do: gsstest.Block})
	tok := nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(tok))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", w.Code)
	}
	s.checkNotCalled(t)
}

func TestAlteredTokens(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	serve := func(tok []byte) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(tok))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	tok := nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)
	for i := range tok {
		if code := serve(tok[:i]); code != http.StatusUnauthorized {
			t.Fatalf("the first %d bytes of a token gave status %d", i, code)
		}
		flipped := bytes.Clone(tok)
		flipped[i] ^= 1 << (i % 8)
		if code := serve(flipped); code != http.StatusUnauthorized {
			t.Fatalf("a token with byte %d flipped gave status %d", i, code)
		}
	}
	s.checkNotCalled(t)
	if code := serve(tok); code != http.StatusOK {
		t.Fatalf("the token itself gave status %d: %s", code, s.logs)
	}
	if code := serve(tok); code != http.StatusUnauthorized {
		t.Errorf("the same token once more gave status %d, want 401", code)
	}
}

func TestLogOfRefusalsHelpsAndShowsNoToken(t *testing.T) {
	negotiate.LeavesNothing(t)
	ntlm := []byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2")
	inSPNEGO := append([]byte{0x60, 0x30, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02, 0xa0, 0x20}, ntlm...)
	for name, test := range map[string]struct {
		token []byte
		want  []string
	}{
		"NTLM":           {ntlm, []string{"token=NTLM", "HTTP/<host"}},
		"NTLM in SPNEGO": {inSPNEGO, []string{"token=SPNEGO", "HTTP/<host"}},
		"later leg":      {[]byte{0xa1, 0x15, 0x30, 0x13, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []string{"a later leg", "a proxy may spread"}},
		"krb5":           {[]byte("\x60\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00garbage garbage"), []string{"token=krb5"}},
		"unknown":        {[]byte("what is this, please?"), []string{"token=unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, gsstest.Options{})
			ts := s.start(t)
			sendToken(t, ts.Client(), ts.URL, test.token).checkRefused(t)
			s.checkNotCalled(t)
			logged := s.logs.String()
			for _, want := range append(test.want, "level=WARN", "logger=negotiate", "remote=127.0.0.1:") {
				if !strings.Contains(logged, want) {
					t.Errorf("the log lacks %q: %s", want, logged)
				}
			}
			if encoded := base64.StdEncoding.EncodeToString(test.token); strings.Contains(logged, encoded[:12]) {
				t.Errorf("the log shows the token: %s", logged)
			}
		})
	}
}

func TestSuccessIsLoggedWithoutTheToken(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	ts := s.start(t)
	tok := nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)
	sendToken(t, ts.Client(), ts.URL, tok)
	logged := s.logs.String()
	if !strings.Contains(logged, "level=DEBUG") || !strings.Contains(logged, "principal=alice@EXAMPLE.TEST") {
		t.Errorf("the log does not tell who came: %s", logged)
	}
	if strings.Contains(logged, base64.StdEncoding.EncodeToString(tok)[:20]) {
		t.Errorf("the log shows the token: %s", logged)
	}
}

func TestMaxTokenBytes(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	ts := s.start(t)
	tok := nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{}), nil)
	s.MaxTokenBytes = len(tok) - 1
	sendToken(t, ts.Client(), ts.URL, tok).checkRefused(t)
	s.checkNotCalled(t)
	s.MaxTokenBytes = len(tok)
	if a := sendToken(t, ts.Client(), ts.URL, tok); a.StatusCode != http.StatusOK {
		t.Errorf("a token of exactly MaxTokenBytes gave status %d", a.StatusCode)
	}
}

func TestUnauthorizedHook(t *testing.T) {
	negotiate.LeavesNothing(t)
	for name, page := range map[string]http.HandlerFunc{
		"page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<p>please log in")
		},
		"wrong status": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, "<p>please log in")
		},
		"nothing":         func(http.ResponseWriter, *http.Request) {},
		"switch protocol": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) },
		"another scheme":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Add("WWW-Authenticate", "Basic") },
		"looks for an identity": func(_ http.ResponseWriter, r *http.Request) {
			if _, ok := negotiate.IdentityFrom(r.Context()); ok {
				t.Error("a refused request has an identity")
			}
			if r.Header.Get("Authorization") != "" {
				t.Error("the page sees Authorization")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, gsstest.Options{})
			s.Unauthorized = page
			ts := s.start(t)
			a := sendToken(t, ts.Client(), ts.URL, []byte("garbage"))
			a.checkRefused(t)
			if name == "another scheme" && len(a.Header.Values("WWW-Authenticate")) != 2 {
				t.Errorf("WWW-Authenticate is %q, want both schemes", a.Header.Values("WWW-Authenticate"))
			}
			if name == "page" && (a.body != "<p>please log in" || a.Header.Get("Content-Type") != "text/html") {
				t.Errorf("the page is %q of type %q", a.body, a.Header.Get("Content-Type"))
			}
			s.checkNotCalled(t)
		})
	}
}

func TestDelegatedCredential(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprintf("panics=%t", panics), func(t *testing.T) {
			s := newSite(t, gsstest.Options{})
			s.next = func(w http.ResponseWriter, r *http.Request) {
				id, _ := negotiate.IdentityFrom(r.Context())
				if s.fake.Counts().OpenCredentials != 2 { // the test's own and this
					t.Error("the delegated credential is closed already")
				}
				sc, err := s.fake.Initiate(r.Context(), gss.InitiateOptions{Credential: id.Delegated, Target: gss.HostBased("HTTP", "backend.example.test")})
				if err != nil {
					t.Errorf("the delegated credential cannot be used: %v", err)
					return
				}
				defer sc.Close()
				if panics {
					panic(http.ErrAbortHandler)
				}
				tok, _, err := sc.Step(r.Context(), nil)
				if err != nil {
					t.Errorf("the delegated credential cannot be used: %v", err)
				}
				w.Write(tok)
			}
			ts := s.start(t)
			tok := nextToken(t, s.initiate(t, "alice", gss.InitiateOptions{Flags: gss.FlagDelegate}), nil)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ts.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(tok))
			resp, err := ts.Client().Do(req)
			if panics {
				if err == nil {
					t.Error("the response was not aborted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			onward, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			backend, err := s.fake.Accept(t.Context(), gss.AcceptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer backend.Close()
			if _, _, err := backend.Step(t.Context(), onward); err != nil {
				t.Fatal(err)
			}
			if got := backend.Info().Initiator.Value; got != "alice@EXAMPLE.TEST" {
				t.Errorf("the server behind sees %q, want alice", got)
			}
			// newSite checks that the credential gets closed.
		})
	}
}

// TestRefusedDelegationIsClosed delegates in a context that is finished and yet
// refused.
func TestRefusedDelegationIsClosed(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{})
	s.ChannelBindings = negotiate.BindingRequire
	ts := httptest.NewServer(s.Handler)
	defer ts.Close()
	sc := s.initiate(t, "alice", gss.InitiateOptions{Flags: gss.FlagDelegate})
	sendToken(t, ts.Client(), ts.URL, nextToken(t, sc, nil)).checkRefused(t)
	s.checkNotCalled(t)
}

func TestHandlerWithoutNextOrProvider(t *testing.T) {
	negotiate.LeavesNothing(t)
	for name, break_ := range map[string]func(*negotiate.Handler){
		"Next": func(h *negotiate.Handler) { h.Next = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, gsstest.Options{})
			break_(s.Handler)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != http.StatusInternalServerError {
				t.Errorf("status %d, want 500", w.Code)
			}
			if !strings.Contains(s.logs.String(), "Handler."+name) || !strings.Contains(s.logs.String(), "level=ERROR") {
				t.Errorf("the log does not say what is missing: %s", s.logs)
			}
		})
	}
}

func TestManyUsersAtOnce(t *testing.T) {
	negotiate.LeavesNothing(t)
	s := newSite(t, gsstest.Options{Legs: 2})
	ts := s.start(t)
	var wg sync.WaitGroup
	for i := range 16 {
		user := fmt.Sprintf("user%d", i)
		c := oneConn(t)
		contexts := make([]gss.SecContext, 4)
		for j := range contexts {
			contexts[j] = s.initiate(t, user, gss.InitiateOptions{Flags: gss.FlagMutual})
		}
		wg.Go(func() {
			for _, sc := range contexts {
				if got, err := quietLogin(t.Context(), c, ts.URL, sc); err != nil || got != user+"@EXAMPLE.TEST" {
					t.Errorf("%s logged in as %q: %v", user, got, err)
				}
			}
		})
	}
	wg.Wait()
}

// quietLogin is login for any goroutine: it returns the body of the last answer.
func quietLogin(ctx context.Context, c *http.Client, url string, sc gss.SecContext) (string, error) {
	var in []byte
	for {
		tok, _, err := sc.Step(ctx, in)
		if err != nil {
			return "", err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(tok))
		resp, err := c.Do(req)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return "", err
		}
		if in = (answer{Response: resp}).rawToken(); resp.StatusCode != http.StatusUnauthorized || in == nil {
			return string(body), nil
		}
	}
}

func (a answer) rawToken() []byte {
	_, encoded, _ := strings.Cut(a.Header.Get("WWW-Authenticate"), " ")
	tok, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || encoded == "" {
		return nil
	}
	return tok
}

// TestNoGoroutineIsLeft runs in a bubble, which fails if a goroutine is left in it.
func TestNoGoroutineIsLeft(t *testing.T) {
	negotiate.LeavesNothing(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, gsstest.Options{Legs: 2})
		for _, flags := range []gss.Flags{0, gss.FlagDelegate} {
			sc := s.initiate(t, "alice", gss.InitiateOptions{Flags: flags})
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(nextToken(t, sc, nil)))
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
	})
}
