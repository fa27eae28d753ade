package sspi

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// maxToken bounds a peer's token, in bytes. Windows' own limit is 48000, and
// 65535 where it is raised.
const maxToken = 1 << 20

// secContext is a security context of either side.
type secContext struct {
	mech      gss.OID // as asked for
	initiator bool
	target    gss.Name
	call      contextCall // of the next leg
	held      *heldContext

	received bool // a token of the peer was taken
	unbound  bool // as in contextResult, of any leg
	done     bool
	dead     bool
	info     gss.ContextInfo
}

// heldContext is what has to be released: a context and the credential that it
// uses. A call that its caller no longer waits for still has them.
type heldContext struct {
	sys   secur32
	cred  *heldCredential
	slots chan struct{} // the provider's

	mu     sync.Mutex
	h      handle
	calls  int // on their way
	closed bool
}

// maxCalls bounds the threads that legs keep while Windows waits for a domain
// controller, those included that nobody waits for any more.
const maxCalls = 256

func (p *Provider) newContext(cred *heldCredential, mech gss.OID) *secContext {
	c := &secContext{mech: mech, held: &heldContext{sys: p.sys, cred: cred, slots: p.slots}}
	c.call = contextCall{cred: cred.h, maxToken: p.maxToken}
	runtime.AddCleanup(c, (*heldContext).close, c.held)
	return c
}

// close releases everything, at once or when the last call on its way is over.
func (h *heldContext) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	if h.calls == 0 {
		h.free()
	}
}

func (h *heldContext) free() {
	if h.h != (handle{}) {
		h.sys.deleteContext(h.h)
		h.h = handle{}
	}
	h.cred.release()
}

// begin keeps everything for a call; false if it is released.
func (h *heldContext) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.calls++
	return true
}

// end tells that the call is over.
func (h *heldContext) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls--
	if h.closed && h.calls == 0 {
		h.free()
	}
}

// run makes a call that may wait for the network, and returns when ctx ends,
// whatever the call does.
func (h *heldContext) run(ctx context.Context, call func() contextResult) (contextResult, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return contextResult{}, context.Cause(ctx)
	}
	if !h.begin() {
		<-h.slots
		return contextResult{}, errClosed
	}
	done := make(chan contextResult, 1)
	go func() {
		defer func() { <-h.slots }()
		r := call()
		h.mu.Lock()
		h.h = r.ctx
		h.mu.Unlock()
		h.end()
		done <- r
	}()
	select {
	case r := <-done:
		return r, nil
	case <-ctx.Done():
		h.close()
		return contextResult{}, context.Cause(ctx)
	}
}

var errClosed = errors.New("the context is closed")

func (c *secContext) op() string {
	if c.initiator {
		return "initiate"
	}
	return "accept"
}

// Step implements [gss.SecContext].
func (c *secContext) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	defer runtime.KeepAlive(c) // its cleanup deletes the handle
	if out, done, err = c.step(ctx, in); err != nil {
		c.dead, c.done = true, false
		c.info = gss.ContextInfo{}
		c.held.close()
	}
	return out, done, err
}

func (c *secContext) step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if err := c.checkStep(ctx, in); err != nil {
		return nil, false, err
	}
	r, err := c.leg(ctx, in)
	if err != nil {
		return nil, false, ended(c.op(), err)
	}
	c.call.ctx = r.ctx
	if r.unbound {
		c.unbound = true
		c.call.request |= ascAllowMissingBindings
	}
	c.received = c.received || in != nil
	if r.status != secOK && r.status != secContinueNeeded {
		return c.refused(r)
	}
	if c.mech != gss.MechNTLM && carriesNTLM(r.out) {
		return nil, false, c.errNTLM()
	}
	if r.status == secContinueNeeded {
		return r.out, false, nil
	}
	if err := c.finish(r); err != nil {
		return nil, false, err
	}
	return r.out, true, nil
}

func (c *secContext) checkStep(ctx context.Context, in []byte) error {
	first := c.call.ctx == handle{}
	switch {
	case ctx.Err() != nil:
		return ended(c.op(), context.Cause(ctx))
	case c.dead || c.done:
		return refusal(gss.ErrNoContext, c.op(), c.mech, "the context takes no further token")
	case c.initiator && first && in != nil:
		return refusal(gss.ErrDefectiveToken, c.op(), c.mech, "a context begins without a token of the server")
	case len(in) == 0 && !(c.initiator && first):
		return refusal(gss.ErrDefectiveToken, c.op(), c.mech, "the peer's token is empty")
	case len(in) > maxToken:
		return refusal(gss.ErrDefectiveToken, c.op(), c.mech, "the peer's token has %d bytes, at most %d are taken", len(in), maxToken)
	case c.mech != gss.MechNTLM && carriesNTLM(in):
		return c.errNTLM()
	}
	return nil
}

// ntlmSignature begins every message of NTLM, also inside SPNEGO.
var ntlmSignature = []byte("NTLMSSP\x00")

func carriesNTLM(token []byte) bool { return bytes.Contains(token, ntlmSignature) }

func (c *secContext) errNTLM() error {
	return refusal(gss.ErrBadMech, c.op(), gss.MechNTLM, "Kerberos does not work here and NTLM was not asked for; "+
		"check the server's name, its account and the domain controller, or ask for the mechanism NTLM")
}

// leg makes the call for one token. An acceptor that knows the channel tries
// again for a client that has presented no bindings.
func (c *secContext) leg(ctx context.Context, in []byte) (contextResult, error) {
	call := c.call
	call.token = bytes.Clone(in) // the call may outlast the caller's interest
	sys := c.held.sys
	if c.initiator {
		return c.held.run(ctx, func() contextResult { return sys.initialize(call) })
	}
	return c.held.run(ctx, func() contextResult {
		r := sys.accept(call)
		if r.status != secBadBindings || call.ctx != (handle{}) {
			return r
		}
		if r.ctx != (handle{}) {
			sys.deleteContext(r.ctx)
		}
		call.request |= ascAllowMissingBindings
		r = sys.accept(call)
		r.unbound = true
		return r
	})
}

// refused is the error for a leg's status, with a token for the peer if there is
// one.
func (c *secContext) refused(r contextResult) ([]byte, bool, error) {
	if c.mech != gss.MechNTLM && carriesNTLM(r.out) {
		r.out = nil
	}
	err := failure(c.op(), c.mech, r.status)
	switch {
	case !r.status.failed():
		err.Major = gss.ErrUnavailable // CompleteAuthToken is for Digest only
	case r.status == secLogonDenied && !c.initiator:
		err.Major = gss.ErrDefectiveCredential // it is the client's that was refused
	}
	return r.out, false, err
}

// finish describes the context.
func (c *secContext) finish(r contextResult) error {
	if !c.held.begin() {
		return ended(c.op(), errClosed)
	}
	defer c.held.end()
	sys := c.held.sys
	info := gss.ContextInfo{Mechanism: c.mech, Expires: localTime(r.expires, time.Local)}
	if pkg, s := sys.negotiated(r.ctx); s == secOK {
		info.Mechanism = mechOf(pkg)
	}
	if info.Mechanism == gss.MechNTLM && c.mech != gss.MechNTLM {
		return c.errNTLM()
	}
	client, server, s := sys.names(r.ctx)
	if s != secOK && s != secUnsupported && !c.initiator {
		return failure("name the client", c.mech, s)
	}
	info.Initiator = userName(client)
	if c.initiator {
		info.Flags = initiatorFlags(r.attrs)
		info.Acceptor = c.target
		if !c.received {
			info.Flags &^= gss.FlagMutual
		}
	} else {
		info.Flags = acceptorFlags(r.attrs)
		info.Acceptor = serviceName(server)
	}
	if !c.initiator && c.call.bindings != nil && !c.unbound {
		info.Flags |= gss.FlagChannelBound
	}
	c.takeDelegated(&info, r.ctx)
	c.info, c.done = info, true
	return nil
}

// takeDelegated acquires what the client has delegated.
func (c *secContext) takeDelegated(info *gss.ContextInfo, ctx handle) {
	if c.initiator || !info.Flags.Has(gss.FlagDelegate) {
		return
	}
	h, expires, s := c.held.sys.delegated(ctx, "Negotiate")
	if s != secOK {
		info.Flags &^= gss.FlagDelegate
		return
	}
	cred := &Credential{mech: gss.MechSPNEGO, only: true, name: info.Initiator, expires: localTime(expires, time.Local), out: newHeld(c.held.sys, h)}
	cred.release = sync.OnceFunc(cred.out.release)
	info.Delegated = cred
}

// Info implements [gss.SecContext].
func (c *secContext) Info() gss.ContextInfo { return c.info }

// Close implements [gss.SecContext].
func (c *secContext) Close() error {
	c.dead, c.done = true, false
	c.held.close()
	return nil
}
