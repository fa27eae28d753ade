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

var _ gss.Impersonator = (*Provider)(nil)

// Impersonate returns the credential of a user who takes no part in it, with
// which a service goes to other services in the user's name: S4U2Self, and
// S4U2Proxy for each of those services (MS-SFU). The KDC decides. It has to
// trust the service to say who its user is ("protocol transition") and has to
// allow it each service that it goes to.
//
// service is the service's own credential for initiating, as of FromKeytab, nil
// being the default cache. In Active Directory a service logs in by its
// account's name: an SPN is no name to log in by. user is such as
// gss.User("alice"), in the default realm unless it names another.
//
// The service's ticket in the user's name is fetched now, so that an unknown or
// locked user is an error here; whether the service may go on shows when the
// credential is used. Tickets are kept with the service's credential, for each
// user until they end, which may be some hours after the user was locked. Two
// calls for one user may return the same credential; Close does nothing. The
// credential cannot be delegated further. Errors are *gss.Error, or the
// context's.
func (p *Provider) Impersonate(ctx context.Context, service gss.Credential, user gss.Name) (gss.Credential, error) {
	s, err := p.loginOf(ctx, service)
	if err != nil {
		return nil, err
	}
	if s.proxy != nil {
		return nil, failure(gss.ErrDefectiveCredential, "impersonate", "%s stands for a user already: give the service's own credential", service)
	}
	name, err := p.clientName(user)
	if err != nil {
		return nil, err
	}
	l, err := s.impersonated(ctx, name)
	if err != nil {
		return nil, err
	}
	return loginCredential{l}, nil
}

// maxImpersonated bounds the users that a service's login remembers, each with
// tickets of its own. Of more users, some are asked for again.
const maxImpersonated = 256

// impersonated returns the login of a user that goes by the service's own, l.
func (l *login) impersonated(ctx context.Context, user principal.Name) (*login, error) {
	evidence, err := l.evidenceOf(ctx, user)
	if err != nil {
		return nil, err
	}
	// By the name that was asked for: the one in the reply is not protected, and
	// must not pick another user.
	id := evidenceKey(user)
	if u := l.users.Get(id); u != nil {
		return u, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if u := l.users.Get(id); u != nil { // another goroutine was faster
		return u, nil
	}
	u := l.proxyLogin(evidence, "S4U2Self by "+l.client.String())
	u.proxy.transition = true
	u.relogin = func(ctx context.Context, _ *kdcclient.Ticket) (*kdcclient.Ticket, error) {
		return l.evidenceOf(ctx, user)
	}
	l.users.MakeRoom(maxImpersonated)
	l.users.Set(id, u)
	return u, nil
}

// evidenceKey is the key of the service's ticket to itself in a user's name.
func evidenceKey(user principal.Name) ticketKey {
	if user.Type == principal.TypeEnterprise {
		return keyOf(useEnterpriseEvidence, user)
	}
	return keyOf(useEvidence, user)
}

// evidenceOf returns the service's ticket to itself in the user's name.
func (l *login) evidenceOf(ctx context.Context, user principal.Name) (*kdcclient.Ticket, error) {
	return l.get(ctx, evidenceKey(user), func(ctx context.Context) (*kdcclient.Ticket, error) {
		t, err := l.s4u2self(ctx, user)
		if err != nil {
			return nil, l.explainSelf(err, user)
		}
		return t, nil
	})
}

// s4u2self asks the KDC of the user's realm, and follows its referrals back to
// the service's realm (MS-SFU, section 3.1.5.1.1.1).
func (l *login) s4u2self(ctx context.Context, user principal.Name) (*kdcclient.Ticket, error) {
	own, err := l.forwardableTGT(ctx)
	if err != nil {
		return nil, err
	}
	tgt, err := l.tgtFor(ctx, own, user.Realm)
	if err != nil {
		return nil, err
	}
	var visited []string
	for range maxHops {
		t, err := l.kdc().S4U2Self(ctx, kdcclient.TGSRequest{
			TGT:     tgt,
			Server:  l.nameIn(realmOf(tgt)),
			ETypes:  l.p.conf.DefaultTGSEnctypes,
			Options: krbmsg.OptCanonicalize | tgt.Flags&krbmsg.OptForwardable,
		}, user)
		if err != nil {
			return nil, err
		}
		if !t.Server.IsTGS() {
			return t, nil
		}
		next := realmOf(t)
		if slices.Contains(visited, next) {
			return nil, fmt.Errorf("the KDCs refer the request in a circle, from realm %s back to %s", realmOf(tgt), next)
		}
		visited = append(visited, next)
		tgt = t
	}
	return nil, fmt.Errorf("the KDCs referred the request through more than %d realms", maxHops)
}

// nameIn is the login's client as the KDC of a realm is to find it.
func (l *login) nameIn(realm string) principal.Name {
	if realm == l.client.Realm {
		return l.client
	}
	return principal.Name{Type: principal.TypeEnterprise, Realm: realm, Components: []string{l.client.String()}}
}

// forwardableTGT returns the ticket-granting ticket of a service that goes on in
// users' names. Only by one that is forwardable can their tickets be so, and only
// by those can the service go on. A service that logs in by itself asks for it
// whatever krb5.conf says.
func (l *login) forwardableTGT(ctx context.Context) (*kdcclient.Ticket, error) {
	l.forwardable.Store(true)
	t, err := l.tgt(ctx)
	if err != nil {
		return nil, err
	}
	return l.forwardableInstead(ctx, t)
}

// forwardableInstead returns a forwardable ticket-granting ticket in place of one
// that is not, if the service has logged in for that without asking. All who have
// it at that moment get the same other one.
func (l *login) forwardableInstead(ctx context.Context, t *kdcclient.Ticket) (*kdcclient.Ticket, error) {
	if t.Flags&krbmsg.FlagForwardable != 0 || !l.logsIn || l.askedForwardable.Load() == t {
		return t, nil
	}
	l.forget(t)
	return l.tgt(ctx)
}

// explainSelf makes a *gss.Error of what went wrong with S4U2Self.
func (l *login) explainSelf(err error, user principal.Name) error {
	if _, ok := errors.AsType[*gss.Error](err); ok || isContextError(err) {
		return err
	}
	major, hint := gss.ErrFailure, ""
	switch {
	case errors.Is(err, errNoTrust):
		hint = "; check the realm of the user's name"
	case errors.Is(err, krbmsg.ErrCPrincipalUnknown):
		major, hint = gss.ErrInvalidName, "; check the user's name, and the realm's in capital letters"
	case errors.Is(err, krbmsg.ErrClientRevoked), errors.Is(err, krbmsg.ErrNameExp), errors.Is(err, krbmsg.ErrKeyExpired):
		major, hint = gss.ErrUnauthorized, "; the realm's administrator can unlock the user"
	case errors.Is(err, krbmsg.ErrSPrincipalUnknown):
		hint = "; the KDC knows no service of this name: in Active Directory, give the account an SPN (setspn -S)"
	case errors.Is(err, krbmsg.ErrBadOption), errors.Is(err, krbmsg.ErrPolicy), errors.Is(err, krbmsg.ErrPADataTypeNoSupp), errors.Is(err, kdcclient.ErrBadReply):
		hint = "; the KDC does not let this service do it, or does not know S4U2Self"
	}
	return failure(major, "impersonate", "%s gets no ticket to itself in the name of %s (S4U2Self): %w%s", l.client, user, err, hint)
}
