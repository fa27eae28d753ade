package negotiate

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"sync"

	"github.com/go-negotiate/negotiate/gss"
)

// Protection protects messages with the security context of an exchange, for
// protocols that do so after authentication, as WinRM does over http. The zero
// value waits for an exchange:
//
//	var p negotiate.Protection
//	defer p.Close()
//	ctx = negotiate.WithProtection(ctx, &p)
//
// The first request with ctx that authenticates leaves its security context and
// its connection to p. From then on p protects messages, and each further request
// with ctx travels on that connection, without a token: the server knows the
// context by the connection. No other request uses it.
//
// A request that cannot go there fails with an [ExchangeError] of stage
// "connection": the connection has ended, the body of the response before is not
// read to its end and closed, or the URL is of another origin. It is never sent
// elsewhere, since no other server state fits to what p has protected. It fails as
// well if the Transport would not make it as the first was made: with another
// credential by [WithCredential], with an Authorization of its own, or where
// Transport.Allow refuses. That a default credential has come to be somebody else's
// changes nothing: p stays that of the first request. A 401 is
// returned, and Exchange.Err says that the server has lost the context. Begin
// again with a new Protection.
//
// It asks for confidentiality, replay detection and sequencing beside what the
// Transport asks for. It needs HTTP/1.1 and a Base that is an *http.Transport or
// nil, and no proxy for http.
//
// It holds keys and a connection, which counts for Base's MaxConnsPerHost, until
// Close. It is safe for concurrent use and must not be copied; what it wraps has
// to reach the server in that order.
type Protection struct {
	mu     sync.Mutex
	kept   *keptContext // nil until an exchange leaves it one
	closed bool
	forgo  runtime.Cleanup
}

// keptContext is a security context with the connection on which it was made.
type keptContext struct {
	sc    gss.SecContext
	conn  *conn
	party party
	c     *client
	to    string         // the origin
	cred  gss.Credential // the caller's; nil for the provider's default
	ex    Exchange
	once  sync.Once
}

func (k *keptContext) close() {
	k.once.Do(func() {
		k.sc.Close()
		k.c.pool.discard(k.conn, k.party)
	})
}

type protectionKey struct{}

// WithProtection returns a context whose requests are those of p.
func WithProtection(ctx context.Context, p *Protection) context.Context {
	return context.WithValue(ctx, protectionKey{}, p)
}

func protectionOf(ctx context.Context) *Protection {
	p, _ := ctx.Value(protectionKey{}).(*Protection)
	return p
}

var (
	errProtectionClosed = errors.New("the Protection is closed")
	errProtectionBase   = errors.New("WithProtection needs a connection of its own, and Transport.Base is no *http.Transport; use one as Base")
	errProtectionProxy  = errors.New("WithProtection needs a connection to the server itself, and http goes through a proxy, which shares its own; use https, or no proxy")
	errProtectionCred   = errors.New("the request has another credential than the one that the Protection's context was made with, or an Authorization of its own; use a Protection for each identity")
	errProtectionOrigin = errors.New("the request is for another origin than the Protection's context; use a Protection for each server")
	errProtectionConn   = errors.New("the connection of the Protection's context has ended, or the body of the response before was not read to its end and closed; in the first case begin again with a new Protection")
	errProtectionLost   = errors.New("the server no longer knows the security context that the message is protected with; begin again with a new Protection")
	errNoProtection     = errors.New("no exchange has left the Protection a security context; make a request with it first, to a server that asks for authentication")
)

// context returns what p has; nil before an exchange has left it any.
func (p *Protection) context() (*keptContext, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, &ExchangeError{StageConnection, errProtectionClosed}
	}
	return p.kept, nil
}

// keep takes over from a finished exchange. It reports whether it did: it may
// have a context already, or the mechanism may protect no messages.
func (p *Protection) keep(k *keptContext) bool {
	if _, ok := k.sc.(gss.MessageProtector); !ok {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.kept != nil {
		return false
	}
	p.kept = k
	p.forgo = runtime.AddCleanup(p, (*keptContext).close, k)
	return true
}

// Close wipes the keys and closes the connection. Calling it twice is harmless.
// A Protection that is forgotten is closed when the garbage collector finds it.
func (p *Protection) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.kept != nil {
		p.forgo.Stop()
		p.kept.close()
		p.kept = nil
	}
	return nil
}

// protect calls f with the context, one at a time.
func (p *Protection) protect(op string, f func(gss.MessageProtector) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		return &gss.Error{Major: gss.ErrNoContext, Op: op, Err: errNoProtection}
	}
	return f(p.kept.sc.(gss.MessageProtector))
}

// Wrap implements [gss.MessageProtector].
func (p *Protection) Wrap(conf bool, msg []byte) (token []byte, err error) {
	err = p.protect("wrap", func(m gss.MessageProtector) (err error) {
		token, err = m.Wrap(conf, msg)
		return err
	})
	return token, err
}

// Unwrap implements [gss.MessageProtector].
func (p *Protection) Unwrap(token []byte) (msg []byte, conf bool, err error) {
	err = p.protect("unwrap", func(m gss.MessageProtector) (err error) {
		msg, conf, err = m.Unwrap(token)
		return err
	})
	return msg, conf, err
}

// GetMIC implements [gss.MessageProtector].
func (p *Protection) GetMIC(msg []byte) (mic []byte, err error) {
	err = p.protect("get MIC", func(m gss.MessageProtector) (err error) {
		mic, err = m.GetMIC(msg)
		return err
	})
	return mic, err
}

// VerifyMIC implements [gss.MessageProtector].
func (p *Protection) VerifyMIC(msg, mic []byte) error {
	return p.protect("verify MIC", func(m gss.MessageProtector) error { return m.VerifyMIC(msg, mic) })
}

// Protector returns what protects messages with the security context of the
// exchange: the [Protection] of a request made with [WithProtection]. Without
// one, ok is false; the context is then closed already.
func (e *Exchange) Protector() (m gss.MessageProtector, ok bool) {
	if e.protection == nil {
		return nil, false
	}
	return e.protection, true
}

// checkProtection refuses what could not keep its connection.
func (n *negotiation) checkProtection() error {
	switch {
	case n.protection == nil:
		return nil
	case n.c.pool == nil:
		return &ExchangeError{StageConnection, errProtectionBase}
	case n.route.forwards():
		return &ExchangeError{StageConnection, errProtectionProxy}
	}
	return nil
}

// leaveTo leaves the context and the connection to the request's Protection.
func (n *negotiation) leaveTo(resp *http.Response) {
	p := n.protection
	if p == nil || n.session == nil || !n.session.done || n.ex.Err != nil || n.conn == nil || n.spoiled || resp.StatusCode == http.StatusUnauthorized {
		return
	}
	cred, err := n.t.credential(n.ctx)
	if err != nil {
		return
	}
	k := &keptContext{sc: n.session.sc, conn: n.conn, party: n.party, c: n.c, to: n.origin, cred: cred, ex: *n.ex}
	k.ex.History = nil // whose requests lead to p: what p keeps must not keep p
	if !p.keep(k) {
		return
	}
	n.ex.protection = p
	n.session, n.conn = nil, nil
}

// protected makes a request on the connection of its Protection. handled is false
// if that has none yet.
func (t *Transport) protected(c *client, req *http.Request) (resp *http.Response, handled bool, err error) {
	p := protectionOf(req.Context())
	if p == nil {
		return nil, false, nil
	}
	k, err := p.context()
	if err != nil {
		closeBody(req)
		return nil, true, err
	}
	if k == nil {
		return nil, false, nil
	}
	if err = k.mayCarry(t, req); err == nil {
		resp, err = k.send(c, req)
	}
	if err != nil {
		closeBody(req)
		return nil, true, err
	}
	ex := k.ex
	ex.protection = p
	ex.Legs, ex.Opportunistic, ex.Sanitized = 1, false, false
	if resp.StatusCode == http.StatusUnauthorized {
		ex.Err = &ExchangeError{StageRejected, errProtectionLost}
	}
	resp.Request = withExchange(req, &ex)
	return resp, true, nil
}

// mayCarry refuses requests that are not of the identity which the server takes
// all on the connection for.
func (k *keptContext) mayCarry(t *Transport, req *http.Request) error {
	cred, err := t.credential(req.Context())
	switch {
	case err != nil:
		return &ExchangeError{StageCredential, err}
	case !sameCredential(cred, k.cred), len(fieldValues(req.Header, "Authorization")) > 0:
		return &ExchangeError{StageCredential, errProtectionCred}
	case t.Allow != nil && !t.Allow(req):
		return &ExchangeError{StageAllow, errNotAllowed}
	}
	return nil
}

// sameCredential reports whether two are one. Of those that cannot be compared
// nothing tells.
func sameCredential(a, b gss.Credential) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// send sends a request on the connection, once.
func (k *keptContext) send(c *client, req *http.Request) (*http.Response, error) {
	switch {
	case c != k.c, origin(req.URL) != k.to:
		return nil, &ExchangeError{StageConnection, errProtectionOrigin}
	case !k.conn.ready():
		return nil, &ExchangeError{StageConnection, errProtectionConn}
	}
	leg := req.Clone(req.Context())
	leg.GetBody = nil // nothing is to be sent twice
	leg.Close = false
	resp, err := k.conn.cc.RoundTrip(leg)
	switch {
	case err == nil:
		return resp, nil
	case req.Context().Err() != nil:
		return nil, context.Cause(req.Context())
	}
	return nil, &ExchangeError{StageConnection, err}
}
