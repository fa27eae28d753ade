package negotiate

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"

	"github.com/go-negotiate/negotiate/gss"
)

// maxRejections is after how many refused tokens the 401 is returned.
const maxRejections = 2

// negotiation is one RoundTrip of a Transport, with all its state.
type negotiation struct {
	t    *Transport
	c    *client
	req  *http.Request // the caller's
	ctx  context.Context
	ex   *Exchange
	body *requestBody

	origin string // the server's

	ownAuth      bool // the caller has set Authorization
	ownProxyAuth bool // and authenticates the connection to the proxy
	allowed      bool // the server may be authenticated to
	unasked      bool // tokens may go out unasked: see redirect.go
	delegates    bool // so may a credential
	who          initiator
	party        party

	protection *Protection // what the context is left to; nil for nothing

	route   route
	conn    *conn // nil where Base does without the pool
	session *session
	proxy   forwarded

	stopped  bool  // the response at hand is the last
	expected bool  // the last leg has an Expect of ours
	plain    bool  // the server takes none
	leftH2   bool  // the server is to be spoken to without HTTP/2 from now on
	spoiled  bool  // n.conn may hold state of a broken context at the server
	asked    bool  // the server has asked for Negotiate
	rejected int   // tokens refused
	restarts int   // contexts begun anew since their connection was dropped
	refusal  error // why the last one was
	trouble  error // why no token went out unasked
}

func newNegotiation(t *Transport, c *client, req *http.Request) *negotiation {
	n := &negotiation{
		t:    t,
		c:    c,
		req:  req,
		ctx:  req.Context(),
		ex:   new(Exchange),
		body: newRequestBody(req, t.MaxBodyBuffer),

		route: directRoute(req.URL),
	}
	n.origin = n.route.origin()
	n.protection = protectionOf(n.ctx)
	n.ownAuth = len(fieldValues(req.Header, "Authorization")) > 0
	n.allowed = !n.ownAuth && (t.Allow == nil || t.Allow(req))
	n.unasked = n.allowed && unasked(req, t.Allow != nil)
	n.delegates = n.allowed && n.mayDelegate()
	return n
}

// close releases what an exchange holds, whatever its outcome.
func (n *negotiation) close() {
	if n.conn != nil {
		n.spoiled = n.spoiled || n.session != nil && n.session.peer
		n.abandonConn()
	}
	n.end()
	n.proxy.close()
	n.who.close()
	n.body.finish()
}

func (n *negotiation) run() (*http.Response, error) {
	token, err := n.open()
	if err != nil {
		return nil, err
	}
	resp, err := n.send(token)
	for err == nil && !n.stopped {
		token, err = n.reply(resp, token)
		if err != nil {
			discard(resp.Body)
			break
		}
		if token == nil && n.proxy.token == nil && !n.unexpect(resp) {
			break
		}
		resp, err = n.follow(resp, token)
	}
	if err != nil {
		return nil, err
	}
	return n.finish(resp)
}

// maxRequests bounds the requests of one exchange, whoever asks for them.
const maxRequests = 4 * maxLegs

// reply makes the token that the response at hand asks for, after a leg with the
// token last. With nil, and none for a proxy, the response is the last.
func (n *negotiation) reply(resp *http.Response, last []byte) ([]byte, error) {
	if n.ex.Legs >= maxRequests {
		return n.giveUp(&ExchangeError{StageStep, errTooLong})
	}
	if resp.StatusCode == http.StatusProxyAuthRequired && n.forwards() {
		return n.answerProxy(resp, last)
	}
	if err := n.settleProxy(resp); err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return n.answer(resp)
	}
	return nil, nil
}

// open finds the first connection and, where one may go out unasked, a token.
func (n *negotiation) open() (token []byte, err error) {
	if err := n.findRoute(); err != nil {
		return nil, err
	}
	n.identify()
	preempt := n.preempts()
	if n.c.pool != nil {
		want := wanted{who: n.party, shown: peers{server: preempt || n.party.server.alone != nil, proxy: n.ownProxyAuth}}
		want.fresh = n.protection != nil // no state of another context may be there
		want.clean = n.t.Mutual == MutualRequired && !n.mayPreempt()
		if err := n.connect(want); err != nil {
			return nil, err
		}
		if err := n.preemptProxy(); err != nil {
			return nil, err
		}
		// A server that takes the connection for the client's identity would
		// not ask on it again, and so never prove its own.
		preempt = preempt || n.t.Mutual == MutualRequired && n.mayPreempt() && n.c.pool.told(n.conn).server
	}
	if !preempt {
		if n.unasked && n.who.err != nil && n.t.Opportunistic == OpportunisticAlways {
			n.trouble = &ExchangeError{StageCredential, n.who.err}
		}
		return nil, nil
	}
	if token, err = n.begin(n.channel(nil)); err != nil {
		if n.ctx.Err() != nil {
			return nil, context.Cause(n.ctx)
		}
		n.c.log.DebugContext(n.ctx, "no token before the server asks", "url", redacted(n.req.URL), "error", err)
		n.trouble = err
		return nil, nil
	}
	n.ex.Opportunistic = true
	return token, nil
}

// findRoute tells where the request's connections lead.
func (n *negotiation) findRoute() (err error) {
	if n.c.pool == nil {
		return n.checkProtection()
	}
	if n.route.proxy, err = proxyOf(n.c.base.(*http.Transport), n.req); err != nil {
		return err
	}
	n.route.auth = n.proxyAuth()
	// Over HTTP/2 nothing would tell the requests of a proxy's context apart.
	n.route.h1 = n.c.h1only.has(n.origin) || n.route.auth != nil && n.route.forwards() || n.protection != nil
	return n.checkProtection()
}

// identify finds out as whom the request is made.
func (n *negotiation) identify() {
	if n.allowed || n.route.auth != nil {
		n.who = n.t.initiator(n.ctx)
	}
	if n.c.pool != nil && n.who.follows && n.ctx.Err() == nil {
		n.c.pool.follow(standing{n.who.source, n.who.id.name})
	}
	switch {
	case n.allowed:
		n.party.server = n.who.id
	case bindsConn(n.req.Header, "Authorization"):
		n.party.server = loneIdentity()
	}
	switch {
	case n.route.auth != nil:
		n.party.proxy = n.who.id
	case bindsConn(n.req.Header, "Proxy-Authorization"):
		n.party.proxy, n.ownProxyAuth = loneIdentity(), true
	}
}

// bindsConn reports whether the caller authenticates, by the given field, with a
// scheme that a server or a proxy may take for the connection's.
func bindsConn(h http.Header, field string) bool {
	for _, v := range fieldValues(h, field) {
		// Servers take a tab, and some a comma, for the end of the scheme too.
		scheme := strings.Trim(v, " \t")
		if i := strings.IndexAny(scheme, " \t,"); i >= 0 {
			scheme = scheme[:i]
		}
		if slices.ContainsFunc(connSchemes(), func(s string) bool { return strings.EqualFold(s, scheme) }) {
			return true
		}
	}
	return false
}

// connSchemes are those that a server may take for the connection's: of WinRM
// (MS-WSMV, section 2.2.9) the last two.
func connSchemes() []string { return []string{schemeNegotiate, "NTLM", "Kerberos", "CredSSP"} }

// fieldValues are the values of a field that the caller may have put into the
// header under a name in any case: net/http sends it as it is.
func fieldValues(h http.Header, field string) (values []string) {
	for name, v := range h {
		if strings.EqualFold(name, field) {
			values = append(values, v...)
		}
	}
	return values
}

// mayPreempt reports whether a token may go out before the server asks.
func (n *negotiation) mayPreempt() bool { return n.unasked && n.who.err == nil }

func (n *negotiation) preempts() bool {
	if !n.mayPreempt() {
		return false
	}
	switch n.t.Opportunistic {
	case OpportunisticAlways:
		return true
	case OpportunisticLearned:
		return n.c.learned.has(n.origin)
	}
	return false
}

// connect takes a connection from the pool.
func (n *negotiation) connect(want wanted) error {
	trace := httptrace.ContextClientTrace(n.ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(n.route.addr)
	}
	c, reused, err := n.c.pool.get(n.ctx, n.route, want)
	if err != nil {
		return cmp.Or(context.Cause(n.ctx), err)
	}
	n.conn = c
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.net, Reused: reused, WasIdle: reused})
	}
	return nil
}

// channel is the TLS channel that the next leg travels on, as far as is known.
func (n *negotiation) channel(resp *http.Response) *tls.ConnectionState {
	switch {
	case n.conn != nil:
		return n.conn.tls
	case resp != nil:
		return resp.TLS
	}
	return nil
}

// answer makes the token that answers a 401. Nil says that the 401 is the
// response; where the server has asked for Negotiate, n.ex.Err then says why.
func (n *negotiation) answer(resp *http.Response) ([]byte, error) {
	offered, in, bad := negotiateChallenge(resp.Header, "WWW-Authenticate")
	switch {
	case n.ownAuth:
		return nil, nil
	case !offered && n.session != nil:
		n.reject(errWithdrawn)
		return n.giveUp(&ExchangeError{StageRejected, errWithdrawn})
	case !offered && n.trouble != nil:
		return n.giveUp(n.trouble) // the server may count on tokens that come unasked
	case !offered:
		return nil, nil
	case !n.allowed:
		return n.giveUp(&ExchangeError{StageAllow, errNotAllowed})
	}
	n.asked = true
	if err := n.body.replayable(n.ctx); err != nil {
		return n.giveUp(err)
	}
	if n.session == nil {
		return n.initiate(resp)
	}
	switch {
	case bad != nil:
		n.reject(bad)
	case in != nil && !n.session.done:
		return n.proceed(resp, in)
	case in != nil:
		return n.ask(resp, in)
	default:
		n.reject(errRefused)
	}
	return n.again(resp)
}

// initiate answers with the first token of a new context.
func (n *negotiation) initiate(resp *http.Response) ([]byte, error) {
	token, err := n.begin(n.channel(resp))
	if err != nil {
		return n.giveUp(err)
	}
	return token, nil
}

// proceed continues the context with the server's token in.
func (n *negotiation) proceed(resp *http.Response, in []byte) ([]byte, error) {
	out, err := n.step(in)
	switch {
	case err != nil && n.ctx.Err() != nil:
		return nil, context.Cause(n.ctx)
	case err != nil:
		n.spoiled = true
		n.reject(err)
		return n.again(resp)
	}
	return n.further(out)
}

// further is the token out, as a further leg of the context, if it can be sent.
func (n *negotiation) further(out []byte) ([]byte, error) {
	switch {
	case len(out) == 0 && n.session.done:
		return n.giveUp(&ExchangeError{StageRejected, errStillAsks})
	case len(out) == 0:
		return n.giveUp(&ExchangeError{StageStep, errNoToken})
	case n.session.legs > maxLegs:
		return n.giveUp(&ExchangeError{StageStep, errTooLong})
	case n.c.pool == nil:
		return n.giveUp(&ExchangeError{StageConnection, errUnpinned})
	}
	return out, nil
}

// ask has the provider say what the server's token means that comes with a 401
// after a context that is complete on this side: why it was refused, or that
// SPNEGO wants a last word.
func (n *negotiation) ask(resp *http.Response, in []byte) ([]byte, error) {
	out, err := n.step(in)
	switch {
	case err == nil:
		return n.further(out)
	case n.ctx.Err() != nil:
		return nil, context.Cause(n.ctx)
	case errors.Is(err, gss.ErrNoContext): // it takes no token any more
		err = errRefused
	}
	n.reject(err)
	return n.again(resp)
}

// reject notes that the server has refused the context.
func (n *negotiation) reject(reason error) {
	n.rejected++
	n.refusal = reason
	n.session.forget()
	n.c.learned.forget(n.origin)
	n.leaveHTTP2()
	n.c.log.WarnContext(n.ctx, "token refused", "url", redacted(n.req.URL), "target", n.ex.Target,
		"times", n.rejected, "reason", reason)
}

// leaveHTTP2 has the second try go by HTTP/1.1, if the contexts on a connection of
// HTTP/2 may have been taken for each other: a server that knows them by their
// connection cannot tell apart those that share one, or has no place for them in
// HTTP/2 at all. If it was a further leg that was refused, later requests do
// without HTTP/2 as well.
func (n *negotiation) leaveHTTP2() {
	if n.conn == nil || !n.conn.shared {
		return
	}
	further := n.session.legs > 1
	if !further && (n.session.done || !n.c.pool.crowded(n.conn)) {
		return
	}
	n.spoiled, n.route.h1, n.leftH2 = true, true, further
}

// again answers a refusal with a new context, once.
func (n *negotiation) again(resp *http.Response) ([]byte, error) {
	if n.rejected >= maxRejections {
		return n.giveUp(&ExchangeError{StageRejected, n.refusal})
	}
	return n.initiate(resp)
}

// giveUp makes the 401 at hand the response, and err the reason. If the context
// of the request has ended, that is an error of the request.
func (n *negotiation) giveUp(err error) ([]byte, error) {
	if n.ctx.Err() != nil {
		return nil, context.Cause(n.ctx)
	}
	if n.rejected > 0 && !errors.Is(err, n.refusal) {
		err = &ExchangeError{StageRejected, fmt.Errorf("%w; no second try: %w", n.refusal, err)}
	}
	n.stopped = true
	n.spoiled = n.spoiled || n.session != nil && n.session.peer
	n.ex.Err = err
	n.c.log.WarnContext(n.ctx, "not authenticated", "url", redacted(n.req.URL), "legs", n.ex.Legs, "error", err)
	return nil, nil
}

// follow sends the leg after the 401 in resp, with a token. Where that turns
// out to be impossible, resp is returned again, and is the last.
func (n *negotiation) follow(resp *http.Response, token []byte) (*http.Response, error) {
	whole := swallow(resp)
	if n.ctx.Err() != nil {
		return nil, context.Cause(n.ctx)
	}
	next, err := n.pinAndSend(token, whole && !resp.Close)
	if _, ok := errors.AsType[*unsentError](err); ok {
		if _, err := n.giveUp(errors.Unwrap(err)); err != nil {
			return nil, err
		}
		return resp, nil
	}
	n.ex.History = append(n.ex.History, n.pastResponse(resp))
	return next, err
}

// unsentError wraps the *ExchangeError for which nothing was sent after a 401
// that is still there to be returned.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// pinAndSend sends the leg with the token where it may go. kept tells that neither
// the server nor we ourselves have given up the connection of the leg before.
func (n *negotiation) pinAndSend(token []byte, kept bool) (*http.Response, error) {
	if err := n.preemptProxy(); err != nil {
		return nil, err
	}
	token, err := n.pin(token, kept)
	if err != nil {
		return nil, err
	}
	return n.send(token)
}

// pin sees to it that the token goes out on a connection that may carry it.
func (n *negotiation) pin(token []byte, kept bool) ([]byte, error) {
	p := n.c.pool
	if p == nil {
		return token, nil
	}
	if n.session != nil && n.session.peer || n.proxy.holds() {
		switch {
		case !n.conn.lost() && n.label(token):
			return token, nil
		case kept && n.mayRestart(token):
			return n.restart(token)
		}
		return nil, &unsentError{&ExchangeError{StageConnection, errConnClosed}}
	}
	if !n.spoiled && n.conn.ready() && n.label(token) {
		return token, nil
	}
	n.leaveConn()
	return n.move(token, n.wants(token))
}

// mayRestart reports whether a context, whose connection was kept and is lost all
// the same, may begin anew. net/http drops one of HTTP/1.1 that has answered 50 ms
// before the end of the request's writing is known, as on a busy machine. Nothing
// has failed then, the 401 is read, and the server's half of the context ends with
// its connection.
func (n *negotiation) mayRestart(token []byte) bool {
	return token != nil && !n.conn.shared && n.conn.lost() && !n.proxy.holds() && n.restarts < maxResends
}

// restart begins the context anew on a new connection. The token that was due on
// the one before is dropped.
func (n *negotiation) restart(token []byte) ([]byte, error) {
	n.restarts++
	n.c.log.DebugContext(n.ctx, "beginning anew on a new connection", "url", redacted(n.req.URL), "times", n.restarts)
	token, err := n.renew(token, false)
	if ee, ok := errors.AsType[*ExchangeError](err); ok {
		return nil, &unsentError{ee}
	}
	return token, err
}

// shows tells who is shown a token in the next leg, which has the given one for
// the server.
func (n *negotiation) shows(token []byte) peers {
	return peers{server: token != nil || n.party.server.alone != nil, proxy: n.proxy.token != nil || n.ownProxyAuth}
}

// wants is the connection that a leg with the token needs.
func (n *negotiation) wants(token []byte) wanted {
	return wanted{who: n.party, shown: n.shows(token), fresh: n.protection != nil}
}

// label makes the connection the party's own.
func (n *negotiation) label(token []byte) bool {
	return n.c.pool.label(n.conn, n.party, n.shows(token))
}

// move takes another connection for the token, and makes another token if the
// connection is of another channel than the token is bound to.
func (n *negotiation) move(token []byte, want wanted) ([]byte, error) {
	err := n.connect(want)
	switch {
	case err == nil && n.leftH2:
		n.c.h1only.add(n.origin)
	case err != nil && n.route.h1 && n.rejected > 0 && n.ctx.Err() == nil:
		// A server may have nothing but HTTP/2.
		n.route.h1 = false
		err = n.connect(want)
	}
	if err != nil {
		return nil, err
	}
	if token == nil || !n.boundElsewhere(n.conn.tls) {
		return token, nil
	}
	if token, err = n.begin(n.conn.tls); err != nil {
		return nil, &unsentError{err}
	}
	return token, nil
}

// leaveConn gives the connection back.
func (n *negotiation) leaveConn() {
	if n.spoiled {
		n.abandonConn()
		return
	}
	n.c.pool.release(n.conn, n.party)
	n.conn = nil
}

// abandonConn gives up the connection. One that is spoiled takes no more
// exchanges, though it lasts until those that share it are over.
func (n *negotiation) abandonConn() {
	if n.spoiled {
		n.c.pool.retire(n.conn)
	}
	n.c.pool.discard(n.conn, n.party)
	n.conn, n.spoiled = nil, false
}

// pastResponse is what History shows of a response.
func (n *negotiation) pastResponse(resp *http.Response) *http.Response {
	past := *resp
	past.Body = http.NoBody
	past.Request = n.req
	return &past
}

// finish makes resp the response to the caller, if it may be.
func (n *negotiation) finish(resp *http.Response) (*http.Response, error) {
	if err := n.checkMutual(resp); err != nil {
		discard(resp.Body)
		n.c.log.WarnContext(n.ctx, "response withheld", "error", err)
		return nil, err
	}
	if n.session != nil && n.ex.Err == nil {
		n.session.record(n.ex)
		if n.asked {
			n.c.learned.add(n.origin)
		}
	}
	n.leaveTo(resp)
	n.handOver(resp)
	resp.Request = withExchange(n.req, n.ex)
	n.logResponse(resp)
	return resp, nil
}

// checkMutual applies Transport.Mutual to the last response.
func (n *negotiation) checkMutual(resp *http.Response) error {
	if n.t.Mutual == MutualDisabled {
		return nil
	}
	if resp.StatusCode == http.StatusUnauthorized {
		n.stripRefusal(resp)
		return nil
	}
	_, token, err := negotiateChallenge(resp.Header, "WWW-Authenticate")
	reason := "its proof of identity is not valid"
	switch {
	case err != nil:
	case token != nil:
		reason, err = n.verify(token)
	default:
		// With SPNEGO the proof may have come before the last leg.
		n.ex.MutualVerified = n.session != nil && n.session.mutual()
	}
	if n.ctx.Err() != nil && err != nil {
		return context.Cause(n.ctx)
	}
	if err != nil {
		return n.mutualError(resp, reason, err)
	}
	if n.ex.MutualVerified || n.t.Mutual != MutualRequired {
		return nil
	}
	if resp.StatusCode < http.StatusBadRequest {
		return n.mutualError(resp, n.missing(), n.trouble)
	}
	if !n.t.KeepUnverifiedErrors {
		sanitise(resp)
		n.ex.Sanitized = true
	}
	return nil
}

// stripRefusal takes the cookies out of a 401 that nothing proves, where
// MutualRequired wants a proof. The rest of it is for the caller to read.
func (n *negotiation) stripRefusal(resp *http.Response) {
	proved := n.session != nil && n.session.mutual()
	if n.t.Mutual == MutualRequired && !n.t.KeepUnverifiedErrors && !proved {
		resp.Header.Del("Set-Cookie")
	}
}

// missing says why there is no proof.
func (n *negotiation) missing() string {
	switch {
	case n.ownAuth:
		return "the request has an Authorization header of its own, so nobody was authenticated"
	case n.session == nil:
		return "it did not ask for authentication, so it proved nothing"
	}
	return "it accepted the token and sent no proof of its identity"
}

var (
	errNoContext  = errors.New("the token belongs to no context")
	errIncomplete = errors.New("the context is not complete")
	errNotMutual  = errors.New("the context is complete without mutual authentication")
)

// verify completes the context with the token of the last response.
func (n *negotiation) verify(token []byte) (reason string, err error) {
	reason = "its proof of identity is not valid"
	if n.session == nil {
		return reason, errNoContext
	}
	if n.session.done && !n.session.mutual() {
		return reason, errNotMutual
	}
	if _, err := n.step(token); err != nil {
		return reason, err
	}
	switch {
	case !n.session.done:
		return "its token is no proof of identity", errIncomplete
	case !n.session.mutual():
		return "its token is no proof of identity", errNotMutual
	}
	n.ex.MutualVerified = true
	return "", nil
}

func (n *negotiation) mutualError(resp *http.Response, reason string, err error) error {
	return &MutualAuthenticationError{
		Status: resp.StatusCode,
		URL:    redacted(n.req.URL),
		Reason: reason,
		Err:    err,
	}
}

// handOver lets the connection go with the last response: it is free when the
// body is at its end.
func (n *negotiation) handOver(resp *http.Response) {
	c, who, p := n.conn, n.party, n.c.pool
	n.conn = nil
	if c != nil && n.spoiled {
		p.retire(c)
	}
	switch {
	case c == nil:
	case c.shared && resp.ContentLength != 0:
		resp.Body = &sharedBody{resp.Body, sync.OnceFunc(func() { p.release(c, who) })}
	default:
		p.release(c, who)
	}
}

// header is the caller's with the token, and with Expect where a body is better
// not sent before the server has accepted the request.
func (n *negotiation) header(token []byte) http.Header {
	h := n.req.Header.Clone()
	n.expected = false
	if n.proxy.token != nil {
		h.Set("Proxy-Authorization", encodeToken(n.proxy.token))
	}
	if token != nil {
		h.Set("Authorization", encodeToken(token))
		return h
	}
	if n.expects() {
		n.expected = true
		h.Set("Expect", "100-continue")
	}
	return h
}
