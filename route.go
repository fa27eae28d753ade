package negotiate

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// route is where the connections for a request lead.
type route struct {
	scheme, addr string // addr is host:port
	proxy        *url.URL
	h1           bool       // HTTP/1.1 only
	auth         *proxyAuth // for the proxy; nil for none
}

// tunnels reports whether connections lead through a proxy by CONNECT.
func (r route) tunnels() bool { return r.scheme == "https" && httpProxy(r.proxy) }

// forwards reports whether requests are for a proxy to forward.
func (r route) forwards() bool { return r.scheme == "http" && httpProxy(r.proxy) }

// routeKey tells routes apart.
type routeKey struct {
	scheme, addr, proxy string
	h1                  bool
}

// String tells keys apart as well. It may hold a proxy's password.
func (k routeKey) String() string {
	return strings.Join([]string{k.scheme, k.addr, k.proxy, strconv.FormatBool(k.h1)}, " ")
}

func (r route) key() routeKey {
	k := routeKey{scheme: r.scheme, addr: r.addr, h1: r.h1}
	if r.proxy != nil {
		k.proxy = r.proxy.String()
	}
	return k
}

// directRoute is the route to u without a proxy.
func directRoute(u *url.URL) route { return route{scheme: u.Scheme, addr: address(u)} }

// origin is the origin (RFC 6454) that the route leads to: scheme, host and port.
func (r route) origin() string { return r.scheme + "://" + r.addr }

// proxyOf is base's proxy for a request, nil for none. It is asked for with the
// request itself: NewClientConn would ask with one that has no port.
func proxyOf(base *http.Transport, req *http.Request) (*url.URL, error) {
	if base.Proxy == nil {
		return nil, nil
	}
	return base.Proxy(req)
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// address is the URL's host and port, as net/http dials it.
func address(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	if isASCII(host) {
		host = strings.ToLower(host)
	} else if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	return net.JoinHostPort(host, port)
}
