package negotiate

import (
	"context"
	"reflect"

	"github.com/go-negotiate/negotiate/gss"
)

type credentialKey struct{}

// WithCredential returns a context whose requests are made with the credential
// c, instead of Transport.Credential. It must be of the very provider that the
// Transport has: two that krb5.New has made do not share credentials, nor do
// those that a Transport and a Handler make for themselves.
//
// Nil is as if it had not been called: the request is made with the Transport's
// credential or the default. A server that acts for its clients therefore refuses
// those whose Identity.Delegated is nil, or it would act as itself.
func WithCredential(ctx context.Context, c gss.Credential) context.Context {
	return context.WithValue(ctx, credentialKey{}, c)
}

// identity is what connections are kept apart by. Two requests are of one
// identity if theirs are equal. The zero value is "nobody", a request without a
// credential.
type identity struct {
	source any      // the caller's credential; nil for the provider's default
	name   gss.Name // whom it stands for now
	alone  *struct{ _ byte }
}

var nobody identity

// identityOf is the identity of the resolved credential c that comes from
// source. Where nothing tells whom it stands for, or whether the next one is the
// same, it equals no other.
func identityOf(source, c gss.Credential) identity {
	id := identity{name: c.Name()}
	switch {
	case source == nil && !id.name.IsZero():
	case source != nil && reflect.ValueOf(source).Comparable():
		id.source = source
	default:
		id.alone = new(struct{ _ byte })
	}
	return id
}

// initiator is as whom a request is made.
type initiator struct {
	provider gss.Provider
	cred     gss.Credential // resolved
	id       identity
	err      error // why there is no credential
	release  func()
}

// initiator finds the credential of a request. It asks nothing of a KDC.
func (t *Transport) initiator(ctx context.Context) initiator {
	p, err := t.gssProvider()
	if err != nil {
		return initiator{err: err}
	}
	source, ok := ctx.Value(credentialKey{}).(gss.Credential)
	if !ok || source == nil {
		source = t.Credential
	}
	who := initiator{provider: p, cred: source}
	if source == nil {
		acquired, err := p.Acquire(ctx, gss.CredentialOptions{})
		if err != nil {
			return initiator{err: err}
		}
		who.cred = acquired
		who.release = func() { acquired.Close() }
	}
	if r, ok := who.cred.(gss.Resolver); ok {
		resolved, err := r.Resolve(ctx)
		if err != nil {
			who.close()
			return initiator{err: err}
		}
		who.cred = resolved
	}
	who.id = identityOf(source, who.cred)
	return who
}

func (w *initiator) close() {
	if w.release != nil {
		w.release()
	}
}
