package krb5

import (
	"context"
	"net/netip"
	"strings"

	"github.com/go-negotiate/negotiate/internal/principal"
)

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
