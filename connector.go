package negotiate

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
)

// connector makes connections as an http.Transport does. It works on a copy,
// since NewClientConn of the original
//   - asks its Proxy with a request without a port,
//   - counts a closed connection down though it was never counted up, and
//     panics for it, if MaxConnsPerHost is set,
//   - would announce "Connection: close" between the legs of a context, if
//     DisableKeepAlives is set.
type connector struct {
	base *http.Transport // a plain copy, for tunnels
	any  *http.Transport // the protocols of the original
	h1   *http.Transport // HTTP/1.1 only
}

func newConnector(base *http.Transport) *connector {
	return &connector{base: base.Clone(), any: copyTransport(base, false), h1: copyTransport(base, true)}
}

func copyTransport(base *http.Transport, h1 bool) *http.Transport {
	c := base.Clone()
	c.MaxConnsPerHost = 0
	c.DisableKeepAlives = false
	c.MaxIdleConnsPerHost = 0
	c.ExpectContinueTimeout = cmp.Or(base.ExpectContinueTimeout, defaultExpectTimeout)
	c.Proxy = func(req *http.Request) (*url.URL, error) {
		if d := dialOf(req.Context()); d.tunnel == nil {
			return d.route.proxy, nil
		}
		return nil, nil // the dialer goes through the proxy
	}
	setProtocols(c, base, h1)
	recordConns(c)
	return c
}

// setProtocols gives the copy the protocols that base has. A copy would decide
// anew, from fields that base has changed when it decided.
func setProtocols(c, base *http.Transport, h1 bool) {
	_, h2 := base.TLSNextProto["h2"] // set by Clone at the latest
	if c.Protocols == nil {
		c.Protocols = new(http.Protocols)
		c.Protocols.SetHTTP1(true)
		c.Protocols.SetHTTP2(h2)
	}
	// An HTTP/2 implementation that is installed in base works for base only.
	c.TLSNextProto = maps.Clone(c.TLSNextProto)
	delete(c.TLSNextProto, "h2")
	if h1 {
		c.Protocols = new(http.Protocols)
		c.Protocols.SetHTTP1(true)
	}
	if c.TLSClientConfig != nil && !c.Protocols.HTTP2() {
		// A server that is offered h2 chooses it.
		c.TLSClientConfig.NextProtos = slices.DeleteFunc(slices.Clone(c.TLSClientConfig.NextProtos),
			func(p string) bool { return p == "h2" })
	}
}

// recordConns has the copy's dialers tell which connection they made.
func recordConns(c *http.Transport) {
	c.DialContext = recorded(dialer(c))
	if dial := tlsDialer(c); dial != nil {
		c.DialTLSContext = recordedTLS(c, dial)
	}
}

// dialer is how t makes connections.
func dialer(t *http.Transport) dialFunc {
	//lint:ignore SA1019 deprecated, but perhaps what the caller has set
	dial := t.Dial
	switch {
	case t.DialContext != nil:
		return checked(t.DialContext)
	case dial != nil:
		return checked(withoutContext(dial))
	}
	return new(net.Dialer).DialContext
}

// tlsDialer is how t makes TLS connections, nil for upon those of its dialer.
func tlsDialer(t *http.Transport) dialFunc {
	//lint:ignore SA1019 deprecated, but perhaps what the caller has set
	dial := t.DialTLS
	switch {
	case t.DialTLSContext != nil:
		return checked(t.DialTLSContext)
	case dial != nil:
		return checked(withoutContext(dial))
	}
	return nil
}

func withoutContext(dial func(network, addr string) (net.Conn, error)) dialFunc {
	return func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) }
}

// checked has a caller's dialer return something.
func checked(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if conn == nil && err == nil {
			err = errors.New("negotiate: the dialer of Transport.Base returned neither a connection nor an error")
		}
		return conn, err
	}
}

// recordedTLS is recorded for a dialer that makes TLS connections. Like
// net/http it is not used through a tunnel, where TLSClientConfig counts.
func recordedTLS(c *http.Transport, dial dialFunc) dialFunc {
	direct := recorded(dial)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := dialOf(ctx)
		if d.tunnel == nil {
			return direct(ctx, network, addr)
		}
		conn, err := d.tunnel.dial(ctx)
		if err != nil {
			return nil, err
		}
		d.setConn(conn)
		host, _, _ := net.SplitHostPort(addr)
		return handshake(ctx, c, conn, clientConfig(c.TLSClientConfig, host))
	}
}

// clientConfig is the configuration for a handshake with host.
func clientConfig(config *tls.Config, host string) *tls.Config {
	if config = config.Clone(); config == nil {
		config = new(tls.Config)
	}
	config.ServerName = cmp.Or(config.ServerName, host)
	return config
}

// handshake makes a TLS connection of conn, in the time that t allows for it, and
// closes conn where that fails.
func handshake(ctx context.Context, t *http.Transport, conn net.Conn, config *tls.Config) (net.Conn, error) {
	if limit := t.TLSHandshakeTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errHandshakeTimeout)
		defer cancel()
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	return secured, nil
}

const errHandshakeTimeout = timeoutError("the TLS handshake took longer than Transport.Base allows")

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func recorded(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		dial := dial
		if d := dialOf(ctx); d.tunnel != nil {
			dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.tunnel.dial(ctx) }
		}
		conn, err := dial(ctx, network, addr)
		if err == nil {
			dialOf(ctx).setConn(conn)
		}
		return conn, err
	}
}

// dialing is one connection in the making.
type dialing struct {
	route  route
	tunnel *tunnel // nil: net/http sees to proxies

	mu   sync.Mutex
	conn net.Conn
	tls  *tls.ConnectionState
}

type dialKey struct{}

func dialOf(ctx context.Context) *dialing { return ctx.Value(dialKey{}).(*dialing) }

func (d *dialing) setConn(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = c
}

// setTLS keeps the last handshake: of two, the first is a proxy's.
func (d *dialing) setTLS(s tls.ConnectionState, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.tls = &s
	}
}

// dial makes a connection.
func (c *connector) dial(ctx context.Context, r route) (*conn, error) {
	d := &dialing{route: r}
	if r.auth != nil && r.tunnels() {
		d.tunnel = &tunnel{base: c.base, login: r.auth.to(r.proxy), addr: r.addr}
		defer d.tunnel.login.close()
	}
	ctx = context.WithValue(ctx, dialKey{}, d)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{TLSHandshakeDone: d.setTLS})
	t := c.any
	if r.h1 {
		t = c.h1
	}
	cc, err := t.NewClientConn(ctx, r.scheme, r.addr)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if d.conn != nil {
			d.conn.Close() // net/http does not on each path
		}
		return nil, err
	}
	return &conn{
		cc:      cc,
		net:     d.conn,
		tls:     d.tls,
		shared:  d.tls != nil && d.tls.NegotiatedProtocol == "h2" || cc.Available() > 1,
		proxied: d.tunnel != nil && d.tunnel.login.legs > 0,
	}, nil
}
