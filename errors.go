package negotiate

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// The stages of an exchange, as [ExchangeError] names them.
const (
	StageCredential = "credential" // the client has no usable credential
	StageTarget     = "target"     // the server's name could not be told
	StageAllow      = "allow"      // Transport.Allow said no
	StageBinding    = "binding"    // there is no channel binding where one is wanted
	StageInitiate   = "initiate"   // the first token could not be made
	StageStep       = "step"       // a token of the server was not accepted
	StageBody       = "body"       // the request's body cannot be sent again
	StageConnection = "connection" // the connection that holds the context is gone
	StageRejected   = "rejected"   // the server refused the token
	StageProxy      = "proxy"      // a proxy let nothing pass
)

// ExchangeError tells why an authentication came to nothing. It never holds a
// token, a key or a password.
type ExchangeError struct {
	// Stage is where it ended, one of the Stage constants.
	Stage string
	// Err is the cause; not nil.
	Err error
}

// Error reads "negotiate: STAGE: CAUSE", without the stage where the cause
// begins with it.
func (e *ExchangeError) Error() string {
	cause := e.Err.Error()
	if strings.HasPrefix(cause, e.Stage) {
		return "negotiate: " + cause
	}
	return "negotiate: " + e.Stage + ": " + cause
}

// Unwrap returns the cause.
func (e *ExchangeError) Unwrap() error { return e.Err }

// MutualAuthenticationError is what RoundTrip returns instead of a response
// whose sender has not proved to be the server, where [Transport.Mutual] wants
// that. It never holds a token.
type MutualAuthenticationError struct {
	// Status is that of the response that was withheld.
	Status int
	// URL is the request's, without a password.
	URL string
	// Reason says in words what was missing.
	Reason string
	// Err is the provider's error; nil if no token was there to verify.
	Err error
}

// Error reads "negotiate: mutual authentication failed: URL answered STATUS: REASON: CAUSE".
func (e *MutualAuthenticationError) Error() string {
	s := "negotiate: mutual authentication failed: " + e.URL + " answered " + strconv.Itoa(e.Status) + ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the provider's error.
func (e *MutualAuthenticationError) Unwrap() error { return e.Err }

var (
	// ErrNilCredential is returned, within an [ExchangeError] of stage
	// "credential", for a request whose context has [WithCredential] of nil.
	ErrNilCredential = errors.New("WithCredential was given nil: the client has delegated no credential, perhaps; " +
		"for the credential of the Transport leave WithCredential out")
	// ErrBodyNotReplayable is returned, within an [ExchangeError] of stage
	// "body", where the server has taken a request's body before it asked for
	// authentication, and the body cannot be had again.
	ErrBodyNotReplayable = errors.New("the body was sent and cannot be had again; set Request.GetBody, " +
		"raise Transport.MaxBodyBuffer, or use OpportunisticAlways")
	// ErrNoBindingHash is returned by [TLSServerEndPoint] for a certificate
	// whose signature algorithm has no hash function of its own.
	ErrNoBindingHash = errors.New("RFC 5929 defines no hash for the certificate's signature algorithm")
)

var (
	errRefused    = errors.New("the server refused the token; its clock, its keytab, the target name and, over TLS, missing channel bindings are the usual causes")
	errWithdrawn  = errors.New("the server refused the token and no longer offers Negotiate")
	errStillAsks  = errors.New("the context is complete and the server answers 401 all the same; the identity may lack a permission")
	errTooLong    = fmt.Errorf("the context is not complete after %d legs", maxLegs)
	errNoToken    = errors.New("the provider made no token where one is due")
	errNotAllowed = errors.New("Transport.Allow refused this request")
	errUnpinned   = errors.New("the server wants a further leg on the same connection, and Transport.Base is no *http.Transport, " +
		"so it cannot be told to use that connection; use one as Base, and put wrappers around Transport instead")
	errConnClosed = errors.New("the server closed the connection before the context was complete; its legs must travel on one connection")
)

// timeoutError is a net.Error of ours.
type timeoutError string

func (e timeoutError) Error() string { return "negotiate: " + string(e) }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// redacted is the URL without its password, query and fragment: a query may
// hold secrets of another kind.
func redacted(u *url.URL) string {
	c := *u
	c.RawQuery, c.ForceQuery = "", false
	c.Fragment, c.RawFragment = "", ""
	return c.Redacted()
}
