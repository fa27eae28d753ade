package negotiate

import "github.com/go-negotiate/negotiate/gss"

// endings are the credentials that own connections of a pool and tell when they
// are closed, by identity.source.
type endings map[any]*ending

type ending struct {
	conns int // of the credential; one that leads through a proxy may count twice
	stop  func()
}

// own makes c who's, as far as tokens are about to be shown. A connection of a
// credential that has been closed is not kept. mu is held.
func (p *pool) own(c *conn, who party, shown peers) {
	before := c.owner
	c.label(who, shown)
	if c.owner.server != before.server {
		p.attach(c, c.owner.server)
	}
	if c.owner.proxy != before.proxy {
		p.attach(c, c.owner.proxy)
	}
}

func (p *pool) attach(c *conn, id identity) {
	cred, ok := id.source.(gss.CloseNotifier)
	if !ok || c.gone {
		return
	}
	e := p.ends[id.source]
	if e == nil {
		stop, open := cred.OnClose(func() { p.end(id.source) })
		if !open {
			c.once = true
			return
		}
		if p.ends == nil {
			p.ends = make(endings)
		}
		e = &ending{stop: stop}
		p.ends[id.source] = e
	}
	e.conns++
}

// disown is for a connection that leaves the pool. mu is held.
func (p *pool) disown(c *conn) {
	p.detach(c.owner.server)
	p.detach(c.owner.proxy)
}

func (p *pool) detach(id identity) {
	e := p.ends[id.source]
	if e == nil {
		return
	}
	if e.conns--; e.conns == 0 {
		delete(p.ends, id.source)
		e.stop()
	}
}

// end closes the connections of a credential that has been closed.
func (p *pool) end(source any) {
	p.mu.Lock()
	defer p.unlock()
	delete(p.ends, source)
	p.finish(func(owner party) bool { return owner.server.source == source || owner.proxy.source == source })
}
