package krb5

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/closing"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// proxy makes a login one of a user that a service goes on for: constrained
// delegation (S4U2Proxy, MS-SFU section 3.1.5.2). What such a login has in place
// of a ticket-granting ticket is evidence, the user's ticket to the service.
type proxy struct {
	service *login
	// transition says that the service got the evidence by itself, and that the
	// user did not bring it.
	transition bool
}

// proxyLogin makes the login of the client of evidence, a ticket to the service
// l. It ends with the evidence, unless relogin is set.
func (l *login) proxyLogin(evidence *kdcclient.Ticket, source string) *login {
	u := newLogin(l.p, evidence.Client, source)
	u.offset = l.ahead()
	u.proxy = &proxy{service: l}
	u.relogin = func(_ context.Context, last *kdcclient.Ticket) (*kdcclient.Ticket, error) {
		if u.validAt(last, u.now()) {
			return nil, errNoGain
		}
		return nil, failure(gss.ErrCredentialsExpired, "acquire", "the ticket with which %s came ended at %s: have the client authenticate again", u.client, evidence.EndTime)
	}
	u.add(tgtKey(u.client.Realm), evidence)
	return u
}

var errOtherRealm = errors.New("it is of another realm, and constrained delegation does not leave the service's realm here")

// proxied gets the ticket for a target in the user's name.
func (l *login) proxied(ctx context.Context, target principal.Name) (*kdcclient.Ticket, error) {
	evidence, err := l.tgt(ctx)
	if err != nil {
		return nil, err
	}
	s := l.proxy.service
	own, err := s.forwardableTGT(ctx)
	if err != nil {
		return nil, err
	}
	if target.Realm != "" && target.Realm != realmOf(own) {
		return nil, errOtherRealm
	}
	t, err := s.kdc().S4U2Proxy(ctx, kdcclient.TGSRequest{
		TGT:     own,
		Server:  target,
		ETypes:  l.p.conf.DefaultTGSEnctypes,
		Options: krbmsg.OptCanonicalize | own.Flags&krbmsg.OptForwardable,
	}, evidence)
	switch {
	case err == nil && t.Server.IsTGS():
		return nil, errOtherRealm
	case errors.Is(err, krbmsg.ErrBadOption), errors.Is(err, krbmsg.ErrPolicy):
		return nil, l.notAllowed(err, evidence, own, target)
	}
	return t, err
}

// notAllowed tells what an administrator can do about a KDC's refusal. The KDC
// does not say which of several reasons it has.
func (l *login) notAllowed(err error, evidence, own *kdcclient.Ticket, target principal.Name) error {
	s := l.proxy.service.client
	hint := fmt.Sprintf("allow %s to delegate to %s: in Active Directory msDS-AllowedToDelegateTo of its account, or PrincipalsAllowedToDelegateToAccount of the other's; in Heimdal kadmin modify --constrained-delegation; MIT's KDC needs a database that can tell, such as LDAP (krbAllowedToDelegateTo)", s, target)
	switch {
	case evidence.Flags&krbmsg.FlagForwardable != 0:
	case own.Flags&krbmsg.FlagForwardable == 0:
		hint = fmt.Sprintf("the ticket-granting ticket of %s in %s is not forwardable: run kinit -f", s, l.proxy.service.source)
	case l.proxy.transition:
		hint = fmt.Sprintf("the ticket of %s is not forwardable: the account is marked as sensitive (not to be delegated), or %s may not speak for users who have not authenticated to it (in Active Directory \"use any authentication protocol\", TrustedToAuthForDelegation; in MIT ok_to_auth_as_delegate; in Heimdal trusted-for-delegation); or else %s", l.client, s, hint)
	default:
		hint = fmt.Sprintf("the ticket with which %s came is not forwardable: the account is marked as sensitive (not to be delegated), or the client's login was not forwardable (kinit -f); or else %s", l.client, hint)
	}
	return failure(gss.ErrUnauthorized, "initiate", "%s may not go to %s in the name of %s (S4U2Proxy): %w; %s", s, target, l.client, err, hint)
}

// DelegatingAcceptor returns acceptor, the credential of an acceptor, with the
// power to go on in its clients' names: constrained delegation, for which a
// client need not delegate anything. service is the same service's credential
// for initiating, as of FromKeytab; in Active Directory a service logs in by its
// account's name. Contexts that are accepted with the result have a credential
// in ContextInfo.Delegated: what the client has delegated, or else one that asks
// the KDC, with the client's ticket as evidence (S4U2Proxy, MS-SFU). The KDC
// decides, when that is used, whether the service may go to another; a service
// that it may not go to is an error of Initiate's Step that says what to change.
// Flags has FlagDelegate only if the client has delegated.
//
// The result's Usage is gss.UsageBoth: it initiates as the service. Errors are
// *gss.Error, for a credential of another kind.
func (p *Provider) DelegatingAcceptor(acceptor, service gss.Credential) (gss.Credential, error) {
	a, err := p.acceptorOf(acceptor)
	if err != nil {
		return nil, err
	}
	switch service.(type) {
	case *cacheCredential, loginCredential, *ownCredential:
	default:
		return nil, failure(gss.ErrDefectiveCredential, "acquire", "the service's credential (%T) is not one for initiating: use FromKeytab", service)
	}
	c := *a
	c.service, c.notice = service, new(closing.Notice)
	return &c, nil
}

// goOn makes the credential by which the acceptor goes on in the client's name.
// One ticket of a client has one, so that what it fetches is kept.
func (c *acceptor) goOn(ctx context.Context) {
	if c.cred.service == nil || c.delegated != nil || c.ticket.anonymous() {
		return
	}
	s, err := c.p.loginOf(ctx, c.cred.service)
	if err != nil {
		c.p.log.Warn("no credential for constrained delegation", "client", c.ticket.client.String(), "error", err)
		return
	}
	if l := c.ticket.proxy.Load(); l != nil && l.proxy.service == s {
		c.delegated = loginCredential{l}
		return
	}
	l := s.proxyLogin(c.ticket.evidence(), "the ticket with which "+c.ticket.client.String()+" came")
	c.delegated = loginCredential{l}
	c.ticket.proxy.Store(l)
}

// evidence is the opened ticket as its holder has it.
func (t *openedTicket) evidence() *kdcclient.Ticket {
	return &kdcclient.Ticket{
		Client: t.client, Server: t.server, Raw: []byte(t.raw), Key: t.session, Flags: t.flags, StartTime: t.start, EndTime: t.end,
	}
}
