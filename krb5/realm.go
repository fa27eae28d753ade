package krb5

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/profile"
)

// servers lists the KDCs of a realm: those of [realms], or else those that the
// DNS names (RFC 4120, section 7.2.3.2) unless krb5.conf forbids it.
func (p *Provider) servers(ctx context.Context, realm string) ([]kdcclient.Server, error) {
	var out []kdcclient.Server
	for _, s := range p.conf.Realm(realm).KDCs {
		if s.Proto == "https" {
			continue // MS-KKDCP is not spoken here
		}
		out = append(out, kdcclient.Server{Network: s.Proto, Address: net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))})
	}
	if len(out) > 0 || !p.conf.DNSLookupKDC || !isDomain(realm) {
		return out, nil
	}
	return p.serversByDNS(ctx, realm)
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

// targetName turns a gss.Name into a principal. The realm stays empty where
// only the KDCs can tell it.
func (p *Provider) targetName(n gss.Name) (principal.Name, error) {
	switch n.Type {
	case gss.NameHostBased:
		service, host, ok := n.Service()
		if !ok || host == "" {
			return principal.Name{}, badName(n, "want service@host")
		}
		host = strings.TrimSuffix(strings.ToLower(host), ".")
		if p.conf.QualifyShortname != "" && !strings.Contains(host, ".") {
			host += "." + p.conf.QualifyShortname
		}
		realm, _ := p.conf.RealmOfHost(host)
		return principal.Service(realm, service, host), nil
	case gss.NameUser, gss.NamePrincipal:
		name, err := principal.Parse(n.Value, "")
		if err != nil {
			return principal.Name{}, badName(n, err.Error())
		}
		if name.Realm == "" && len(name.Components) == 2 {
			name.Realm, _ = p.conf.RealmOfHost(name.Components[1])
		}
		return name, nil
	case gss.NameNone:
		return principal.Name{}, badName(n, "a context needs a target, such as gss.HostBased(\"HTTP\", host)")
	}
	return principal.Name{}, &gss.Error{Major: gss.ErrBadNameType, Mech: gss.MechKRB5, Op: "initiate"}
}

func badName(n gss.Name, why string) error {
	return failure(gss.ErrInvalidName, "initiate", "%q: %s", n.Value, why)
}

// canonicalTarget is the target with its host as the DNS calls it, where
// krb5.conf asks for that; the same target otherwise.
func (p *Provider) canonicalTarget(ctx context.Context, n principal.Name) principal.Name {
	if n.Type != principal.TypeSrvHst || len(n.Components) != 2 {
		return n
	}
	host := n.Components[1]
	canonical, err := p.opts.Resolver.LookupCNAME(ctx, host)
	if err != nil {
		return n
	}
	if p.conf.RDNS {
		canonical = p.reverse(ctx, canonical)
	}
	canonical = strings.TrimSuffix(strings.ToLower(canonical), ".")
	if canonical == "" || canonical == host {
		return n
	}
	realm, _ := p.conf.RealmOfHost(canonical)
	return principal.Service(realm, n.Components[0], canonical)
}

// reverse returns the name that the host's first address has in the DNS.
func (p *Provider) reverse(ctx context.Context, host string) string {
	addrs, err := p.opts.Resolver.LookupHost(ctx, host)
	if err != nil || len(addrs) == 0 {
		return host
	}
	names, err := p.opts.Resolver.LookupAddr(ctx, addrs[0])
	if err != nil || len(names) == 0 {
		return host
	}
	return names[0]
}

// clientName reads a client's principal, completing it with the default realm.
func (p *Provider) clientName(text string) (principal.Name, error) {
	n, err := principal.Parse(text, p.conf.DefaultRealm)
	if err != nil {
		return n, failure(gss.ErrInvalidName, "acquire", "%w", err)
	}
	if n.Realm == "" {
		return n, failure(gss.ErrInvalidName, "acquire", "%q has no realm and krb5.conf no default_realm: write %s@REALM", text, text)
	}
	return n, nil
}

// gssName is the public form of a principal.
func gssName(n principal.Name) gss.Name {
	switch {
	case n.IsZero():
		return gss.Name{}
	case len(n.Components) == 1:
		return gss.User(n.String())
	}
	return gss.Principal(n.String())
}

// canonicalizes reports how krb5.conf wants hosts to be looked up.
func (p *Provider) canonicalizes(when profile.Canonicalization) bool {
	return p.conf.DNSCanonicalizeHostname == when
}
