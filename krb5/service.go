package krb5

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// maxHops bounds the realms that a request for one ticket is sent through.
const maxHops = 10

var errNoTrust = errors.New("no trust between the realms leads there")

// serviceTicket returns a ticket for the target. A target without a realm is
// looked for in the client's realm, whose KDC may refer the client to another
// one (RFC 6806, section 8), then in the realm that the host's domain suggests.
func (l *login) serviceTicket(ctx context.Context, target principal.Name) (*kdcclient.Ticket, error) {
	return l.get(ctx, keyOf(useService, target), func(ctx context.Context) (*kdcclient.Ticket, error) {
		t, err := l.findService(ctx, target)
		if err == nil {
			err = l.p.checkTicketKey(t)
		}
		if err != nil {
			if target.Realm == "" && l.proxy == nil {
				target.Realm = l.client.Realm // whose KDC was asked first
			}
			return nil, l.explain(err, target)
		}
		return t, nil
	})
}

func (l *login) findService(ctx context.Context, target principal.Name) (*kdcclient.Ticket, error) {
	if l.proxy != nil {
		return l.proxied(ctx, target)
	}
	own, err := l.tgt(ctx)
	if err != nil {
		return nil, err
	}
	t, err := l.findServiceBy(ctx, own, target)
	if !errors.Is(err, krbmsg.ErrTktExpired) || l.validAt(own, l.now()) {
		return t, err
	}
	// It has ended on its way to the KDC.
	if own, err = l.tgt(ctx); err != nil {
		return nil, err
	}
	return l.findServiceBy(ctx, own, target)
}

func (l *login) findServiceBy(ctx context.Context, own *kdcclient.Ticket, target principal.Name) (*kdcclient.Ticket, error) {
	if target.Realm != "" {
		return l.serviceInRealm(ctx, own, target)
	}
	target.Realm = realmOf(own)
	t, err := l.serviceInRealm(ctx, own, target)
	if !errors.Is(err, krbmsg.ErrSPrincipalUnknown) {
		return t, err
	}
	other := target
	other.Realm = l.p.fallbackRealm(ctx, target)
	if other.Realm == "" || other.Realm == target.Realm {
		return nil, err
	}
	t, err2 := l.serviceInRealm(ctx, own, other)
	if err2 != nil && ctx.Err() == nil {
		return nil, err // it says more than the failure of a guess
	}
	return t, err2
}

// realmOf is the realm that a ticket-granting ticket is good for.
func realmOf(tgt *kdcclient.Ticket) string { return tgt.Server.Components[1] }

// serviceInRealm gets the ticket from the KDC of target's realm, or wherever
// the referrals lead.
func (l *login) serviceInRealm(ctx context.Context, own *kdcclient.Ticket, target principal.Name) (*kdcclient.Ticket, error) {
	tgt, err := l.tgtFor(ctx, own, target.Realm)
	if err != nil {
		return nil, err
	}
	// The client's own realm counts as visited: a referral back to it would
	// take the place of the client's own ticket-granting ticket.
	visited := []string{realmOf(own), realmOf(tgt)}
	for range maxHops {
		t, err := l.ask(ctx, tgt, target, krbmsg.OptCanonicalize|tgt.Flags&krbmsg.OptForwardable)
		if err != nil {
			return nil, err
		}
		if !t.Server.IsTGS() || target.IsTGS() {
			return t, nil
		}
		next := realmOf(t)
		if slices.Contains(visited, next) {
			return nil, fmt.Errorf("the KDCs refer the request in a circle, from realm %s back to %s", realmOf(tgt), next)
		}
		visited = append(visited, next)
		l.p.logTicket(ctx, "referred to another realm", t)
		if tgt == own {
			// Another realm's KDC is asked for this service only: what it says of
			// a third realm must not serve for other services there.
			l.add(crossKey(next), t)
		}
		tgt = t
	}
	return nil, fmt.Errorf("the KDCs referred the request through more than %d realms", maxHops)
}

// ask makes one exchange with the KDC of the realm that tgt is good for. A
// ticket that another realm issues is trusted for delegation only if the way to
// that realm is: OK-AS-DELEGATE does not survive an untrusted step (RFC 4120,
// section 2.8).
func (l *login) ask(ctx context.Context, tgt *kdcclient.Ticket, server principal.Name, options uint32) (*kdcclient.Ticket, error) {
	t, err := l.kdc().TGS(ctx, kdcclient.TGSRequest{
		TGT:     tgt,
		Server:  server,
		ETypes:  l.p.conf.DefaultTGSEnctypes,
		Options: options,
	})
	if err != nil {
		return nil, err
	}
	crossed := tgt.Server.Realm != realmOf(tgt)
	if crossed && tgt.Flags&krbmsg.FlagOKAsDelegate == 0 {
		t.Flags &^= krbmsg.FlagOKAsDelegate
	}
	return t, nil
}

// tgtFor returns a ticket-granting ticket for a realm: the login's own, or one
// by the trust between the realms, through those of [capaths] or those that
// the KDCs lead through (RFC 4120, section 1.2).
func (l *login) tgtFor(ctx context.Context, own *kdcclient.Ticket, realm string) (*kdcclient.Ticket, error) {
	if realm == realmOf(own) {
		return own, nil
	}
	return l.get(ctx, crossKey(realm), func(ctx context.Context) (*kdcclient.Ticket, error) {
		return l.crossRealm(ctx, own, realm)
	})
}

func (l *login) crossRealm(ctx context.Context, tgt *kdcclient.Ticket, realm string) (*kdcclient.Ticket, error) {
	path := append(l.p.conf.CAPath(realmOf(tgt), realm), realm)
	for range maxHops {
		want := path[0]
		t, err := l.ask(ctx, tgt, principal.TGS("", want), krbmsg.OptCanonicalize|tgt.Flags&krbmsg.OptForwardable)
		if errors.Is(err, krbmsg.ErrSPrincipalUnknown) {
			return nil, fmt.Errorf("%w: realm %s has none with %s (set [capaths] in krb5.conf if the way leads through others): %w", errNoTrust, realmOf(tgt), want, err)
		}
		if err != nil {
			return nil, err
		}
		if !t.Server.IsTGS() {
			return nil, fmt.Errorf("%w: asked for a ticket-granting ticket, it sent one for %s", kdcclient.ErrBadReply, t.Server)
		}
		l.p.logTicket(ctx, "crossed to another realm", t)
		switch realmOf(t) {
		case realm:
			return t, nil
		case want:
			path = path[1:]
		}
		tgt = t
	}
	return nil, fmt.Errorf("%w: not within %d steps to realm %s", errNoTrust, maxHops, realm)
}

// forwardedTGT returns a copy of the ticket-granting ticket to hand to a
// service. Each service gets one of its own, so that none knows another's key.
func (l *login) forwardedTGT(ctx context.Context, service principal.Name) (*kdcclient.Ticket, error) {
	if l.proxy != nil {
		return nil, fmt.Errorf("the credential of %s is for constrained delegation, which goes on from service to service and not by a ticket-granting ticket", l.client)
	}
	return l.get(ctx, keyOf(useForwarded, service), func(ctx context.Context) (*kdcclient.Ticket, error) {
		own, err := l.tgt(ctx)
		if err != nil {
			return nil, err
		}
		if own.Flags&krbmsg.FlagForwardable == 0 {
			return nil, fmt.Errorf("the ticket-granting ticket of %s in %s is not forwardable: run kinit -f", l.client, l.source)
		}
		return l.ask(ctx, own, principal.TGS("", realmOf(own)), krbmsg.OptForwardable|krbmsg.OptForwarded)
	})
}

// explain makes a *gss.Error that tells a person what to do.
func (l *login) explain(err error, target principal.Name) error {
	if _, ok := errors.AsType[*gss.Error](err); ok || isContextError(err) {
		return err
	}
	major, hint := gss.ErrFailure, ""
	switch {
	case errors.Is(err, errNoTrust):
		hint = "; if the host is of another realm, name that in [domain_realm] of krb5.conf"
	case errors.Is(err, krbmsg.ErrSPrincipalUnknown):
		hint = "; check the host name in the URL, or name the service's principal as the target"
	case errors.Is(err, krbmsg.ErrTktExpired):
		major, hint = gss.ErrCredentialsExpired, "; run kinit"
	case errors.Is(err, krbmsg.ErrSkew):
		hint = clocks(err, l.p.now())
	case errors.Is(err, krbmsg.ErrETypeNoSupp) && errors.As(err, new(*krbmsg.KRBError)):
		hint = l.p.noCommonType("service's", target)
	case errors.Is(err, krbmsg.ErrTGTRevoked), errors.Is(err, krbmsg.ErrModified), errors.Is(err, krbmsg.ErrBadIntegrity):
		hint = "; the KDC does not take the ticket-granting ticket any more: run kinit"
	}
	return failure(major, "initiate", "no ticket for %s: %w%s", target, err, hint)
}
