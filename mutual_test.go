package negotiate

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// proofs are what a server may send in its last response.
var proofs = map[string]func([]byte) []byte{
	"good":    nil,
	"none":    func([]byte) []byte { return nil },
	"garbage": func([]byte) []byte { return []byte("accept-completed") },
	"altered": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
}

func TestMutual(t *testing.T) {
	leavesNothing(t)
	const returned, stripped, failed = "returned", "stripped", "error"
	tests := []struct {
		mutual Mutual
		keep   bool
		proof  string
		status int
		want   string
	}{
		{MutualDisabled, false, "good", 200, returned},
		{MutualDisabled, false, "none", 200, returned},
		{MutualDisabled, false, "garbage", 200, returned},
		{MutualOptional, false, "good", 200, returned},
		{MutualOptional, false, "none", 200, returned},
		{MutualOptional, false, "none", 500, returned},
		{MutualOptional, false, "garbage", 200, failed},
		{MutualOptional, false, "altered", 200, failed},
		{MutualOptional, false, "altered", 500, failed},
		{MutualRequired, false, "good", 200, returned},
		{MutualRequired, false, "good", 404, returned},
		{MutualRequired, false, "good", 302, returned},
		{MutualRequired, false, "none", 200, failed},
		{MutualRequired, false, "none", 302, failed},
		{MutualRequired, false, "garbage", 200, failed},
		{MutualRequired, false, "altered", 200, failed},
		{MutualRequired, false, "none", 400, stripped},
		{MutualRequired, false, "none", 500, stripped},
		{MutualRequired, true, "none", 500, returned},
		{MutualRequired, true, "none", 200, failed},
		{MutualRequired, true, "altered", 500, failed},
	}
	for _, opportunistic := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s %s %s %d keep=%t", opportunistic, tt.mutual, tt.proof, tt.status, tt.keep), func(t *testing.T) {
				s := startServer(t, func(s *testServer) {
					s.final = proofs[tt.proof]
					s.next = func(w http.ResponseWriter, r *http.Request) {
						http.SetCookie(w, &http.Cookie{Name: "c", Value: "v"})
						w.Header().Set("Server", "S")
						w.Header().Set("Location", "/elsewhere")
						w.WriteHeader(tt.status)
						io.WriteString(w, "content")
					}
				})
				c := s.client(t, &Transport{Mutual: tt.mutual, KeepUnverifiedErrors: tt.keep, Opportunistic: opportunistic})
				a, err := do(t, c, newRequest(t, "GET", s.URL, nil))
				if me, ok := errors.AsType[*MutualAuthenticationError](err); ok {
					if tt.want != failed {
						t.Fatalf("got %v, want the response %s", err, tt.want)
					}
					if me.Status != tt.status || me.URL != s.URL {
						t.Errorf("the error is %+v", me)
					}
					return
				}
				if err != nil || tt.want == failed {
					t.Fatalf("got a response and %v, want it %s", err, tt.want)
				}
				if a.StatusCode != tt.status || a.ex.Sanitized != (tt.want == stripped) {
					t.Errorf("got status %d, Exchange %+v", a.StatusCode, a.ex)
				}
				if want := tt.proof == "good" && tt.mutual != MutualDisabled; a.ex.MutualVerified != want {
					t.Errorf("MutualVerified is %t, want %t", a.ex.MutualVerified, want)
				}
				if tt.want == returned {
					if a.body != "content" || len(a.Cookies()) != 1 {
						t.Errorf("got body %q, header %v", a.body, a.Header)
					}
					return
				}
				if a.body != "" || len(a.Cookies()) != 0 || a.Header.Get("Server") != "S" || a.Header.Get("Date") == "" ||
					a.Header.Get("Content-Length") != "0" || a.ContentLength != 0 || len(a.Header) != 3 {
					t.Errorf("got body %q, header %v, length %d", a.body, a.Header, a.ContentLength)
				}
			})
		}
	}
}

// TestMutualProofOfAnotherContext plays a token of one context into another.
func TestMutualProofOfAnotherContext(t *testing.T) {
	leavesNothing(t)
	for _, opportunistic := range []Opportunism{OpportunisticNever, OpportunisticAlways} {
		t.Run(opportunistic.String(), func(t *testing.T) {
			var first []byte
			s := startServer(t, func(s *testServer) {
				s.final = func(b []byte) []byte {
					if first == nil {
						first = append(first, b...)
					}
					return first
				}
			})
			c := s.client(t, &Transport{Mutual: MutualRequired, Opportunistic: opportunistic})
			get(t, c, s.URL)
			_, err := do(t, c, newRequest(t, "GET", s.URL, nil))
			if _, ok := errors.AsType[*MutualAuthenticationError](err); !ok {
				t.Errorf("the replayed proof gave %v", err)
			}
		})
	}
}

// TestMutualNeedsFlag has a provider that completes a context without the
// server's proof, as one does that believes an accept-completed.
func TestMutualNeedsFlag(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	p.Inject(gsstest.Fault{Op: gsstest.OpInitiateStep, Info: func(i *gss.ContextInfo) { i.Flags &^= gss.FlagMutual }})
	c := s.client(t, &Transport{Mutual: MutualRequired, Provider: p})
	if _, err := do(t, c, newRequest(t, "GET", s.URL, nil)); err == nil {
		t.Error("a context without FlagMutual passed for mutual authentication")
	}
}

func TestMutualRequiredOfServerThatDoesNotAsk(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	c := s.client(t, &Transport{Mutual: MutualRequired})
	_, err := do(t, c, newRequest(t, "GET", s.URL+"/open", nil))
	me, ok := errors.AsType[*MutualAuthenticationError](err)
	if !ok || !strings.Contains(me.Reason, "did not ask") {
		t.Errorf("got %v", err)
	}
}

// TestMutualRequiredOnBoundConnection has a server that asks once a connection.
// Each of its responses has to prove who it is all the same.
func TestMutualRequiredOnBoundConnection(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.bound = true })
	c := s.client(t, &Transport{Mutual: MutualRequired})
	for range 3 {
		if a := get(t, c, s.URL); !a.ex.MutualVerified {
			t.Errorf("not verified: %+v", a.ex)
		}
	}
	if got := s.shape(); got != "C1 C1+ C1+ C1+" {
		t.Errorf("the server saw %s", got)
	}
}

func TestMutualRequiredReturnsFailed401(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	p.Inject(gsstest.Fault{Op: gsstest.OpInitiate, Err: gss.ErrNoCred})
	c := s.client(t, &Transport{Mutual: MutualRequired, Provider: p})
	a := get(t, c, s.URL)
	if a.StatusCode != 401 || a.body != "who are you?" || a.ex.Sanitized || a.ex.Err == nil {
		t.Errorf("got %d %q %+v", a.StatusCode, a.body, a.ex)
	}
}

func TestMutualErrorHidesSecretsOfURL(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	c := s.client(t, &Transport{Mutual: MutualRequired})
	url := strings.Replace(s.URL, "://", "://u:hunter2@", 1) + "/open?key=hunter3"
	_, err := c.Transport.RoundTrip(newRequest(t, "GET", url, nil))
	if err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("got %v", err)
	}
}

// TestSanitisedReasonPhrase has a server that speaks through the reason phrase.
func TestSanitisedReasonPhrase(t *testing.T) {
	leavesNothing(t)
	for keep, want := range map[bool]string{false: "500 Internal Server Error", true: "500 Call 555-0100 for a new password"} {
		s := startServer(t, func(s *testServer) {
			s.before = func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					hangUp(w, "HTTP/1.1 500 Call 555-0100 for a new password\r\nContent-Length: 0\r\n\r\n")
				}
			}
		})
		c := s.client(t, &Transport{Mutual: MutualRequired, KeepUnverifiedErrors: keep})
		if a := get(t, c, s.URL); a.Status != want || a.ex.Sanitized == keep {
			t.Errorf("keep %t: got %q, %+v", keep, a.Status, a.ex)
		}
	}
}
