package krb5

import (
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/keytab"
)

// inMemory is what messages call a cache or a keytab that is no file.
const inMemory = "given in memory"

// FromCCacheBytes returns a credential with the tickets of a credential cache
// that is no file, such as one that another program has sent. b is what the file
// would hold, and is not kept. The credential fetches service tickets if there
// is a ticket-granting ticket, and ends with it. Errors are *gss.Error.
func (p *Provider) FromCCacheBytes(b []byte) (gss.Credential, error) {
	cache, err := ccache.Parse(b)
	if err != nil {
		return nil, noCred("the credential cache %s: %w", inMemory, err)
	}
	l := newLogin(p, cache.Principal, "the cache "+inMemory)
	l.offset = p.offsetOf(cache)
	l.addAll(cache)
	return newOwnCredential(l), nil
}

// AcceptorFromKeytabBytes is AcceptorFromKeytab for a keytab that is no file,
// such as one out of a secret store. b is what the file would hold, and is not
// kept. A rekeyed service needs another credential. Errors are *gss.Error.
func (p *Provider) AcceptorFromKeytabBytes(b []byte) (gss.Credential, error) {
	kt, err := keytab.Parse(b)
	if err != nil {
		return nil, noCred("the keytab %s: %w", inMemory, err)
	}
	keys := &keytabFile{table: p.keyTable(kt), opened: newOpenedTickets()}
	if len(keys.table) == 0 {
		return nil, noCred("the keytab %s has no key of a permitted encryption type", inMemory)
	}
	return &acceptorCredential{p: p, path: inMemory, given: keys}, nil
}
