package libgssapi

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/go-negotiate/negotiate/gss"
)

// functions are the addresses of the library's functions. Those of optional are
// zero where a library does not have them.
type functions struct {
	acquireCred, releaseCred, inquireCred                         uintptr
	importName, displayName, releaseName                          uintptr
	initSecContext, acceptSecContext, deleteSecContext            uintptr
	inquireContext, indicateMechs, displayStatus                  uintptr
	wrap, unwrap, getMIC, verifyMIC, releaseBuffer, releaseOIDSet uintptr
	calloc                                                        uintptr

	acquireCredFrom, acquireCredWithPassword            uintptr
	inquireName, getNameAttribute, releaseBufferSet     uintptr
	krb5ImportCred                                      uintptr
	initContext, freeContext, parseName, freePrincipal  uintptr
	ccResolve, ccInitialize, ccStoreCred, ccClose       uintptr
	ccDestroy, ktResolve, ktClose, getInitCredsKeytab   uintptr
	freeCredContents, getErrorMessage, freeErrorMessage uintptr
	errorMessage                                        uintptr
}

// required lists the functions that each library has.
func (f *functions) required() map[string]*uintptr {
	return map[string]*uintptr{
		"gss_acquire_cred": &f.acquireCred, "gss_release_cred": &f.releaseCred, "gss_inquire_cred": &f.inquireCred,
		"gss_import_name": &f.importName, "gss_display_name": &f.displayName, "gss_release_name": &f.releaseName,
		"gss_init_sec_context": &f.initSecContext, "gss_accept_sec_context": &f.acceptSecContext,
		"gss_delete_sec_context": &f.deleteSecContext, "gss_inquire_context": &f.inquireContext,
		"gss_indicate_mechs": &f.indicateMechs, "gss_display_status": &f.displayStatus,
		"gss_wrap": &f.wrap, "gss_unwrap": &f.unwrap, "gss_get_mic": &f.getMIC, "gss_verify_mic": &f.verifyMIC,
		"gss_release_buffer": &f.releaseBuffer, "gss_release_oid_set": &f.releaseOIDSet,
		"calloc": &f.calloc,
	}
}

// optional lists the functions that a library may lack.
func (f *functions) optional() map[string]*uintptr {
	return map[string]*uintptr{
		"gss_acquire_cred_from": &f.acquireCredFrom, "gss_acquire_cred_with_password": &f.acquireCredWithPassword,
		"gss_inquire_name": &f.inquireName, "gss_get_name_attribute": &f.getNameAttribute,
		"gss_release_buffer_set": &f.releaseBufferSet, "gss_krb5_import_cred": &f.krb5ImportCred,
		"krb5_init_context": &f.initContext, "krb5_free_context": &f.freeContext,
		"krb5_parse_name": &f.parseName, "krb5_free_principal": &f.freePrincipal,
		"krb5_cc_resolve": &f.ccResolve, "krb5_cc_initialize": &f.ccInitialize, "krb5_cc_store_cred": &f.ccStoreCred,
		"krb5_cc_close": &f.ccClose, "krb5_cc_destroy": &f.ccDestroy,
		"krb5_kt_resolve": &f.ktResolve, "krb5_kt_close": &f.ktClose,
		"krb5_get_init_creds_keytab": &f.getInitCredsKeytab, "krb5_free_cred_contents": &f.freeCredContents,
		"krb5_get_error_message": &f.getErrorMessage, "krb5_free_error_message": &f.freeErrorMessage,
		"error_message": &f.errorMessage,
	}
}

// library is a loaded library.
type library struct {
	functions
	layout
	path    string
	vendor  vendor
	version string // empty if not known
	// mechs point into the set of mechanisms that the library has returned; it is
	// kept, since contexts may refer to its members.
	mechs   map[gss.OID]unsafe.Pointer
	ordered []gss.OID
	// nameTypes are object identifiers in C's memory, for the same reason.
	nameTypes map[gss.NameType]uintptr
}

// vendor is who made a library.
type vendor uint8

const (
	vendorUnknown vendor = iota
	vendorMIT
	vendorHeimdal
	vendorApple
)

func (v vendor) String() string {
	switch v {
	case vendorMIT:
		return "MIT"
	case vendorHeimdal:
		return "Heimdal"
	case vendorApple:
		return "Apple"
	}
	return "unknown"
}

// Object identifiers of name types (RFC 2743, section 4; RFC 1964, section 2.1).
const (
	oidHostBased  gss.OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04"
	oidHostBasedX gss.OID = "\x2b\x06\x01\x05\x06\x02" // its older number
	oidUserName   gss.OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x01"
	oidPrincipal  gss.OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01"
)

// load finds the functions of an open library and asks it for its mechanisms.
func load(handle uintptr, path string) (*Provider, error) {
	l := &library{path: path, layout: hostLayout()}
	for name, address := range l.required() {
		if *address = symbol(handle, name); *address == 0 {
			return nil, fmt.Errorf("libgssapi: %s has no function %s: it is no GSS-API library", path, name)
		}
	}
	for name, address := range l.optional() {
		*address = symbol(handle, name)
	}
	l.vendor, l.version = identify(handle, path)
	l.nameTypes = map[gss.NameType]uintptr{
		gss.NameHostBased: l.keepOID(oidHostBased),
		gss.NameUser:      l.keepOID(oidUserName),
		gss.NamePrincipal: l.keepOID(oidPrincipal),
	}
	if err := l.readMechs(); err != nil {
		return nil, err
	}
	return newProvider(l), nil
}

// keepOID writes an object identifier to memory of C's that is never freed.
func (l *library) keepOID(oid gss.OID) uintptr {
	address := call(l.calloc, 1, l.oidSize()+uintptr(len(oid)))
	if address == 0 {
		panic("libgssapi: out of memory")
	}
	l.writeOID(pointerTo(address), oid)
	return address
}

// readMechs reads the mechanisms, SPNEGO and krb5 first.
func (l *library) readMechs() error {
	var m memory
	defer m.release()
	out := &struct {
		minor uint32
		set   *oidSet
	}{}
	pin(&m, out)
	major := uint32(call(l.indicateMechs, pin(&m, &out.minor), pin(&m, &out.set)))
	if failed(major) {
		return l.failure("indicate mechanisms", "", major, out.minor)
	}
	l.mechs = make(map[gss.OID]unsafe.Pointer)
	for i, oid := range l.readOIDs(out.set) {
		if oid != "" && l.mechs[oid] == nil {
			l.mechs[oid] = unsafe.Add(out.set.elements, uintptr(i)*l.oidSize())
			l.ordered = append(l.ordered, oid)
		}
	}
	l.ordered = preferred(l.ordered)
	return nil
}

// preferred moves SPNEGO and krb5 to the front.
func preferred(mechs []gss.OID) []gss.OID {
	var first, others []gss.OID
	for _, want := range []gss.OID{gss.MechSPNEGO, gss.MechKRB5} {
		for _, m := range mechs {
			if m == want {
				first = append(first, m)
			}
		}
	}
	for _, m := range mechs {
		if m != gss.MechSPNEGO && m != gss.MechKRB5 {
			others = append(others, m)
		}
	}
	return append(first, others...)
}

// mech returns the library's own object identifier of a mechanism; empty is
// SPNEGO.
func (l *library) mech(op string, oid gss.OID) (uintptr, error) {
	if oid == "" {
		oid = gss.MechSPNEGO
	}
	if p := l.mechs[oid]; p != nil {
		return uintptr(p), nil
	}
	var have []string
	for _, m := range l.ordered {
		have = append(have, m.Describe())
	}
	return 0, &gss.Error{Major: gss.ErrBadMech, Mech: oid, Op: op, Err: fmt.Errorf("%s has only %s", l, strings.Join(have, ", "))}
}

// String is the provider's name.
func (l *library) String() string {
	if l.version == "" {
		return fmt.Sprintf("libgssapi (%s)", l.vendor)
	}
	return fmt.Sprintf("libgssapi (%s %s)", l.vendor, l.version)
}
