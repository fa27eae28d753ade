package libgssapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"github.com/go-negotiate/negotiate/gss"
)

// Acquire returns a credential that stands for one principal for good.
//
// For initiating: with Password from a login, with Keytab from a login with that
// client keytab, with CCache from that cache, and else the library's default. A
// client keytab with a CCache keeps its tickets there, without one in memory until
// the credential is closed. For accepting: from Keytab, and else the library's
// default. Libraries differ in what else they take; what one does not have is an
// error that wraps [gss.ErrUnavailable]. Errors are *gss.Error, or the context's.
func (p *Provider) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	c, err := p.acquire(ctx, o, nil)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcquireFrom is Acquire with further elements of a credential store as MIT
// describes them, such as "rcache" or "verify": what they say goes before
// CCache and Keytab. A library without gss_acquire_cred_from, as Heimdal 7, has
// no store, and the error wraps [gss.ErrUnavailable].
func (p *Provider) AcquireFrom(ctx context.Context, o gss.CredentialOptions, store map[string]string) (gss.Credential, error) {
	if store == nil {
		store = map[string]string{}
	}
	c, err := p.acquire(ctx, o, store)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (p *Provider) acquire(ctx context.Context, o gss.CredentialOptions, store map[string]string) (*credential, error) {
	mech := uintptr(0)
	if o.Mechanism != "" {
		var err error
		if mech, err = p.lib.mech("acquire", o.Mechanism); err != nil {
			return nil, err
		}
	}
	if err := checkSources(o); err != nil {
		return nil, err
	}
	store = maps.Clone(store)
	var result acquired
	if err := p.run.run(ctx, func() { result = p.lib.acquire(o, mech, store) }, func() { result.handle.release() }); err != nil {
		return nil, err
	}
	if result.err != nil {
		return nil, result.err
	}
	return newCredential(result.handle, o.Usage, result.description), nil
}

// checkSources refuses options of which some would have to be ignored.
func checkSources(o gss.CredentialOptions) error {
	refuse := func(why string) error {
		return &gss.Error{Major: gss.ErrUnavailable, Op: "acquire", Err: errors.New(why)}
	}
	switch {
	case o.Usage > gss.UsageBoth:
		return refuse(fmt.Sprintf("there is no usage %s", o.Usage))
	case o.Password != "" && (o.Keytab != "" || o.CCache != ""):
		return refuse("a credential is made from a password, or from a keytab or a credential cache: leave out Password, or Keytab and CCache")
	case o.Password != "" && o.Name.IsZero():
		return refuse("whose password it is is missing: give a Name")
	case o.Usage == gss.UsageAccept && (o.Password != "" || o.CCache != ""):
		return refuse("a credential for accepting is made from a keytab: leave Password and CCache empty")
	case strings.ContainsRune(o.CCache+o.Keytab, 0):
		return refuse("the name of a cache or keytab has an octet of zero in it")
	}
	return nil
}

// acquired is a new credential or why there is none.
type acquired struct {
	handle      *credHandle
	description credDescription
	err         error
}

// acquire runs on one thread and may wait.
func (l *library) acquire(o gss.CredentialOptions, mech uintptr, store map[string]string) acquired {
	name, err := l.importName("acquire", o.Name)
	if err != nil {
		return acquired{err: err}
	}
	defer l.freeName(name)
	a := acquisition{library: l, options: o, name: name, mechs: mech}
	handle, cache, err := a.from(store)
	if err != nil {
		return acquired{err: err}
	}
	h := newCredHandle(l, handle, cache)
	d, err := l.describe(h, o.Usage)
	if err != nil {
		h.release()
		return acquired{err: err}
	}
	if o.Usage == gss.UsageAccept {
		d.name = o.Name
	}
	return acquired{handle: h, description: d}
}

// acquisition is one call of Acquire.
type acquisition struct {
	*library
	options gss.CredentialOptions
	name    uintptr
	mechs   uintptr // an object identifier; zero for all
}

// from chooses the library's function. cache is a cache in memory that is to end
// with the credential.
func (a *acquisition) from(store map[string]string) (handle uintptr, cache string, err error) {
	o := a.options
	switch {
	case o.Password != "":
		handle, err = a.withPassword()
	case o.CCache == "" && o.Keytab == "" && store == nil:
		handle, err = a.plain()
	case a.acquireCredFrom != 0:
		elements, memoryCache := a.elements(store)
		if handle, err = a.fromStore(elements); err != nil && memoryCache != "" {
			a.destroyCache(memoryCache)
		}
		cache = memoryCache
	case store != nil:
		err = a.lacks("gss_acquire_cred_from")
	default:
		return a.imported()
	}
	return handle, cache, err
}

func (l *library) lacks(function string) error {
	return &gss.Error{Major: gss.ErrUnavailable, Op: "acquire", Err: fmt.Errorf("%s has no %s", l, function)}
}

// credOut is what the functions that acquire return.
type credOut struct {
	minor  uint32
	handle uintptr
}

// usageNumber is a usage as the library counts: GSS_C_BOTH, _INITIATE, _ACCEPT.
func (a *acquisition) usageNumber() uintptr {
	return map[gss.Usage]uintptr{gss.UsageBoth: 0, gss.UsageInitiate: 1, gss.UsageAccept: 2}[a.options.Usage]
}

// mechSet returns the address of the set of the wanted mechanism; zero for all.
func (a *acquisition) mechSet(m *memory) uintptr {
	if a.mechs == 0 {
		return 0
	}
	return pin(m, &oidSet{count: 1, elements: pointerTo(a.mechs)})
}

// failedCall makes the error of a call that acquires.
func (a *acquisition) failedCall(major, minor uint32) error {
	return a.failure("acquire", a.options.Mechanism, major, minor)
}

func (a *acquisition) plain() (uintptr, error) {
	var m memory
	defer m.release()
	out := new(credOut)
	pin(&m, out)
	major := uint32(call(a.acquireCred, pin(&m, &out.minor), a.name, indefinite, a.mechSet(&m), a.usageNumber(), pin(&m, &out.handle), 0, 0))
	if failed(major) {
		return 0, a.failedCall(major, out.minor)
	}
	return out.handle, nil
}

func (a *acquisition) withPassword() (uintptr, error) {
	if a.acquireCredWithPassword == 0 {
		return 0, a.lacks("gss_acquire_cred_with_password")
	}
	var m memory
	defer m.release()
	out := new(credOut)
	pin(&m, out)
	password := m.bytes([]byte(a.options.Password))
	defer clear(password)
	b := &buffer{length: uintptr(len(password)), value: unsafe.Pointer(unsafe.SliceData(password))}
	major := uint32(call(a.acquireCredWithPassword, pin(&m, &out.minor), a.name, pin(&m, b), indefinite, a.mechSet(&m), a.usageNumber(), pin(&m, &out.handle), 0, 0))
	if failed(major) {
		return 0, a.failedCall(major, out.minor)
	}
	return out.handle, nil
}

// elements are those of the credential store. memoryCache is the cache that was
// made up for the tickets of a client keytab: the library would put them into the
// user's own.
func (a *acquisition) elements(store map[string]string) (all map[string]string, memoryCache string) {
	all = map[string]string{}
	o := a.options
	if o.CCache != "" {
		all["ccache"] = o.CCache
	}
	if o.Keytab != "" {
		if o.Usage != gss.UsageInitiate {
			all["keytab"] = o.Keytab
		}
		if o.Usage != gss.UsageAccept {
			all["client_keytab"] = o.Keytab
		}
	}
	maps.Copy(all, store)
	if all["client_keytab"] != "" && all["ccache"] == "" && a.ccDestroy != 0 {
		memoryCache = newMemoryCache()
		all["ccache"] = memoryCache
	}
	return all, memoryCache
}

func newMemoryCache() string { return "MEMORY:negotiate-" + rand.Text() }

func (a *acquisition) fromStore(elements map[string]string) (uintptr, error) {
	var m memory
	defer m.release()
	out := new(credOut)
	pin(&m, out)
	var pairs []keyValue
	for _, key := range slices.Sorted(maps.Keys(elements)) {
		pairs = append(pairs, keyValue{m.cString(key), m.cString(elements[key])})
	}
	set := &keyValueSet{count: uint32(len(pairs))}
	if len(pairs) > 0 {
		m.pinner.Pin(&pairs[0])
		set.elements = unsafe.Pointer(&pairs[0])
	}
	major := uint32(call(a.acquireCredFrom, pin(&m, &out.minor), a.name, indefinite, a.mechSet(&m), a.usageNumber(), pin(&m, set), pin(&m, &out.handle), 0, 0))
	if failed(major) {
		return 0, a.failedCall(major, out.minor)
	}
	return out.handle, nil
}
