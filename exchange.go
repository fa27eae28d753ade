package negotiate

import (
	"context"
	"net/http"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// Exchange tells how a response came about. It is complete, and must not be
// changed, when RoundTrip returns.
type Exchange struct {
	// Target is the server's name that the token was made for; zero if none
	// was made.
	Target gss.Name
	// Initiator is the client's authenticated name; zero until the context is
	// complete on the client's side, which without mutual authentication may
	// not happen.
	Initiator gss.Name
	// Mechanism is the mechanism in effect, below SPNEGO the negotiated one;
	// empty while unknown.
	Mechanism gss.OID
	// Flags are the context's properties, once it is complete.
	Flags gss.Flags
	// Expires is when the context ends; the zero time for never or unknown.
	Expires time.Time
	// MutualVerified tells that the server has proved to be Target.
	MutualVerified bool
	// ChannelBound tells that the token was tied to the TLS channel. Whether
	// the server has looked at that, only the server knows.
	ChannelBound bool
	// Delegated tells that the server was given the credential.
	Delegated bool
	// Legs is how many requests were sent, at least 1.
	Legs int
	// Opportunistic tells that the first of them had a token already.
	Opportunistic bool
	// Sanitized tells that the response was stripped since nothing proves who
	// sent it.
	Sanitized bool
	// Err is why a server that asked for authentication did not get it, an
	// *ExchangeError; nil if it did, or did not ask. With OpportunisticAlways it
	// is also why a 401 that does not ask for Negotiate was sent no token.
	Err error
	// History are the responses before this one, oldest first, without their
	// bodies.
	History []*http.Response

	protection *Protection
}

type exchangeKey struct{}

// ExchangeFrom returns how the response came about. ok is false for a response
// that did not come through a [Transport].
func ExchangeFrom(resp *http.Response) (e *Exchange, ok bool) {
	if resp == nil || resp.Request == nil {
		return nil, false
	}
	e, ok = resp.Request.Context().Value(exchangeKey{}).(*Exchange)
	return e, ok
}

// withExchange returns what a response shows as its request: the caller's own,
// without Authorization, carrying e.
func withExchange(req *http.Request, e *Exchange) *http.Request {
	return req.WithContext(context.WithValue(req.Context(), exchangeKey{}, e))
}
