package negotiate

import (
	"cmp"
	"container/list"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Where Base sets no bounds, these hold, as the identities may be many and go out
// of use without a word.
const (
	defaultMaxIdle     = 100
	defaultIdleTimeout = 90 * time.Second // of a connection that is somebody's
)

// pool keeps the connections of a Transport. It is passive: without a request
// under way it has no goroutine, only timers.
//
// Close, RoundTrip and SetStateHook of an http.ClientConn run the hook, which
// takes mu: none of them may be called with mu held.
type pool struct {
	connector *connector

	maxIdle        int           // of all
	maxIdlePerHost int           // of one identity at one host
	maxPerHost     int           // zero: no limit
	idleTimeout    time.Duration // zero: none
	once           bool          // no keep-alive

	mu     sync.Mutex
	now    standing // the last that was followed
	hosts  map[routeKey]*host
	h2     originSet // routes whose last connection was HTTP/2
	idle   list.List // of *conn, last used in front
	doomed []*conn   // closed by unlock
	held   holdings
}

// host has the connections of one route.
type host struct {
	key     routeKey
	conns   []*conn   // in the order in which they came to rest
	dialing []*wanted // what connections are being made for
	waiters []chan struct{}
}

func newPool(base *http.Transport) *pool {
	return &pool{
		connector:      newConnector(base),
		maxIdle:        cmp.Or(base.MaxIdleConns, defaultMaxIdle),
		maxIdlePerHost: cmp.Or(base.MaxIdleConnsPerHost, http.DefaultMaxIdleConnsPerHost),
		maxPerHost:     base.MaxConnsPerHost,
		idleTimeout:    base.IdleConnTimeout,
		once:           base.DisableKeepAlives || base.MaxIdleConnsPerHost < 0,
		hosts:          make(map[routeKey]*host),
		held:           make(holdings),
	}
}

// party is whom a request, or a connection, is of: towards the server and towards
// a proxy on the way. A request may be nobody's at the server and somebody's at
// the proxy.
type party struct{ server, proxy identity }

func (p party) atServer() identity { return p.server }
func (p party) atProxy() identity  { return p.proxy }

// outdated reports whether s has replaced one of the party.
func (p party) outdated(s standing) bool { return p.server.outdated(s) || p.proxy.outdated(s) }

// lone reports whether nothing that follows can be of the same party.
func (p party) lone() bool { return p.server.alone != nil || p.proxy.alone != nil }

// rank is how much of a connection of the party is owned. Of those that suit, the
// highest is taken, so that clean connections are left for others.
func (p party) rank() (n int) {
	if p.server != nobody {
		n += 2
	}
	if p.proxy != nobody {
		n++
	}
	return n
}

// peers are those who are shown a token.
type peers struct{ server, proxy bool }

// wanted is what a connection is wanted for.
type wanted struct {
	who   party
	shown peers // who will be shown a token on it
	clean bool  // the server must have seen nobody's token on it, not even the own
	fresh bool  // it must not have been used
	asked bool  // a proxy on the way is known to ask, so that a tunnel will be somebody's
}

// canShare reports whether a connection of HTTP/2 that is being made for other will
// do for w as well, so far as can be told. Else w would wait for somebody else's
// login, and for nothing.
func (w wanted) canShare(other *wanted) bool {
	switch {
	case w.fresh:
		return false
	case other.shown.server && (w.clean || w.who.server != other.who.server):
		return false
	case w.shown.server && w.who.server != other.who.server:
		return false
	}
	return !other.asked || w.who.proxy == other.who.proxy
}

// get returns a connection for one exchange, which gives it back with release.
// The second result tells whether it has carried requests before.
func (p *pool) get(ctx context.Context, r route, want wanted) (c *conn, reused bool, err error) {
	want.asked = r.tunnels() && r.auth != nil && r.auth.to(r.proxy).asks()
	for {
		p.mu.Lock()
		h := p.host(r.key())
		if !want.fresh {
			if c := p.pick(h, want); c != nil {
				reused := c.used
				p.use(c, want)
				p.unlock()
				return c, reused, nil
			}
		}
		if p.mayDial(h, want) {
			making := want
			h.dialing = append(h.dialing, &making)
			p.hosts[h.key] = h
			p.unlock()
			c, err := p.dial(ctx, h, r, &making)
			return c, false, err
		}
		turn := make(chan struct{})
		h.waiters = append(h.waiters, turn)
		p.hosts[h.key] = h
		p.unlock()
		if err := p.wait(ctx, h, turn); err != nil {
			return nil, false, err
		}
	}
}

func (p *pool) host(k routeKey) *host {
	h := p.hosts[k]
	if h == nil {
		h = &host{key: k}
		p.hosts[k] = h
	}
	return h
}

// pick finds a connection: one of the party before a clean one, and the one used
// last before others. mu is held.
func (p *pool) pick(h *host, want wanted) *conn {
	for {
		c := h.best(want)
		if c == nil || c.idle == nil || !p.stale(c) && c.ready() {
			return c
		}
		p.remove(c, true)
	}
}

// best is the connection that suits best. It may have died in its rest. There may
// be a thousand: the search ends at the first that none can surpass.
func (h *host) best(want wanted) (best *conn) {
	highest := want.who.rank()
	for _, c := range slices.Backward(h.conns) {
		if !c.suits(want) || best != nil && c.owner.rank() <= best.owner.rank() {
			continue
		}
		if best = c; c.owner.rank() == highest {
			break
		}
	}
	return best
}

// stale reports whether c has been idle for too long by the wall clock: timers
// stand still while a computer sleeps.
func (p *pool) stale(c *conn) bool {
	limit := p.idleLimit(c)
	return limit > 0 && time.Since(c.idleAt.Round(0)) > limit
}

// idleLimit is how long c may be idle; zero is for ever. mu is held.
func (p *pool) idleLimit(c *conn) time.Duration {
	if c.owner.rank() > 0 {
		return cmp.Or(p.idleTimeout, defaultIdleTimeout)
	}
	return p.idleTimeout
}

// use counts an exchange onto c. mu is held.
func (p *pool) use(c *conn, want wanted) {
	p.wake(c)
	c.users = append(c.users, want.who)
	p.own(c, want.who, want.shown)
}

// mayDial reports whether a connection may be made now, if need be in the place
// of an idle one that does not suit. mu is held.
func (p *pool) mayDial(h *host, want wanted) bool {
	if p.h2.has(h.key.String()) && slices.ContainsFunc(h.dialing, want.canShare) {
		return false // it will have room for this one as well
	}
	if p.maxPerHost <= 0 || len(h.conns)+len(h.dialing) < p.maxPerHost {
		return true
	}
	oldest := slices.IndexFunc(h.conns, func(c *conn) bool { return c.idle != nil })
	if oldest < 0 {
		return false
	}
	p.remove(h.conns[oldest], true)
	return true
}

// dial makes a connection. It is in h.dialing already.
func (p *pool) dial(ctx context.Context, h *host, r route, want *wanted) (*conn, error) {
	c, err := p.connector.dial(ctx, r)
	p.mu.Lock()
	h.dialed(want)
	if err != nil {
		p.h2.forget(h.key.String()) // so that who waits need not wait for each other
		p.signalAll(h)
		p.forgetHost(h)
		p.unlock()
		return nil, err
	}
	c.host, c.once = h, p.once
	if c.shared {
		p.h2.add(h.key.String())
	} else {
		p.h2.forget(h.key.String())
	}
	h.conns = append(h.conns, c)
	p.own(c, want.who, peers{proxy: c.proxied})
	p.use(c, *want)
	p.signalAll(h)
	p.unlock()
	c.cc.SetStateHook(func(*http.ClientConn) { p.changed(c) })
	return c, nil
}

// dialed notes that a connection for want is made, or is not to be had.
func (h *host) dialed(want *wanted) {
	i := slices.Index(h.dialing, want)
	h.dialing = slices.Delete(h.dialing, i, i+1)
}

// wait waits for its turn to look again.
func (p *pool) wait(ctx context.Context, h *host, turn chan struct{}) error {
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.unlock()
	if i := slices.Index(h.waiters, turn); i >= 0 {
		h.waiters = slices.Delete(h.waiters, i, i+1)
		p.forgetHost(h)
	} else {
		p.signal(h) // the turn had come; it is the next one's
	}
	return context.Cause(ctx)
}

// signal lets the first who waits look again. mu is held.
func (p *pool) signal(h *host) {
	if len(h.waiters) > 0 {
		close(h.waiters[0])
		h.waiters = slices.Delete(h.waiters, 0, 1)
	}
}

func (p *pool) signalAll(h *host) {
	for len(h.waiters) > 0 {
		p.signal(h)
	}
}

// label makes c who's own, if it may be. It is called before tokens are written.
func (p *pool) label(c *conn, who party, shown peers) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.canLabel(who, shown) {
		return false
	}
	p.own(c, who, shown)
	return true
}

// crowded reports whether several exchanges are on c.
func (p *pool) crowded(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(c.users) > 1
}

// told tells who was shown a token on c.
func (p *pool) told(c *conn) peers {
	p.mu.Lock()
	defer p.mu.Unlock()
	return peers{server: c.owner.server != nobody, proxy: c.owner.proxy != nobody}
}

// carry notes that c is about to carry a request, and whether it shall be closed
// after the exchange. It reports whether c has carried one before.
func (p *pool) carry(c *conn, once bool) (reused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reused = c.used
	c.used = true
	c.once = c.once || once
	return reused
}

// retire has c closed when no exchange is on it any more.
func (p *pool) retire(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.once = true
}

// follow closes the connections of a source that has come to stand for somebody
// else, or for nobody. Those in use are closed after their exchanges.
func (p *pool) follow(now standing) {
	p.mu.Lock()
	defer p.unlock()
	if p.now == now {
		return
	}
	p.now = now
	h := p.held[now.source]
	if h == nil {
		return
	}
	for c := range h.conns {
		if c.owner.outdated(now) {
			p.finish(c)
		}
	}
}

// finish closes a connection, after its exchanges if it is in use. mu is held.
func (p *pool) finish(c *conn) {
	if c.idle != nil {
		p.remove(c, true)
		return
	}
	c.once = true
}

// release ends one exchange on c. The body of its last response may still be
// under way on an HTTP/1.1 connection, which becomes idle when that is over.
func (p *pool) release(c *conn, who party) {
	p.mu.Lock()
	defer p.unlock()
	c.leave(who)
	p.settle(c)
}

// discard ends an exchange on c after which it is of no use to anybody. Those who
// are on it still stay.
func (p *pool) discard(c *conn, who party) {
	p.mu.Lock()
	defer p.unlock()
	c.leave(who)
	if c.shared {
		p.settle(c) // others may be on it
		return
	}
	p.remove(c, true)
}

// changed is the state hook of c.
func (p *pool) changed(c *conn) {
	p.mu.Lock()
	defer p.unlock()
	p.settle(c)
}

// settle puts c where it belongs after something has changed. mu is held.
func (p *pool) settle(c *conn) {
	switch {
	case c.gone || c.idle != nil && c.cc.Err() == nil:
	case c.cc.Err() != nil:
		p.remove(c, false)
	case len(c.users) > 0:
		if c.shared {
			p.signal(c.host)
		}
	case !c.shared && c.cc.InFlight() > 0:
		// The body of the last response is not at its end.
	case c.once || c.owner.lone() || c.owner.outdated(p.now) || c.cc.Available() == 0:
		p.remove(c, true)
	default:
		p.rest(c)
	}
}

// rest makes c idle, within the limits. mu is held.
func (p *pool) rest(c *conn) {
	c.idleAt = time.Now()
	c.idle = p.idle.PushFront(c)
	c.host.last(c)
	p.alarm(c)
	if surplus := c.host.surplus(c.owner, p.maxIdlePerHost); surplus != nil {
		p.remove(surplus, true)
	}
	if p.idle.Len() > p.maxIdle {
		p.remove(p.idle.Back().Value.(*conn), true)
	}
	p.signal(c.host)
}

// last puts c behind all others.
func (h *host) last(c *conn) {
	i := slices.Index(h.conns, c)
	copy(h.conns[i:], h.conns[i+1:])
	h.conns[len(h.conns)-1] = c
}

// surplus is the idle connection of the owner that was used before all others, if
// he has more than the limit of them.
func (h *host) surplus(owner party, limit int) (first *conn) {
	if len(h.conns) <= limit {
		return nil
	}
	n := 0
	for _, c := range slices.Backward(h.conns) {
		if c.idle != nil && c.owner == owner {
			first = c
			n++
		}
	}
	if n <= limit {
		return nil
	}
	return first
}

// alarm has c closed when it has been idle for too long. One that is set already
// stays set, since to set a timer anew for each request may wake a thread. mu is
// held.
func (p *pool) alarm(c *conn) {
	if limit := p.idleLimit(c); limit > 0 && c.alarm == nil {
		c.alarm = time.AfterFunc(limit, func() { p.expire(c) })
	}
}

// wake ends the rest of c. mu is held.
func (p *pool) wake(c *conn) {
	if c.idle == nil {
		return
	}
	p.idle.Remove(c.idle)
	c.idle = nil
}

// expire closes c if it has been idle for long enough. Its next alarm is due when
// it will have been, or is set when it comes to rest.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	defer p.unlock()
	if c.gone || c.idle == nil {
		c.alarm = nil
		return
	}
	left := p.idleLimit(c) - time.Since(c.idleAt)
	if left <= 0 {
		p.remove(c, true)
		return
	}
	c.alarm.Reset(left)
}

// remove takes c out of the pool, and closes it if it is still open. mu is held.
func (p *pool) remove(c *conn, open bool) {
	if c.gone {
		return
	}
	c.gone = true
	p.wake(c)
	p.disown(c)
	if c.alarm != nil {
		c.alarm.Stop()
	}
	h := c.host
	h.conns = slices.DeleteFunc(h.conns, func(o *conn) bool { return o == c })
	if open {
		p.doomed = append(p.doomed, c)
	}
	p.signal(h)
	p.forgetHost(h)
}

// forgetHost drops a host without connections. mu is held.
func (p *pool) forgetHost(h *host) {
	if len(h.conns) == 0 && len(h.dialing) == 0 && len(h.waiters) == 0 && p.hosts[h.key] == h {
		delete(p.hosts, h.key)
	}
}

// closeIdle closes all connections that rest.
func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.unlock()
	for p.idle.Len() > 0 {
		p.remove(p.idle.Front().Value.(*conn), true)
	}
}

// unlock unlocks mu and closes what was doomed under it.
func (p *pool) unlock() {
	doomed := p.doomed
	p.doomed = nil
	p.mu.Unlock()
	for _, c := range doomed {
		c.cc.Close()
	}
}
