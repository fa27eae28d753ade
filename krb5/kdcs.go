package krb5

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/profile"
)

// servers lists the KDCs of a realm: those of [realms], or else those that the
// DNS names (RFC 4120, section 7.2.3.2) unless krb5.conf forbids it.
func (p *Provider) servers(ctx context.Context, realm string) ([]kdcclient.Server, error) {
	if list := kdcServers(p.conf.Realm(realm).KDCs); len(list) > 0 {
		return list, nil
	}
	if !p.conf.DNSLookupKDC || !isDomain(realm) {
		return nil, nil
	}
	list, err := p.serversByDNS(ctx, "kerberos", realm)
	if len(list) == 0 && err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %s names no KDC of realm %s and the DNS knows none: %w", kdcclient.ErrUnreachable, p.confName(), realm, err)
	}
	return list, nil
}

// primaries lists the KDCs of a realm that know a new password first. Where
// [realms] names the KDCs, the DNS is not asked for these either.
func (p *Provider) primaries(ctx context.Context, realm string) ([]kdcclient.Server, error) {
	r := p.conf.Realm(realm)
	if len(r.PrimaryKDCs) > 0 || len(r.KDCs) > 0 || !p.conf.DNSLookupKDC || !isDomain(realm) {
		return kdcServers(r.PrimaryKDCs), nil
	}
	return p.serversByDNS(ctx, "kerberos-master", realm)
}

func kdcServers(list []profile.Server) []kdcclient.Server {
	var out []kdcclient.Server
	for _, s := range list {
		address := s.URL
		if address == "" {
			address = net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))
		}
		out = append(out, kdcclient.Server{Network: s.Proto, Address: address})
	}
	return out
}

// confName is krb5.conf, or what is there in its place.
func (p *Provider) confName() string {
	if prof := p.conf.Profile(); len(prof.Files()) == 0 {
		if missing := prof.Missing(); len(missing) > 0 {
			return "krb5.conf (there is no " + strings.Join(missing, " and no ") + ")"
		}
		return "krb5.conf (there is none)"
	}
	return "krb5.conf"
}

// isDomain reports whether a realm is named like a domain, so that the DNS may
// know it.
func isDomain(realm string) bool {
	return strings.Contains(realm, ".") && !strings.ContainsAny(realm, "/: \x00")
}

// serversByDNS asks for the SRV records of a service of a realm, for UDP and
// TCP. Of those that are named for both, either may be used. The error tells why
// there are none.
func (p *Provider) serversByDNS(ctx context.Context, service, realm string) ([]kdcclient.Server, error) {
	var out []kdcclient.Server
	var failures []error
	for _, network := range [...]string{"udp", "tcp"} {
		_, records, err := p.opts.Resolver.LookupSRV(ctx, service, network, realm+".")
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for _, r := range records {
			host := strings.TrimSuffix(r.Target, ".")
			if host == "" { // "no such service here" (RFC 2782)
				continue
			}
			s := kdcclient.Server{Network: network, Address: net.JoinHostPort(host, strconv.Itoa(int(r.Port)))}
			if i := slices.Index(out, kdcclient.Server{Network: "udp", Address: s.Address}); i >= 0 && network == "tcp" {
				out[i].Network = ""
				continue
			}
			out = append(out, s)
		}
	}
	return out, errors.Join(failures...)
}
