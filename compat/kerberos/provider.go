package kerberos

import (
	"context"
	"log/slog"
	"sync"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

// namedProvider is a provider whose default credential is that of a principal.
// So the Transport looks for it at each request, as it does for the default one:
// a login after the program's start is found, and its connections are kept
// apart from those of others.
type namedProvider struct {
	name  gss.Name
	given gss.Provider // nil: krb5
	log   *slog.Logger

	mu   sync.Mutex
	made gss.Provider
}

// provider returns the one behind. One that could not be made is tried again.
func (p *namedProvider) provider() (gss.Provider, error) {
	if p.given != nil {
		return p.given, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		made, err := krb5.New(krb5.Options{Logger: p.log})
		if err != nil {
			return nil, err
		}
		p.made = made
	}
	return p.made, nil
}

// String names the provider behind.
func (p *namedProvider) String() string {
	if p.given != nil {
		return p.given.String()
	}
	return "krb5"
}

// Mechanisms are those of the provider behind; none if it cannot be made.
func (p *namedProvider) Mechanisms() []gss.OID {
	inner, err := p.provider()
	if err != nil {
		return nil
	}
	return inner.Mechanisms()
}

// Acquire returns the credential of the principal where no name is asked for.
func (p *namedProvider) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	inner, err := p.provider()
	if err != nil {
		return nil, err
	}
	if o.Name.IsZero() {
		o.Name = p.name
	}
	return inner.Acquire(ctx, o)
}

// Initiate begins a context.
func (p *namedProvider) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	inner, err := p.provider()
	if err != nil {
		return nil, err
	}
	return inner.Initiate(ctx, o)
}

// Accept begins a context.
func (p *namedProvider) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	inner, err := p.provider()
	if err != nil {
		return nil, err
	}
	return inner.Accept(ctx, o)
}
