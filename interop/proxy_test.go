//go:build interop

package interop_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/interop"
)

// throughSquid returns a client of the shared bed that goes through the proxy.
func throughSquid(t *testing.T, squid *interop.Squid, setup func(*negotiate.Transport)) *session {
	bed := interop.Shared(t)
	proxy, err := url.Parse(squid.URL)
	if err != nil {
		t.Fatal(err)
	}
	return newSession(t, bed.Alice(t), func(tr *negotiate.Transport) {
		tr.Base = &http.Transport{
			Proxy:             http.ProxyURL(proxy),
			TLSClientConfig:   &tls.Config{RootCAs: bed.Apache.Certificate.Pool},
			ForceAttemptHTTP2: true,
		}
		tr.ProxyNegotiate = true
		if setup != nil {
			setup(tr)
		}
	})
}

// TestProxyBothLayers authenticates to Squid and through it to Apache.
func TestProxyBothLayers(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	squid := interop.NewSquid(t, interop.SquidOptions{KDC: bed.KDC})
	for _, base := range []string{bed.Apache.HTTP, bed.Apache.HTTPS} {
		for _, opportunistic := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
			t.Run(base+" "+opportunistic.String(), func(t *testing.T) {
				s := throughSquid(t, squid, func(tr *negotiate.Transport) {
					tr.Opportunistic = opportunistic
					tr.Mutual = negotiate.MutualRequired
				})
				query := "?" + bed.KDC.Unique()
				for range 3 {
					page, resp, x := s.get(t, base+"/"+query)
					if resp.StatusCode != 200 || !strings.Contains(page, "You are "+alice+".") || !x.MutualVerified {
						t.Fatalf("got %s %q, %+v", resp.Status, page, x)
					}
				}
			})
		}
	}
	for _, a := range squid.Accesses(t, "bed.test", 4) {
		if a.Status != 407 && a.User != alice {
			t.Errorf("the proxy let %+v pass, want alice", a)
		}
	}
	t.Run("refused", func(t *testing.T) { testProxyRefuses(t, bed, squid) })
}

// testProxyRefuses is what a client without ProxyNegotiate, and one that insists
// on a proof that Squid never gives, are told.
func testProxyRefuses(t *testing.T, bed *interop.Bed, squid *interop.Squid) {
	s := throughSquid(t, squid, func(tr *negotiate.Transport) { tr.ProxyNegotiate = false })
	if _, resp, _ := s.get(t, bed.Apache.HTTP+interop.PathAnonymous); resp.StatusCode != 407 {
		t.Errorf("without ProxyNegotiate: got %s, want 407", resp.Status)
	}
	if resp, err := s.client.Get(bed.Apache.HTTPS + interop.PathAnonymous); err == nil {
		t.Errorf("without ProxyNegotiate: got %s through the tunnel", resp.Status)
	}
	s = throughSquid(t, squid, func(tr *negotiate.Transport) { tr.ProxyMutual = negotiate.MutualRequired })
	for _, base := range []string{bed.Apache.HTTP, bed.Apache.HTTPS} {
		resp, err := s.client.Get(base + interop.PathAnonymous)
		if e, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); !ok || !strings.Contains(e.URL, squid.URL) {
			t.Errorf("%s: got %v, %v; want a MutualAuthenticationError about the proxy", base, resp, err)
		}
	}
}
