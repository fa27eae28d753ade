package sspi

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"unsafe"
)

// dll has the functions of secur32.dll. The name is one that package syscall
// loads from Windows' own folder only.
type dll struct {
	enumeratePackages, freeBuffer                        *syscall.LazyProc
	acquireCredentials, freeCredentials, queryCredential *syscall.LazyProc
	initializeContext, acceptContext, deleteCtx          *syscall.LazyProc
	queryContext, impersonate, revert                    *syscall.LazyProc
	encryptMessage, decryptMessage, makeSig, verifySig   *syscall.LazyProc

	wine bool
}

func system() (secur32, error) {
	lib := syscall.NewLazyDLL("secur32.dll")
	d := &dll{
		enumeratePackages:  lib.NewProc("EnumerateSecurityPackagesW"),
		freeBuffer:         lib.NewProc("FreeContextBuffer"),
		acquireCredentials: lib.NewProc("AcquireCredentialsHandleW"),
		freeCredentials:    lib.NewProc("FreeCredentialsHandle"),
		queryCredential:    lib.NewProc("QueryCredentialsAttributesW"),
		initializeContext:  lib.NewProc("InitializeSecurityContextW"),
		acceptContext:      lib.NewProc("AcceptSecurityContext"),
		deleteCtx:          lib.NewProc("DeleteSecurityContext"),
		queryContext:       lib.NewProc("QueryContextAttributesW"),
		impersonate:        lib.NewProc("ImpersonateSecurityContext"),
		revert:             lib.NewProc("RevertSecurityContext"),
		encryptMessage:     lib.NewProc("EncryptMessage"),
		decryptMessage:     lib.NewProc("DecryptMessage"),
		makeSig:            lib.NewProc("MakeSignature"),
		verifySig:          lib.NewProc("VerifySignature"),
		// Wine has this, and Windows does not.
		wine: syscall.NewLazyDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil,
	}
	for _, p := range []*syscall.LazyProc{
		d.enumeratePackages, d.freeBuffer, d.acquireCredentials, d.freeCredentials, d.queryCredential,
		d.initializeContext, d.acceptContext, d.deleteCtx, d.queryContext, d.impersonate, d.revert,
		d.encryptMessage, d.decryptMessage, d.makeSig, d.verifySig,
	} {
		if err := p.Find(); err != nil {
			return nil, fmt.Errorf("sspi: %w", err)
		}
	}
	return d, nil
}

func (d *dll) isWine() bool { return d.wine }

// call calls p. A SECURITY_STATUS has 32 bits; what else is in the register means
// nothing. The caller keeps alive what the arguments point to.
//
//go:uintptrescapes
func call(p *syscall.LazyProc, args ...uintptr) status {
	r, _, _ := p.Call(args...)
	return status(uint32(r))
}

// packageInfo is SecPkgInfoW.
type packageInfo struct {
	capabilities   uint32
	version, rpcID uint16
	maxToken       uint32
	name, comment  *uint16
}

func (d *dll) packages() (map[string]uint32, status) {
	var n uint32
	var list *packageInfo
	if s := call(d.enumeratePackages, uintptr(unsafe.Pointer(&n)), uintptr(unsafe.Pointer(&list))); s != secOK {
		return nil, s
	}
	defer d.free(unsafe.Pointer(list))
	found := make(map[string]uint32)
	for _, p := range unsafe.Slice(list, n) {
		found[utf16At(p.name)] = p.maxToken
	}
	return found, secOK
}

// free gives back what secur32 has allocated.
func (d *dll) free(p unsafe.Pointer) {
	if p != nil {
		call(d.freeBuffer, uintptr(p))
	}
}

// utf16At reads a string of Windows; nil is the empty string.
func utf16At(p *uint16) string {
	if p == nil {
		return ""
	}
	n := 0
	for ; *(*uint16)(unsafe.Add(unsafe.Pointer(p), 2*n)) != 0; n++ {
	}
	return syscall.UTF16ToString(unsafe.Slice(p, n))
}

// winntIdentity is SEC_WINNT_AUTH_IDENTITY_W.
type winntIdentity struct {
	user           *uint16
	userLength     uint32
	domain         *uint16
	domainLength   uint32
	password       *uint16
	passwordLength uint32
	flags          uint32
}

// winntIdentityEx is SEC_WINNT_AUTH_IDENTITY_EXW, which has a package list.
type winntIdentityEx struct {
	version, length uint32
	winntIdentity
	packageList       *uint16
	packageListLength uint32
}

const (
	identityExVersion = 0x200
	identityUnicode   = 2
)

// text is a counted string of an identity.
func text(units []uint16) (*uint16, uint32) {
	if len(units) == 0 {
		return nil, 0
	}
	return &units[0], uint32(len(units))
}

func units(s string) []uint16 {
	u, err := syscall.UTF16FromString(s)
	if err != nil {
		return nil // a zero in it; checked before
	}
	return u[:len(u)-1]
}

// pointer is the structure for AcquireCredentialsHandle. Wine does not know the
// one with a package list, and reads it wrongly.
func (id *authIdentity) pointer(wine bool) unsafe.Pointer {
	if id == nil || wine && !id.set {
		return nil
	}
	ex := &winntIdentityEx{version: identityExVersion}
	ex.length = uint32(unsafe.Sizeof(*ex))
	ex.flags = identityUnicode
	if id.set {
		ex.user, ex.userLength = text(units(id.user))
		ex.domain, ex.domainLength = text(units(id.domain))
		ex.password, ex.passwordLength = text(id.password)
	}
	if wine || id.packageList == "" {
		plain := ex.winntIdentity
		return unsafe.Pointer(&plain)
	}
	ex.packageList, ex.packageListLength = text(units(id.packageList))
	return unsafe.Pointer(ex)
}

func (d *dll) acquire(pkg string, use uint32, id *authIdentity) (h handle, expires int64, s status) {
	name, err := syscall.UTF16PtrFromString(pkg)
	if err != nil {
		return handle{}, 0, secPackageNotFound
	}
	auth := id.pointer(d.wine)
	s = call(d.acquireCredentials, 0, uintptr(unsafe.Pointer(name)), uintptr(use), 0, uintptr(auth), 0, 0,
		uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&expires)))
	runtime.KeepAlive(auth)
	runtime.KeepAlive(id)
	if s != secOK {
		return handle{}, 0, s
	}
	return h, expires, secOK
}

// delegated impersonates the client for one call, on a thread of its own. A
// thread that cannot return to itself must not serve anything else: it ends with
// its goroutine, since it stays locked.
func (d *dll) delegated(ctx handle, pkg string) (h handle, expires int64, s status) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if s = call(d.impersonate, uintptr(unsafe.Pointer(&ctx))); s != secOK {
			runtime.UnlockOSThread()
			return
		}
		h, expires, s = d.acquire(pkg, useOutbound, nil)
		if call(d.revert, uintptr(unsafe.Pointer(&ctx))) == secOK {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	return h, expires, s
}

func (d *dll) freeCredential(h handle) { call(d.freeCredentials, uintptr(unsafe.Pointer(&h))) }

// Attributes of credentials and contexts.
const (
	credNames      = 1
	ctxSizes       = 0
	ctxNames       = 1
	ctxNegotiation = 12
	ctxNativeNames = 13
)

func (d *dll) credentialName(h handle) (string, status) {
	var name *uint16
	if s := call(d.queryCredential, uintptr(unsafe.Pointer(&h)), credNames, uintptr(unsafe.Pointer(&name))); s != secOK {
		return "", s
	}
	defer d.free(unsafe.Pointer(name))
	return utf16At(name), secOK
}

// secBuffer is SecBuffer, and secBufferDesc SecBufferDesc.
type secBuffer struct {
	size, kind uint32
	data       *byte
}

type secBufferDesc struct {
	version, count uint32
	buffers        *secBuffer
}

func describe(buffers []secBuffer) *secBufferDesc {
	return &secBufferDesc{count: uint32(len(buffers)), buffers: unsafe.SliceData(buffers)}
}

func secBufferOf(kind uint32, data []byte) secBuffer {
	return secBuffer{size: uint32(len(data)), kind: kind, data: unsafe.SliceData(data)}
}

// in are the buffers that a leg takes; nil for none.
func (c *contextCall) in() *secBufferDesc {
	var list []secBuffer
	if len(c.token) > 0 {
		list = append(list, secBufferOf(bufferToken, c.token))
	}
	if c.bindings != nil {
		list = append(list, secBufferOf(bufferChannelBindings, c.bindings))
	}
	if len(list) == 0 {
		return nil
	}
	return describe(list)
}

// existing points to the context of the leg before; nil for the first.
func (c *contextCall) existing() *handle {
	if c.ctx == (handle{}) {
		return nil
	}
	h := c.ctx
	return &h
}

const nativeDataRep = 16

func (d *dll) initialize(c contextCall) contextResult {
	target, err := syscall.UTF16PtrFromString(c.target)
	if err != nil {
		return contextResult{ctx: c.ctx, status: secTargetUnknown}
	}
	r := contextResult{ctx: c.ctx}
	in, existing := c.in(), c.existing()
	out := []secBuffer{secBufferOf(bufferToken, make([]byte, c.maxToken))}
	desc := describe(out)
	r.status = call(d.initializeContext, uintptr(unsafe.Pointer(&c.cred)), uintptr(unsafe.Pointer(existing)),
		uintptr(unsafe.Pointer(target)), uintptr(c.request), 0, nativeDataRep, uintptr(unsafe.Pointer(in)), 0,
		uintptr(unsafe.Pointer(&r.ctx)), uintptr(unsafe.Pointer(desc)),
		uintptr(unsafe.Pointer(&r.attrs)), uintptr(unsafe.Pointer(&r.expires)))
	r.out = taken(out[0], c.maxToken)
	runtime.KeepAlive(in)
	runtime.KeepAlive(desc)
	return r
}

func (d *dll) accept(c contextCall) contextResult {
	r := contextResult{ctx: c.ctx}
	in, existing := c.in(), c.existing()
	out := []secBuffer{secBufferOf(bufferToken, make([]byte, c.maxToken))}
	desc := describe(out)
	r.status = call(d.acceptContext, uintptr(unsafe.Pointer(&c.cred)), uintptr(unsafe.Pointer(existing)),
		uintptr(unsafe.Pointer(in)), uintptr(c.request), nativeDataRep,
		uintptr(unsafe.Pointer(&r.ctx)), uintptr(unsafe.Pointer(desc)),
		uintptr(unsafe.Pointer(&r.attrs)), uintptr(unsafe.Pointer(&r.expires)))
	r.out = taken(out[0], c.maxToken)
	runtime.KeepAlive(in)
	runtime.KeepAlive(desc)
	return r
}

// taken copies the token out of its buffer, which is large, and is to be free
// again soon. A function that fails may leave the buffer's size as it was.
func taken(out secBuffer, size uint32) []byte {
	if out.data == nil || out.size == 0 || out.size >= size {
		return nil
	}
	return slices.Clone(unsafe.Slice(out.data, out.size))
}

func (d *dll) deleteContext(h handle) { call(d.deleteCtx, uintptr(unsafe.Pointer(&h))) }

// names prefers those of the mechanism, alice@EXAMPLE.COM, to those of Windows,
// EXAMPLE\alice.
func (d *dll) names(ctx handle) (client, server string, s status) {
	var native struct{ client, server *uint16 }
	if s := call(d.queryContext, uintptr(unsafe.Pointer(&ctx)), ctxNativeNames, uintptr(unsafe.Pointer(&native))); s == secOK {
		defer d.free(unsafe.Pointer(native.client))
		defer d.free(unsafe.Pointer(native.server))
		if client := utf16At(native.client); client != "" {
			return client, utf16At(native.server), secOK
		}
	}
	var name *uint16
	if s := call(d.queryContext, uintptr(unsafe.Pointer(&ctx)), ctxNames, uintptr(unsafe.Pointer(&name))); s != secOK {
		return "", "", s
	}
	defer d.free(unsafe.Pointer(name))
	return utf16At(name), "", secOK
}

func (d *dll) negotiated(ctx handle) (string, status) {
	var info struct {
		pkg   *packageInfo
		state uint32
	}
	if s := call(d.queryContext, uintptr(unsafe.Pointer(&ctx)), ctxNegotiation, uintptr(unsafe.Pointer(&info))); s != secOK {
		return "", s
	}
	if info.pkg == nil {
		return "", secInternalError
	}
	defer d.free(unsafe.Pointer(info.pkg))
	return utf16At(info.pkg.name), secOK
}

func (d *dll) sizes(ctx handle) (z contextSizes, s status) {
	s = call(d.queryContext, uintptr(unsafe.Pointer(&ctx)), ctxSizes, uintptr(unsafe.Pointer(&z)))
	return z, s
}

// onMessage calls p with the buffers and puts back what it made of them.
func onMessage(buffers []buffer, p func(desc *secBufferDesc) status) status {
	list := make([]secBuffer, len(buffers))
	for i, b := range buffers {
		list[i] = secBufferOf(b.kind, b.data)
	}
	desc := describe(list)
	s := p(desc)
	for i := range buffers {
		buffers[i].data = within(buffers, list[i])
	}
	runtime.KeepAlive(desc)
	return s
}

// within is the part of one of the buffers that b points to; nil if it points to
// none of them.
func within(buffers []buffer, b secBuffer) []byte {
	for _, whole := range buffers {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(whole.data)))
		at := uintptr(unsafe.Pointer(b.data))
		if at >= start && at+uintptr(b.size) <= start+uintptr(len(whole.data)) && len(whole.data) > 0 {
			return whole.data[at-start:][:b.size]
		}
	}
	return nil
}

func (d *dll) encrypt(ctx handle, qop uint32, buffers []buffer) status {
	return onMessage(buffers, func(desc *secBufferDesc) status {
		return call(d.encryptMessage, uintptr(unsafe.Pointer(&ctx)), uintptr(qop), uintptr(unsafe.Pointer(desc)), 0)
	})
}

func (d *dll) decrypt(ctx handle, buffers []buffer) (qop uint32, s status) {
	s = onMessage(buffers, func(desc *secBufferDesc) status {
		return call(d.decryptMessage, uintptr(unsafe.Pointer(&ctx)), uintptr(unsafe.Pointer(desc)), 0, uintptr(unsafe.Pointer(&qop)))
	})
	return qop, s
}

func (d *dll) sign(ctx handle, buffers []buffer) status {
	return onMessage(buffers, func(desc *secBufferDesc) status {
		return call(d.makeSig, uintptr(unsafe.Pointer(&ctx)), 0, uintptr(unsafe.Pointer(desc)), 0)
	})
}

func (d *dll) verify(ctx handle, buffers []buffer) status {
	return onMessage(buffers, func(desc *secBufferDesc) status {
		var qop uint32
		return call(d.verifySig, uintptr(unsafe.Pointer(&ctx)), uintptr(unsafe.Pointer(desc)), 0, uintptr(unsafe.Pointer(&qop)))
	})
}
