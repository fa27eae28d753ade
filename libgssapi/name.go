package libgssapi

import (
	"fmt"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
)

// importName makes a name of the library's; zero for the zero Name.
func (l *library) importName(op string, n gss.Name) (uintptr, error) {
	if n.IsZero() {
		return 0, nil
	}
	typ := l.nameTypes[n.Type]
	if typ == 0 {
		return 0, &gss.Error{Major: gss.ErrBadNameType, Op: op, Err: fmt.Errorf("%q is of a type that the library does not know (%s)", n.Value, n.Type)}
	}
	if n.Value == "" || strings.ContainsRune(n.Value, 0) {
		return 0, badName(op, n, "it is empty, or has an octet of zero in it")
	}
	var m memory
	defer m.release()
	out := &struct {
		minor uint32
		name  uintptr
	}{}
	pin(&m, out)
	major := uint32(call(l.functions.importName, pin(&m, &out.minor), m.buffer([]byte(n.Value)), typ, pin(&m, &out.name)))
	if failed(major) {
		return 0, l.failure(op, "", major, out.minor)
	}
	return out.name, nil
}

// exportName reads a name of the library's and releases it. Zero is no name.
func (l *library) exportName(op string, name uintptr) (gss.Name, error) {
	if name == 0 {
		return gss.Name{}, nil
	}
	defer l.freeName(name)
	return l.readName(op, name)
}

func (l *library) readName(op string, name uintptr) (gss.Name, error) {
	var m memory
	defer m.release()
	out := &struct {
		minor uint32
		text  buffer
		typ   uintptr
	}{}
	pin(&m, out)
	major := uint32(call(l.displayName, pin(&m, &out.minor), name, pin(&m, &out.text), pin(&m, &out.typ)))
	if failed(major) {
		return gss.Name{}, l.failure(op, "", major, out.minor)
	}
	text := string(l.take(&m, &out.text))
	return nameOf(strings.TrimRight(text, "\x00"), l.readOID(pointerTo(out.typ))), nil
}

func (l *library) freeName(name uintptr) {
	if name == 0 {
		return
	}
	var m memory
	defer m.release()
	out := &struct {
		minor uint32
		name  uintptr
	}{name: name}
	pin(&m, out)
	call(l.releaseName, pin(&m, &out.minor), pin(&m, &out.name))
}

// nameOf is the public form of a name: as package krb5 has it, a principal of
// one component is a user.
func nameOf(text string, typ gss.OID) gss.Name {
	switch {
	case text == "":
		return gss.Name{}
	case typ == oidHostBased || typ == oidHostBasedX:
		return gss.Name{Type: gss.NameHostBased, Value: text}
	case typ == oidPrincipal && hasInstance(text):
		return gss.Principal(text)
	}
	return gss.User(text)
}

// hasInstance reports whether a principal's text has several components: a
// slash that no backslash takes the meaning from, before the realm.
func hasInstance(text string) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '/':
			return true
		case '@':
			return false
		}
	}
	return false
}
