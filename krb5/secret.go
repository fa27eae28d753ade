package krb5

import (
	"context"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/profile"
)

// FromPassword returns a credential that logs in with a password when it is
// first used, and again whenever its ticket has expired. The principal is
// "alice@REALM", or "alice" in the default realm. Of the password a copy is kept
// until the KDC has accepted it, and wiped then: later logins use the key that was
// derived from it, which Close wipes. Where the KDC comes to ask for a key of
// another type or salt, as after a change of the password, the error says that a
// new credential is needed. Errors are *gss.Error, for a name that cannot be
// understood.
func (p *Provider) FromPassword(princ, password string) (gss.Credential, error) {
	return p.fromPassword(gss.User(princ), password)
}

func (p *Provider) fromPassword(name gss.Name, password string) (gss.Credential, error) {
	client, err := p.clientName(name)
	if err != nil {
		return nil, err
	}
	return p.fromSecret(client, newPasswordSecret(password, p.conf.DefaultTktEnctypes)), nil
}

// FromKeytab returns a credential that logs in with the key of a principal in a
// keytab when it is first used, and again whenever its ticket has expired. An
// empty principal takes the first of the keytab, an empty path the default
// client keytab (KRB5_CLIENT_KTNAME and so on). The keytab is read again for
// each login. Errors are *gss.Error: no keytab, or no such principal in it.
func (p *Provider) FromKeytab(princ, path string) (gss.Credential, error) {
	name := gss.Name{}
	if princ != "" {
		name = gss.User(princ)
	}
	return p.fromKeytab(name, path)
}

func (p *Provider) fromKeytab(name gss.Name, path string) (gss.Credential, error) {
	if path == "" {
		path = p.clientKeytabName()
	}
	file, err := keytab.ParseName(path)
	if err != nil {
		return nil, noCred("%w", err)
	}
	s := &keytabSecret{file: file, permitted: p.conf.DefaultTktEnctypes}
	kt, err := s.read()
	if err != nil {
		return nil, noCred("%w", err)
	}
	if s.client, err = p.keytabClient(kt, name, file); err != nil {
		return nil, err
	}
	return p.fromSecret(s.client, s), nil
}

// keytabClient picks the principal of a keytab that is to log in.
func (p *Provider) keytabClient(kt *keytab.Keytab, name gss.Name, file string) (principal.Name, error) {
	names := kt.Principals()
	if len(names) == 0 {
		return principal.Name{}, noCred("the keytab %s is empty: export a key to it (kadmin: ktadd -k %s PRINCIPAL)", file, file)
	}
	if name.IsZero() {
		return names[0], nil
	}
	want, err := p.clientName(name)
	if err != nil {
		return want, err
	}
	if !slices.ContainsFunc(names, want.Equal) {
		return want, noCred("the keytab %s has no key of %s (the first it has is of %s): export it, or name another principal", file, want, names[0])
	}
	return want, nil
}

// secret is what a client logs in with. One goroutine at a time uses it.
type secret interface {
	String() string
	// etypes are the permitted encryption types of which there is a key.
	etypes() ([]int32, error)
	// key is a kdcclient.KeyFunc.
	key(id etype.ID, salt string, params []byte) (*etype.Key, error)
	// hint is what to do when the KDC does not take the key.
	hint() string
	// accepted is called when the KDC has taken the key.
	accepted()
	// wipe forgets what is secret. There are no logins after it.
	wipe()
}

// fromSecret makes a credential that logs in when it is used.
func (p *Provider) fromSecret(client principal.Name, s secret) gss.Credential {
	return newOwnCredential(p.loginWithSecret(client, s))
}

// logIn gets a ticket-granting ticket with a secret, a forwardable one also where
// krb5.conf does not ask for that if need be.
func (l *login) logIn(ctx context.Context, s secret) (*kdcclient.Ticket, error) {
	ids, err := s.etypes()
	if err != nil {
		return nil, noCred("%w", err)
	}
	o := l.p.conf.TicketOptionsOf(l.client.Realm)
	forwardable := l.forwardable.Load()
	t, err := l.kdc().AS(ctx, kdcclient.ASRequest{
		Client:    l.client,
		Key:       s.key,
		ETypes:    ids,
		Options:   asOptions(o, forwardable),
		Lifetime:  o.TicketLifetime,
		RenewLife: o.RenewLifetime,
	})
	if err != nil {
		return nil, l.p.explainLogin(err, l.client, s)
	}
	s.accepted()
	return l.loggedIn(t, o.Forwardable || forwardable), nil
}

// loggedIn notes whether a ticket was asked for as a forwardable one.
func (l *login) loggedIn(t *kdcclient.Ticket, forwardable bool) *kdcclient.Ticket {
	if forwardable {
		l.askedForwardable.Store(t)
	}
	return t
}

func asOptions(o profile.TicketOptions, forwardable bool) uint32 {
	options := krbmsg.OptRenewableOK
	if o.Forwardable || forwardable {
		options |= krbmsg.OptForwardable
	}
	if o.Proxiable {
		options |= krbmsg.OptProxiable
	}
	if o.Canonicalize {
		options |= krbmsg.OptCanonicalize
	}
	return options
}
