package krb5

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// servers lists the KDCs of a realm: those of [realms], or else those that the
// DNS names (RFC 4120, section 7.2.3.2) unless krb5.conf forbids it.
func (p *Provider) servers(ctx context.Context, realm string) ([]kdcclient.Server, error) {
	var out []kdcclient.Server
	proxy := ""
	for _, s := range p.conf.Realm(realm).KDCs {
		if s.Proto == "https" {
			proxy = s.URL
			continue
		}
		out = append(out, kdcclient.Server{Network: s.Proto, Address: net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))})
	}
	switch {
	case len(out) > 0:
		return out, nil
	case proxy != "":
		return nil, fmt.Errorf("%w: krb5.conf names %s for realm %s, and KDC proxies are not supported here: add a kdc that is reached over UDP or TCP", kdcclient.ErrUnreachable, proxy, realm)
	case p.conf.DNSLookupKDC && isDomain(realm):
		return p.serversByDNS(ctx, realm)
	}
	return nil, nil
}

// isDomain reports whether a realm is named like a domain, so that the DNS may
// know it.
func isDomain(realm string) bool {
	return strings.Contains(realm, ".") && !strings.ContainsAny(realm, "/: \x00")
}

func (p *Provider) serversByDNS(ctx context.Context, realm string) ([]kdcclient.Server, error) {
	var out []kdcclient.Server
	var failures []error
	for _, network := range [...]string{"udp", "tcp"} {
		_, records, err := p.opts.Resolver.LookupSRV(ctx, "kerberos", network, realm+".")
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for _, r := range records {
			host := strings.TrimSuffix(r.Target, ".")
			if host == "" { // "no such service here" (RFC 2782)
				continue
			}
			out = append(out, kdcclient.Server{Network: network, Address: net.JoinHostPort(host, strconv.Itoa(int(r.Port)))})
		}
	}
	if len(out) == 0 && len(failures) > 0 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: krb5.conf names no KDC of realm %s and the DNS knows none: %w", kdcclient.ErrUnreachable, realm, errors.Join(failures...))
	}
	return out, nil
}

// fallbackRealm guesses the realm of a host-based service that the client's own
// realm does not know: by the DNS, where krb5.conf allows that, and then by the
// host's domain, since web.example.com is usually of EXAMPLE.COM. It is empty if
// there is no guess.
func (p *Provider) fallbackRealm(ctx context.Context, service principal.Name) string {
	if len(service.Components) != 2 {
		return ""
	}
	host := service.Components[1]
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	if p.conf.DNSLookupRealm {
		if realm := p.realmByDNS(ctx, host); realm != "" {
			return realm
		}
	}
	_, domain, _ := strings.Cut(host, ".")
	return strings.ToUpper(domain)
}

// maxLabels bounds the names that are looked up for one host.
const maxLabels = 8

// realmByDNS looks for the TXT record _kerberos of a host, then of its parents.
func (p *Provider) realmByDNS(ctx context.Context, host string) string {
	for range maxLabels {
		texts, err := p.opts.Resolver.LookupTXT(ctx, "_kerberos."+host+".")
		if err == nil && len(texts) > 0 && texts[0] != "" {
			return texts[0]
		}
		_, parent, ok := strings.Cut(host, ".")
		if !ok || ctx.Err() != nil {
			break
		}
		host = parent
	}
	return ""
}
