package negotiate

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

func TestOpportunism(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		o    Opportunism
		want string
	}{
		{OpportunisticNever, "C1 C1+ C1 C1+"},
		{OpportunisticLearned, "C1 C1+ C1+"},
		{OpportunisticAlways, "C1+ C1+"},
	}
	for _, tt := range tests {
		s := startServer(t)
		c := s.client(t, &Transport{Opportunistic: tt.o})
		first, second := get(t, c, s.URL), get(t, c, s.URL)
		if got := s.shape(); got != tt.want || first.StatusCode != 200 || second.StatusCode != 200 {
			t.Errorf("%s: the server saw %s, want %s", tt.o, got, tt.want)
		}
		if first.ex.Opportunistic != (tt.o == OpportunisticAlways) || second.ex.Opportunistic != (tt.o != OpportunisticNever) {
			t.Errorf("%s: Exchanges are %+v, %+v", tt.o, first.ex, second.ex)
		}
	}
}

// TestLearnedIsForgotten has a server that was taken for one that wants tokens
// and refuses the next.
func TestLearnedIsForgotten(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	tr := &Transport{Opportunistic: OpportunisticLearned}
	c := s.client(t, tr)
	get(t, c, s.URL)
	s.refuse = func(string) bool { return true }
	if a := get(t, c, s.URL); a.StatusCode != 401 || stage(t, a.ex) != StageRejected {
		t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
	}
	s.refuse = nil
	if a := get(t, c, s.URL); a.StatusCode != 200 || a.ex.Opportunistic {
		t.Errorf("got %d, %+v", a.StatusCode, a.ex)
	}
	if got := s.shape(); got != "C1 C1+ C1+ C1+ C1 C1+" {
		t.Errorf("the server saw %s", got)
	}
}

func TestLearnedIsPerOrigin(t *testing.T) {
	leavesNothing(t)
	a, b := startServer(t), startServer(t)
	c := a.client(t, &Transport{Opportunistic: OpportunisticLearned})
	get(t, c, a.URL)
	get(t, c, b.URL+"/open")
	if got := b.shape(); got != "C1" {
		t.Errorf("an origin that never asked saw %s", got)
	}
}

func TestOriginSetIsBounded(t *testing.T) {
	leavesNothing(t)
	var s originSet
	for i := range maxOrigins + 10 {
		s.has("0")
		s.add(fmt.Sprint(i))
	}
	if s.queue.Len() != maxOrigins || s.at.Len() != maxOrigins {
		t.Errorf("%d origins are remembered", s.at.Len())
	}
	if !s.has("0") || s.has("1") || !s.has(fmt.Sprint(maxOrigins+9)) {
		t.Error("the origin that was used is forgotten, or one that was not is there still")
	}
	// All were used, and there is room for another all the same.
	for i := range 2 * maxOrigins {
		s.has(fmt.Sprint(i))
	}
	s.add("another")
	if !s.has("another") || s.queue.Len() != maxOrigins || s.at.Len() != maxOrigins {
		t.Errorf("%d origins are remembered", s.at.Len())
	}
	s.forget("another")
	s.forget("another")
	if s.has("another") || s.queue.Len() != maxOrigins-1 || s.at.Len() != maxOrigins-1 {
		t.Errorf("%d origins are remembered", s.at.Len())
	}
}

// An origin that many add at once is there once.
func TestOriginIsAddedOnce(t *testing.T) {
	leavesNothing(t)
	var s originSet
	var wg sync.WaitGroup
	for i := range 3000 {
		for range 4 {
			wg.Go(func() { s.add(fmt.Sprint(i)) })
		}
		wg.Wait()
	}
	if s.queue.Len() != 3000 || s.at.Len() != 3000 {
		t.Errorf("%d origins in the queue and %d in the map, want 3000", s.queue.Len(), s.at.Len())
	}
}

// TestOpportunisticTokenFails goes on without a token, to a server that may not
// want one.
func TestOpportunisticTokenFails(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	p := gsstest.New(gsstest.Options{})
	p.Inject(gsstest.Fault{Op: gsstest.OpInitiate, Times: 1, Err: gss.ErrFailure})
	c := s.client(t, &Transport{Opportunistic: OpportunisticAlways, Provider: p})
	if a := get(t, c, s.URL+"/open"); a.StatusCode != 200 || a.ex.Opportunistic || a.ex.Err != nil {
		t.Errorf("got %d, %+v", a.StatusCode, a.ex)
	}
}

// TestOpportunisticTokenFailsUnasked has a server that refuses requests without a
// token and does not ask for one.
func TestOpportunisticTokenFailsUnasked(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		op    gsstest.Op
		stage string
	}{
		{gsstest.OpAcquire, StageCredential},
		{gsstest.OpInitiate, StageInitiate},
	}
	for _, tt := range tests {
		s := startServer(t, func(s *testServer) { s.challenges = []string{"Basic"} })
		p := gsstest.New(gsstest.Options{})
		p.Inject(gsstest.Fault{Op: tt.op, Times: 1, Err: gss.ErrNoCred})
		c := s.client(t, &Transport{Opportunistic: OpportunisticAlways, Provider: p})
		if a := get(t, c, s.URL); a.StatusCode != 401 || stage(t, a.ex) != tt.stage || !errors.Is(a.ex.Err, gss.ErrNoCred) {
			t.Errorf("%s: got %d, %v", tt.stage, a.StatusCode, a.ex.Err)
		}
	}
}

// TestRedirect follows redirects between two origins. What goes to the second
// one unasked, is what the first one sent the client to do.
func TestRedirect(t *testing.T) {
	leavesNothing(t)
	const none, token, delegated = "C1 C1+", "C1+", "C1+ delegated"
	allow := func(*http.Request) bool { return true }
	tests := []struct {
		name string
		tr   *Transport
		tls  bool // the first origin is https
		same bool // it redirects to itself
		want string
	}{
		{"always", &Transport{Opportunistic: OpportunisticAlways}, false, false, none},
		{"always, same origin", &Transport{Opportunistic: OpportunisticAlways}, false, true, token},
		{"always, allowed", &Transport{Opportunistic: OpportunisticAlways, Allow: allow}, false, false, token},
		{"always, allowed, downgrade", &Transport{Opportunistic: OpportunisticAlways, Allow: allow}, true, false, none},
		{"delegate", &Transport{Delegation: DelegateAlways}, false, false, none},
		{"delegate, same origin", &Transport{Delegation: DelegateAlways, Opportunistic: OpportunisticAlways}, false, true, delegated},
		{"delegate, delegation allowed", &Transport{Delegation: DelegateAlways, AllowDelegation: allow}, false, false, none + " delegated"},
		{"delegate, delegation allowed, downgrade", &Transport{Delegation: DelegateAlways, AllowDelegation: allow}, true, false, none},
		{"delegate, allowed, delegation not", &Transport{Delegation: DelegateAlways, Allow: allow, AllowDelegation: AllowHosts()}, false, false, none},
		{"delegate, allowed", &Transport{Delegation: DelegateAlways, Opportunistic: OpportunisticAlways, Allow: allow}, false, false, delegated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			second := startServer(t)
			start := startServer
			if tt.tls {
				start = startTLS
			}
			first := start(t, func(s *testServer) {
				s.next = func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == "/last":
					case tt.same:
						http.Redirect(w, r, "/last", http.StatusFound)
					default:
						http.Redirect(w, r, second.URL, http.StatusFound)
					}
				}
			})
			p := gsstest.New(gsstest.Options{})
			tt.tr.Provider = p
			c := first.client(t, tt.tr)
			c.CheckRedirect = nil
			a := get(t, c, first.URL+"/open")
			at := second
			if tt.same {
				at = first
			}
			reqs := at.requests()
			var got string
			if reqs[len(reqs)-1].token {
				got = map[bool]string{true: token, false: none}[a.ex.Legs == 1]
			}
			if a.ex.Delegated {
				got += " delegated"
			}
			if a.StatusCode != 200 || got != tt.want {
				t.Errorf("got %d, the last origin saw %s, want %s", a.StatusCode, got, tt.want)
			}
		})
	}
}

// TestRedirectBack comes back to the first origin by way of another one.
func TestRedirectBack(t *testing.T) {
	leavesNothing(t)
	var urls [2]string
	s := startServer(t, func(s *testServer) {
		s.next = func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/open":
				http.Redirect(w, r, urls[1]+"/open", http.StatusFound)
			}
		}
	})
	other := startServer(t, func(o *testServer) {
		o.next = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, urls[0]+"/last", http.StatusFound) }
	})
	urls = [2]string{s.URL, other.URL}
	c := s.client(t, &Transport{Opportunistic: OpportunisticAlways, Delegation: DelegateAlways})
	c.CheckRedirect = nil
	a := get(t, c, s.URL+"/open")
	if a.StatusCode != 200 || a.ex.Opportunistic || a.ex.Delegated {
		t.Errorf("got %d, %+v", a.StatusCode, a.ex)
	}
}
