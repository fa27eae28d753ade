package negotiate

import (
	"context"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// Identity is who made a request, as proved by a finished security context.
type Identity struct {
	// Principal is the client's name, such as "alice@EXAMPLE.COM". It is never
	// empty. The part after the @ is the realm: where realms trust each other,
	// names that differ in it only are different people.
	Principal string
	// Mechanism is the mechanism that proved it, below SPNEGO.
	Mechanism gss.OID
	// Flags are the properties of the context.
	Flags gss.Flags
	// ChannelBound tells that the client proved to be at the other end of this
	// very TLS connection. It is true only where Handler.ChannelBindings asks.
	ChannelBound bool
	// Expires is when the proof ends, for a program that makes a session of it;
	// zero for never or unknown.
	Expires time.Time
	// Delegated is the credential that the client handed over, or one by which the
	// server may go on in the client's name where Handler.Credential provides for
	// that, as of krb5's DelegatingAcceptor; nil for none. Give it to a Transport
	// with WithCredential, to act as the client. It is closed when Handler.Next
	// returns.
	Delegated gss.Credential
	// Authorization is what the mechanism says of the client beyond its name, not
	// looked at so far; nil for nothing. For Kerberos, krb5.PACFrom reads the
	// groups that Active Directory puts into tickets. Keep what that returns, and
	// not this: it refers to keys.
	Authorization gss.Authorization

	sc gss.SecContext // closed when Handler.Next returns
}

// Protector returns what protects messages with the security context of the
// request: it unwraps what the client has wrapped, and wraps for the client,
// which reads it by [WithProtection]. It may be used until Handler.Next returns,
// by one goroutine at a time; afterwards its methods fail with ErrNoContext. ok is
// false if the mechanism protects no messages.
func (id *Identity) Protector() (m gss.MessageProtector, ok bool) {
	m, ok = id.sc.(gss.MessageProtector)
	return m, ok
}

type identityKey struct{}

// IdentityFrom returns the identity of the client, for the context of a request
// that a [Handler] has passed on. Without one, ok is false. The Identity belongs
// to that one request.
func IdentityFrom(ctx context.Context) (id *Identity, ok bool) {
	id, ok = ctx.Value(identityKey{}).(*Identity)
	return id, ok
}
