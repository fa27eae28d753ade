package spnego

import (
	"net/http"
	"sync"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/compat/internal/deprecated"
	"github.com/go-negotiate/negotiate/compat/internal/outcome"
)

// Transport is an http.Transport that authenticates with Negotiate, as the user
// who is logged in. The zero value is ready. It is safe for concurrent use; its
// fields, those of the embedded http.Transport too, must not change after the
// first request.
//
// It sends a token with each request, asked or not, to whatever server, except
// after a redirect to another one, where it waits until that one asks. A request
// that has an Authorization header goes out as it is.
//
// The embedded http.Transport makes the connections. Its methods other than
// RoundTrip and CloseIdleConnections do not concern authentication, and
// protocols that were registered with it for http or https are not used.
//
// Deprecated: use negotiate.Transport. The package's documentation tells how.
type Transport struct {
	http.Transport

	// NoCanonicalize takes the server's name from the URL. False asks the DNS for
	// the name of the server's address, so that whoever can forge its answers
	// chooses the server that the token is for.
	NoCanonicalize bool

	resolver  negotiate.Resolver // of tests; nil is the DNS
	notice    deprecated.Notice
	once      sync.Once
	transport *negotiate.Transport
}

// RoundTrip implements [http.RoundTripper]. Where there is no token because of
// this side, for want of a ticket for one, and the server insists on one, the
// error is an [*Error].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.notice.Log(req.Context(), nil, "gospnego.Transport", "negotiate.Transport, see the documentation of compat/gospnego")
	resp, err := t.inner().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := outcome.OwnFault(resp); err != nil {
		return nil, &Error{Err: err}
	}
	return resp, nil
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() {
	t.inner().CloseIdleConnections()
	t.Transport.CloseIdleConnections()
}

func (t *Transport) inner() *negotiate.Transport {
	t.once.Do(func() {
		t.transport = &negotiate.Transport{
			Base:          &t.Transport,
			Target:        target(!t.NoCanonicalize, t.resolver),
			Opportunistic: negotiate.OpportunisticAlways,
		}
	})
	return t.transport
}

func target(canonicalize bool, r negotiate.Resolver) negotiate.TargetFunc {
	if !canonicalize {
		return nil
	}
	return negotiate.CanonicalTarget(r)
}

// Error tells that there is no token, from other errors of a request.
//
// Deprecated: use negotiate.ExchangeFrom.
type Error struct {
	// Err is the cause.
	Err error
}

// Error is that of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
