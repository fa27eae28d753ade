package sspi

// secur32 is what the package uses of Windows' secur32.dll. It is an interface,
// so that everything above it is tested on every system. Its methods may be
// called by several goroutines, those with one context by one at a time.
type secur32 interface {
	// packages are the installed security packages, by name, with the size of
	// their largest token.
	packages() (map[string]uint32, status)
	// acquire is AcquireCredentialsHandle. id is nil for the caller's session.
	acquire(pkg string, use uint32, id *authIdentity) (h handle, expires int64, s status)
	// delegated acquires the credential that a finished context was delegated.
	delegated(ctx handle, pkg string) (h handle, expires int64, s status)
	freeCredential(h handle)
	// credentialName is whom a credential stands for.
	credentialName(h handle) (string, status)

	initialize(c contextCall) contextResult
	accept(c contextCall) contextResult
	deleteContext(h handle)
	// names are the client's and the server's; the latter may be empty.
	names(ctx handle) (client, server string, s status)
	// negotiated is the package that a finished context uses.
	negotiated(ctx handle) (pkg string, s status)
	sizes(ctx handle) (contextSizes, status)

	// The four of messages work on the buffers in place.
	encrypt(ctx handle, qop uint32, buffers []buffer) status
	decrypt(ctx handle, buffers []buffer) (qop uint32, s status)
	sign(ctx handle, buffers []buffer) status
	verify(ctx handle, buffers []buffer) status

	// isWine tells that this is Wine, where channel bindings have no effect and
	// wrapped messages are laid out otherwise.
	isWine() bool
}

// handle is a CredHandle or a CtxtHandle. The zero handle is none: Windows has
// no use for one of its own that is zero.
type handle struct{ lower, upper uintptr }

// Uses of a credential.
const (
	useInbound  = 1
	useOutbound = 2
)

// authIdentity is a user to log on. The package wipes password.
type authIdentity struct {
	user, domain string
	password     []uint16
	// set tells that there is a user; else only packageList counts.
	set bool
	// packageList restricts Negotiate, as "!ntlm" does.
	packageList string
}

// contextCall are the arguments for one leg of a context.
type contextCall struct {
	cred, ctx handle // ctx is zero for the first leg
	target    string // the initiator's
	request   uint32
	token     []byte
	bindings  []byte // SEC_CHANNEL_BINDINGS; nil for none
	maxToken  uint32 // the size of the largest token that may come out
}

// contextResult is what one leg came to. ctx may be set with a failure, and is
// to be deleted then as well.
type contextResult struct {
	ctx     handle
	out     []byte
	attrs   uint32
	expires int64
	status  status
	unbound bool // of an acceptor that was given bindings: there were none to compare
}

// contextSizes is SecPkgContext_Sizes.
type contextSizes struct{ maxToken, maxSignature, blockSize, securityTrailer uint32 }

// Kinds of buffers.
const (
	bufferData            = 1
	bufferToken           = 2
	bufferPadding         = 9
	bufferStream          = 10
	bufferChannelBindings = 14
)

// buffer is a SecBuffer. A function may shorten data or make it a part of
// another buffer's.
type buffer struct {
	kind uint32
	data []byte
}

// noEncrypt is the quality of protection of a message that is only signed.
const noEncrypt = 0x80000001
