package libgssapi

import (
	"runtime"
	"unsafe"

	"github.com/go-negotiate/negotiate/gss"
)

// memory is what one call of the library reads and writes. Go moves stacks, and
// the library must see nothing that moves: all of it is on the heap, and pinned
// until release.
type memory struct{ pinner runtime.Pinner }

func (m *memory) release() { m.pinner.Unpin() }

// pin keeps *p where it is and returns its address.
func pin[T any](m *memory, p *T) uintptr {
	m.pinner.Pin(p)
	return uintptr(unsafe.Pointer(p))
}

// bytes copies b. The copy has an octet of zero behind it, as C's strings have.
func (m *memory) bytes(b []byte) []byte {
	c := append(make([]byte, 0, len(b)+1), b...)
	m.pinner.Pin(unsafe.SliceData(c))
	return c
}

// buffer returns the address of a gss_buffer_desc with a copy of b.
func (m *memory) buffer(b []byte) uintptr {
	c := m.bytes(b)
	return pin(m, &buffer{length: uintptr(len(c)), value: unsafe.Pointer(unsafe.SliceData(c))})
}

// cString returns the address of a copy of s that ends with an octet of zero.
func (m *memory) cString(s string) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(m.bytes([]byte(s))))
}

// bindings returns the address of a gss_channel_bindings_struct; zero for nil.
func (m *memory) bindings(l layout, cb *gss.ChannelBindings) uintptr {
	if cb == nil {
		return 0
	}
	at := l.bindings()
	// Made of pointers, so that the garbage collector would see what is in it if
	// it were not pinned anyway; aligned as the strictest field needs.
	s := make([]uint64, (at.size+7)/8)
	m.pinner.Pin(unsafe.SliceData(s))
	base := unsafe.Pointer(unsafe.SliceData(s))
	put := func(offset uintptr, b []byte) {
		if len(b) == 0 {
			return
		}
		c := m.bytes(b)
		writeUintptr(unsafe.Add(base, offset), uintptr(len(c)))
		writeUintptr(unsafe.Add(base, offset+pointerSize), uintptr(unsafe.Pointer(unsafe.SliceData(c))))
	}
	writeUint32(unsafe.Add(base, at.initiatorType), cb.InitiatorAddrType)
	put(at.initiatorAddress, cb.InitiatorAddress)
	writeUint32(unsafe.Add(base, at.acceptorType), cb.AcceptorAddrType)
	put(at.acceptorAddress, cb.AcceptorAddress)
	put(at.applicationData, cb.ApplicationData)
	return uintptr(base)
}

// goBytes copies what a buffer of the library holds; never nil.
func goBytes(b *buffer) []byte {
	if b.value == nil || b.length == 0 {
		return []byte{}
	}
	return append([]byte(nil), unsafe.Slice((*byte)(b.value), b.length)...)
}
