package gsstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// Options configure a [Provider]. The zero value is a realm EXAMPLE.TEST in
// which the process is alice, with contexts of one leg.
type Options struct {
	// Name is what String returns; empty is "gsstest".
	Name string
	// Mechanisms is what Mechanisms returns and all that Initiate takes.
	// Nil lists SPNEGO and krb5, and takes any.
	Mechanisms []gss.OID
	// Legs is how many tokens an initiator sends before the acceptor is done,
	// 1 to 16; zero is 1. A mutual context ends with one more token from the
	// acceptor.
	Legs int
	// Realm completes names that have none; empty is EXAMPLE.TEST.
	Realm string
	// Secret is what all keys are derived from. Providers of equal Realm and
	// Secret understand each other; those of unequal ones see forged tokens.
	Secret string
	// Default is whom the default credential stands for, as [Provider.SetDefault]
	// takes it; empty is alice. Use SetDefault("") for "nobody".
	Default string
	// Services are whom the default credential accepts for; nil is any service.
	Services []gss.Name
	// OKAsDelegate has FlagDelegatePolicy delegate.
	OKAsDelegate bool
	// NoResolver leaves gss.Resolver out of the default credential.
	NoResolver bool
	// Lifetime is that of credentials and contexts; zero is ten hours.
	Lifetime time.Duration
	// Now tells the time; nil is time.Now.
	Now func() time.Time
}

// Provider is a [gss.Provider] for tests. It is safe for concurrent use.
type Provider struct {
	opts Options

	mu          sync.Mutex
	defaultName string
	faults      []*Fault
	seen        map[string]bool // IDs of accepted contexts: the replay cache
	counts      Counts
	initiations []gss.InitiateOptions
	acceptances []gss.AcceptOptions
	idle        chan struct{} // closed when nothing is open; nil if nobody waits
}

// New returns a provider. It panics if the options make no sense.
func New(o Options) *Provider {
	o.Name = cmp.Or(o.Name, "gsstest")
	o.Legs = cmp.Or(o.Legs, 1)
	o.Realm = cmp.Or(o.Realm, "EXAMPLE.TEST")
	o.Lifetime = cmp.Or(o.Lifetime, 10*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Legs < 1 || o.Legs > maxLegs {
		panic(fmt.Sprintf("gsstest: Legs is %d, want 1 to %d", o.Legs, maxLegs))
	}
	p := &Provider{opts: o, seen: make(map[string]bool)}
	p.SetDefault(cmp.Or(o.Default, "alice"))
	return p
}

// Counts tell what a [Provider] was asked for and what is still open.
type Counts struct {
	Acquires, Initiates, Accepts, Steps, Forgets int
	// OpenContexts counts contexts that were not closed.
	OpenContexts int
	// OpenCredentials counts acquired and delegated credentials that were not
	// closed. A delegated one counts once it was read from ContextInfo.
	OpenCredentials int
}

// Counts returns the counts of now.
func (p *Provider) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// WaitIdle waits until no context and no credential is open. The error tells
// what still was when ctx ended.
func (p *Provider) WaitIdle(ctx context.Context) error {
	p.mu.Lock()
	if p.counts.OpenContexts == 0 && p.counts.OpenCredentials == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		c := p.Counts()
		return fmt.Errorf("gsstest: %d contexts and %d credentials were not closed: %w",
			c.OpenContexts, c.OpenCredentials, context.Cause(ctx))
	}
}

// SetDefault makes the default credential stand for name from now on, as kinit
// does. With "" there is no default credential, as after kdestroy.
func (p *Provider) SetDefault(name string) {
	if name != "" {
		name = p.canonical(gss.User(name))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.defaultName = name
}

// recorded bounds what Initiations and Acceptances keep.
const recorded = 1024

// Initiations returns the options of the last calls of Initiate, at most 1024,
// in their order.
func (p *Provider) Initiations() []gss.InitiateOptions {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.initiations)
}

// Acceptances is Initiations for Accept.
func (p *Provider) Acceptances() []gss.AcceptOptions {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.acceptances)
}

// String returns Options.Name.
func (p *Provider) String() string { return p.opts.Name }

// Mechanisms implements [gss.Provider].
func (p *Provider) Mechanisms() []gss.OID {
	if p.opts.Mechanisms == nil {
		return []gss.OID{gss.MechSPNEGO, gss.MechKRB5}
	}
	return slices.Clone(p.opts.Mechanisms)
}

// Acquire implements [gss.Provider]. There is a credential for every name. CCache
// and Keytab are ignored, and so is Password.
func (p *Provider) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	f := p.enter(OpAcquire, 0, func(c *Counts) { c.Acquires++ })
	if err := f.strike(ctx); err != nil {
		return nil, wrap("acquire", o.Mechanism, err)
	}
	if err := p.checkMech(o.Mechanism); err != nil {
		return nil, wrap("acquire", o.Mechanism, err)
	}
	c := &credential{p: p, usage: o.Usage, expires: p.opts.Now().Add(p.opts.Lifetime)}
	if !o.Name.IsZero() {
		c.name = p.canonical(o.Name)
	} else if o.Usage != gss.UsageAccept {
		if c.name = p.currentDefault(); c.name == "" {
			return nil, wrap("acquire", o.Mechanism, errNoDefault)
		}
		p.opened(&c.open, credentials)
		if p.opts.NoResolver {
			return c, nil
		}
		return &defaultCredential{c}, nil
	}
	p.opened(&c.open, credentials)
	return c, nil
}

// Initiate implements [gss.Provider].
func (p *Provider) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	f := p.enter(OpInitiate, 0, func(c *Counts) { c.Initiates++ })
	p.record(func() { p.initiations = keepLast(p.initiations, o) })
	if err := f.strike(ctx); err != nil {
		return nil, wrap("initiate", o.Mechanism, err)
	}
	if err := p.checkMech(o.Mechanism); err != nil {
		return nil, wrap("initiate", o.Mechanism, err)
	}
	if o.Target.IsZero() {
		return nil, wrap("initiate", o.Mechanism, fail(gss.ErrInvalidName, "no target was given"))
	}
	name, err := p.initiatorName(o.Credential)
	if err != nil {
		return nil, wrap("initiate", o.Mechanism, err)
	}
	return newInitiator(p, o, name), nil
}

// Accept implements [gss.Provider].
func (p *Provider) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	f := p.enter(OpAccept, 0, func(c *Counts) { c.Accepts++ })
	p.record(func() { p.acceptances = keepLast(p.acceptances, o) })
	if err := f.strike(ctx); err != nil {
		return nil, wrap("accept", "", err)
	}
	services, err := p.services(o.Credential)
	if err != nil {
		return nil, wrap("accept", "", err)
	}
	return newAcceptor(p, o, services), nil
}

func (p *Provider) checkMech(m gss.OID) error {
	if m == "" || p.opts.Mechanisms == nil || slices.Contains(p.opts.Mechanisms, m) {
		return nil
	}
	return fail(gss.ErrBadMech, "mechanism %q is not among those of the provider", m)
}

// canonical turns a name into the text of a principal with a realm.
func (p *Provider) canonical(n gss.Name) string {
	if service, host, ok := n.Service(); ok {
		return service + "/" + strings.ToLower(host) + "@" + p.opts.Realm
	}
	if strings.Contains(n.Value, "@") {
		return n.Value
	}
	return n.Value + "@" + p.opts.Realm
}

func (p *Provider) currentDefault() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.defaultName
}

func (p *Provider) record(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func keepLast[T any](s []T, v T) []T {
	if len(s) == recorded {
		s = append(s[:0], s[1:]...)
	}
	return append(s, v)
}

// firstUse reports whether the context id was never accepted before.
func (p *Provider) firstUse(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[id] {
		return false
	}
	p.seen[id] = true
	return true
}

func contexts(c *Counts) *int    { return &c.OpenContexts }
func credentials(c *Counts) *int { return &c.OpenCredentials }

// opened marks something as open, once.
func (p *Provider) opened(open *bool, which func(*Counts) *int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !*open {
		*open = true
		*which(&p.counts)++
	}
}

// closed marks it as closed, once.
func (p *Provider) closed(open *bool, which func(*Counts) *int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !*open {
		return
	}
	*open = false
	*which(&p.counts)--
	if p.idle != nil && p.counts.OpenContexts == 0 && p.counts.OpenCredentials == 0 {
		close(p.idle)
		p.idle = nil
	}
}

var errNoDefault = fail(gss.ErrNoCred, "there is no default credential; SetDefault gives one")

func fail(m gss.Major, format string, args ...any) error {
	return &gss.Error{Major: m, Err: fmt.Errorf(format, args...)}
}

// wrap makes err a *gss.Error that says which operation failed.
func wrap(op string, mech gss.OID, err error) error {
	if e, ok := errors.AsType[*gss.Error](err); ok {
		e2 := *e
		e2.Op, e2.Mech = cmp.Or(e.Op, op), cmp.Or(e.Mech, mech)
		return &e2
	}
	if m, ok := errors.AsType[gss.Major](err); ok {
		return &gss.Error{Major: m, Mech: mech, Op: op, Err: err}
	}
	return &gss.Error{Major: gss.ErrFailure, Mech: mech, Op: op, Err: err}
}
