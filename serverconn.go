package negotiate

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"sync"

	"github.com/go-negotiate/negotiate/gss"
)

// ConfigureServer makes srv tell its connections apart, for mechanisms that need
// several requests on one connection, and, if ChannelBindings asks for it, note
// which certificate it shows on each. Call it before srv serves, and after
// srv.TLSConfig is set. Several handlers may configure one server.
//
// A Handler without it works with mechanisms of one request, as Kerberos is, and
// without channel bindings; it refuses all else.
//
// It wraps srv.ConnContext and srv.ConnState. For channel bindings it also
// replaces srv.TLSConfig by a copy that notes the certificate, which must come
// from Certificates, GetCertificate or GetConfigForClient and not from the files
// that ListenAndServeTLS takes: call that with two empty names. Session
// resumption is off in the copy, since a resumed connection shows no
// certificate. The error says that there is no certificate, or that one cannot be
// read.
func (h *Handler) ConfigureServer(srv *http.Server) error {
	conns := &serverConns{states: make(map[net.Conn]*connState)}
	if h.ChannelBindings != BindingIgnore && h.Certificate == nil {
		if err := checkCertificates(srv.TLSConfig); err != nil {
			return err
		}
		srv.TLSConfig = conns.recording(srv.TLSConfig)
	}
	conns.hook(srv)
	return nil
}

// serverConns are the open connections of a server. The key is the connection
// below TLS, which is what a handshake knows.
type serverConns struct {
	mu     sync.Mutex
	states map[net.Conn]*connState
}

func (c *serverConns) hook(srv *http.Server) {
	connContext, connStateHook := srv.ConnContext, srv.ConnState
	srv.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, conn)
		}
		return context.WithValue(ctx, connKey{}, c.add(ctx, conn))
	}
	srv.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			c.remove(conn)
		}
		if connStateHook != nil {
			connStateHook(conn, state)
		}
	}
}

// add returns the state of a connection: the one that another Handler's hook has
// put into ctx, or a new one.
func (c *serverConns) add(ctx context.Context, conn net.Conn) *connState {
	state := connFrom(ctx)
	if state == nil {
		state = &connState{pending: make(map[*Handler]*pending)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states[innermost(conn)] = state
	return state
}

func (c *serverConns) remove(conn net.Conn) {
	key := innermost(conn)
	c.mu.Lock()
	state := c.states[key]
	delete(c.states, key)
	c.mu.Unlock()
	if state != nil {
		state.end()
	}
}

// saw notes the certificate that a handshake on conn uses.
func (c *serverConns) saw(conn net.Conn, cert *x509.Certificate) {
	c.mu.Lock()
	state := c.states[innermost(conn)]
	c.mu.Unlock()
	if state != nil {
		state.setCertificate(cert)
	}
}

// innermost unwraps conn as *tls.Conn and its like allow.
func innermost(conn net.Conn) net.Conn {
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = outer.NetConn()
	}
}

type connKey struct{}

// connFrom returns the connection of a request's context; nil if the server is
// not configured.
func connFrom(ctx context.Context) *connState {
	c, _ := ctx.Value(connKey{}).(*connState)
	return c
}

// connState is what is known of one connection. It holds no identity: each
// request brings its own.
type connState struct {
	mu      sync.Mutex
	ended   bool
	cert    *x509.Certificate
	pending map[*Handler]*pending
}

// pending is a context on its way. One at most waits on a connection for each
// Handler; another takes its place.
type pending struct {
	sc   gss.SecContext
	legs int
}

// step closes the context after an error.
func (p *pending) step(ctx context.Context, token []byte) (out []byte, done bool, err error) {
	p.legs++
	out, done, err = p.sc.Step(ctx, token)
	if err != nil {
		p.sc.Close()
	}
	return out, done, err
}

// take removes the context that waits for h; nil if there is none, also if c is
// nil.
func (c *connState) take(h *Handler) *pending {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pending[h]
	delete(c.pending, h)
	return p
}

// put has p wait for h. It reports false if the connection has ended.
func (c *connState) put(h *Handler, p *pending) bool {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return false
	}
	old := c.pending[h]
	c.pending[h] = p
	c.mu.Unlock()
	if old != nil {
		old.sc.Close()
	}
	return true
}

// end closes what still waits.
func (c *connState) end() {
	c.mu.Lock()
	c.ended = true
	waiting := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, p := range waiting {
		p.sc.Close()
	}
}

func (c *connState) setCertificate(cert *x509.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cert = cert
}

// certificate is nil for a nil c, too.
func (c *connState) certificate() *x509.Certificate {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cert
}
