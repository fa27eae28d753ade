package negotiate

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// AllowHosts returns a function for [Transport].Allow and AllowDelegation that
// allows requests to certain servers, as AuthServerAllowlist and
// AuthNegotiateDelegateAllowlist do in browsers. A pattern is one of
//
//	web.example.com           that host and none below it
//	*.example.com             all hosts below example.com, however far; not itself
//	web.example.com:8443      on that port only
//	https://*.example.com     with https only
//
// Without a port or a scheme all are allowed. Case does not matter, nor a dot at
// the end, and an internationalized name equals its A-labels. An IP address, IPv6
// in brackets, is allowed only if it is a pattern itself. What counts is the
// request's URL, which says where the connection leads, and not its Host.
//
// Without patterns it allows nothing. It panics if a pattern is none of these, as
// a typo must not go unnoticed.
func AllowHosts(patterns ...string) func(*http.Request) bool {
	var list []hostPattern
	for _, p := range patterns {
		parsed, err := parseHostPattern(p)
		if err != nil {
			panic(fmt.Sprintf("negotiate: AllowHosts: %q: %v", p, err))
		}
		list = append(list, parsed)
	}
	return func(r *http.Request) bool {
		return slices.ContainsFunc(list, func(p hostPattern) bool { return p.matches(r.URL) })
	}
}

// AllowHTTPS allows requests by https, to any server. It is for [Transport].Allow
// and AllowDelegation.
func AllowHTTPS(r *http.Request) bool { return r.URL != nil && r.URL.Scheme == "https" }

// hostPattern is a pattern of AllowHosts.
type hostPattern struct {
	scheme string // empty for any
	host   string // as asciiHost has it
	below  bool   // it stands for the hosts below host
	port   string // empty for any
}

func parseHostPattern(s string) (p hostPattern, err error) {
	rest := s
	if scheme, after, ok := strings.Cut(s, "://"); ok {
		p.scheme, rest = strings.ToLower(scheme), after
		if p.scheme != "http" && p.scheme != "https" {
			return p, fmt.Errorf("the scheme is neither http nor https")
		}
	}
	if rest, p.port, err = splitPort(rest); err != nil {
		return p, err
	}
	if rest, p.below = strings.CutPrefix(rest, "*."); p.below && isAddress(rest) {
		return p, fmt.Errorf("nothing is below an address")
	}
	if strings.ContainsAny(rest, "*/?#@ ") || strings.HasPrefix(rest, ".") {
		return p, fmt.Errorf("want a host such as web.example.com, or *.example.com for all below example.com")
	}
	p.host, err = asciiHost(rest)
	return p, err
}

// splitPort takes a port off a host, and the brackets of an IPv6 address.
func splitPort(s string) (host, port string, err error) {
	if bare, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(bare, "]") {
		return strings.TrimSuffix(bare, "]"), "", nil
	}
	if !strings.Contains(s, ":") {
		return s, "", nil
	}
	if host, port, err = net.SplitHostPort(s); err != nil {
		return "", "", err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", "", fmt.Errorf("the port %q is no number up to 65535", port)
	}
	return host, strconv.FormatUint(n, 10), nil
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func (p hostPattern) matches(u *url.URL) bool {
	if u == nil || p.scheme != "" && p.scheme != u.Scheme {
		return false
	}
	_, port, _ := net.SplitHostPort(address(u))
	if p.port != "" && p.port != port {
		return false
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return false
	}
	if !p.below {
		return host == p.host
	}
	label, ok := strings.CutSuffix(host, "."+p.host)
	return ok && label != "" && !isAddress(host)
}
