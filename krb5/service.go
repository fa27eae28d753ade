package krb5

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// maxHops bounds the realms that a request for one ticket is sent through.
const maxHops = 10

// serviceTicket returns a ticket for the target. A target without a realm is
// looked for in the client's realm, whose KDC may refer the client to another
// one (RFC 6806, section 8), then in the realm that its host's domain suggests.
func (l *login) serviceTicket(ctx context.Context, target principal.Name) (*kdcclient.Ticket, error) {
	return l.get(ctx, target.Key(), func(ctx context.Context) (*kdcclient.Ticket, error) {
		return l.fetchService(ctx, target)
	})
}

func (l *login) fetchService(ctx context.Context, target principal.Name) (*kdcclient.Ticket, error) {
	if target.Realm != "" {
		t, err := l.serviceInRealm(ctx, target)
		return t, l.explain(err, target)
	}
	target.Realm = l.client.Realm
	t, err := l.serviceInRealm(ctx, target)
	if !errors.Is(err, krbmsg.ErrSPrincipalUnknown) {
		return t, l.explain(err, target)
	}
	realm, ok := realmOfDomain(target)
	if !ok || realm == l.client.Realm {
		return nil, l.explain(err, target)
	}
	t, err2 := l.serviceInRealm(ctx, principal.Name{Type: target.Type, Realm: realm, Components: target.Components})
	if err2 != nil { // the first answer says more than the guess's failure
		return nil, l.explain(err, target)
	}
	return t, nil
}

// realmOfDomain guesses the realm of a host-based service by the domain of its
// host: web.example.com is of EXAMPLE.COM.
func realmOfDomain(n principal.Name) (string, bool) {
	if len(n.Components) != 2 {
		return "", false
	}
	_, domain, ok := strings.Cut(n.Components[1], ".")
	return strings.ToUpper(domain), ok && domain != ""
}

// serviceInRealm gets the ticket from the KDC of target's realm, or wherever
// the referrals lead.
func (l *login) serviceInRealm(ctx context.Context, target principal.Name) (*kdcclient.Ticket, error) {
	tgt, err := l.tgtFor(ctx, target.Realm)
	if err != nil {
		return nil, err
	}
	delegable := true
	seen := map[string]bool{}
	for range maxHops {
		seen[tgt.Server.Components[1]] = true
		if tgt.Server.Components[1] != l.client.Realm {
			delegable = delegable && tgt.Flags&krbmsg.FlagOKAsDelegate != 0
		}
		t, err := l.p.kdc.TGS(ctx, kdcclient.TGSRequest{
			TGT:     tgt,
			Server:  target,
			ETypes:  l.p.tgsETypes(),
			Options: krbmsg.OptCanonicalize | tgt.Flags&krbmsg.OptForwardable,
		})
		if err != nil {
			return nil, err
		}
		if !isReferral(t, target) {
			return trustIf(t, delegable), nil
		}
		next := t.Server.Components[1]
		if seen[next] {
			return nil, fmt.Errorf("the KDCs refer the request for %s in a circle, back to realm %s", target.Text(), next)
		}
		l.p.logTicket(ctx, "referred to another realm", t)
		l.add(tgtKey(next), t)
		tgt = t
	}
	return nil, fmt.Errorf("the KDCs referred the request for %s through more than %d realms", target.Text(), maxHops)
}

func isReferral(t *kdcclient.Ticket, target principal.Name) bool {
	return t.Server.IsTGS() && !target.IsTGS()
}

// trustIf takes the OK-AS-DELEGATE flag off a ticket that came through a realm
// which is not itself trusted for delegation (RFC 4120, section 2.8).
func trustIf(t *kdcclient.Ticket, delegable bool) *kdcclient.Ticket {
	if delegable || t.Flags&krbmsg.FlagOKAsDelegate == 0 {
		return t
	}
	copied := *t
	copied.Flags &^= krbmsg.FlagOKAsDelegate
	return &copied
}

// tgtFor returns a ticket-granting ticket for a realm: the login's own, or one
// by the trust between the realms, through those of [capaths] or those that
// the KDCs lead through (RFC 4120, section 1.2).
func (l *login) tgtFor(ctx context.Context, realm string) (*kdcclient.Ticket, error) {
	tgt, err := l.tgt(ctx)
	if err != nil || realm == l.client.Realm {
		return tgt, err
	}
	return l.get(ctx, tgtKey(realm), func(ctx context.Context) (*kdcclient.Ticket, error) {
		return l.crossRealm(ctx, tgt, realm)
	})
}

func (l *login) crossRealm(ctx context.Context, tgt *kdcclient.Ticket, realm string) (*kdcclient.Ticket, error) {
	path := append(l.p.conf.CAPath(l.client.Realm, realm), realm)
	for range maxHops {
		want := path[0]
		t, err := l.p.kdc.TGS(ctx, kdcclient.TGSRequest{
			TGT:     tgt,
			Server:  principal.TGS("", want),
			ETypes:  l.p.tgsETypes(),
			Options: krbmsg.OptCanonicalize | tgt.Flags&krbmsg.OptForwardable,
		})
		if err != nil {
			return nil, fmt.Errorf("no trust leads from realm %s to %s: %w", tgt.Server.Components[1], want, err)
		}
		if !t.Server.IsTGS() {
			return nil, fmt.Errorf("%w: asked for a ticket-granting ticket, it sent one for %s", kdcclient.ErrBadReply, t.Server)
		}
		l.p.logTicket(ctx, "crossed to another realm", t)
		if t.Server.Components[1] == realm {
			return t, nil
		}
		if t.Server.Components[1] == want {
			path = path[1:]
		}
		tgt = t
	}
	return nil, fmt.Errorf("no trust leads to realm %s within %d steps", realm, maxHops)
}

// forwardedTGT returns a copy of the ticket-granting ticket to hand to a
// service. Each service gets one of its own, so that none knows another's key.
func (l *login) forwardedTGT(ctx context.Context, service principal.Name) (*kdcclient.Ticket, error) {
	return l.get(ctx, "forward "+service.Key(), func(ctx context.Context) (*kdcclient.Ticket, error) {
		tgt, err := l.tgt(ctx)
		if err != nil {
			return nil, err
		}
		if tgt.Flags&krbmsg.FlagForwardable == 0 {
			return nil, fmt.Errorf("the ticket-granting ticket of %s in %s is not forwardable: run kinit -f", l.client, l.source)
		}
		return l.p.kdc.TGS(ctx, kdcclient.TGSRequest{
			TGT:     tgt,
			Server:  principal.TGS(l.client.Realm, l.client.Realm),
			ETypes:  l.p.tgsETypes(),
			Options: krbmsg.OptForwardable | krbmsg.OptForwarded,
		})
	})
}

// explain makes a *gss.Error that tells a person what to do.
func (l *login) explain(err error, target principal.Name) error {
	if err == nil || isContextError(err) {
		return err
	}
	if _, ok := errors.AsType[*gss.Error](err); ok {
		return err
	}
	e := &gss.Error{Major: gss.ErrFailure, Minor: minorOf(err), Mech: gss.MechKRB5, Op: "initiate"}
	switch {
	case errors.Is(err, krbmsg.ErrSPrincipalUnknown):
		e.Err = fmt.Errorf("no ticket for %s: %w; check the host name in the URL, or name the service's principal as the target", target, err)
	case errors.Is(err, krbmsg.ErrTktExpired):
		e.Major = gss.ErrCredentialsExpired
		e.Err = fmt.Errorf("no ticket for %s: %w; run kinit", target, err)
	case errors.Is(err, krbmsg.ErrSkew):
		e.Err = fmt.Errorf("no ticket for %s: %w; set this machine's clock", target, err)
	default:
		e.Err = fmt.Errorf("no ticket for %s: %w", target, err)
	}
	return e
}
