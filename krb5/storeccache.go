package krb5

import (
	"context"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
)

// StoreCCache puts the tickets of a credential for initiating into the named
// credential cache, in place of what is there, as kinit does: for other programs,
// such as those that are to act with a delegated credential, or with MEMORY:name
// for other parts of the same program. An empty name is the default cache. In a
// collection it is the cache of the same principal, or a new one. The cache is of
// the principal as the KDC calls it, which for an alias is another name. A credential
// that has not logged in does so. The error is a *gss.Error or the context's.
func (p *Provider) StoreCCache(ctx context.Context, c gss.Credential, name string) error {
	l, err := p.loginOf(ctx, c)
	if err != nil {
		return err
	}
	if l.proxy != nil {
		return failure(gss.ErrUnavailable, "store", "the credential of %s is one of constrained delegation, which only this process can use: a credential cache cannot hold it", l.client)
	}
	tgt, err := l.tgt(ctx)
	if err != nil {
		return err
	}
	if name == "" {
		name = p.defaultCCache()
	}
	store, err := p.storeFor(ctx, name, tgt.Client)
	if err == nil {
		err = store.Replace(ctx, l.asCache(tgt))
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return failure(gss.ErrFailure, "store", "the credential of %s cannot be put into the cache %s: %w", l.client, name, err)
	}
	return nil
}

// asCache is a cache with the ticket-granting ticket of the login and the others
// that it has. The cache is of whom they name: the KDC may have given the client
// another name than the one that it logged in by.
func (l *login) asCache(tgt *kdcclient.Ticket) *ccache.Cache {
	own := tgtKey(l.client.Realm)
	cache := &ccache.Cache{Principal: tgt.Client, KDCOffset: l.ahead(), Creds: []ccache.Credential{credentialOf(tgt)}}
	seen := make(map[*kdcclient.Ticket]bool)
	for key, c := range l.tickets.All() {
		if key == own || key.use == useForwarded || key.use == useEvidence || key.use == useEnterpriseEvidence || !c.isDone() || !l.validAt(c.ticket, l.now()) || seen[c.ticket] || !c.ticket.Client.Equal(tgt.Client) {
			continue
		}
		seen[c.ticket] = true
		cache.Creds = append(cache.Creds, credentialOf(c.ticket))
	}
	return cache
}
