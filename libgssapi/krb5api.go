package libgssapi

import (
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// Heimdal 7 and Apple's framework have no credential store. There a cache or a
// keytab is opened by the Kerberos library below and made a credential by
// gss_krb5_import_cred.

// krb5 is a krb5_context with what is to be closed before it.
type krb5 struct {
	*library
	context uintptr
	m       memory
	closers []func()
}

func (l *library) openKrb5() (*krb5, error) {
	k := &krb5{library: l}
	for _, f := range []uintptr{l.initContext, l.freeContext, l.ccResolve, l.ccClose, l.ccDestroy} {
		if f == 0 {
			return nil, l.lacks("krb5_init_context, krb5_cc_resolve or another function of Kerberos")
		}
	}
	if code := uint32(call(l.initContext, pin(&k.m, &k.context))); code != 0 {
		k.m.release()
		return nil, krb5Failure(code, "krb5_init_context")
	}
	k.defers(func() { call(l.freeContext, k.context) })
	return k, nil
}

func (k *krb5) defers(f func()) { k.closers = append(k.closers, f) }

func (k *krb5) close() {
	for i := len(k.closers) - 1; i >= 0; i-- {
		k.closers[i]()
	}
	k.m.release()
}

func krb5Failure(code uint32, text string) error {
	return &gss.Error{Major: gss.ErrNoCred, Minor: code, Mech: gss.MechKRB5, Op: "acquire", Err: errors.New(text)}
}

// check makes an error of a krb5_error_code.
func (k *krb5) check(code uintptr, what string) error {
	if uint32(code) == 0 {
		return nil
	}
	text := ""
	if k.getErrorMessage != 0 && k.freeErrorMessage != 0 {
		if p := call(k.getErrorMessage, k.context, uintptr(int32(code))); p != 0 {
			text = cString(pointerTo(p))
			call(k.freeErrorMessage, k.context, p)
		}
	}
	return krb5Failure(uint32(code), fmt.Sprintf("%s: %s", what, text))
}

// cache opens a credential cache. It is closed with k.
func (k *krb5) cache(name string) (uintptr, error) {
	out := new(uintptr)
	if err := k.check(call(k.ccResolve, k.context, uintptr(k.m.cString(name)), pin(&k.m, out)), name); err != nil {
		return 0, err
	}
	return *out, nil
}

// destroyCache ends a cache in memory.
func (l *library) destroyCache(name string) {
	k, err := l.openKrb5()
	if err != nil {
		return
	}
	defer k.close()
	if cache, err := k.cache(name); err == nil {
		call(k.ccDestroy, k.context, cache)
	}
}

// imported makes a credential of a cache or a keytab.
func (a *acquisition) imported() (handle uintptr, memoryCache string, err error) {
	o := a.options
	if a.krb5ImportCred == 0 {
		return 0, "", a.lacks("gss_acquire_cred_from nor gss_krb5_import_cred")
	}
	if o.Usage == gss.UsageBoth {
		return 0, "", &gss.Error{Major: gss.ErrUnavailable, Op: "acquire", Err: errors.New("this library makes no credential for both uses from a cache or a keytab: acquire two")}
	}
	k, err := a.openKrb5()
	if err != nil {
		return 0, "", err
	}
	defer k.close()
	principal, err := k.principal(a.options.Name)
	if err != nil {
		return 0, "", err
	}
	if o.Usage == gss.UsageAccept {
		keytab, err := k.keytab(o.Keytab)
		if err != nil {
			return 0, "", err
		}
		handle, err = a.importCred(0, principal, keytab)
		return handle, "", err
	}
	name := o.CCache
	if o.Keytab != "" {
		if name == "" {
			memoryCache = newMemoryCache()
			name = memoryCache
		}
		if err := k.login(principal, o, name); err != nil {
			if memoryCache != "" {
				a.destroyCache(memoryCache)
			}
			return 0, "", err
		}
	}
	cache, err := k.cache(name)
	if err != nil {
		return 0, "", err
	}
	defer call(a.ccClose, k.context, cache)
	if handle, err = a.importCred(cache, principal, 0); err != nil && memoryCache != "" {
		a.destroyCache(memoryCache)
		memoryCache = ""
	}
	return handle, memoryCache, err
}

func (a *acquisition) importCred(cache, principal, keytab uintptr) (uintptr, error) {
	var m memory
	defer m.release()
	out := new(credOut)
	pin(&m, out)
	major := uint32(call(a.krb5ImportCred, pin(&m, &out.minor), cache, principal, keytab, pin(&m, &out.handle)))
	if failed(major) {
		err := a.failedCall(major, out.minor)
		if e, ok := errors.AsType[*gss.Error](err); ok && e.Major == gss.ErrFailure {
			e.Major = gss.ErrNoCred // that is what a cache that is not there comes to
		}
		return 0, err
	}
	return out.handle, nil
}

// principal parses a name; zero for none. It is freed with k.
func (k *krb5) principal(n gss.Name) (uintptr, error) {
	if n.IsZero() {
		return 0, nil
	}
	text := n.Value
	if service, host, ok := n.Service(); ok {
		text = service + "/" + host
	}
	if k.parseName == 0 || k.freePrincipal == 0 {
		return 0, k.lacks("krb5_parse_name")
	}
	out := new(uintptr)
	if err := k.check(call(k.parseName, k.context, uintptr(k.m.cString(text)), pin(&k.m, out)), text); err != nil {
		return 0, err
	}
	k.defers(func() { call(k.freePrincipal, k.context, *out) })
	return *out, nil
}

// keytab opens a keytab. It is closed with k.
func (k *krb5) keytab(name string) (uintptr, error) {
	if k.ktResolve == 0 || k.ktClose == 0 {
		return 0, k.lacks("krb5_kt_resolve")
	}
	out := new(uintptr)
	if err := k.check(call(k.ktResolve, k.context, uintptr(k.m.cString(name)), pin(&k.m, out)), name); err != nil {
		return 0, err
	}
	k.defers(func() { call(k.ktClose, k.context, *out) })
	return *out, nil
}

// credsSize is more than any krb5_creds has, which differ.
const credsSize = 1024

// login gets a ticket-granting ticket with a keytab and stores it in a cache.
func (k *krb5) login(principal uintptr, o gss.CredentialOptions, cacheName string) error {
	if principal == 0 {
		return krb5Failure(0, "whose keys of the keytab are to be used is missing: give a Name")
	}
	if k.getInitCredsKeytab == 0 || k.ccInitialize == 0 || k.ccStoreCred == 0 || k.freeCredContents == 0 {
		return k.lacks("krb5_get_init_creds_keytab")
	}
	keytab, err := k.keytab(o.Keytab)
	if err != nil {
		return err
	}
	creds := new([credsSize / 8]uint64)
	at := pin(&k.m, creds)
	if err := k.check(call(k.getInitCredsKeytab, k.context, at, principal, keytab, 0, 0, 0), o.Keytab); err != nil {
		return err
	}
	defer call(k.freeCredContents, k.context, at)
	cache, err := k.cache(cacheName)
	if err != nil {
		return err
	}
	defer call(k.ccClose, k.context, cache)
	if err := k.check(call(k.ccInitialize, k.context, cache, principal), cacheName); err != nil {
		return err
	}
	return k.check(call(k.ccStoreCred, k.context, cache, at), cacheName)
}
