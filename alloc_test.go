//go:build !race

package negotiate_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/go-negotiate/negotiate"
)

// TestAllocations holds what authentication adds to a GET, at the client and at
// the server, to so many allocations. What net/http takes is measured beside it,
// since that changes with its version.
func TestAllocations(t *testing.T) {
	s := newCostly(t)
	plainURL := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	bare := &http.Transport{}
	t.Cleanup(bare.CloseIdleConnections)
	plain := allocs(t, &http.Client{Transport: bare}, plainURL)
	for _, tt := range []struct {
		what          string
		opportunistic negotiate.Opportunism
		mutual        negotiate.Mutual
		max           float64
	}{
		{"a token with each request", negotiate.OpportunisticAlways, negotiate.MutualDisabled, 69},
		{"a token with each request, and the server's proof", negotiate.OpportunisticAlways, negotiate.MutualRequired, 83},
		{"a challenge for each request", negotiate.OpportunisticNever, negotiate.MutualDisabled, 143},
	} {
		c := s.client(t, tt.opportunistic, tt.mutual)
		if n := allocs(t, c, s.url) - plain; n > tt.max {
			t.Errorf("%s takes %v allocations more than a plain GET, want %v at most", tt.what, n, tt.max)
		} else {
			t.Logf("%s: %v", tt.what, n)
		}
	}
}

func allocs(t *testing.T, c *http.Client, url string) float64 {
	return testing.AllocsPerRun(100, func() { get(t, c, url) })
}
