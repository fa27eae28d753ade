package negotiate

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/idna"

	"github.com/go-negotiate/negotiate/gss"
)

// serviceHTTP is the service of RFC 4559.
const serviceHTTP = "HTTP"

// TargetFunc tells the name of the server that a request goes to. It must not
// change the request, and must be safe for concurrent use.
type TargetFunc func(*http.Request) (gss.Name, error)

// HostTarget returns the target HTTP@host for every request, whatever its URL
// says: for a server that is reached by another name than its own.
func HostTarget(host string) TargetFunc {
	return func(*http.Request) (gss.Name, error) { return hostBased(serviceHTTP, host) }
}

// ServiceTarget is the default target with another service than HTTP:
// service@ the URL's host.
func ServiceTarget(service string) TargetFunc {
	return func(r *http.Request) (gss.Name, error) { return hostBased(service, r.URL.Hostname()) }
}

// FixedTarget returns the target n for every request.
func FixedTarget(n gss.Name) TargetFunc {
	return func(*http.Request) (gss.Name, error) {
		if n.IsZero() {
			return gss.Name{}, fmt.Errorf("FixedTarget was given no name")
		}
		return n, nil
	}
}

// Resolver is what [CanonicalTarget] asks; a *net.Resolver is one.
type Resolver interface {
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// CanonicalTarget returns the target HTTP@ the canonical name of the URL's host:
// its CNAME, then the name that its address has in the reverse zone. Where DNS
// has no answer, the name so far is kept. A nil resolver is net.DefaultResolver.
//
// Realms that were set up for it need this. Whoever can forge DNS answers then
// chooses the server that the client authenticates to, which is why it is not
// the default.
func CanonicalTarget(r Resolver) TargetFunc {
	if r == nil {
		r = net.DefaultResolver
	}
	return func(req *http.Request) (gss.Name, error) {
		host, err := asciiHost(req.URL.Hostname())
		if err != nil {
			return gss.Name{}, err
		}
		ctx := req.Context()
		if name, err := r.LookupCNAME(ctx, host); err == nil && name != "" {
			host = name
		}
		if addrs, err := r.LookupHost(ctx, host); err == nil && len(addrs) > 0 {
			if names, err := r.LookupAddr(ctx, addrs[0]); err == nil && len(names) > 0 {
				host = names[0]
			}
		}
		if err := context.Cause(ctx); err != nil {
			return gss.Name{}, err
		}
		return hostBased(serviceHTTP, host)
	}
}

func hostBased(service, host string) (gss.Name, error) {
	host, err := asciiHost(host)
	if err != nil {
		return gss.Name{}, err
	}
	return gss.HostBased(service, host), nil
}

// asciiHost is the host as principals are written: lower case, IDN as A-labels,
// without the root's dot and an IPv6 zone.
func asciiHost(host string) (string, error) {
	host, _, _ = strings.Cut(host, "%")
	if !isASCII(host) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("host %q: %w", host, err)
		}
		host = ascii
	}
	host = strings.TrimSuffix(host, ".") // the dot may have been one of another script
	if host == "" {
		return "", fmt.Errorf("there is no host to authenticate to")
	}
	return strings.ToLower(host), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
