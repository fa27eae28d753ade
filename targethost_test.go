package negotiate_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

// noDNS fails the test when anything asks the DNS.
func noDNS(t *testing.T) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("the DNS was asked")
		return nil, errors.New("no DNS here")
	}}
}

// TestTargetOnTheWire checks for which service the KDC has issued the ticket, by
// the URL and the options, without a question to the DNS.
func TestTargetOnTheWire(t *testing.T) {
	negotiate.LeavesNothing(t)
	name := func(s string) negotiate.TargetFunc {
		n, err := gss.ParseName(s)
		if err != nil {
			t.Fatal(err)
		}
		return negotiate.FixedTarget(n)
	}
	tests := []struct {
		host    string // in the URL, before the port
		target  negotiate.TargetFunc
		service string
	}{
		{"web.example.org", nil, "HTTP/web.example.org"},
		{"WEB.Example.ORG", nil, "HTTP/web.example.org"},
		{"web.example.org.", nil, "HTTP/web.example.org"},
		{"web", nil, "HTTP/web"},
		{"bücher.example", nil, "HTTP/xn--bcher-kva.example"},
		{"BÜCHER.Example.", nil, "HTTP/xn--bcher-kva.example"},
		{"xn--bcher-kva.example", nil, "HTTP/xn--bcher-kva.example"},
		{"127.0.0.1", nil, "HTTP/127.0.0.1"},
		{"[2001:DB8::1]", nil, "HTTP/2001:db8::1"},
		{"[fe80::1%25eth0]", nil, "HTTP/fe80::1"},
		{"outside.example.org", negotiate.HostTarget("web.example.org"), "HTTP/web.example.org"},
		{"web.example.org", negotiate.ServiceTarget("WSMAN"), "WSMAN/web.example.org"},
		{"outside.example.org", negotiate.FixedTarget(gss.Principal("HTTP/web.example.org@KRB.TEST")), "HTTP/web.example.org"},
		{"outside.example.org", negotiate.FixedTarget(gss.HostBased("HTTP", "web.example.org")), "HTTP/web.example.org"},
		{"outside.example.org", name("HTTP@web.example.org"), "HTTP/web.example.org"},
		{"outside.example.org", name("HTTP/web.example.org"), "HTTP/web.example.org"},
		{"outside.example.org", name("HTTP/web.example.org@KRB.TEST"), "HTTP/web.example.org"},
		{"outside.example.org", name("host:HTTP@web.example.org"), "HTTP/web.example.org"},
		{"outside.example.org", name("principal:HTTP/web.example.org"), "HTTP/web.example.org"},
		{"outside.example.org", name("user:svc@KRB.TEST"), "svc"},
		{"outside.example.org", name("svc@KRB.TEST"), "svc"},
	}
	usual := net.DefaultResolver
	net.DefaultResolver = noDNS(t)
	defer func() { net.DefaultResolver = usual }()
	for _, tt := range tests {
		t.Run(tt.host+" "+tt.service, func(t *testing.T) {
			w := newWorld(t)
			w.AddService(tt.service)
			p := &peer{acceptor: w.acceptor(tt.service), answer: prove}
			s := w.serve(p)
			tr := &negotiate.Transport{Target: tt.target, Mutual: negotiate.MutualRequired}
			tr.Provider = w.provider(krb5.Options{CCache: "FILE:" + w.cacheOf("alice"), Resolver: noDNS(t)})
			got := w.get(w.client(tr), strings.Replace(s.url, wwwHost, tt.host, 1))
			if got.StatusCode != 200 || p.accepted().Acceptor.Value != tt.service+"@KRB.TEST" {
				t.Errorf("got %d and a ticket for %v, want %s: %v", got.StatusCode, p.accepted().Acceptor, tt.service, got.x.Err)
			}
		})
	}
}

// TestCanonicalTargetOnTheWire asks the DNS, as it was told to.
func TestCanonicalTargetOnTheWire(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	w.AddService("HTTP/node7.example.org")
	p := &peer{acceptor: w.acceptor("HTTP/node7.example.org"), answer: prove}
	s := w.serve(p)
	got := w.get(w.client(&negotiate.Transport{Target: negotiate.CanonicalTarget(cnames{wwwHost: "Node7.example.org."})}), s.url)
	if got.StatusCode != 200 || got.x.Target != gss.HostBased("HTTP", "node7.example.org") {
		t.Errorf("got %d for %v, %v", got.StatusCode, got.x.Target, got.x.Err)
	}
}

// cnames is a resolver that knows aliases only.
type cnames map[string]string

func (c cnames) LookupCNAME(_ context.Context, host string) (string, error) { return c[host], nil }

func (cnames) LookupHost(context.Context, string) ([]string, error) { return nil, errors.New("none") }

func (cnames) LookupAddr(context.Context, string) ([]string, error) { return nil, errors.New("none") }

// TestTargetByRequest tells targets by something else than the URL.
func TestTargetByRequest(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	w.AddService("HTTP/tenant.example.org")
	p := &peer{acceptor: w.acceptor("HTTP/"+wwwHost, "HTTP/tenant.example.org"), answer: prove}
	s := w.serve(p)
	c := w.client(&negotiate.Transport{Target: func(r *http.Request) (gss.Name, error) {
		if tenant := r.Header.Get("X-Tenant"); tenant != "" {
			return gss.HostBased("HTTP", tenant), nil
		}
		return gss.HostBased("HTTP", r.URL.Hostname()), nil
	}})
	for _, tenant := range []string{"", "tenant.example.org"} {
		req := w.request("GET", s.url, nil)
		want := "HTTP/" + wwwHost + "@KRB.TEST"
		if tenant != "" {
			req.Header.Set("X-Tenant", tenant)
			want = "HTTP/" + tenant + "@KRB.TEST"
		}
		got, err := w.send(c, req)
		if err != nil || got.StatusCode != 200 || p.accepted().Acceptor.Value != want {
			t.Errorf("got %+v, %v for %v, want %s", got, err, p.accepted().Acceptor, want)
		}
	}
}
