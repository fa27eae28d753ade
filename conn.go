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
// written to it; from then on it belongs to whom the token is of.
type conn struct {
	cc     *http.ClientConn
	net    net.Conn             // for httptrace
	tls    *tls.ConnectionState // nil without TLS, or if not known; for http it is a proxy's
	shared bool                 // HTTP/2: several exchanges at a time
	// proxied tells that a token was shown to the proxy which it leads through,
	// before the server was spoken to.
	proxied bool
	// proved tells that the proxy which it leads to has proved its identity. It
	// belongs to the one exchange that is on the connection.
	proved bool

	// All that follows is guarded by pool.mu.
	host   *host
	owner  party // whose tokens the server and the proxy were shown
	users  []party
	used   bool // it has carried a request
	once   bool // to be closed when it becomes idle
	gone   bool // no more in the pool
	idle   *list.Element
	idleAt time.Time
	alarm  *time.Timer // due when it may have been idle for too long; nil: none is set
}

// ready reports whether a further leg may go out on c at once.
func (c *conn) ready() bool { return c.cc.Err() == nil && c.cc.Available() > 0 }

// lost reports whether no further leg can go out on c at all.
func (c *conn) lost() bool { return c.cc.Err() != nil || !c.shared && c.cc.Available() == 0 }

// suits reports whether c can be had for want now, if it has not died in its rest.
// pool.mu is held.
func (c *conn) suits(want wanted) bool {
	switch {
	case !c.shared && len(c.users) > 0 || c.once:
		return false
	case c.owner.server != nobody && (want.clean || c.owner.server != want.who.server):
		return false
	case c.owner.proxy != nobody && c.owner.proxy != want.who.proxy:
		return false
	case !c.canLabel(want.who, want.shown):
		return false
	}
	// A slot of a shared one stays with an exchange between its legs.
	return c.idle != nil || c.ready() && (!c.shared || len(c.users) < c.cc.Available()+c.cc.InFlight())
}

// canLabel reports whether tokens of who may be written to c: neither may anybody
// else own it nor be on it. pool.mu is held.
func (c *conn) canLabel(who party, shown peers) bool {
	others := func(of func(party) identity) bool {
		if owner := of(c.owner); owner != nobody {
			return owner != of(who)
		}
		return slices.ContainsFunc(c.users, func(u party) bool { return of(u) != of(who) })
	}
	return !(shown.server && others(party.atServer) || shown.proxy && others(party.atProxy))
}

// label notes that tokens of who are about to be written to c. pool.mu is held.
func (c *conn) label(who party, shown peers) {
	if shown.server {
		c.owner.server = who.server
	}
	if shown.proxy {
		c.owner.proxy = who.proxy
	}
}

// leave takes one user off. pool.mu is held.
func (c *conn) leave(who party) {
	if i := slices.Index(c.users, who); i >= 0 {
		c.users = slices.Delete(c.users, i, i+1)
	}
}
