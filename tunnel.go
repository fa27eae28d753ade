package negotiate

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tunnel makes a connection to a server through an HTTP proxy by CONNECT
// (RFC 9110, section 9.3.6), as http.Transport does, but for the 407: all legs
// of a context travel on one connection to the proxy.
type tunnel struct {
	base  *http.Transport
	login *proxyLogin
	addr  string // of the server

	conn   net.Conn
	watch  func() bool // ends what ends conn's waits with the context
	in     *bufio.Reader
	reused bool // the proxy has answered on conn
	own    bool // the caller's transport authenticates by itself
}

// tunnelTimeout bounds the time that a proxy takes for all of it.
const tunnelTimeout = time.Minute

// maxTunnelHeader bounds what a proxy answers to one CONNECT, where Base has no
// MaxResponseHeaderBytes. A body may come on top of it.
const maxTunnelHeader = 1 << 20

const errTunnelTimeout = timeoutError("the proxy made no tunnel within a minute")

// dial returns the connection, on which the server is next to be spoken to.
func (t *tunnel) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tunnelTimeout, errTunnelTimeout)
	defer cancel()
	conn, err := t.open(ctx)
	if err != nil {
		t.drop()
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	return conn, nil
}

func (t *tunnel) drop() {
	if t.conn != nil {
		t.watch()
		t.conn.Close()
	}
	t.conn, t.reused = nil, false
}

func (t *tunnel) open(ctx context.Context) (net.Conn, error) {
	token, err := t.preempt(ctx)
	if err != nil {
		return nil, err
	}
	for {
		if t.conn == nil {
			if err := t.dialProxy(ctx); err != nil {
				return nil, err
			}
		}
		resp, hookErr, err := t.connect(ctx, token)
		switch {
		case errors.Is(err, errDropped) && t.reused && !t.login.peer && ctx.Err() == nil:
			token, err = t.restart(ctx, token)
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusProxyAuthRequired:
			token, err = t.answer(ctx, resp, hookErr)
		case hookErr != nil:
			return nil, hookErr
		default:
			return t.finish(ctx, resp)
		}
		if err != nil {
			return nil, err
		}
	}
}

// preempt makes a token for a proxy that is known to ask. Without one the proxy
// will ask again.
func (t *tunnel) preempt(ctx context.Context) ([]byte, error) {
	if !t.login.asks() {
		return nil, nil
	}
	token, err := t.login.begin(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return token, nil
}

// restart begins anew on another connection, as the proxy has dropped the one on
// which it had asked. A token that may have been sent is not sent again.
func (t *tunnel) restart(ctx context.Context, token []byte) ([]byte, error) {
	t.drop()
	if token == nil {
		return nil, nil
	}
	return t.login.begin(ctx)
}

// answer takes the 407 and makes the next token. Where the proxy has closed the
// connection a context that begins takes a new one; one that is under way is
// lost. hookErr is what the caller's hook made of the 407, if it is the last word.
func (t *tunnel) answer(ctx context.Context, resp *http.Response, hookErr error) ([]byte, error) {
	if t.own {
		return nil, t.refused(resp, errOwnProxyAuth, hookErr)
	}
	token, fresh, err := t.login.answer(ctx, resp.Header)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, t.refused(resp, err, hookErr)
	}
	if t.drained(resp) {
		t.reused = true
		return token, nil
	}
	if !fresh {
		return nil, t.refused(resp, errProxyClosed, hookErr)
	}
	t.drop()
	return token, nil
}

func (t *tunnel) refused(resp *http.Response, reason, hookErr error) error {
	if hookErr != nil {
		reason = fmt.Errorf("%w: %w", reason, hookErr)
	}
	return proxyError(t.login.proxy, resp.Status, reason)
}

// drained takes the body of a 407 and reports whether the connection can be used
// further.
func (t *tunnel) drained(resp *http.Response) bool {
	// Close would read on to the end, however far that is.
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxDrain))
	for _, v := range resp.Header.Values("Proxy-Connection") { // of old proxies
		if strings.EqualFold(strings.TrimSpace(v), "close") {
			return false
		}
	}
	return err == nil && n < maxDrain && !resp.Close && t.in.Buffered() == 0
}

func (t *tunnel) finish(ctx context.Context, resp *http.Response) (net.Conn, error) {
	proxy := t.login.proxy
	if resp.StatusCode != http.StatusOK {
		return nil, proxyError(proxy, resp.Status, nil)
	}
	if err := t.login.finish(ctx, resp.StatusCode, resp.Header); err != nil {
		return nil, err
	}
	if t.in.Buffered() > 0 {
		return nil, proxyError(proxy, resp.Status, errors.New("it sent data of its own into the tunnel"))
	}
	if !t.watch() {
		return nil, context.Cause(ctx) // it may yet set the deadline
	}
	return t.conn, nil
}

var errOwnProxyAuth = errors.New("Transport.Base has set a Proxy-Authorization of its own, so nothing else was tried")

// errDropped is for a connection that ended before a byte of the answer came.
var errDropped = errors.New("the proxy closed the connection and answered nothing")

// connect sends one CONNECT and reads the answer. hookErr is what the caller's
// hook says of it.
func (t *tunnel) connect(ctx context.Context, token []byte) (resp *http.Response, hookErr, err error) {
	req, err := t.request(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	if err := req.Write(t.conn); err != nil {
		return nil, nil, t.dropped(err)
	}
	limit := cmp.Or(t.base.MaxResponseHeaderBytes, maxTunnelHeader) + maxDrain
	t.in = bufio.NewReader(io.LimitReader(t.conn, limit))
	if _, err := t.in.Peek(1); err != nil {
		return nil, nil, t.dropped(err)
	}
	if resp, err = http.ReadResponse(t.in, req); err != nil {
		return nil, nil, fmt.Errorf("the proxy %s: %w", redacted(t.login.proxy), err)
	}
	if hook := t.base.OnProxyConnectResponse; hook != nil {
		seen := *req
		seen.Header = req.Header.Clone()
		seen.Header.Del("Proxy-Authorization")
		hookErr = hook(ctx, t.login.proxy, &seen, resp)
	}
	return resp, hookErr, nil
}

func (t *tunnel) dropped(err error) error {
	return fmt.Errorf("the proxy %s: %w: %w", redacted(t.login.proxy), errDropped, err)
}

// request is a CONNECT with the token and what the caller's transport sends with
// it.
func (t *tunnel) request(ctx context.Context, token []byte) (*http.Request, error) {
	header := t.base.ProxyConnectHeader
	if t.base.GetProxyConnectHeader != nil {
		var err error
		if header, err = t.base.GetProxyConnectHeader(ctx, t.login.proxy, t.addr); err != nil {
			return nil, err
		}
	}
	if header = header.Clone(); header == nil {
		header = make(http.Header)
	}
	t.own = len(header.Values("Proxy-Authorization")) > 0
	if token != nil && !t.own {
		header.Set("Proxy-Authorization", encodeToken(token))
	}
	return &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: t.addr}, Host: t.addr, Header: header}, nil
}

// dialProxy connects to the proxy, with TLS for an https one.
func (t *tunnel) dialProxy(ctx context.Context) error {
	dial, secured := dialer(t.base), t.login.proxy.Scheme != "https"
	if custom := tlsDialer(t.base); custom != nil && !secured {
		dial, secured = custom, true
	}
	conn, err := dial(ctx, "tcp", address(t.login.proxy))
	if err == nil && !secured {
		config := clientConfig(t.base.TLSClientConfig, t.login.proxy.Hostname())
		config.NextProtos = nil // CONNECT is HTTP/1.1
		conn, err = handshake(ctx, t.base, conn, config)
	}
	if err != nil {
		return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
	}
	t.conn = conn
	t.watch = context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return nil
}
