package krb5

import (
	"context"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/profile"
)

// serviceName turns a gss.Name into a service's principal. The realm stays
// empty where only the KDCs can tell it.
func (p *Provider) serviceName(op string, n gss.Name) (principal.Name, error) {
	switch n.Type {
	case gss.NameHostBased:
		service, host, ok := n.Service()
		host = strings.TrimSuffix(strings.ToLower(host), ".")
		if !ok || host == "" {
			return principal.Name{}, badName(op, n, "want service@host, as in HTTP@web.example.com")
		}
		if p.conf.QualifyShortname != "" && !strings.Contains(host, ".") {
			host += "." + p.conf.QualifyShortname
		}
		realm, _ := p.conf.RealmOfHost(host)
		return principal.Service(realm, service, host), nil
	case gss.NameUser, gss.NamePrincipal:
		name, err := principal.Parse(n.Value, "")
		if err != nil {
			return principal.Name{}, badName(op, n, err.Error())
		}
		if name.Realm == "" && len(name.Components) == 2 {
			name.Realm, _ = p.conf.RealmOfHost(name.Components[1])
		}
		return name, nil
	case gss.NameNone:
		return principal.Name{}, badName(op, n, `a name is missing, such as gss.HostBased("HTTP", host)`)
	}
	return principal.Name{}, unknownNameType(op, n)
}

// clientName turns a gss.Name into a client's principal, completed with the
// default realm. A service is a client by its host-based name, too.
func (p *Provider) clientName(n gss.Name) (name principal.Name, err error) {
	const op = "acquire"
	switch n.Type {
	case gss.NameHostBased:
		if name, err = p.serviceName(op, n); err != nil {
			return name, err
		}
		if name.Realm == "" {
			name.Realm = p.conf.DefaultRealm
		}
	case gss.NameUser, gss.NamePrincipal:
		if name, err = principal.ParseClient(n.Value, p.conf.DefaultRealm); err != nil {
			return name, badName(op, n, err.Error())
		}
	case gss.NameNone:
		return name, badName(op, n, "whose credential it is to be is missing: name a principal, such as alice@REALM")
	default:
		return name, unknownNameType(op, n)
	}
	if name.Realm == "" {
		return name, badName(op, n, "it has no realm, and "+p.confName()+" no default_realm: add @REALM")
	}
	return name, nil
}

func badName(op string, n gss.Name, why string) error {
	return failure(gss.ErrInvalidName, op, "%q: %s", n.Value, why)
}

func unknownNameType(op string, n gss.Name) error {
	return failure(gss.ErrBadNameType, op, "%q is of a type that Kerberos does not know (%s)", n.Value, n.Type)
}

// canonicalizes reports whether krb5.conf wants hosts to be looked up then.
func (p *Provider) canonicalizes(when profile.Canonicalization) bool {
	return p.conf.DNSCanonicalizeHostname == when
}

// canonicalName is a service with its host as the DNS calls it; the same name if
// the DNS does not know it.
func (p *Provider) canonicalName(ctx context.Context, n principal.Name) principal.Name {
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
