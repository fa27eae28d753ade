package negotiate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
)

// TestLearnedRoundTrips counts what servers and the KDC see of a client that
// learns who asks for tokens.
func TestLearnedRoundTrips(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, m := range []negotiate.Mutual{negotiate.MutualDisabled, negotiate.MutualRequired} {
		w := newWorld(t)
		s := w.serve(w.handler(greet))
		c := w.client(&negotiate.Transport{Mutual: m, Opportunistic: negotiate.OpportunisticLearned})
		const n = 5
		for i := range n {
			if i%2 == 0 {
				c.CloseIdleConnections() // what was learned is not the connection's
			}
			got := w.get(c, fmt.Sprintf("%s/%d", s.url, i))
			if got.StatusCode != 200 || got.x.Opportunistic != (i > 0) || got.x.MutualVerified != (m == negotiate.MutualRequired) {
				t.Errorf("%s, request %d: got %d, %+v", m, i, got.StatusCode, got.x)
			}
		}
		if want := "401 200+" + strings.Repeat(" 200+", n-1); s.shape() != want {
			t.Errorf("%s: the server saw %s, want %s", m, s.shape(), want)
		}
		if got := w.Requests().TGS; got != 1 {
			t.Errorf("%s: %d tickets were fetched, want 1", m, got)
		}
	}
}

// TestLearnedOriginsOnly has origins that differ from one that asked in their
// host or port only. None of them sees a token, nor does the KDC hear of them.
func TestLearnedOriginsOnly(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	w.AddService("HTTP/other.example.org")
	h := w.handler(greet)
	h.Provider = w.acceptor("HTTP/"+wwwHost, "HTTP/other.example.org")
	asks := w.serve(h)
	open := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {}))
	c := w.client(&negotiate.Transport{Opportunistic: negotiate.OpportunisticLearned})
	w.get(c, asks.url)
	asks.reset()
	w.ResetRequests()

	w.get(c, open.url) // another port
	w.get(c, strings.Replace(open.url, wwwHost, "other.example.org", 1))
	w.get(c, strings.Replace(asks.url, wwwHost, "other.example.org", 1)) // another host, which asks too
	if open.shape() != "200 200" || asks.shape() != "401 200+" {
		t.Errorf("the servers saw %s and %s, want no token that was not asked for", open.shape(), asks.shape())
	}
	if got := w.Requests().TGS; got != 1 {
		t.Errorf("%d tickets were fetched, want the one for the host that asked", got)
	}

	// The same origin in another spelling.
	asks.reset()
	w.get(c, strings.Replace(asks.url, wwwHost, strings.ToUpper(wwwHost), 1))
	if asks.shape() != "200+" {
		t.Errorf("the server saw %s, want a token at once", asks.shape())
	}
}

// TestLearnedSurvivesErrors: a status other than 401 is no refusal.
func TestLearnedSurvivesErrors(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	status := http.StatusOK
	s := w.serve(w.handler(func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(status) }))
	c := w.client(&negotiate.Transport{Opportunistic: negotiate.OpportunisticLearned})
	for _, status = range []int{500, 404, 403, 200} {
		w.get(c, s.url)
	}
	if want := "401 500+ 404+ 403+ 200+"; s.shape() != want {
		t.Errorf("the server saw %s, want %s", s.shape(), want)
	}
}

// TestAlwaysCosts is the price of OpportunisticAlways: a ticket and a token for
// each server, asked for or not.
func TestAlwaysCosts(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	s := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {}))
	c := w.client(&negotiate.Transport{Opportunistic: negotiate.OpportunisticAlways})
	w.get(c, s.url)
	if s.shape() != "200+" || w.Requests().TGS != 1 {
		t.Errorf("the server saw %s, the KDC %+v", s.shape(), w.Requests())
	}
	// One that has no ticket goes without a token.
	got := w.get(c, strings.Replace(s.url, wwwHost, "nobody.example.org", 1))
	if got.StatusCode != 200 || s.shape() != "200+ 200" || got.x.Err != nil {
		t.Errorf("got %d, %v, the server saw %s", got.StatusCode, got.x.Err, s.shape())
	}
}
