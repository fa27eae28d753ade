package negotiate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/go-negotiate/negotiate/gss"
)

// proxyLogin authenticates to a proxy on one connection to it (RFC 9110, section
// 11.7; RFC 4559). It has a context, a target and counters of its own: nothing
// of it goes to the server behind the proxy.
type proxyLogin struct {
	auth  *proxyAuth
	proxy *url.URL

	sc       gss.SecContext
	target   gss.Name
	done     bool
	peer     bool // a token of the proxy was taken: it holds state for the connection
	legs     int  // tokens of this context
	rejected int
	refusal  error
	verified bool
}

// proxyAuth is what a request has for proxies that ask. A nil *proxyAuth has
// nothing for them.
type proxyAuth struct {
	t       *Transport
	learned *originSet
	log     *slog.Logger
	who     *initiator
}

// proxyAuth is what the request has for a proxy on its route; nil for nothing. A
// proxy URL with a user name asks for Basic, which net/http sees to. A caller's
// own Proxy-Authorization goes to a proxy that forwards.
func (n *negotiation) proxyAuth() *proxyAuth {
	if !n.t.ProxyNegotiate || !httpProxy(n.route.proxy) || n.route.proxy.User != nil {
		return nil
	}
	if n.route.forwards() && len(fieldValues(n.req.Header, "Proxy-Authorization")) > 0 {
		return nil
	}
	return &proxyAuth{t: n.t, learned: &n.c.learned, log: n.c.gssLog, who: &n.who}
}

// to begins with one connection to a proxy.
func (a *proxyAuth) to(proxy *url.URL) *proxyLogin { return &proxyLogin{auth: a, proxy: proxy} }

// Under these keys a proxy is remembered.
func (l *proxyLogin) key() string       { return "proxy " + origin(l.proxy) }
func (l *proxyLogin) alwaysKey() string { return "always " + l.key() }

// asks reports whether the proxy is known to ask for authentication.
func (l *proxyLogin) asks() bool { return l.auth.learned.has(l.key()) }

// asksAlways reports whether it is known to ask at each request, and not only at
// the first one on a connection.
func (l *proxyLogin) asksAlways() bool { return l.auth.learned.has(l.alwaysKey()) }

// alwaysAsks remembers that.
func (l *proxyLogin) alwaysAsks() { l.auth.learned.add(l.alwaysKey()) }

var (
	errNoProxyOffer   = errors.New("the proxy does not offer Negotiate")
	errProxyWithdrawn = errors.New("the proxy refused the token and no longer offers Negotiate")
	errProxyRefused   = errors.New("the proxy refused the token; its clock, its keytab and the proxy's host name are the usual causes")
	errProxyClosed    = errors.New("the proxy closed the connection before the context was complete; its legs must travel on one connection")
)

// answer makes the token that answers a 407 with the header h. fresh tells that
// it begins a context, and so may go out on another connection.
func (l *proxyLogin) answer(ctx context.Context, h http.Header) (token []byte, fresh bool, err error) {
	offered, in, bad := negotiateChallenge(h, "Proxy-Authenticate")
	switch {
	case !offered && l.sc == nil:
		return nil, false, errNoProxyOffer
	case !offered:
		return nil, false, errProxyWithdrawn
	case l.sc == nil:
		token, err = l.begin(ctx)
		return token, true, err
	case bad == nil && in != nil && !l.done:
		token, err = l.step(ctx, in)
		if err == nil && len(token) > 0 {
			return token, false, nil
		}
		l.refusal = err
	}
	return l.again(ctx)
}

// again begins anew after the proxy has refused a context, once.
func (l *proxyLogin) again(ctx context.Context) (token []byte, fresh bool, err error) {
	l.rejected++
	if f, ok := l.sc.(gss.Forgetter); ok {
		f.Forget()
	}
	l.auth.learned.forget(l.key())
	l.auth.learned.forget(l.alwaysKey())
	if l.refusal == nil {
		l.refusal = errProxyRefused
	}
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	if l.rejected >= maxRejections {
		return nil, false, l.refusal
	}
	token, err = l.begin(ctx)
	return token, true, err
}

// begin makes a context and its first token.
func (l *proxyLogin) begin(ctx context.Context) ([]byte, error) {
	l.close()
	who := l.auth.who
	if who.err != nil {
		return nil, who.err
	}
	target, err := hostBased(serviceHTTP, l.proxy.Hostname())
	if err != nil {
		return nil, err
	}
	flags := gss.FlagIntegrity
	if l.auth.t.ProxyMutual != MutualDisabled {
		flags |= gss.FlagMutual
	}
	sc, err := who.provider.Initiate(ctx, gss.InitiateOptions{
		Credential: who.cred,
		Target:     target,
		Mechanism:  l.auth.t.Mechanism,
		Flags:      flags,
	})
	if err != nil {
		return nil, err
	}
	l.sc, l.target, l.done, l.peer, l.legs = sc, target, false, false, 0
	token, err := l.step(ctx, nil)
	if err == nil && len(token) == 0 {
		err = errNoToken
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return token, nil
}

func (l *proxyLogin) step(ctx context.Context, in []byte) ([]byte, error) {
	if l.legs++; l.legs > maxLegs {
		return nil, errTooLong
	}
	out, done, err := l.sc.Step(ctx, in)
	l.peer = l.peer || in != nil
	l.auth.log.DebugContext(ctx, "proxy step", "proxy", redacted(l.proxy), "target", l.target, "leg", l.legs,
		"in", len(in), "out", len(out), "done", done, "error", err)
	if err != nil {
		return nil, err
	}
	l.done = done
	return out, nil
}

// finish applies Transport.ProxyMutual to the proxy's first answer other than
// 407, which has the status and the header h.
func (l *proxyLogin) finish(ctx context.Context, status int, h http.Header) error {
	if l.sc == nil {
		if l.auth.t.ProxyMutual == MutualRequired {
			return l.mutualError(status, "it did not ask for authentication, so it proved nothing", nil)
		}
		return nil
	}
	l.auth.learned.add(l.key())
	if l.auth.t.ProxyMutual == MutualDisabled {
		return nil
	}
	_, token, err := negotiateChallenge(h, "Proxy-Authenticate")
	if err == nil && token == nil {
		_, token, err = negotiateChallenge(h, "Proxy-Authentication-Info")
	}
	switch {
	case err != nil:
	case token == nil && l.mutual():
	case token == nil && l.auth.t.ProxyMutual == MutualOptional:
		return nil
	case token == nil:
		return l.mutualError(status, "it accepted the token and sent no proof of its identity", nil)
	case l.done && !l.mutual():
		err = errNotMutual
	default:
		_, err = l.step(ctx, token)
	}
	if err == nil && !l.mutual() {
		err = errIncomplete
	}
	if err != nil {
		return l.mutualError(status, "its proof of identity is not valid", err)
	}
	l.verified = true
	return nil
}

// mutual reports whether the context is complete and the proxy has proved its
// identity.
func (l *proxyLogin) mutual() bool { return l.done && l.sc.Info().Flags.Has(gss.FlagMutual) }

func (l *proxyLogin) mutualError(status int, reason string, err error) error {
	return &MutualAuthenticationError{Status: status, URL: "proxy " + redacted(l.proxy), Reason: reason, Err: err}
}

func (l *proxyLogin) close() {
	if l.sc != nil {
		l.sc.Close()
		l.sc = nil
	}
}

// maxProxyStatus bounds what is quoted of a proxy's answer.
const maxProxyStatus = 200

// proxyError tells that a proxy let nothing pass.
func proxyError(proxy *url.URL, status string, reason error) error {
	err := fmt.Errorf("the proxy %s answered %q", redacted(proxy), status[:min(len(status), maxProxyStatus)])
	if reason != nil {
		err = fmt.Errorf("%w: %w", err, reason)
	}
	return &ExchangeError{StageProxy, err}
}

// httpProxy reports whether a proxy speaks HTTP, and so may ask with 407.
func httpProxy(u *url.URL) bool { return u != nil && (u.Scheme == "http" || u.Scheme == "https") }
