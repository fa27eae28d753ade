package gsstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
)

// anonymous is the principal of RFC 8062.
const anonymous = "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS"

// alwaysOn are properties that every context has.
const alwaysOn = gss.FlagIntegrity | gss.FlagConfidentiality

// base is common to both sides.
type base struct {
	p     *Provider
	open  bool // guarded by p.mu
	id    []byte
	key   []byte
	steps int
	done  bool
	dead  bool
	info  gss.ContextInfo // what Info returns once done
	forge []func(*gss.ContextInfo)
	prot  protection
}

// step runs one Step of either side around do, which is the mechanism proper.
func (b *base) step(ctx context.Context, op Op, in []byte, do func(in []byte) ([]byte, bool, error)) ([]byte, bool, error) {
	name := map[Op]string{OpInitiateStep: "initiate", OpAcceptStep: "accept"}[op]
	b.steps++
	f := b.p.enter(op, b.steps, func(c *Counts) { c.Steps++ })
	if f.Info != nil {
		b.forge = append(b.forge, f.Info)
	}
	if b.done || b.dead {
		return nil, false, wrap(name, "", fail(gss.ErrNoContext, "Step was called after the context had ended"))
	}
	if err := f.strike(ctx); err != nil {
		b.die()
		return f.Out, false, wrap(name, b.info.Mechanism, err)
	}
	out, done, err := do(in)
	if err != nil {
		b.die()
		return nil, false, wrap(name, b.info.Mechanism, err)
	}
	b.done = done
	return out, done, nil
}

func (b *base) die() {
	b.dead = true
	clear(b.key)
}

// Info implements [gss.SecContext].
func (b *base) Info() gss.ContextInfo {
	var info gss.ContextInfo
	if b.done && !b.dead {
		info = b.info
	} else {
		info.Mechanism = b.info.Mechanism
	}
	if c, ok := info.Delegated.(*credential); ok {
		b.p.opened(&c.open, credentials)
	}
	for _, f := range b.forge {
		f(&info)
	}
	return info
}

// Close implements [gss.SecContext].
func (b *base) Close() error {
	b.die()
	b.info.Delegated = nil
	b.p.closed(&b.open, contexts)
	return nil
}

// parse reads a token of the peer that must be the given leg of this context.
func (b *base) parse(in []byte, leg int, kind string) (*token, error) {
	t, err := parse(in)
	if err != nil {
		return nil, err
	}
	if err := verify(b.key, in); err != nil {
		return nil, err
	}
	if t.Kind != kind || t.Leg != leg || !bytes.Equal(t.Context, b.id) {
		return nil, fail(gss.ErrDefectiveToken, "got token %q of leg %d, want %q of leg %d", t.Kind, t.Leg, kind, leg)
	}
	return t, nil
}

type initiator struct {
	base
	opts gss.InitiateOptions
	name string
	sent int
}

func newInitiator(p *Provider, o gss.InitiateOptions, name string) *initiator {
	c := &initiator{opts: o, name: name}
	c.p = p
	c.id = make([]byte, 16)
	rand.Read(c.id)
	target := p.canonical(o.Target)
	c.key = p.contextKey(target, c.id)
	c.prot.initiator = true
	if o.Flags.Has(gss.FlagAnonymous) {
		c.name = anonymous
	}
	c.info = gss.ContextInfo{
		Mechanism: negotiated(o.Mechanism),
		Initiator: gss.Principal(c.name),
		Acceptor:  gss.Principal(target),
		Flags:     c.granted(),
		Expires:   p.opts.Now().Add(p.opts.Lifetime),
	}
	p.opened(&c.open, contexts)
	return c
}

// granted are the flags that the context gets, FlagMutual among them.
func (c *initiator) granted() gss.Flags {
	f := c.opts.Flags&(gss.FlagDelegate|gss.FlagMutual|gss.FlagReplay|gss.FlagSequence|gss.FlagAnonymous) | alwaysOn
	if c.opts.Flags.Has(gss.FlagDelegatePolicy) && c.p.opts.OKAsDelegate {
		f |= gss.FlagDelegate | gss.FlagDelegatePolicy
	}
	if f.Has(gss.FlagAnonymous) {
		f &^= gss.FlagDelegate | gss.FlagDelegatePolicy
	}
	return f
}

// negotiated is the mechanism below m.
func negotiated(m gss.OID) gss.OID {
	if m == "" || m == gss.MechSPNEGO {
		return gss.MechKRB5
	}
	return m
}

// Step implements [gss.SecContext].
func (c *initiator) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	return c.step(ctx, OpInitiateStep, in, c.advance)
}

func (c *initiator) advance(in []byte) ([]byte, bool, error) {
	mutual := c.opts.Flags.Has(gss.FlagMutual)
	switch {
	case c.sent == 0:
		if len(in) > 0 {
			return nil, false, fail(gss.ErrDefectiveToken, "a token came before the first was sent")
		}
	case c.sent < c.p.opts.Legs:
		if _, err := c.parse(in, c.sent, "continue"); err != nil {
			return nil, false, err
		}
	default:
		_, err := c.parse(in, c.sent, "reply")
		return nil, err == nil, err
	}
	c.sent++
	t := &token{Kind: "init", Context: c.id, Leg: c.sent}
	if c.sent == 1 {
		t.Initiator, t.Target = c.name, c.p.canonical(c.opts.Target)
		t.Mech = []byte(c.opts.Mechanism)
		t.Legs, t.Flags = c.p.opts.Legs, c.info.Flags
		t.Bindings = hashBindings(c.opts.ChannelBindings)
		t.Expires = c.info.Expires
	}
	return t.marshal(c.key), c.sent == c.p.opts.Legs && !mutual, nil
}

// Forget implements [gss.Forgetter]. It is counted and does nothing else.
func (c *initiator) Forget() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.counts.Forgets++
}

type acceptor struct {
	base
	opts     gss.AcceptOptions
	services []string
	received int
	first    *token
}

func newAcceptor(p *Provider, o gss.AcceptOptions, services []string) *acceptor {
	c := &acceptor{opts: o, services: services}
	c.p = p
	p.opened(&c.open, contexts)
	return c
}

// Step implements [gss.SecContext].
func (c *acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	return c.step(ctx, OpAcceptStep, in, c.advance)
}

func (c *acceptor) advance(in []byte) ([]byte, bool, error) {
	c.received++
	var err error
	if c.first == nil {
		err = c.begin(in)
	} else {
		_, err = c.parse(in, c.received, "init")
	}
	if err != nil {
		return nil, false, err
	}
	reply := &token{Kind: "continue", Context: c.id, Leg: c.received}
	if c.received < c.first.Legs {
		return reply.marshal(c.key), false, nil
	}
	if !c.first.Flags.Has(gss.FlagMutual) {
		return nil, true, nil
	}
	reply.Kind = "reply"
	return reply.marshal(c.key), true, nil
}

// begin takes the first token.
func (c *acceptor) begin(in []byte) error {
	t, err := parse(in)
	if err != nil {
		return err
	}
	c.id, c.key = t.Context, c.p.contextKey(t.Target, t.Context)
	if _, err := c.parse(in, 1, "init"); err != nil {
		return err
	}
	switch {
	case c.services != nil && !slices.Contains(c.services, t.Target):
		return fail(gss.ErrNoCred, "the token is for %q, whose key is not here", t.Target)
	case t.Initiator == "" || t.Legs < 1 || t.Legs > maxLegs:
		return fail(gss.ErrDefectiveToken, "the first token is incomplete")
	case !c.p.opts.Now().Before(t.Expires):
		return fail(gss.ErrCredentialsExpired, "the token expired at %s", t.Expires)
	}
	bound, err := c.checkBindings(t)
	if err != nil {
		return err
	}
	if !c.p.firstUse(string(c.id)) {
		return fail(gss.ErrFailure|gss.ErrDuplicateToken, "the token was seen before")
	}
	c.first = t
	c.info = gss.ContextInfo{
		Mechanism: negotiated(gss.OID(t.Mech)),
		Initiator: gss.Principal(t.Initiator),
		Acceptor:  gss.Principal(t.Target),
		Flags:     t.Flags | bound,
		Expires:   t.Expires,
	}
	if t.Flags.Has(gss.FlagDelegate) {
		c.info.Delegated = &credential{p: c.p, name: t.Initiator, expires: t.Expires}
	}
	return nil
}

// checkBindings applies the rule of [gss.AcceptOptions].
func (c *acceptor) checkBindings(t *token) (gss.Flags, error) {
	own := hashBindings(c.opts.ChannelBindings)
	switch {
	case own == nil || t.Bindings == nil:
		return 0, nil
	case !bytes.Equal(own, t.Bindings):
		return 0, fail(gss.ErrBadBindings, "the initiator's channel is another one")
	}
	return gss.FlagChannelBound, nil
}
