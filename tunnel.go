package negotiate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// tunnel makes a connection to a server through an HTTP proxy by CONNECT
// (RFC 9110, section 9.3.6), as http.Transport does, but for the 407: all legs
// of a context travel on one connection to the proxy.
type tunnel struct {
	base  *http.Transport
	login *proxyLogin
	addr  string // of the server

	conn net.Conn
	in   *bufio.Reader
}

// tunnelTimeout bounds the time that a proxy takes for all of it.
const tunnelTimeout = time.Minute

// maxTunnelResponse bounds what a proxy answers to one CONNECT.
const maxTunnelResponse = 1 << 20

// dial returns the connection, on which the server is next to be spoken to.
func (t *tunnel) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, tunnelTimeout)
	defer cancel()
	conn, err := t.open(ctx)
	if err != nil && t.conn != nil {
		t.conn.Close()
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return conn, err
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
		resp, err := t.connect(ctx, token)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusProxyAuthRequired {
			return t.finish(ctx, resp)
		}
		if token, err = t.answer(ctx, resp); err != nil {
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

// answer takes the 407 and makes the next token. Where the proxy has closed the
// connection a context that begins takes a new one; one that is under way is
// lost.
func (t *tunnel) answer(ctx context.Context, resp *http.Response) ([]byte, error) {
	token, fresh, err := t.login.answer(ctx, resp.Header)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, proxyError(t.login.proxy, resp.Status, err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxDrain))
	resp.Body.Close()
	if err == nil && n < maxDrain && !resp.Close && resp.ContentLength >= 0 {
		return token, nil
	}
	if !fresh {
		return nil, proxyError(t.login.proxy, resp.Status, errConnClosed)
	}
	t.conn.Close()
	t.conn = nil
	return token, nil
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
	t.conn.SetDeadline(time.Time{})
	return t.conn, nil
}

// connect sends one CONNECT and reads the answer.
func (t *tunnel) connect(ctx context.Context, token []byte) (*http.Response, error) {
	header, err := t.header(ctx)
	if err != nil {
		return nil, err
	}
	if token != nil {
		header.Set("Proxy-Authorization", encodeToken(token))
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: t.addr}, Host: t.addr, Header: header}
	stop := context.AfterFunc(ctx, func() { t.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := req.Write(t.conn); err != nil {
		return nil, err
	}
	t.in = bufio.NewReader(io.LimitReader(t.conn, maxTunnelResponse))
	resp, err := http.ReadResponse(t.in, req)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", redacted(t.login.proxy), err)
	}
	if hook := t.base.OnProxyConnectResponse; hook != nil {
		seen := *req
		seen.Header = withoutProxyToken(req.Header)
		if err := hook(ctx, t.login.proxy, &seen, resp); err != nil && resp.StatusCode != http.StatusProxyAuthRequired {
			return nil, err
		}
	}
	return resp, nil
}

func withoutProxyToken(h http.Header) http.Header {
	h = h.Clone()
	h.Del("Proxy-Authorization")
	return h
}

// header is what the caller's transport sends with CONNECT.
func (t *tunnel) header(ctx context.Context) (http.Header, error) {
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
	return header, nil
}

// dialProxy connects to the proxy, with TLS for an https one.
func (t *tunnel) dialProxy(ctx context.Context) error {
	dial := t.base.DialContext
	secure := t.login.proxy.Scheme == "https"
	if secure && t.base.DialTLSContext != nil {
		dial, secure = t.base.DialTLSContext, false
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", address(t.login.proxy))
	if err != nil {
		return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
	}
	t.conn = conn
	if !secure {
		return nil
	}
	config := clientConfig(t.base.TLSClientConfig, t.login.proxy.Hostname())
	config.NextProtos = nil
	if limit := t.base.TLSHandshakeTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
	}
	t.conn = secured
	return nil
}
