package negotiate

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// maxResends is how often one leg is sent again on another connection.
const maxResends = 3

// send sends one leg on n.conn. A connection that was kept alive may turn out
// to be dead; the leg is then sent again on a new one, where that is safe.
func (n *negotiation) send(token []byte) (*http.Response, error) {
	for resent := 0; ; resent++ {
		leg, err := n.leg(token)
		if err != nil {
			return nil, &unsentError{err}
		}
		resp, err := n.attempt(leg)
		switch {
		case err == nil:
			n.proxy.sent, n.proxy.token = n.proxy.token != nil, nil
			n.logLeg(token, resp)
			return resp, nil
		case n.ctx.Err() != nil:
			return nil, context.Cause(n.ctx)
		case token != nil && n.session.peer, n.proxy.holds():
			return nil, &ExchangeError{StageConnection, err}
		case n.conn == nil || resent == maxResends || !leg.mayResend(err) || n.body.replayable(n.ctx) != nil:
			return nil, err
		}
		n.c.log.DebugContext(n.ctx, "sending again on a new connection", "url", redacted(n.req.URL), "error", err)
		if token, err = n.renew(token, leg.h1); err != nil {
			return nil, err
		}
	}
}

// renew moves to a new connection. A token is never sent twice: a new context
// makes a new one.
func (n *negotiation) renew(token []byte, h1 bool) ([]byte, error) {
	n.abandonConn()
	if h1 {
		n.route.h1 = true
		n.c.h1only.add(n.origin)
	}
	want := n.wants(token)
	want.fresh = true
	err := n.connect(want)
	if err == nil {
		err = n.renewProxy()
	}
	if err != nil || token == nil {
		return nil, err
	}
	return n.begin(n.conn.tls)
}

// leg is one request on the wire.
type leg struct {
	req    *http.Request
	reused bool
	body   *requestBody
	trace  httptrace.ClientTrace

	wrote    atomic.Bool // the headers, perhaps; not noted of what is repeatable
	answered atomic.Bool // a byte of the response came
	h1       bool        // the server wants HTTP/1.1
}

// leg makes the request of the next leg.
func (n *negotiation) leg(token []byte) (*leg, error) {
	body, err := n.body.open(n.ctx)
	if err != nil {
		return nil, err
	}
	l := &leg{body: n.body}
	l.trace.GotFirstResponseByte = func() { l.answered.Store(true) }
	if !repeatable(n.req) {
		l.trace.WroteHeaderField = func(string, []string) { l.wrote.Store(true) }
		l.trace.WroteHeaders = func() { l.wrote.Store(true) }
	}
	header := n.header(token)
	if once, ok := body.(*bodyLeg); ok && n.body.once() && expectsContinue(header) {
		once.gate.watch(&l.trace)
	}
	l.req = n.req.WithContext(httptrace.WithClientTrace(n.ctx, &l.trace))
	l.req.Header = header
	l.req.Body = body
	if n.conn != nil {
		l.req.Close = false // the pool closes it, after the exchange
		l.req.GetBody = nil
	} else if token != nil {
		l.req.Close = true
		l.req.GetBody = nil // a Base that repeats the leg would repeat the token
	}
	return l, nil
}

// attempt sends the leg.
func (n *negotiation) attempt(l *leg) (*http.Response, error) {
	n.ex.Legs++
	var resp *http.Response
	var err error
	if n.conn != nil {
		l.reused = n.c.pool.carry(n.conn, n.req.Close)
		resp, err = n.conn.cc.RoundTrip(l.req)
	} else {
		resp, err = n.c.base.RoundTrip(l.req)
	}
	if err != nil && l.req.Body != nil {
		l.req.Body.Close() // an http.ClientConn forgets to, if it dies early
	}
	return resp, err
}

// mayResend reports whether a leg that failed with err may be sent again on a
// new connection, by the rules of http.Transport: the server cannot have acted
// on it, or it was dropped by a connection that had served before and the
// request may be repeated.
func (l *leg) mayResend(err error) bool {
	if l.body.failed() != nil || l.answered.Load() {
		return false
	}
	if l.unprocessed(err) {
		return true
	}
	if _, ok := errors.AsType[h2StreamError](err); ok {
		return false // the connection lives, and the server has seen the request
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return false
	}
	return l.reused && (!l.wrote.Load() || repeatable(l.req))
}

// Error codes of RFC 9113, section 7.
const (
	h2RefusedStream  = 0x7
	h2HTTP11Required = 0xd
)

// h2StreamError has the fields of the error of net/http for a stream that was
// reset, which lets itself be converted to such a type.
type h2StreamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (h2StreamError) Error() string { return "stream error" }

// unprocessed reports whether an HTTP/2 server has said that it did not process
// the request.
func (l *leg) unprocessed(err error) bool {
	if reset, ok := errors.AsType[h2StreamError](err); ok {
		l.h1 = reset.Code == h2HTTP11Required
		return l.h1 || reset.Code == h2RefusedStream
	}
	for ; err != nil; err = errors.Unwrap(err) {
		switch err.Error() { // net/http does not export them
		case "http2: Transport received Server's graceful shutdown GOAWAY", "http2: client conn not usable":
			return true
		}
	}
	return false
}

// repeatable reports whether a request may be carried out twice.
func repeatable(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	_, ok := req.Header["Idempotency-Key"]
	_, xok := req.Header["X-Idempotency-Key"]
	return ok || xok
}
