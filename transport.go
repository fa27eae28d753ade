package negotiate

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/go-negotiate/negotiate/gss"
)

// DefaultMaxBodyBuffer is what a zero Transport.MaxBodyBuffer means: 1 MiB.
const DefaultMaxBodyBuffer = 1 << 20

// Transport is an http.RoundTripper that authenticates with Negotiate
// (RFC 4559) to the servers that ask for it. The zero value is ready. It is safe
// for concurrent use; its fields must not change, and it must not be copied,
// after the first request.
//
// A server that asks answers 401. The Transport then sends the request again
// with a token, as often as the mechanism needs, and returns the last response.
// Where authentication fails, that is the server's 401, without an error;
// [ExchangeFrom] tells why. RoundTrip returns an error for what ends a request
// without a response: the network, the context of the request, or a
// [MutualAuthenticationError].
//
// A request that has an Authorization header goes out with it and is never
// authenticated to the server. If the header's scheme is one that authenticates
// connections, Negotiate, NTLM, Kerberos or CredSSP, the connection is used for
// nothing else. Requests of other schemes than http and https go to Base.
//
// # Connections
//
// A server may take whoever has authenticated on a connection for the sender
// of all that follows on it. Therefore a connection that has carried a token
// carries requests of the same credential only, and legs of one unfinished
// context travel on one connection. If Base is an *http.Transport, its settings
// are used, but never its pool: the Transport keeps its connections to itself,
// and takes a copy of Base at its first request. Its limits of connections are
// those of Base: MaxIdleConnsPerHost bounds those of one identity, and
// MaxIdleConns all (100 where Base sets no limit). IdleConnTimeout bounds how long
// one may be idle (90 seconds, if it has carried a token and Base sets no limit);
// those of a default credential, or of another that follows a changing source, are
// closed when it is seen to stand for somebody else, and those of another one when
// that is closed, if it tells (gss.CloseNotifier). Base.DisableKeepAlives closes
// a connection after an exchange, not between its legs. Protocols that were
// registered with Base.RegisterProtocol for http or https are not used.
//
// A Base of any other type keeps its own connections. Requests with a token
// then have Request.Close set, so that an HTTP/1.1 connection dies with them,
// and an exchange that needs two legs on one connection fails. So do not wrap
// Base: put what observes, retries or caches around the Transport.
//
// # In a reverse proxy
//
// An httputil.ReverseProxy may have a Transport as its own. Its Rewrite should
// delete Authorization, which else goes out as the client has sent it, and its
// ModifyResponse WWW-Authenticate: the token there is for the Transport, and
// another client of a [Handler] in front may take it for its own.
type Transport struct {
	// Base makes the connections. Nil is http.DefaultTransport.
	Base http.RoundTripper
	// Provider is the implementation of the GSS-API. Nil is krb5, with what the
	// environment says (see krb5.Options), and on Windows sspi, with the login
	// session.
	Provider gss.Provider
	// Credential is the client's own. Nil asks the provider for the default at
	// each request, so that a new login is seen. It must be of Provider.
	// WithCredential overrides it for one request.
	Credential gss.Credential
	// Mechanism is the mechanism, handed to the provider untouched. Empty is
	// SPNEGO, which servers expect.
	Mechanism gss.OID
	// Target names the server. Nil is HTTP@ the URL's host: its A-labels, in
	// lower case, without port, and without asking DNS.
	Target TargetFunc
	// Mutual says whether the server has to prove its identity. The zero value
	// is MutualDisabled.
	Mutual Mutual
	// KeepUnverifiedErrors, with MutualRequired, returns responses of status 400
	// and above as they came though nothing proves who sent them. False returns
	// them with the status, Date and Server only, and sets Exchange.Sanitized; a
	// 401 is returned without its cookies.
	KeepUnverifiedErrors bool
	// Opportunistic says whether a token may go out before a server has asked.
	// The zero value is OpportunisticNever.
	Opportunistic Opportunism
	// Delegation says whether servers get the credential itself. The zero value
	// is DelegateNever.
	Delegation Delegation
	// AllowDelegation is asked once for each request that may be authenticated,
	// unless Delegation is DelegateNever, whether its server may get the
	// credential. Nil allows every server. What it allows may get it after a
	// redirect from another origin, too, but not after one from https to http.
	AllowDelegation func(*http.Request) bool
	// ChannelBindings ties tokens to the TLS channel. The zero value is BindNone.
	ChannelBindings ChannelBindings
	// ProxyNegotiate answers an HTTP proxy that asks with 407, for http and for
	// CONNECT, with a token for HTTP@ the proxy's host, also for requests that
	// are not authenticated to their server. Base.Proxy tells which proxy that
	// is; a proxy URL with a user name is left to Basic, SOCKS proxies are left
	// alone, and so is a Proxy-Authorization header of the caller. It needs an
	// *http.Transport as Base. If false, the 407 is returned, or is the error of
	// the connection.
	ProxyNegotiate bool
	// ProxyMutual says whether such a proxy has to prove its identity too, by a
	// token in the Proxy-Authenticate or Proxy-Authentication-Info header of its
	// answer. Few proxies can. The zero value is MutualDisabled. A proxy that
	// fails is the request's error, whatever the status.
	ProxyMutual Mutual
	// Allow is asked once for each request, before anything is sent, whether it
	// may be authenticated to its server; proxies are none of its business. Nil
	// allows any origin that asks. With Allow set, what it allows may also get
	// an unasked token or a delegated credential after a redirect from another
	// origin; without it, never. Nothing allows that after a redirect from https
	// to http. AllowHosts and AllowHTTPS make such functions.
	Allow func(*http.Request) bool
	// MaxBodyBuffer is how much of a body without Request.GetBody is kept, in
	// bytes, to send it again with a token. Zero is DefaultMaxBodyBuffer,
	// negative keeps nothing. A body that is longer, or whose length is not
	// known, is sent with "Expect: 100-continue", so that the server can ask for
	// authentication before it takes the body. One that fits is not: that would
	// cost a round trip, and with servers that do not know Expect the whole of
	// Base.ExpectContinueTimeout, which if zero is one second here. If that is
	// negative, Expect is not used.
	MaxBodyBuffer int64
	// Logger gets a record of each step, with the attribute logger=negotiate, and
	// logger=negotiate.gss for what the provider is asked and answers. krb5 as the
	// default provider tells of its tickets here too; one of the caller's has a
	// Logger of its own for them (krb5.Options.Logger). Nil logs nothing. No record
	// contains a token.
	Logger *slog.Logger

	own    ownProvider
	client atomic.Pointer[client] // made at the first use
	mu     sync.Mutex             // held to make it
}

// client is what a Transport keeps between requests.
type client struct {
	base    http.RoundTripper
	pool    *pool     // nil if base is no *http.Transport
	learned originSet // origins that have asked for Negotiate
	h1only  originSet // origins that want HTTP/1.1
	log     *slog.Logger
	gssLog  *slog.Logger
}

func (t *Transport) state() *client {
	if c := t.client.Load(); c != nil {
		return c
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.client.Load(); c != nil {
		return c
	}
	c := newClient(t.Base, t.Logger)
	t.client.Store(c)
	return c
}

func newClient(base http.RoundTripper, log *slog.Logger) *client {
	if base == nil {
		base = http.DefaultTransport
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &client{
		base:   base,
		log:    log.With("logger", "negotiate"),
		gssLog: log.With("logger", "negotiate.gss"),
	}
	if base, ok := base.(*http.Transport); ok {
		c.pool = newPool(base)
	}
	return c
}

func (t *Transport) gssProvider() (gss.Provider, error) {
	if t.Provider != nil {
		return t.Provider, nil
	}
	return t.own.get(t.Logger)
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.state()
	if err := checkRequest(req); err != nil {
		closeBody(req)
		return nil, err
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return c.base.RoundTrip(req)
	}
	if err := context.Cause(req.Context()); err != nil {
		closeBody(req)
		return nil, err
	}
	if resp, handled, err := t.protected(c, req); handled {
		return resp, err
	}
	n := newNegotiation(t, c, req)
	defer n.close()
	return n.run()
}

// checkRequest refuses what cannot be sent before a connection is made for it.
func checkRequest(req *http.Request) error {
	switch {
	case req.URL == nil:
		return errors.New("negotiate: the request has no URL")
	case req.Header == nil:
		return errors.New("negotiate: the request's Header is nil")
	case req.URL.Host == "" && (req.URL.Scheme == "http" || req.URL.Scheme == "https"):
		return errors.New("negotiate: the request's URL has no host")
	}
	return nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// CloseIdleConnections closes the connections that no request uses. Those of
// Base are left alone, if it is an *http.Transport, since none of them are used
// here.
func (t *Transport) CloseIdleConnections() {
	c := t.state()
	if c.pool != nil {
		c.pool.closeIdle()
		return
	}
	if b, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}
