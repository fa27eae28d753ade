package negotiate

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

func TestChallenge(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	c := s.client(t, &Transport{})
	a := get(t, c, s.URL+"/x")
	if a.StatusCode != 200 || a.body != "hello alice@EXAMPLE.TEST" {
		t.Errorf("got %d %q", a.StatusCode, a.body)
	}
	if got := s.shape(); got != "C1 C1+" {
		t.Errorf("the server saw %s, want both legs on one connection", got)
	}
	ex := a.ex
	if ex.Err != nil || ex.Legs != 2 || ex.Opportunistic || ex.MutualVerified || len(ex.History) != 1 {
		t.Errorf("Exchange is %+v", ex)
	}
	if ex.Target != gss.HostBased("HTTP", "127.0.0.1") || ex.Mechanism != gss.MechKRB5 || ex.Initiator.Value != "alice@EXAMPLE.TEST" {
		t.Errorf("Exchange is %+v", ex)
	}
	if h := ex.History[0]; h.StatusCode != 401 || h.Body != http.NoBody || h.Request.Header.Get("Authorization") != "" {
		t.Errorf("History has %+v", h)
	}
}

func TestRequestUnchanged(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	c := s.client(t, &Transport{})
	req := newRequest(t, "GET", s.URL, nil)
	req.Header.Set("X-A", "b")
	before := *req
	a, err := do(t, c, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(req.Header) != 1 || req.Body != before.Body || req.URL != before.URL || req.Context() != before.Context() {
		t.Errorf("the request was changed: %+v", req)
	}
	if a.Request.URL != req.URL || a.Request.Method != "GET" {
		t.Errorf("the response's request is %+v", a.Request)
	}
}

func TestNotAsked(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	c := s.client(t, &Transport{Provider: p})
	if a := get(t, c, s.URL+"/open"); a.StatusCode != 200 || a.ex.Legs != 1 || a.ex.Err != nil || !a.ex.Target.IsZero() {
		t.Errorf("got %d, %+v", a.StatusCode, a.ex)
	}
	if n := p.Counts().Initiates; n != 0 {
		t.Errorf("%d contexts begun for a server that did not ask", n)
	}
}

// stage is that of the exchange's error, "" for none.
func stage(t *testing.T, ex *Exchange) string {
	t.Helper()
	if ex.Err == nil {
		return ""
	}
	ee, ok := errors.AsType[*ExchangeError](ex.Err)
	if !ok {
		t.Errorf("%T is no *ExchangeError: %v", ex.Err, ex.Err)
		return "?"
	}
	return ee.Stage
}

// TestFailedAuthentication covers whatever has a 401 come back: never an error,
// always readable, always with the reason.
func TestFailedAuthentication(t *testing.T) {
	leavesNothing(t)
	noCred := gsstest.Fault{Err: &gss.Error{Major: gss.ErrNoCred, Err: errors.New("kinit first")}}
	at := func(op gsstest.Op, step int, f gsstest.Fault) func(*Transport) {
		f.Op, f.Step = op, step
		return func(tr *Transport) { tr.Provider.(*gsstest.Provider).Inject(f) }
	}
	tests := []struct {
		name   string
		setup  func(*Transport)
		server serverOption
		stage  string
		is     error
		shape  string
	}{
		{name: "no credential", setup: at(gsstest.OpAcquire, 0, noCred), stage: StageCredential, is: gss.ErrNoCred, shape: "C1"},
		{name: "nobody logged in", setup: func(tr *Transport) { tr.Provider.(*gsstest.Provider).SetDefault("") },
			stage: StageCredential, is: gss.ErrNoCred, shape: "C1"},
		{name: "no target", setup: func(tr *Transport) {
			tr.Target = func(*http.Request) (gss.Name, error) { return gss.Name{}, io.ErrNoProgress }
		}, stage: StageTarget, is: io.ErrNoProgress, shape: "C1"},
		{name: "initiate", setup: at(gsstest.OpInitiate, 0, noCred), stage: StageInitiate, is: gss.ErrNoCred, shape: "C1"},
		{name: "first step", setup: at(gsstest.OpInitiateStep, 1, noCred), stage: StageInitiate, is: gss.ErrNoCred, shape: "C1"},
		{name: "mechanism", setup: func(tr *Transport) {
			tr.Provider = gsstest.New(gsstest.Options{Mechanisms: []gss.OID{gss.MechKRB5}})
			tr.Mechanism = gss.MechNTLM
		}, stage: StageInitiate, is: gss.ErrBadMech, shape: "C1"},
		{name: "not allowed", setup: func(tr *Transport) { tr.Allow = func(*http.Request) bool { return false } },
			stage: StageAllow, shape: "C1"},
		{name: "token of another realm", setup: func(tr *Transport) { tr.Provider = gsstest.New(gsstest.Options{Secret: "x"}) },
			stage: StageRejected, shape: "C1 C1+ C1+"},
		{name: "error token", setup: nil, server: func(s *testServer) {
			s.provider.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Err: gss.ErrBadMIC, Out: []byte("error token")})
		}, stage: StageRejected, shape: "C1 C1+ C1+"},
		{name: "client without permission", server: func(s *testServer) { s.refuse = func(string) bool { return true } },
			stage: StageRejected, shape: "C1 C1+ C1+"},
		{name: "second leg", setup: func(tr *Transport) {
			p := gsstest.New(gsstest.Options{Legs: 2})
			p.Inject(gsstest.Fault{Op: gsstest.OpInitiateStep, Step: 2, Err: gss.ErrBadMIC})
			tr.Provider = p
		}, stage: StageRejected, is: gss.ErrBadMIC, shape: "C1 C1+ C2+"},
		{name: "endless context", setup: func(tr *Transport) { tr.Provider = gsstest.New(gsstest.Options{Legs: 16}) },
			stage: StageStep, shape: "C1 C1+ C1+ C1+ C1+ C1+ C1+ C1+ C1+"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t)
			if tt.server != nil {
				tt.server(s)
			}
			tr := &Transport{Provider: gsstest.New(gsstest.Options{})}
			if tt.setup != nil {
				tt.setup(tr)
			}
			a := get(t, s.client(t, tr), s.URL)
			if a.StatusCode != 401 || a.body != "who are you?" {
				t.Errorf("got %d %q, want the server's 401", a.StatusCode, a.body)
			}
			if got := stage(t, a.ex); got != tt.stage || tt.is != nil && !errors.Is(a.ex.Err, tt.is) {
				t.Errorf("Err is %v", a.ex.Err)
			}
			if got := s.shape(); got != tt.shape {
				t.Errorf("the server saw %s, want %s", got, tt.shape)
			}
			if a.ex.Legs != len(s.requests()) || len(a.ex.History) != a.ex.Legs-1 {
				t.Errorf("Exchange has %d legs and %d past responses", a.ex.Legs, len(a.ex.History))
			}
			if !a.ex.Initiator.IsZero() || a.ex.MutualVerified || a.ex.Delegated {
				t.Errorf("Exchange tells of an authentication: %+v", a.ex)
			}
		})
	}
}

func TestUnofferedScheme(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.challenges = []string{`Basic realm="Negotiate, x"`, "NTLM"} })
	a := get(t, s.client(t, &Transport{}), s.URL)
	if a.StatusCode != 401 || a.ex.Legs != 1 || a.ex.Err != nil {
		t.Errorf("got %d, %+v", a.StatusCode, a.ex)
	}
}

func TestChallengeAmongOthers(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) {
		s.challenges = []string{"NTLM", `Digest realm="a, b", qop="auth", nEGOTIATE, Basic realm=x`}
	})
	if a := get(t, s.client(t, &Transport{}), s.URL); a.StatusCode != 200 {
		t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
	}
}

// TestRefusedOnce has a server that refuses the first token, as one does that
// was rekeyed. The cached ticket is dropped and the second token accepted.
func TestRefusedOnce(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	s.provider.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Times: 1, Err: gss.ErrBadMIC})
	p := gsstest.New(gsstest.Options{})
	a := get(t, s.client(t, &Transport{Provider: p}), s.URL)
	if a.StatusCode != 200 || a.ex.Err != nil || s.shape() != "C1 C1+ C1+" {
		t.Errorf("got %d, %v, %s", a.StatusCode, a.ex.Err, s.shape())
	}
	if n := p.Counts(); n.Forgets != 1 || n.Initiates != 2 {
		t.Errorf("counts are %+v, want one Forget and two contexts", n)
	}
}

func TestThreeLegs(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	for _, mutual := range []Mutual{MutualDisabled, MutualRequired} {
		c := s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 3}), Mutual: mutual})
		if a := get(t, c, s.URL); a.StatusCode != 200 || a.ex.Legs != 4 || a.ex.Err != nil {
			t.Errorf("%s: got %d, %+v", mutual, a.StatusCode, a.ex)
		}
	}
	if got := s.shape(); got != "C1 C1+ C1+ C1+ C2 C2+ C2+ C2+" {
		t.Errorf("the server saw %s", got)
	}
}

func TestOwnAuthorization(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	c := s.client(t, &Transport{Provider: p, Opportunistic: OpportunisticAlways})
	req := newRequest(t, "GET", s.URL, nil)
	req.Header.Set("Authorization", "Bearer x")
	a, err := do(t, c, req)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.requests(); a.StatusCode != 401 || len(got) != 1 || got[0].header.Get("Authorization") != "Bearer x" {
		t.Errorf("got %d, the server saw %+v", a.StatusCode, got)
	}
	if p.Counts().Initiates != 0 || a.ex.Err != nil {
		t.Errorf("a request with its own Authorization was authenticated: %+v", a.ex)
	}
}

// A server may take the sender of a token for that of all that follows, also
// where the token is the caller's and its header is written oddly.
func TestOwnTokenKeepsItsConnection(t *testing.T) {
	leavesNothing(t)
	for _, header := range []http.Header{
		{"Authorization": {"Negotiate YWJj"}},
		{"Authorization": {" nEGOTIATE  YWJj"}},
		{"Authorization": {"Negotiate\tYWJj"}},
		{"Authorization": {"NTLM\tYWJj"}},
		{"Authorization": {"Kerberos YWJj"}},
		{"Authorization": {"CredSSP YWJj"}},
		{"Authorization": {"Bearer x", "Negotiate YWJj"}},
		{"authorization": {"Negotiate YWJj"}},
		{"proxy-authorization": {"Negotiate YWJj"}},
	} {
		s := startServer(t)
		p := gsstest.New(gsstest.Options{})
		c := s.client(t, &Transport{Provider: p})
		for _, h := range []http.Header{header, {}} {
			req := newRequest(t, "GET", s.URL+"/open", nil)
			req.Header = h
			if _, err := do(t, c, req); err != nil {
				t.Fatal(err)
			}
		}
		got := s.requests()
		if len(got) != 2 || got[0].conn == got[1].conn {
			t.Errorf("%q: a request of somebody else came on the connection: %d requests", header, len(got))
		}
	}
}

// A token is not put beside a header of the caller's, however that is spelt.
func TestOwnAuthorizationInLowerCase(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	c := s.client(t, &Transport{Provider: p, Opportunistic: OpportunisticAlways})
	req := newRequest(t, "GET", s.URL, nil)
	req.Header["authorization"] = []string{"Bearer x"}
	if _, err := do(t, c, req); err != nil {
		t.Fatal(err)
	}
	if got := s.requests(); len(got) != 1 || len(got[0].header.Values("Authorization")) != 1 {
		t.Errorf("the server saw %+v", got)
	}
}

func TestInitiateOptions(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		name string
		tr   *Transport
		want gss.InitiateOptions
	}{
		{"zero", &Transport{}, gss.InitiateOptions{Flags: gss.FlagIntegrity}},
		{"mutual", &Transport{Mutual: MutualOptional}, gss.InitiateOptions{Flags: gss.FlagIntegrity | gss.FlagMutual}},
		{"delegate", &Transport{Delegation: DelegateAlways}, gss.InitiateOptions{Flags: gss.FlagIntegrity | gss.FlagDelegate}},
		{"trusted", &Transport{Delegation: DelegateIfTrusted}, gss.InitiateOptions{Flags: gss.FlagIntegrity | gss.FlagDelegatePolicy}},
		{"mechanism", &Transport{Mechanism: "\x2a\x03"}, gss.InitiateOptions{Flags: gss.FlagIntegrity, Mechanism: "\x2a\x03"}},
		{"target", &Transport{Target: FixedTarget(gss.Principal("HTTP/a@B"))},
			gss.InitiateOptions{Flags: gss.FlagIntegrity, Target: gss.Principal("HTTP/a@B")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t)
			p := gsstest.New(gsstest.Options{})
			tt.tr.Provider = p
			a := get(t, s.client(t, tt.tr), s.URL)
			if tt.want.Target.IsZero() {
				tt.want.Target = gss.HostBased("HTTP", "127.0.0.1")
			}
			got := p.Initiations()[0]
			if got.Credential == nil {
				t.Error("no credential was passed")
			}
			got.Credential = nil
			if got != tt.want {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			if a.StatusCode != 200 || a.ex.Delegated != (tt.name == "delegate") {
				t.Errorf("got %d, %+v", a.StatusCode, a.ex)
			}
		})
	}
}

func TestWithCredential(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	tr := &Transport{Provider: p}
	c := s.client(t, tr)
	tr.Credential = as(t, p, "bob")
	if a := get(t, c, s.URL); a.body != "hello bob@EXAMPLE.TEST" {
		t.Errorf("got %q", a.body)
	}
	req := newRequest(t, "GET", s.URL, nil)
	a, err := do(t, c, req.WithContext(WithCredential(req.Context(), as(t, p, "carol"))))
	if err != nil || a.body != "hello carol@EXAMPLE.TEST" {
		t.Errorf("got %q, %v", a.body, err)
	}
	a, err = do(t, c, req.WithContext(WithCredential(req.Context(), nil)))
	if err != nil || a.StatusCode != 401 || !errors.Is(a.ex.Err, ErrNilCredential) {
		t.Errorf("with nil: got %s %q, %v, %v; want nobody", a.Status, a.body, a.ex.Err, err)
	}
}

// TestNothingBeforeAsked counts what a KDC could see.
func TestNothingBeforeAsked(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	c := s.client(t, &Transport{Provider: p, Opportunistic: OpportunisticLearned})
	for range 3 {
		get(t, c, s.URL+"/open")
	}
	if n := p.Counts(); n.Initiates != 0 {
		t.Errorf("%d contexts begun", n.Initiates)
	}
}

func TestNoTokenInLogs(t *testing.T) {
	leavesNothing(t)
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := startServer(t, func(s *testServer) { s.final = proofs["altered"] })
	s.provider.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Times: 1, Err: gss.ErrBadMIC})
	c := s.client(t, &Transport{Logger: log, Mutual: MutualRequired})
	_, err := do(t, c, newRequest(t, "GET", s.URL, nil))
	text := buf.String() + err.Error()
	for _, want := range []string{"logger=negotiate ", "logger=negotiate.gss"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, r := range s.requests() {
		token := strings.TrimPrefix(r.header.Get("Authorization"), "Negotiate ")
		if raw, _ := base64.StdEncoding.DecodeString(token); token != "" && (strings.Contains(text, token[:20]) || bytes.Contains(buf.Bytes(), raw[:20])) {
			t.Errorf("a token is in %s", text)
		}
	}
}
