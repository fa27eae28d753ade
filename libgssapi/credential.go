package libgssapi

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/closing"
)

// credHandle is a credential of the library's, shared by the credential that a
// caller has and the contexts made from it. The last of them releases it.
type credHandle struct {
	lib    *library
	handle uintptr
	cache  string    // a cache in memory that ends with the credential
	mechs  []gss.OID // for which the library has something in it

	mu    sync.Mutex
	users int
}

func newCredHandle(l *library, handle uintptr, cache string) *credHandle {
	return &credHandle{lib: l, handle: handle, cache: cache, users: 1}
}

// retain adds a user; false if the last one has gone.
func (h *credHandle) retain() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users == 0 {
		return false
	}
	h.users++
	return true
}

// release ends the use by one user.
func (h *credHandle) release() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.users--
	last := h.users == 0
	h.mu.Unlock()
	if last {
		h.lib.freeCred(h.handle)
		if h.cache != "" {
			h.lib.destroyCache(h.cache)
		}
	}
}

// has reports whether a context of a mechanism can be made with the credential.
// MIT's library must not be asked for one of another: it would quietly take its
// default credential, which may be somebody else's.
func (h *credHandle) has(mech gss.OID) bool { return h == nil || slices.Contains(h.mechs, mech) }

// address is what the library gets; zero, its default, for nil.
func (h *credHandle) address() uintptr {
	if h == nil {
		return 0
	}
	return h.handle
}

func (l *library) freeCred(handle uintptr) {
	if handle == 0 {
		return
	}
	var m memory
	defer m.release()
	out := &struct {
		minor  uint32
		handle uintptr
	}{handle: handle}
	pin(&m, out)
	call(l.releaseCred, pin(&m, &out.minor), pin(&m, &out.handle))
}

// credential is a gss.Credential. It stands for one principal for good.
type credential struct {
	handle  *credHandle
	name    gss.Name
	usage   gss.Usage
	expires time.Time
	once    *sync.Once
	closed  atomic.Bool
	notice  closing.Notice
}

// newCredential makes a credential that releases h when it is closed, or found by
// the garbage collector.
func newCredential(h *credHandle, usage gss.Usage, d credDescription) *credential {
	c := &credential{handle: h, usage: usage, name: d.name, expires: d.expires, once: new(sync.Once)}
	once := c.once
	runtime.AddCleanup(c, func(h *credHandle) { once.Do(h.release) }, h)
	return c
}

// Name is the principal; zero for an acceptor's credential of several.
func (c *credential) Name() gss.Name { return c.name }

// Usage is what the credential was acquired for.
func (c *credential) Usage() gss.Usage { return c.usage }

// Expires is when the credential ended or will end, as it was when it was
// acquired; zero for never.
func (c *credential) Expires() time.Time { return c.expires }

// Close releases the credential once the contexts made from it are closed.
func (c *credential) Close() error {
	c.closed.Store(true)
	c.once.Do(c.handle.release)
	c.notice.Close()
	return nil
}

// OnClose implements [gss.CloseNotifier].
func (c *credential) OnClose(f func()) (stop func(), open bool) { return c.notice.OnClose(f) }

// String names the library, the usage and the principal.
func (c *credential) String() string {
	if c.name.IsZero() {
		return fmt.Sprintf("%s credential to %s", c.handle.lib, c.usage)
	}
	return fmt.Sprintf("%s credential of %s to %s", c.handle.lib, c.name, c.usage)
}

// GoString is String.
func (c *credential) GoString() string { return c.String() }

// credDescription is what the library says of a credential.
type credDescription struct {
	name    gss.Name
	expires time.Time
}

// describe asks for the mechanisms of a credential and, unless it is for
// accepting, for its name and lifetime. A default credential of MIT's chooses its
// cache here, and keeps to it. Heimdal 7 has a name in an acceptor's credential
// that must not be looked at.
func (l *library) describe(h *credHandle, usage gss.Usage) (d credDescription, err error) {
	const op = "acquire"
	var m memory
	defer m.release()
	out := &struct {
		minor, lifetime uint32
		name            uintptr
		mechs           *oidSet
	}{}
	pin(&m, out)
	nameAt, lifetimeAt := pin(&m, &out.name), pin(&m, &out.lifetime)
	if usage == gss.UsageAccept {
		nameAt, lifetimeAt, out.lifetime = 0, 0, indefinite
	}
	major := uint32(call(l.inquireCred, pin(&m, &out.minor), h.handle, nameAt, lifetimeAt, 0, pin(&m, &out.mechs)))
	if failed(major) {
		return d, l.failure(op, "", major, out.minor)
	}
	h.mechs = l.readOIDs(out.mechs)
	if out.mechs != nil {
		call(l.releaseOIDSet, pin(&m, &out.minor), pin(&m, &out.mechs))
	}
	d.expires = expiry(out.lifetime)
	d.name, err = l.exportName(op, out.name)
	return d, err
}

// indefinite is GSS_C_INDEFINITE.
const indefinite = math.MaxUint32

// expiry is the end of a lifetime in seconds from now.
func expiry(lifetime uint32) time.Time {
	if lifetime == indefinite {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(lifetime) * time.Second)
}

// seconds is a lifetime as the library takes it; zero is its default.
func seconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/time.Second+1, indefinite))
}

// FromCCache returns a credential that follows a credential cache, such as
// "FILE:/tmp/krb5cc_0" or "KCM:": each context is made as whom the cache stands
// for then. An empty name is the default cache. It is a [gss.Resolver], and
// nothing is read now.
func (p *Provider) FromCCache(name string) gss.Credential {
	return &followingCredential{p: p, options: gss.CredentialOptions{CCache: name}}
}

// followingCredential is acquired anew at each use. It keeps the last result for
// as long as that is the same, so that a caller who closes nothing, as
// [gss.Resolver] says, leaves one credential to the garbage collector for each
// login and not for each use.
type followingCredential struct {
	p       *Provider
	options gss.CredentialOptions

	mu   sync.Mutex
	last *credential

	notice closing.Notice
}

// Name is the present principal; zero if the cache cannot be read now.
func (f *followingCredential) Name() gss.Name {
	c, err := f.resolve(context.Background())
	if err != nil {
		return gss.Name{}
	}
	return c.name
}

// Usage returns gss.UsageInitiate.
func (f *followingCredential) Usage() gss.Usage { return gss.UsageInitiate }

// Expires is the end of the present ticket; zero if there is none.
func (f *followingCredential) Expires() time.Time {
	c, err := f.resolve(context.Background())
	if err != nil {
		return time.Time{}
	}
	return c.expires
}

// Close only tells of itself: the credential holds nothing of its own.
func (f *followingCredential) Close() error {
	f.notice.Close()
	return nil
}

// OnClose implements [gss.CloseNotifier].
func (f *followingCredential) OnClose(told func()) (stop func(), open bool) {
	return f.notice.OnClose(told)
}

// Resolve implements [gss.Resolver].
func (f *followingCredential) Resolve(ctx context.Context) (gss.Credential, error) {
	c, err := f.resolve(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// sameEnd is by how much the end of one ticket differs when it is asked for
// twice, since the library tells it in full seconds from now.
const sameEnd = 2 * time.Second

func (f *followingCredential) resolve(ctx context.Context) (*credential, error) {
	c, err := f.p.acquire(ctx, f.options, nil)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last != nil && !f.last.closed.Load() && f.last.name == c.name && f.last.expires.Sub(c.expires).Abs() < sameEnd {
		c.Close()
		return f.last, nil
	}
	f.last = c
	return c, nil
}

// String names the library and the cache.
func (f *followingCredential) String() string {
	if f.options.CCache == "" {
		return fmt.Sprintf("%s credential of the default cache", f.p.lib)
	}
	return fmt.Sprintf("%s credential of %s", f.p.lib, f.options.CCache)
}
