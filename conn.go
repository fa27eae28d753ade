package negotiate

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"time"
)

// conn is a connection of a pool. It is clean until a token is about to be
// written to it; from then on it belongs to one identity.
type conn struct {
	cc     *http.ClientConn
	net    net.Conn             // for httptrace
	tls    *tls.ConnectionState // nil without TLS, or if not known
	shared bool                 // HTTP/2: several exchanges at a time
	// proxied tells that a token was shown to the proxy which it leads through,
	// before the server was spoken to.
	proxied bool
	// proved tells that the proxy which it leads to has proved its identity. It
	// belongs to the one exchange that is on the connection.
	proved bool

	// All that follows is guarded by pool.mu.
	host    *host
	owner   identity // nobody: it is clean
	told    bool     // the server, and not a proxy only, was shown a token
	users   []identity
	used    bool // it has carried a request
	once    bool // to be closed when it becomes idle
	gone    bool // no more in the pool
	idle    *list.Element
	idleAt  time.Time
	idleTmr *time.Timer
}

// ready reports whether a further leg may go out on c at once.
func (c *conn) ready() bool { return c.cc.Err() == nil && c.cc.Available() > 0 }

// lost reports whether no further leg can go out on c at all.
func (c *conn) lost() bool { return c.cc.Err() != nil || !c.shared && c.cc.Available() == 0 }

// clean reports whether no token was written to c. pool.mu is held.
func (c *conn) clean() bool { return c.owner == nobody }

// suits reports whether c can be had for want now. pool.mu is held.
func (c *conn) suits(want wanted) bool {
	if c.cc.Err() != nil || c.cc.Available() == 0 || c.once {
		return false
	}
	if !c.clean() && (want.clean && c.told || c.owner != want.id) {
		return false
	}
	if (want.label || want.proxy) && !c.canLabel(want.id) {
		return false
	}
	if c.shared {
		// A slot stays with an exchange between its legs.
		return len(c.users) < c.cc.Available()+c.cc.InFlight()
	}
	return len(c.users) == 0
}

// canLabel reports whether a token of id may be written to c: nobody else must
// be on it. pool.mu is held.
func (c *conn) canLabel(id identity) bool {
	if !c.clean() {
		return c.owner == id
	}
	return !slices.ContainsFunc(c.users, func(u identity) bool { return u != id })
}

// leave takes one user of id off. pool.mu is held.
func (c *conn) leave(id identity) {
	if i := slices.Index(c.users, id); i >= 0 {
		c.users = slices.Delete(c.users, i, i+1)
	}
}
