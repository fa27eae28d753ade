package libgssapi

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/go-negotiate/negotiate/gss"
)

// resources are what a context has of the library's. A call that goes on after
// the context was closed keeps them until it returns.
type resources struct {
	lib  *library
	cred *credHandle

	mu        sync.Mutex
	calls     int
	ended     bool
	context   uintptr
	target    uintptr
	delegated *credHandle // that nobody has asked for yet
}

// begin keeps the resources for a call; false if they were released.
func (r *resources) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.calls++
	return true
}

// end tells that the call has returned.
func (r *resources) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls--
	if r.ended && r.calls == 0 {
		r.free()
	}
}

// release frees the resources, now or when the last of the present calls returns.
func (r *resources) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.ended = true
	if r.calls == 0 {
		r.free()
	}
}

func (r *resources) free() {
	if r.context != 0 {
		var m memory
		out := &struct {
			minor   uint32
			context uintptr
		}{context: r.context}
		pin(&m, out)
		call(r.lib.deleteSecContext, pin(&m, &out.minor), pin(&m, &out.context), 0)
		m.release()
	}
	r.lib.freeName(r.target)
	r.cred.release()
	r.delegated.release()
	r.context, r.target, r.cred, r.delegated = 0, 0, nil, nil
}

// takeDelegated hands the delegated credential over.
func (r *resources) takeDelegated() *credHandle {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.delegated
	r.delegated = nil
	return h
}

// Context is a context of the library. It is a gss.SecContext, made by
// Provider.Initiate and Provider.Accept, and a gss.MessageProtector.
type Context struct {
	lib      *library
	run      *runner
	op       string
	res      *resources
	bindings *gss.ChannelBindings

	// Of the initiator's side.
	initiator bool
	mech      uintptr
	mechOID   gss.OID
	target    gss.Name
	flags     gss.Flags
	lifetime  uint32

	stepped, done, dead bool
	info                gss.ContextInfo
	delegated           credDescription
}

func newContext(p *Provider, op string, cred *credHandle, cb *gss.ChannelBindings) *Context {
	c := &Context{lib: p.lib, run: p.run, op: op, bindings: cb, res: &resources{lib: p.lib, cred: cred}}
	runtime.AddCleanup(c, (*resources).release, c.res)
	return c
}

// Step implements [gss.SecContext]. When ctx ends while the library waits, Step
// returns at once, the context is dead, and what the library still makes is
// released.
func (c *Context) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if err := c.mayStep(in); err != nil {
		return nil, false, err
	}
	if !c.res.begin() {
		return nil, false, c.defective("the context is closed")
	}
	c.stepped = true
	token := bytes.Clone(in)
	var r stepResult
	if err := c.run.run(ctx, func() { r = c.step(token) }, c.res.end); err != nil {
		c.dead = true
		c.res.release()
		return nil, false, err
	}
	c.res.end()
	if r.err != nil {
		c.dead = true
		c.res.release()
		return r.token, false, r.err
	}
	if r.done {
		c.done, c.info, c.delegated = true, r.info, r.delegated
	}
	return r.token, r.done, nil
}

// mayStep refuses what the library would take for something else.
func (c *Context) mayStep(in []byte) error {
	switch {
	case c.dead || c.done:
		return c.defective("a token after the context was finished")
	case len(in) == 0 && (!c.initiator || c.stepped):
		return c.defective("the peer's token is missing")
	case len(in) > 0 && c.initiator && !c.stepped:
		return c.defective("a token before the initiator has sent one")
	}
	return nil
}

func (c *Context) defective(why string) error {
	return &gss.Error{Major: gss.ErrDefectiveToken, Mech: c.mechOID, Op: c.op, Err: errors.New(why)}
}

// stepResult is what one step has brought.
type stepResult struct {
	token     []byte
	done      bool
	err       error
	info      gss.ContextInfo
	delegated credDescription
}

// step runs on one thread and may wait.
func (c *Context) step(token []byte) stepResult {
	if c.initiator {
		return c.stepInitiator(token)
	}
	return c.stepAcceptor(token)
}

// initFrame is what gss_init_sec_context writes.
type initFrame struct {
	minor, flags, lifetime uint32
	context, mech          uintptr
	token                  buffer
}

func (c *Context) stepInitiator(token []byte) (r stepResult) {
	l := c.lib
	if c.res.target == 0 {
		if c.res.target, r.err = l.importName(c.op, c.target); r.err != nil {
			return r
		}
	}
	var m memory
	defer m.release()
	f := &initFrame{context: c.res.context}
	pin(&m, f)
	in := uintptr(0)
	if len(token) > 0 {
		in = m.buffer(token)
	}
	major := uint32(call(l.initSecContext, pin(&m, &f.minor), c.res.cred.address(), pin(&m, &f.context), c.res.target,
		c.mech, uintptr(c.flags), uintptr(c.lifetime), m.bindings(l.layout, c.bindings),
		in, pin(&m, &f.mech), pin(&m, &f.token), pin(&m, &f.flags), pin(&m, &f.lifetime)))
	c.res.context = f.context
	if refused(major) {
		r.err = l.failure(c.op, c.failedMech(), major, f.minor)
	}
	r.token = l.token(&m, &f.token)
	if r.err != nil || major&continueNeeded != 0 {
		return r
	}
	return c.finish(r, gss.Flags(f.flags))
}

// acceptFrame is what gss_accept_sec_context writes.
type acceptFrame struct {
	minor, flags, lifetime     uint32
	context, source, delegated uintptr
	mech                       uintptr
	token                      buffer
}

func (c *Context) stepAcceptor(token []byte) (r stepResult) {
	l := c.lib
	var m memory
	defer m.release()
	f := &acceptFrame{context: c.res.context}
	pin(&m, f)
	major := uint32(call(l.acceptSecContext, pin(&m, &f.minor), pin(&m, &f.context), c.res.cred.address(), m.buffer(token),
		m.bindings(l.layout, c.bindings), pin(&m, &f.source), pin(&m, &f.mech), pin(&m, &f.token),
		pin(&m, &f.flags), pin(&m, &f.lifetime), pin(&m, &f.delegated)))
	c.res.context = f.context
	if refused(major) {
		r.err = l.failure(c.op, c.failedMech(), major, f.minor)
	}
	r.token = l.token(&m, &f.token)
	l.freeName(f.source) // the name is read when the context is done, from itself
	if r.err != nil || major&continueNeeded != 0 {
		l.freeCred(f.delegated)
		return r
	}
	if f.delegated != 0 {
		c.res.delegated = newCredHandle(l, f.delegated, "")
		if r.delegated, r.err = l.describe(c.res.delegated, gss.UsageInitiate); r.err != nil {
			return r
		}
	}
	return c.finish(r, gss.Flags(f.flags))
}

// token copies a token of the library and releases it; nil for an empty one.
func (l *library) token(m *memory, b *buffer) []byte {
	if t := l.take(m, b); len(t) > 0 {
		return t
	}
	return nil
}

// failedMech is the mechanism to name in an error.
func (c *Context) failedMech() gss.OID {
	if c.initiator && c.mechOID == "" {
		return gss.MechSPNEGO
	}
	return c.mechOID
}

// inquireFrame is what gss_inquire_context writes.
type inquireFrame struct {
	minor, lifetime, flags uint32
	local, open            int32
	source, target, mech   uintptr
}

// finish asks for the names of an established context. One whose initiator
// cannot be named is none.
func (c *Context) finish(r stepResult, flags gss.Flags) stepResult {
	l := c.lib
	var m memory
	defer m.release()
	f := new(inquireFrame)
	pin(&m, f)
	major := uint32(call(l.inquireContext, pin(&m, &f.minor), c.res.context, pin(&m, &f.source), pin(&m, &f.target),
		pin(&m, &f.lifetime), pin(&m, &f.mech), pin(&m, &f.flags), pin(&m, &f.local), pin(&m, &f.open)))
	if failed(major) {
		r.err = l.failure(c.op, c.failedMech(), major, f.minor)
		return r
	}
	r.info.Initiator, r.err = l.exportName(c.op, f.source)
	target, err := l.exportName(c.op, f.target)
	switch {
	case r.err != nil:
		return r
	case err != nil && c.initiator:
		r.err = err
		return r
	case r.info.Initiator.IsZero():
		r.err = &gss.Error{Major: gss.ErrFailure, Mech: c.mechOID, Op: c.op, Err: errors.New("the library has established a context and names no initiator")}
		return r
	}
	r.info.Acceptor = target
	r.info.Mechanism = l.readOID(pointerTo(f.mech))
	r.info.Expires = expiry(f.lifetime)
	r.info.Flags = c.believed(flags)
	r.done = true
	return r
}

// knownFlags are those that package gss names.
const knownFlags = gss.FlagDelegate | gss.FlagMutual | gss.FlagReplay | gss.FlagSequence | gss.FlagConfidentiality |
	gss.FlagIntegrity | gss.FlagAnonymous | gss.FlagChannelBound | gss.FlagDelegatePolicy

// believed drops flags that may be the peer's claim alone. Heimdal 7 hands an
// acceptor whatever bits the initiator's checksum has: only of MIT's library is it
// known that GSS_C_CHANNEL_BOUND_FLAG is its own finding, and only where it had
// bindings to compare.
func (c *Context) believed(flags gss.Flags) gss.Flags {
	flags &= knownFlags
	if c.initiator || c.bindings == nil || c.lib.vendor != vendorMIT {
		flags &^= gss.FlagChannelBound
	}
	if !c.initiator && c.res.delegated == nil {
		flags &^= gss.FlagDelegate
	}
	return flags
}

// Info implements [gss.SecContext].
func (c *Context) Info() gss.ContextInfo {
	if !c.done {
		return gss.ContextInfo{}
	}
	if h := c.res.takeDelegated(); h != nil {
		c.info.Delegated = newCredential(h, gss.UsageInitiate, c.delegated)
	}
	return c.info
}

// Close implements [gss.SecContext].
func (c *Context) Close() error {
	c.dead = true
	c.res.release()
	return nil
}

func cloneBindings(cb *gss.ChannelBindings) *gss.ChannelBindings {
	if cb == nil {
		return nil
	}
	c := *cb
	c.InitiatorAddress, c.AcceptorAddress = bytes.Clone(cb.InitiatorAddress), bytes.Clone(cb.AcceptorAddress)
	c.ApplicationData = bytes.Clone(cb.ApplicationData)
	return &c
}
