// Package closing has credentials tell when they are closed, as
// gss.CloseNotifier wants it.
package closing

import "sync"

// Notice is given once. The zero value is open, and so is nil, for good. It is
// safe for concurrent use.
type Notice struct {
	mu     sync.Mutex
	closed bool
	hooks  map[*hook]struct{}
}

// hook has an address of its own.
type hook struct{ f func() }

// Close calls what was left with OnClose, the first time.
func (n *Notice) Close() {
	if n == nil {
		return
	}
	n.mu.Lock()
	hooks := n.hooks
	n.closed, n.hooks = true, nil
	n.mu.Unlock()
	for h := range hooks {
		h.f()
	}
}

// OnClose has Close call f before it returns. stop calls that off, and does not
// wait for an f that is under way. If n is closed already, f is not called, and
// open is false.
func (n *Notice) OnClose(f func()) (stop func(), open bool) {
	if n == nil {
		return func() {}, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return func() {}, false
	}
	h := &hook{f}
	if n.hooks == nil {
		n.hooks = make(map[*hook]struct{})
	}
	n.hooks[h] = struct{}{}
	return func() { n.forget(h) }, true
}

func (n *Notice) forget(h *hook) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hooks, h)
}
