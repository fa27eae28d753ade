package negotiate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

func TestTarget(t *testing.T) {
	tests := []struct {
		url    string
		target TargetFunc
		want   gss.Name
	}{
		{"http://web.example.com/", nil, gss.HostBased("HTTP", "web.example.com")},
		{"https://WEB.Example.COM.:8443/x?y", nil, gss.HostBased("HTTP", "web.example.com")},
		{"http://bücher.example/", nil, gss.HostBased("HTTP", "xn--bcher-kva.example")},
		{"http://BÜCHER.example./", nil, gss.HostBased("HTTP", "xn--bcher-kva.example")},
		{"http://bücher.example。/", nil, gss.HostBased("HTTP", "xn--bcher-kva.example")}, // dots of other scripts
		{"http://a/", HostTarget("bü cher.example"), gss.Name{}},
		{"http://a/", HostTarget("。"), gss.Name{}},
		{"http://web_1/", nil, gss.HostBased("HTTP", "web_1")},
		{"http://10.0.0.1:80/", nil, gss.HostBased("HTTP", "10.0.0.1")},
		{"http://[2001:DB8::1]:80/", nil, gss.HostBased("HTTP", "2001:db8::1")},
		{"http://[fe80::1%25eth0]/", nil, gss.HostBased("HTTP", "fe80::1")},
		{"http://a/", HostTarget("Internal.Local"), gss.HostBased("HTTP", "internal.local")},
		{"http://A:1/", ServiceTarget("WSMAN"), gss.HostBased("WSMAN", "a")},
		{"http://a/", FixedTarget(gss.Principal("HTTP/b@C")), gss.Principal("HTTP/b@C")},
		{"http://a/", FixedTarget(gss.Name{}), gss.Name{}},
		{"http://a/", HostTarget(""), gss.Name{}},
		{"http://a/", HostTarget("."), gss.Name{}},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		n := &negotiation{t: &Transport{Target: tt.target}, req: &http.Request{URL: u}}
		got, err := n.target()
		if got != tt.want || (err != nil) != tt.want.IsZero() {
			t.Errorf("%s: got %v, %v; want %v", tt.url, got, err, tt.want)
		}
	}
}

// fakeDNS has answers, and none for what is not in it.
type fakeDNS map[string]string

var errNXDomain = errors.New("no such host")

func (d fakeDNS) LookupCNAME(_ context.Context, host string) (string, error) {
	return d["CNAME "+host], nil
}

func (d fakeDNS) LookupHost(_ context.Context, host string) ([]string, error) {
	return d.list("A " + host)
}

func (d fakeDNS) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return d.list("PTR " + addr)
}

func (d fakeDNS) list(key string) ([]string, error) {
	if v, ok := d[key]; ok {
		return []string{v}, nil
	}
	return nil, errNXDomain
}

func TestCanonicalTarget(t *testing.T) {
	tests := []struct {
		name string
		dns  fakeDNS
		want string
	}{
		{"no answers", fakeDNS{}, "www.example.com"},
		{"CNAME", fakeDNS{"CNAME www.example.com": "Web1.example.com."}, "web1.example.com"},
		{"PTR", fakeDNS{"A www.example.com": "10.0.0.1", "PTR 10.0.0.1": "node7.example.com."}, "node7.example.com"},
		{"CNAME and PTR", fakeDNS{"CNAME www.example.com": "web1.example.com.", "A web1.example.com.": "10.0.0.1",
			"PTR 10.0.0.1": "node7.example.com."}, "node7.example.com"},
		{"no PTR", fakeDNS{"CNAME www.example.com": "web1.example.com.", "A web1.example.com.": "10.0.0.1"}, "web1.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := newRequest(t, "GET", "http://www.example.com:81/", nil)
			got, err := CanonicalTarget(tt.dns)(req)
			if err != nil || got != gss.HostBased("HTTP", tt.want) {
				t.Errorf("got %v, %v; want %s", got, err, tt.want)
			}
			ctx, cancel := context.WithCancel(req.Context())
			cancel()
			if _, err := CanonicalTarget(tt.dns)(req.WithContext(ctx)); !errors.Is(err, context.Canceled) {
				t.Errorf("with a cancelled context: %v", err)
			}
		})
	}
}
