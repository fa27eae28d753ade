package spnego

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

var errClientOnly = errors.New("gokrb5's client initiates only")

// initiators is a provider whose credential is a client of gokrb5. Package krb5
// makes the tokens.
type initiators struct {
	tickets *tickets
	krb5    lazyProvider
}

func newInitiators(cl *client.Client) *initiators {
	return &initiators{tickets: newTickets(cl), krb5: lazyProvider{options: krb5.Options{ReplayCacheSize: 1}}}
}

// String names the two libraries.
func (p *initiators) String() string { return "krb5 with tickets of gokrb5" }

// Mechanisms are those of package krb5.
func (p *initiators) Mechanisms() []gss.OID { return []gss.OID{gss.MechSPNEGO, gss.MechKRB5} }

// Acquire returns the client as a credential. Nothing is fetched.
func (p *initiators) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	if o.Usage == gss.UsageAccept {
		return nil, &gss.Error{Major: gss.ErrUnavailable, Mech: gss.MechKRB5, Op: "acquire", Err: errClientOnly}
	}
	cl := p.tickets.cl
	if cl == nil || cl.Credentials == nil || cl.Credentials.UserName() == "" {
		return nil, &gss.Error{Major: gss.ErrNoCred, Mech: gss.MechKRB5, Op: "acquire", Err: errors.New("gokrb5's client is nil or was destroyed")}
	}
	return &owner{gss.User(clientName(cl).String())}, ctx.Err()
}

// owner is the credential of a client.
type owner struct{ name gss.Name }

func (o *owner) Name() gss.Name   { return o.name }
func (*owner) Usage() gss.Usage   { return gss.UsageInitiate }
func (*owner) Expires() time.Time { return time.Time{} }
func (*owner) Close() error       { return nil }
func (o *owner) String() string   { return "gokrb5's client of " + o.name.Value }

// Initiate gets a ticket for the target and begins a context with it.
func (p *initiators) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	if _, err := p.Acquire(ctx, gss.CredentialOptions{}); err != nil {
		return nil, err
	}
	got, err := p.ticket(ctx, o.Target)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &gss.Error{Major: gss.ErrNoCred, Mech: gss.MechKRB5, Op: "initiate", Err: err}
	}
	provider, err := p.krb5.get()
	if err != nil {
		return nil, err
	}
	if o.Credential, err = provider.FromCCacheBytes(got.cache); err != nil {
		return nil, err
	}
	o.Target = gss.Principal(got.server.String())
	sc, err := provider.Initiate(ctx, o)
	if err != nil {
		return nil, err
	}
	return endless{sc}, nil
}

func (p *initiators) ticket(ctx context.Context, target gss.Name) (*ticket, error) {
	if service, host, ok := target.Service(); ok && target.Type == gss.NameHostBased {
		return p.tickets.forHost(ctx, service, host)
	}
	return p.tickets.get(ctx, target.Value)
}

// token makes a token for the target, without mutual authentication.
func (p *initiators) token(ctx context.Context, target gss.Name) ([]byte, error) {
	sc, err := p.Initiate(ctx, gss.InitiateOptions{Target: target, Flags: gss.FlagIntegrity})
	if err != nil {
		return nil, err
	}
	defer sc.Close()
	token, _, err := sc.Step(ctx, nil)
	return token, err
}

// Accept is not available.
func (p *initiators) Accept(context.Context, gss.AcceptOptions) (gss.SecContext, error) {
	return nil, &gss.Error{Major: gss.ErrUnavailable, Mech: gss.MechKRB5, Op: "accept", Err: errClientOnly}
}

// endless is a context with a ticket whose end is not known.
type endless struct{ gss.SecContext }

// Info leaves Expires out.
func (c endless) Info() gss.ContextInfo {
	info := c.SecContext.Info()
	info.Expires = time.Time{}
	return info
}

// lazyProvider is made when it is first needed, since the functions of the
// original return no error. One that could not be made is tried again.
type lazyProvider struct {
	options krb5.Options

	mu   sync.Mutex
	made *krb5.Provider
}

func (l *lazyProvider) get() (*krb5.Provider, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		made, err := krb5.New(l.options)
		if err != nil {
			return nil, err
		}
		l.made = made
	}
	return l.made, nil
}
