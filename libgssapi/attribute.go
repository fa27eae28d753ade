package libgssapi

import (
	"runtime"
	"unsafe"

	"github.com/go-negotiate/negotiate/gss"
)

// NameAttribute is an attribute of a name (RFC 6680), such as an indicator of how
// the initiator logged in or a part of its PAC.
type NameAttribute struct {
	// Name is the attribute's: a URN, or of the form PREFIX:NAME.
	Name string
	// Values are its values, in octets.
	Values [][]byte
	// Displays are the values as text, "" for those that have none.
	Displays []string
	// Authenticated tells that a trusted party vouches for the values; do not
	// believe others. Complete tells that these are all values.
	Authenticated, Complete bool
}

// NameAttributer is a capability of this provider's contexts.
type NameAttributer interface {
	// NameAttributes returns the attributes of the initiator's name, on the
	// acceptor's side. Names of the library that have none give nil. It fails
	// with gss.ErrNoContext before the context is done and with
	// gss.ErrUnavailable if the library does not know of attributes.
	NameAttributes() ([]NameAttribute, error)
}

// maxAttributeValues bounds how many values of one attribute are read.
const maxAttributeValues = 1000

// NameAttributes implements [NameAttributer].
func (c *Context) NameAttributes() ([]NameAttribute, error) {
	const op = "inquire name"
	l := c.lib
	if !c.done || !c.res.begin() {
		return nil, &gss.Error{Major: gss.ErrNoContext, Mech: c.mechOID, Op: op}
	}
	defer c.res.end()
	if l.inquireName == 0 || l.getNameAttribute == 0 || l.releaseBufferSet == 0 {
		return nil, l.lacks("gss_inquire_name")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var m memory
	defer m.release()
	f := new(inquireFrame)
	pin(&m, f)
	major := uint32(call(l.inquireContext, pin(&m, &f.minor), c.res.context, pin(&m, &f.source), 0, 0, 0, 0, 0, 0))
	if failed(major) {
		return nil, l.failure(op, c.info.Mechanism, major, f.minor)
	}
	defer l.freeName(f.source)
	names, err := l.attributeNames(f.source)
	if err != nil {
		return nil, err
	}
	var attributes []NameAttribute
	for _, name := range names {
		a, err := l.attribute(f.source, name)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, a)
	}
	return attributes, nil
}

func (l *library) attributeNames(name uintptr) ([]string, error) {
	var m memory
	defer m.release()
	out := &struct {
		minor uint32
		isMN  int32
		set   *bufferSet
	}{}
	pin(&m, out)
	major := uint32(call(l.inquireName, pin(&m, &out.minor), name, pin(&m, &out.isMN), 0, pin(&m, &out.set)))
	if failed(major) {
		if gss.Major(major)&routineMask == gss.ErrUnavailable {
			return nil, nil // this mechanism's names have no attributes
		}
		return nil, l.failure("inquire name", "", major, out.minor)
	}
	if out.set == nil {
		return nil, nil
	}
	var names []string
	for i := range out.set.count {
		names = append(names, string(goBytes((*buffer)(unsafe.Add(out.set.elements, i*unsafe.Sizeof(buffer{}))))))
	}
	call(l.releaseBufferSet, pin(&m, &out.minor), pin(&m, &out.set))
	return names, nil
}

// attributeFrame is what gss_get_name_attribute writes.
type attributeFrame struct {
	minor                         uint32
	authenticated, complete, more int32
	value, display                buffer
}

func (l *library) attribute(name uintptr, attribute string) (NameAttribute, error) {
	a := NameAttribute{Name: attribute}
	var m memory
	defer m.release()
	f := &attributeFrame{more: -1}
	pin(&m, f)
	wanted := m.buffer([]byte(attribute))
	for range maxAttributeValues {
		major := uint32(call(l.getNameAttribute, pin(&m, &f.minor), name, wanted, pin(&m, &f.authenticated), pin(&m, &f.complete),
			pin(&m, &f.value), pin(&m, &f.display), pin(&m, &f.more)))
		if failed(major) {
			return a, l.failure("get name attribute", "", major, f.minor)
		}
		a.Authenticated, a.Complete = f.authenticated != 0, f.complete != 0
		a.Values = append(a.Values, l.take(&m, &f.value))
		a.Displays = append(a.Displays, string(l.take(&m, &f.display)))
		if f.more == 0 {
			return a, nil
		}
	}
	return a, nil
}
