package negotiate

import (
	"context"
	"errors"
	"net/http"
)

// forwarded is what a negotiation knows of a proxy that forwards its requests,
// as proxies do for http. For https they see CONNECT only: see tunnel.go.
type forwarded struct {
	login *proxyLogin // nil: the proxy has not asked yet
	token []byte      // for the next leg, nil for none
	sent  bool        // the last leg had a token for the proxy
}

// forwards reports whether a proxy that may be authenticated to forwards the
// request.
func (n *negotiation) forwards() bool { return n.route.auth != nil && n.route.forwards() }

// preemptProxy makes a token for a proxy that is known to ask, for the first leg
// on a connection on which it was not answered yet, and for each leg if it is
// known to ask each time.
func (n *negotiation) preemptProxy() error {
	if !n.forwards() || n.who.err != nil || n.proxy.token != nil {
		return nil
	}
	login := n.proxy.login
	if login == nil {
		login = n.route.auth.to(n.route.proxy)
	}
	if !login.asksAlways() && (!login.asks() || n.c.pool.told(n.conn).proxy) {
		return nil
	}
	if !n.c.pool.label(n.conn, n.party, peers{proxy: true}) {
		return nil
	}
	token, err := login.begin(n.ctx)
	if n.ctx.Err() != nil {
		login.close()
		return context.Cause(n.ctx)
	}
	if err != nil {
		return nil // it will ask, and then the reason is told
	}
	n.proxy.login, n.proxy.token = login, token
	return nil
}

// answerProxy makes the token that answers a 407. The result is the token for
// the server, whose last one went no further than the proxy.
func (n *negotiation) answerProxy(resp *http.Response, last []byte) ([]byte, error) {
	if n.proxy.login == nil {
		n.proxy.login = n.route.auth.to(n.route.proxy)
	}
	if !n.proxy.sent && n.c.pool.told(n.conn).proxy {
		n.proxy.login.alwaysAsks()
	}
	token, _, err := n.proxy.login.answer(n.ctx, resp.Header)
	if errors.Is(err, errNoProxyOffer) {
		return nil, nil
	}
	if err != nil {
		return n.giveUp(&ExchangeError{StageProxy, err})
	}
	n.proxy.token = token
	switch {
	case last == nil:
		return nil, nil
	case n.session.peer:
		return last, nil // the server waits for it, and nobody else can use it
	}
	return n.initiate(resp)
}

// settleProxy looks at a response that is no 407.
func (n *negotiation) settleProxy(resp *http.Response) error {
	if !n.forwards() {
		return nil
	}
	switch {
	case n.proxy.sent:
		if err := n.proxy.login.finish(n.ctx, resp.StatusCode, resp.Header); err != nil {
			return err
		}
		n.conn.proved = n.proxy.login.verified
		n.proxy.login.close() // should the proxy ask again, that is no refusal
		n.proxy.sent = false
	case !n.conn.proved && n.t.ProxyMutual == MutualRequired:
		return n.route.auth.to(n.route.proxy).finish(n.ctx, resp.StatusCode, resp.Header)
	}
	return nil
}

// renewProxy makes another token in the place of one that was perhaps sent.
func (n *negotiation) renewProxy() error {
	if n.proxy.token == nil {
		n.proxy.close()
		return nil
	}
	token, err := n.proxy.login.begin(n.ctx)
	if err != nil {
		return &ExchangeError{StageProxy, err}
	}
	n.proxy.token = token
	return nil
}

// holds reports whether the proxy holds a context for this connection.
func (f *forwarded) holds() bool { return f.token != nil && f.login.peer }

func (f *forwarded) close() {
	if f.login != nil {
		f.login.close()
	}
	*f = forwarded{}
}
