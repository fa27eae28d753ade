package libgssapi

import (
	"runtime"
	"unsafe"

	"github.com/go-negotiate/negotiate/gss"
)

// buffer is gss_buffer_desc.
type buffer struct {
	length uintptr
	value  unsafe.Pointer
}

// bufferSet is gss_buffer_set_desc.
type bufferSet struct {
	count    uintptr
	elements unsafe.Pointer // buffer
}

// oidSet is gss_OID_set_desc.
type oidSet struct {
	count    uintptr
	elements unsafe.Pointer // of layout.oidSize each
}

// keyValue is gss_key_value_element_desc.
type keyValue struct{ key, value unsafe.Pointer }

// keyValueSet is gss_key_value_set_desc.
type keyValueSet struct {
	count    uint32
	elements unsafe.Pointer // keyValue
}

const pointerSize = unsafe.Sizeof(uintptr(0))

// layout tells where the fields of structures are that are not the same
// everywhere. Apple's headers pack them to two octets on the processors of its
// older machines, MIT's and Heimdal's nowhere.
type layout struct{ packed bool }

func layoutOf(goos, goarch string) layout {
	return layout{packed: goos == "darwin" && goarch == "amd64"}
}

func hostLayout() layout { return layoutOf(runtime.GOOS, runtime.GOARCH) }

// afterUint32 is the place of a pointer or size that follows a 32-bit number at
// offset.
func (l layout) afterUint32(offset uintptr) uintptr {
	offset += 4
	if l.packed {
		return offset
	}
	return (offset + pointerSize - 1) &^ (pointerSize - 1)
}

// oidElements is the offset of gss_OID_desc.elements.
func (l layout) oidElements() uintptr { return l.afterUint32(0) }

// oidSize is the size of gss_OID_desc.
func (l layout) oidSize() uintptr { return l.oidElements() + pointerSize }

// bindingsLayout are the offsets of gss_channel_bindings_struct.
type bindingsLayout struct {
	initiatorType, initiatorAddress uintptr
	acceptorType, acceptorAddress   uintptr
	applicationData                 uintptr
	size                            uintptr
}

func (l layout) bindings() bindingsLayout {
	const bufferSize = 2 * pointerSize
	var b bindingsLayout
	b.initiatorAddress = l.afterUint32(0)
	b.acceptorType = b.initiatorAddress + bufferSize
	b.acceptorAddress = l.afterUint32(b.acceptorType)
	b.applicationData = b.acceptorAddress + bufferSize
	b.size = b.applicationData + bufferSize
	return b
}

// readOID copies a gss_OID_desc; nil gives the empty OID.
func (l layout) readOID(p unsafe.Pointer) gss.OID {
	if p == nil {
		return ""
	}
	n := *(*uint32)(p)
	elements := readPointer(unsafe.Add(p, l.oidElements()))
	if n == 0 || n > maxOIDOctets || elements == nil {
		return ""
	}
	return gss.OID(unsafe.Slice((*byte)(elements), n))
}

// readOIDs copies a gss_OID_set; nil gives none.
func (l layout) readOIDs(set *oidSet) []gss.OID {
	if set == nil || set.elements == nil {
		return nil
	}
	var oids []gss.OID
	for i := range set.count {
		oids = append(oids, l.readOID(unsafe.Add(set.elements, i*l.oidSize())))
	}
	return oids
}

// writeOID makes a gss_OID_desc at p with its octets behind it.
func (l layout) writeOID(p unsafe.Pointer, oid gss.OID) {
	*(*uint32)(p) = uint32(len(oid))
	elements := unsafe.Add(p, l.oidSize())
	writePointer(unsafe.Add(p, l.oidElements()), elements)
	copy(unsafe.Slice((*byte)(elements), len(oid)), oid)
}

// maxOIDOctets bounds what is believed to be an object identifier.
const maxOIDOctets = 512

// Fields of packed structures are not aligned. They are copied octet by octet:
// Go's checks of pointers refuse others.

func readPointer(p unsafe.Pointer) (v unsafe.Pointer) {
	copy((*[pointerSize]byte)(unsafe.Pointer(&v))[:], (*[pointerSize]byte)(p)[:])
	return v
}

func writePointer(p, v unsafe.Pointer) {
	copy((*[pointerSize]byte)(p)[:], (*[pointerSize]byte)(unsafe.Pointer(&v))[:])
}

func writeUintptr(p unsafe.Pointer, v uintptr) {
	copy((*[pointerSize]byte)(p)[:], (*[pointerSize]byte)(unsafe.Pointer(&v))[:])
}

func writeUint32(p unsafe.Pointer, v uint32) {
	copy((*[4]byte)(p)[:], (*[4]byte)(unsafe.Pointer(&v))[:])
}

// pointerTo makes a pointer of an address that C has returned.
func pointerTo(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }
