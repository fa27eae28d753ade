package gss

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Provider is an implementation of the GSS-API. It is safe for concurrent use.
type Provider interface {
	// String names the implementation for people: "krb5",
	// "libgssapi (MIT 1.20.1)", "sspi".
	String() string
	// Mechanisms lists what Initiate accepts as Mechanism, preferred first.
	Mechanisms() []OID
	// Acquire returns a credential. Whoever acquires closes it.
	Acquire(ctx context.Context, o CredentialOptions) (Credential, error)
	// Initiate begins a context towards o.Target. It may wait for the network
	// already, or leave that to the first Step.
	Initiate(ctx context.Context, o InitiateOptions) (SecContext, error)
	// Accept begins a context on the acceptor's side.
	Accept(ctx context.Context, o AcceptOptions) (SecContext, error)
}

// Usage says what a credential is for.
type Usage uint8

const (
	// UsageInitiate, the zero value, is the client's side.
	UsageInitiate Usage = iota
	// UsageAccept is the server's side.
	UsageAccept
	// UsageBoth is either.
	UsageBoth
)

// String returns "initiate", "accept" or "both".
func (u Usage) String() string {
	switch u {
	case UsageInitiate:
		return "initiate"
	case UsageAccept:
		return "accept"
	case UsageBoth:
		return "both"
	}
	return fmt.Sprintf("Usage(%d)", uint8(u))
}

// CredentialOptions select a credential. The zero value is the default
// credential of the process for initiating.
type CredentialOptions struct {
	// Name is whose credential is wanted; zero takes the default.
	Name Name
	// Usage is what it is for; zero is UsageInitiate.
	Usage Usage
	// Mechanism restricts it to one mechanism; empty allows all of the provider.
	Mechanism OID
	// CCache names a credential cache, such as "FILE:/tmp/krb5cc_1000"; empty
	// takes the default. Providers without credential caches refuse it.
	CCache string
	// Keytab names a file of long-term keys: for UsageInitiate the client
	// keytab to log in with, for UsageAccept the service's. Empty takes the
	// default.
	Keytab string
	// Password logs in as Name with a password; empty does not.
	Password string `json:"-"` // a handler of slog writes structs as JSON
}

// String leaves out the password.
func (o CredentialOptions) String() string {
	s := fmt.Sprintf("{Name:%s Usage:%s Mechanism:%s CCache:%s Keytab:%s", o.Name, o.Usage, o.Mechanism, o.CCache, o.Keytab)
	if o.Password != "" {
		s += " Password:(set)"
	}
	return s + "}"
}

// GoString is String, so that %#v shows no password either.
func (o CredentialOptions) GoString() string { return "gss.CredentialOptions" + o.String() }

// Format is String or GoString, so that no other verb shows the password.
func (o CredentialOptions) Format(s fmt.State, verb rune) {
	if verb == 'v' && s.Flag('#') {
		io.WriteString(s, o.GoString())
		return
	}
	io.WriteString(s, o.String())
}

// Credential is what a context is established with. It is safe for concurrent
// use and is bound to the provider that made it.
type Credential interface {
	// Name is the principal that the credential stands for; zero when the
	// credential can stand for several or its source cannot be read now.
	Name() Name
	// Usage is what the credential may be used for.
	Usage() Usage
	// Expires is when it ends; the zero time for "never" or "not known".
	Expires() time.Time
	// Close releases it. Contexts made from it stay valid. Calling it twice
	// is harmless.
	Close() error
}

// Resolver is a capability of credentials that follow a changing source, such
// as a credential cache file that kinit rewrites. Resolve returns a credential
// that stands for one principal for good: the one the source holds now. A
// caller that has to know as whom it will authenticate before it does so, since
// it keeps connections apart by identity, resolves once and uses the result for
// the whole exchange. The result need not be closed.
type Resolver interface {
	Resolve(ctx context.Context) (Credential, error)
}

// CloseNotifier is a capability of credentials that tell when they are closed, so
// that what is kept on their account goes with them: connections, for one, that a
// server takes for theirs.
type CloseNotifier interface {
	// OnClose has Close call f once, before it returns. stop calls that off; it
	// does not wait for an f that is under way. If the credential is closed
	// already, f is not called, and open is false. Neither OnClose nor stop calls
	// any f, nor waits for what Close holds while it does: they may be called with
	// a lock that f takes. They may be called concurrently, also by f, and stop
	// more than once.
	OnClose(f func()) (stop func(), open bool)
}

// Impersonator is a capability of providers by which a service acts in the name
// of users who have given it nothing, as far as the mechanism's authority allows:
// in Kerberos S4U2Self and S4U2Proxy, "constrained delegation". service is the
// service's own credential for initiating; nil is the provider's default. The
// result stands for user, initiates, and is closed by whoever asks for it.
//
// Whoever may call it decides whom the service acts for: user must come from an
// authentication that the caller trusts.
type Impersonator interface {
	Impersonate(ctx context.Context, service Credential, user Name) (Credential, error)
}

// InitiateOptions describe the context that an initiator wants.
type InitiateOptions struct {
	// Credential is the initiator's own; nil takes the provider's default.
	Credential Credential
	// Target is the acceptor; it must not be zero.
	Target Name
	// Mechanism is the mechanism; empty takes SPNEGO. It is not interpreted
	// before the provider sees it.
	Mechanism OID
	// Flags are the wanted properties.
	Flags Flags
	// ChannelBindings tie the context to a channel; nil for none.
	ChannelBindings *ChannelBindings
	// Lifetime is the wanted lifetime; zero takes the mechanism's default.
	Lifetime time.Duration
}

// AcceptOptions describe the context that an acceptor allows.
type AcceptOptions struct {
	// Credential is the acceptor's own; nil takes the provider's default.
	Credential Credential
	// ChannelBindings are those of the acceptor's end. Nil ignores what the
	// initiator presents. If set, an initiator that presents bindings must
	// present these, else the context fails with ErrBadBindings; one that
	// presents none is accepted without FlagChannelBound.
	ChannelBindings *ChannelBindings
}

// SecContext is a security context, established or on its way. It belongs to
// one exchange: it is not safe for concurrent use and cannot be reused.
type SecContext interface {
	// Step takes the peer's token and returns the one to send, if any. The
	// initiator begins with in == nil. done tells that the context is
	// established on this side; out may still have to be sent. After an error
	// the context is dead; out may then hold an error token for the peer.
	Step(ctx context.Context, in []byte) (out []byte, done bool, err error)
	// Info describes the context. Until it is done, both names are zero and
	// Flags tells nothing that may be relied upon.
	Info() ContextInfo
	// Close wipes keys and releases the context. Calling it twice is harmless.
	Close() error
}

// ContextInfo describes a context.
type ContextInfo struct {
	// Mechanism is the mechanism in effect: below SPNEGO the one negotiated.
	// Empty while unknown.
	Mechanism OID
	// Initiator and Acceptor are the authenticated names; zero until done.
	Initiator, Acceptor Name
	// Flags are the properties of the context. FlagMutual is set only after
	// the acceptor's proof was verified, on the initiator's side.
	Flags Flags
	// Expires is when the context ends; the zero time for never or unknown.
	Expires time.Time
	// Delegated is a credential of the initiator, on the acceptor's side: what it
	// handed over, which FlagDelegate tells, or one by which the acceptor may go on
	// in its name, if the acceptor's credential provides for that. Nil for none.
	// Whoever reads it closes it.
	Delegated Credential
}

// Authorization is what an authority says of an initiator beyond its name, as
// the acceptor has received it: in Kerberos the authorization data of the ticket,
// groups for example. It is opaque here. The provider's package reads it, when
// and if a program asks: krb5.PACFrom. It stays valid when the context is closed.
// It may refer to keys, so that it is not kept for longer than needed.
type Authorization interface {
	// Mechanism is the mechanism in effect.
	Mechanism() OID
}

// Authorizer is a capability of contexts on the acceptor's side. Authorization
// returns nil before the context is done, and where the mechanism knows of none.
type Authorizer interface {
	Authorization() Authorization
}

// Forgetter is a capability of contexts whose token was made from something
// cached, such as a service ticket. Forget drops that, so that the next context
// for the same target starts afresh: the caller's answer to a peer that has
// refused the token, since the service may have been rekeyed.
type Forgetter interface {
	Forget()
}

// MessageProtector is a capability of contexts that protect messages
// (RFC 2743, section 2.3). It fails with ErrNoContext before the context is
// done, unless the mechanism is ready earlier.
type MessageProtector interface {
	// Wrap protects msg, encrypting it if conf is set.
	Wrap(conf bool, msg []byte) ([]byte, error)
	// Unwrap reverses Wrap and tells whether the message was encrypted.
	Unwrap(token []byte) (msg []byte, conf bool, err error)
	// GetMIC returns a signature of msg.
	GetMIC(msg []byte) ([]byte, error)
	// VerifyMIC checks a signature of the peer over msg.
	VerifyMIC(msg, mic []byte) error
}
