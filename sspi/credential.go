package sspi

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/closing"
)

// Credential is a credential of Windows. It is safe for concurrent use.
type Credential struct {
	mech     gss.OID // that of in and out
	only     bool    // it was asked for
	name     gss.Name
	usage    gss.Usage
	expires  time.Time
	explicit bool

	in, out *heldCredential // by use; nil for none
	release func()          // of both
	closed  atomic.Bool
	notice  closing.Notice
}

// Acquire implements [gss.Provider]. The zero options take the session of the
// calling thread. A Password needs a Name. CCache and Keytab are refused, which
// Windows does not have. Whether the session has a ticket is known when a
// context is begun.
func (p *Provider) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended("acquire", err)
	}
	mech, pkg, err := p.packageOf("acquire", o.Mechanism)
	if err != nil {
		return nil, err
	}
	id, err := identityOf(o, mech)
	if err != nil {
		return nil, err
	}
	defer id.wipe()
	c := &Credential{mech: mech, only: o.Mechanism != "", usage: o.Usage, explicit: id.set}
	if err := c.fill(p.sys, pkg, id); err != nil {
		return nil, err
	}
	c.release = sync.OnceFunc(func() {
		c.in.release()
		c.out.release()
	})
	if c.name, err = c.nameFor(p.sys, o); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// fill acquires the handles that the usage needs.
func (c *Credential) fill(sys secur32, pkg string, id *authIdentity) (err error) {
	if c.usage != gss.UsageInitiate {
		if c.in, c.expires, err = acquire(sys, c.mech, pkg, useInbound, id); err != nil {
			return err
		}
	}
	if c.usage != gss.UsageAccept {
		if c.out, c.expires, err = acquire(sys, c.mech, pkg, useOutbound, id); err != nil {
			c.in.release()
			return err
		}
	}
	return nil
}

func acquire(sys secur32, mech gss.OID, pkg string, use uint32, id *authIdentity) (*heldCredential, time.Time, error) {
	h, expires, s := sys.acquire(pkg, use, id)
	if s != secOK {
		return nil, time.Time{}, failure("acquire", mech, s)
	}
	return newHeld(sys, h), localTime(expires, time.Local), nil
}

// identityOf checks the options, and is the identity for them.
func identityOf(o gss.CredentialOptions, mech gss.OID) (*authIdentity, error) {
	id := new(authIdentity)
	if mech == gss.MechSPNEGO {
		id.packageList = "!ntlm"
	}
	switch {
	case o.CCache != "" || o.Keytab != "":
		return nil, refusal(gss.ErrUnavailable, "acquire", mech, "Windows has no credential caches and no keytabs; log on, name a user and a password, or use the provider krb5")
	case o.Password == "":
		return id, nil
	case o.Name.IsZero():
		return nil, refusal(gss.ErrNoCred, "acquire", mech, "there is a password and no name that it belongs to")
	case strings.ContainsRune(o.Name.Value+o.Password, 0):
		return nil, refusal(gss.ErrInvalidName, "acquire", mech, "the name or the password has a zero octet")
	}
	id.set = true
	id.user, id.domain = splitUser(o.Name.Value)
	id.password = utf16.Encode([]rune(o.Password))
	return id, nil
}

func (id *authIdentity) wipe() { clear(id.password) }

// nameFor is whom the credential stands for. Windows cannot choose among
// sessions, so another name than the session's needs a password.
func (c *Credential) nameFor(sys secur32, o gss.CredentialOptions) (gss.Name, error) {
	if c.explicit || c.out == nil {
		return o.Name, nil
	}
	session, s := sys.credentialName(c.out.h)
	if s != secOK {
		session = "" // not every package tells
	}
	name := userName(session)
	if !o.Name.IsZero() && !strings.EqualFold(o.Name.Value, session) {
		return gss.Name{}, refusal(gss.ErrNoCred, "acquire", c.mech, "the session is that of %q: to be %q, name the password too", session, o.Name.Value)
	}
	return name, nil
}

// Name is the user. It is zero where Windows does not tell.
func (c *Credential) Name() gss.Name { return c.name }

// Usage implements [gss.Credential].
func (c *Credential) Usage() gss.Usage { return c.usage }

// Expires is when Windows says that the credential ends; for a session that is
// mostly never, since Windows renews it.
func (c *Credential) Expires() time.Time { return c.expires }

// Close frees the handles, once the contexts that were made from it are closed.
func (c *Credential) Close() error {
	c.closed.Store(true)
	c.release()
	c.notice.Close()
	return nil
}

// OnClose implements [gss.CloseNotifier].
func (c *Credential) OnClose(f func()) (stop func(), open bool) { return c.notice.OnClose(f) }

// String names the user; it shows no password.
func (c *Credential) String() string {
	if c.name.IsZero() {
		return "credential of the session"
	}
	return "credential of " + c.name.Value
}

// hold returns the handle for a context, which releases it: the credential's, or
// one of the session.
func (p *Provider) hold(ctx context.Context, cred gss.Credential, usage gss.Usage, mech gss.OID, pkg string) (*heldCredential, error) {
	op := usage.String()
	if cred == nil {
		acquired, err := p.Acquire(ctx, gss.CredentialOptions{Usage: usage, Mechanism: mech})
		if err != nil {
			return nil, err
		}
		defer acquired.Close()
		cred = acquired
	}
	c, ok := cred.(*Credential)
	if !ok {
		return nil, refusal(gss.ErrDefectiveCredential, op, mech, "the credential is a %T of another provider", cred)
	}
	if c.mech != mech && !c.only && !c.explicit && !c.closed.Load() {
		return p.session(usage, mech, pkg)
	}
	held := c.out
	if usage == gss.UsageAccept {
		held = c.in
	}
	switch {
	case held == nil:
		return nil, refusal(gss.ErrNoCred, op, mech, "the credential is for usage %q", c.usage)
	case c.mech != mech:
		return nil, refusal(gss.ErrNoCred, op, mech, "the credential was acquired for %s: Windows has one for each mechanism", c.mech.Describe())
	case c.closed.Load() || !held.retain():
		return nil, refusal(gss.ErrNoCred, op, mech, "the credential is closed")
	}
	return held, nil
}

// session is the handle of the caller's session for another mechanism than that of
// its credential, which was acquired for all.
func (p *Provider) session(usage gss.Usage, mech gss.OID, pkg string) (*heldCredential, error) {
	use := uint32(useOutbound)
	if usage == gss.UsageAccept {
		use = useInbound
	}
	id, err := identityOf(gss.CredentialOptions{}, mech)
	if err != nil {
		return nil, err
	}
	held, _, err := acquire(p.sys, mech, pkg, use, id)
	return held, err
}

// heldCredential is a CredHandle with the number of those who hold it.
type heldCredential struct {
	h       handle
	free    func()
	forgone runtime.Cleanup

	mu      sync.Mutex
	holders int
}

// newHeld is held by the caller. What nobody releases is freed when nothing
// refers to it any more.
func newHeld(sys secur32, h handle) *heldCredential {
	held := &heldCredential{h: h, holders: 1}
	held.free = func() { sys.freeCredential(h) }
	held.forgone = runtime.AddCleanup(held, func(free func()) { free() }, held.free)
	return held
}

// retain adds a holder; false if the handle is freed.
func (h *heldCredential) retain() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holders == 0 {
		return false
	}
	h.holders++
	return true
}

// release takes a holder away. It is harmless on nil.
func (h *heldCredential) release() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.holders--
	last := h.holders == 0
	h.mu.Unlock()
	if last {
		h.forgone.Stop()
		h.free()
	}
}
