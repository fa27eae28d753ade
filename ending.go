package negotiate

import "github.com/go-negotiate/negotiate/gss"

// holdings are the connections of a pool that are somebody's, by identity.source,
// so that what concerns one source looks at none of the others'.
type holdings map[any]*holding

type holding struct {
	conns map[*conn]struct{}
	stop  func() // nil if the source does not tell when it is closed
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
	if id.alone != nil || c.gone {
		return
	}
	h := p.held[id.source]
	if h == nil {
		h = &holding{conns: make(map[*conn]struct{})}
		if cred, ok := id.source.(gss.CloseNotifier); ok {
			var open bool
			if h.stop, open = cred.OnClose(func() { p.end(id.source) }); !open {
				c.once = true
				return
			}
		}
		p.held[id.source] = h
	}
	h.conns[c] = struct{}{}
}

// disown is for a connection that leaves the pool. mu is held.
func (p *pool) disown(c *conn) {
	p.detach(c, c.owner.server)
	p.detach(c, c.owner.proxy)
}

func (p *pool) detach(c *conn, id identity) {
	h := p.held[id.source]
	if h == nil {
		return
	}
	delete(h.conns, c)
	if len(h.conns) > 0 {
		return
	}
	delete(p.held, id.source)
	if h.stop != nil {
		h.stop()
	}
}

// end closes the connections of a credential that has been closed.
func (p *pool) end(source any) {
	p.mu.Lock()
	defer p.unlock()
	h := p.held[source]
	if h == nil {
		return
	}
	delete(p.held, source)
	for c := range h.conns {
		p.finish(c)
	}
}
