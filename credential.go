package negotiate

import (
	"context"
	"reflect"

	"github.com/go-negotiate/negotiate/gss"
)

type credentialKey struct{}

// credentialValue keeps a nil apart from none.
type credentialValue struct{ gss.Credential }

// WithCredential returns a context whose requests are made with the credential
// c, instead of Transport.Credential. It must be of the Transport's provider, or
// of another of the same kind where the provider takes that, as krb5 does.
//
// With nil the requests are not authenticated at all, and Exchange.Err is
// [ErrNilCredential]: a front end whose client has delegated nothing must not
// act as itself in the client's name.
func WithCredential(ctx context.Context, c gss.Credential) context.Context {
	return context.WithValue(ctx, credentialKey{}, credentialValue{c})
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

// standing is whom a source of credentials stands for now.
type standing struct {
	source any      // as in identity
	name   gss.Name // zero: for nobody
}

// outdated reports whether s has replaced the identity.
func (id identity) outdated(s standing) bool {
	return id != nobody && id.alone == nil && id.source == s.source && id.name != s.name
}

// identity is that of the resolved credential, which comes from source. Where
// nothing tells whom it stands for, or whether the next one is the same, it equals
// no other.
func (w *initiator) identity(source gss.Credential) identity {
	id := identity{source: w.source, name: w.cred.Name()}
	if source == nil && id.name.IsZero() || source != nil && w.source == nil {
		return loneIdentity()
	}
	return id
}

// loneIdentity equals no other.
func loneIdentity() identity { return identity{alone: new(struct{ _ byte })} }

// initiator is as whom a request is made.
type initiator struct {
	provider gss.Provider
	cred     gss.Credential // resolved
	id       identity
	source   any   // as in identity, but also if there is no credential
	follows  bool  // the source may come to stand for somebody else
	err      error // why there is no credential
	release  func()
}

// credential is what the caller wants the request made with; nil for the
// provider's default.
func (t *Transport) credential(ctx context.Context) (gss.Credential, error) {
	v := ctx.Value(credentialKey{})
	if v == nil {
		return t.Credential, nil
	}
	if c := v.(credentialValue).Credential; c != nil {
		return c, nil
	}
	return nil, ErrNilCredential
}

// initiator finds the credential of a request. It asks nothing of a KDC.
func (t *Transport) initiator(ctx context.Context) initiator {
	p, err := t.gssProvider()
	if err != nil {
		return initiator{err: err}
	}
	source, err := t.credential(ctx)
	if err != nil {
		return initiator{err: err}
	}
	who := initiator{provider: p, cred: source}
	if source != nil && reflect.ValueOf(source).Comparable() {
		who.source = source
	}
	if source == nil {
		who.follows = true
		acquired, err := p.Acquire(ctx, gss.CredentialOptions{})
		if err != nil {
			return who.failed(err)
		}
		who.cred = acquired
		who.release = func() { acquired.Close() }
	}
	if r, ok := who.cred.(gss.Resolver); ok {
		who.follows = true
		resolved, err := r.Resolve(ctx)
		if err != nil {
			return who.failed(err)
		}
		who.cred = resolved
	}
	who.id = who.identity(source)
	return who
}

// failed is an initiator without a credential.
func (w initiator) failed(err error) initiator {
	w.close()
	return initiator{source: w.source, follows: w.follows, err: err}
}

func (w *initiator) close() {
	if w.release != nil {
		w.release()
	}
}
