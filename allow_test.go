package negotiate

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss/gsstest"
)

func TestAllowHosts(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		patterns string // separated by spaces
		yes, no  string // URLs, likewise
	}{
		{"", "", "http://a https://web.example.com"},
		{"web.example.com",
			"http://web.example.com https://web.example.com:8443/x http://WEB.Example.COM http://web.example.com. https://u:p@web.example.com",
			"http://example.com http://a.web.example.com http://evil-web.example.com http://web.example.com.evil.test " +
				"http://web.example.com@evil.test http://evil.test/web.example.com http://evil.test#web.example.com http://web.example.comx http://xweb.example.com"},
		{"*.example.com",
			"http://a.example.com https://a.b.example.com http://A.EXAMPLE.com. http://-.example.com",
			"http://example.com http://evil-example.com http://evilexample.com http://a.example.com.evil.test http://.example.com http://a.example.org http://a.example.com@evil.test"},
		{"*.Example.COM.", "http://a.example.com", "http://example.com"},
		{"web.example.com:8443", "https://web.example.com:8443 http://web.example.com:8443", "https://web.example.com http://web.example.com:84430"},
		{"web.example.com:443", "https://web.example.com https://web.example.com:443", "http://web.example.com"},
		{"web.example.com:0080", "http://web.example.com", "https://web.example.com"},
		{"https://*.example.com", "https://a.example.com https://a.example.com:8443", "http://a.example.com https://example.com"},
		{"HTTPS://web.example.com:8443", "https://web.example.com:8443", "http://web.example.com:8443 https://web.example.com"},
		{"bücher.example", "http://bücher.example http://xn--bcher-kva.example http://BÜCHER.example", "http://bucher.example http://a.bücher.example"},
		{"*.bücher.example", "http://a.xn--bcher-kva.example", "http://bücher.example"},
		{"xn--bcher-kva.example", "http://bücher.example", "http://xn--bcher.example"},
		{"127.0.0.1", "http://127.0.0.1 https://127.0.0.1:8443", "http://127.0.0.2 http://localhost http://1.127.0.0.1"},
		{"*.1 *.0.1", "", "http://127.0.0.1"},
		{"[::1]", "http://[::1] https://[::1]:8443", "http://[::2] http://127.0.0.1"},
		{"[::1]:8443", "https://[::1]:8443", "https://[::1]"},
		{"::1", "", ""},
		{"a.test *.b.test", "http://a.test http://x.b.test", "http://b.test http://x.a.test"},
	}
	for _, tt := range tests {
		t.Run(tt.patterns, func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil && tt.yes+tt.no != "" {
					t.Errorf("panic: %v", r)
				}
			}()
			allow := AllowHosts(strings.Fields(tt.patterns)...)
			for want, urls := range map[bool]string{true: tt.yes, false: tt.no} {
				for _, s := range strings.Fields(urls) {
					u, err := url.Parse(s)
					if err != nil {
						t.Fatal(err)
					}
					// The Host header says nothing about where a request goes.
					for _, host := range []string{"", "web.example.com", "evil.test"} {
						if got := allow(&http.Request{URL: u, Host: host}); got != want {
							t.Errorf("%s: allowed is %t", s, got)
						}
					}
				}
			}
		})
	}
	if AllowHosts("a.test")(&http.Request{}) {
		t.Error("a request without a URL is allowed")
	}
}

func TestAllowHostsPanics(t *testing.T) {
	leavesNothing(t)
	for _, pattern := range []string{
		"", "*", "*.", ".", ".example.com", "*example.com", "*.*.example.com", "web.*.com", "web.example.*", "ftp://web.example.com",
		"web.example.com/", "https://", "https://web.example.com/path", "user@web.example.com", "web.example.com:", "web.example.com:https",
		"web.example.com:65536", "web.example.com:-1", "::1", "[::1", "*.127.0.0.1", "*.[::1]", "a b", "a.test, b.test", "://a.test",
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(r.(string), "AllowHosts") {
					t.Errorf("%q: recovered %v", pattern, r)
				}
			}()
			AllowHosts("web.example.com", pattern)
		}()
	}
}

func TestAllowHTTPS(t *testing.T) {
	leavesNothing(t)
	for s, want := range map[string]bool{"https://a.test": true, "http://a.test": false, "HTTPS://a.test": true, "httpsx://a.test": false} {
		if got := AllowHTTPS(newRequest(t, "GET", s, nil)); got != want {
			t.Errorf("%s: allowed is %t", s, got)
		}
	}
	if AllowHTTPS(&http.Request{}) {
		t.Error("a request without a URL is allowed")
	}
}

func FuzzAllowHosts(f *testing.F) {
	for _, s := range []string{"web.example.com", "*.example.com:8443", "https://[::1]:1", "bücher.example", "*.xn--bcher-kva.example"} {
		f.Add(s, "https://a."+strings.TrimPrefix(s, "*."))
	}
	f.Fuzz(func(t *testing.T, pattern, raw string) {
		p, err := parseHostPattern(pattern)
		u, urlErr := url.Parse(raw)
		if err != nil || urlErr != nil || !p.matches(u) {
			return
		}
		host, err := asciiHost(u.Hostname())
		if err != nil || host != p.host && !(p.below && strings.HasSuffix(host, "."+p.host)) || p.below && isAddress(host) {
			t.Errorf("%q allows %q", pattern, raw)
		}
	})
}

// TestAllowDelegation hands the credential to whom it allows, and a token to all
// that Allow does.
func TestAllowDelegation(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	base := s.base(t)
	base.DialContext = dialHere
	asked := 0
	list := AllowHosts(webHost)
	c := s.client(t, &Transport{
		Base: base, Provider: gsstest.New(gsstest.Options{}), Delegation: DelegateAlways,
		AllowDelegation: func(r *http.Request) bool { asked++; return list(r) },
	})
	for host, want := range map[string]bool{webHost: true, otherHost: false} {
		if a := get(t, c, s.at(host, "/private")); a.StatusCode != 200 || a.ex.Delegated != want {
			t.Errorf("%s: got %d, delegated %t", host, a.StatusCode, a.ex.Delegated)
		}
	}
	if asked != 2 {
		t.Errorf("it was asked %d times for two requests", asked)
	}
	never := s.client(t, &Transport{Base: base, AllowDelegation: func(*http.Request) bool { t.Error("it was asked in vain"); return true }})
	if a := get(t, never, s.at(webHost, "/private")); a.ex.Delegated {
		t.Error("DelegateNever delegates")
	}
	denied := s.client(t, &Transport{Base: base, Delegation: DelegateAlways, Allow: AllowHosts(otherHost),
		AllowDelegation: func(*http.Request) bool { t.Error("it was asked about a request that is not allowed"); return true }})
	if a := get(t, denied, s.at(webHost, "/private")); a.StatusCode != 401 {
		t.Errorf("got %d", a.StatusCode)
	}
}
