package pac

import (
	"encoding/binary"
	"unicode/utf16"
)

// The logon information is in NDR, the encoding of DCE RPC (C706, chapter 14),
// within a type serialization of version 1 (MS-RPCE, section 2.2.6). Pointers are
// numbers that tell whether something follows; what they point to comes behind
// the structure, in the order of the pointers.

const (
	ndrHeader  = 16
	ndrVersion = 1
	ndrLittle  = 0x10
)

// ndrReader reads on through an encoding. After a failure it returns zeros. It
// allocates for what is there, never for what is announced.
type ndrReader struct {
	b      []byte
	at     int
	failed bool
}

// newNDR reads the headers, and the pointer to the structure.
func newNDR(b []byte) *ndrReader {
	r := &ndrReader{b: b, at: ndrHeader}
	if len(b) < ndrHeader || b[0] != ndrVersion || b[1] != ndrLittle || binary.LittleEndian.Uint16(b[2:]) != 8 {
		r.failed = true
		return r
	}
	if r.u32() == 0 {
		r.failed = true
	}
	return r
}

func (r *ndrReader) next(n, align int) []byte {
	at := (r.at + align - 1) &^ (align - 1)
	if r.failed || n < 0 || at > len(r.b) || n > len(r.b)-at {
		r.failed = true
		return nil
	}
	r.at = at + n
	return r.b[at:r.at]
}

func (r *ndrReader) u16() uint16 {
	if b := r.next(2, 2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *ndrReader) u32() uint32 {
	if b := r.next(4, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// fileTime is in units of 100 ns since 1601, in two words.
func (r *ndrReader) fileTime() uint64 {
	low := r.u32()
	return uint64(r.u32())<<32 | uint64(low)
}

// ndrString is the part of an RPC_UNICODE_STRING that is in the structure.
type ndrString struct {
	octets uint16
	set    bool
}

func (r *ndrReader) stringHead() ndrString {
	octets := r.u16()
	r.u16() // the room that it had
	return ndrString{octets, r.u32() != 0}
}

// stringBody reads what a string points to: a varying array of 16-bit units.
func (r *ndrReader) stringBody(h ndrString) string {
	if !h.set {
		return ""
	}
	room, skipped, n := r.u32(), r.u32(), r.u32()
	if skipped != 0 || n > room || n != uint32(h.octets)/2 || h.octets%2 != 0 {
		r.failed = true
	}
	if r.failed {
		return ""
	}
	return utf16String(r.next(2*int(n), 2))
}

// array reads the size of one whose elements have so many octets each.
func (r *ndrReader) array(want uint32, size int) int {
	n := r.u32()
	if n != want || uint64(n)*uint64(size) > uint64(len(r.b)) {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	return int(n)
}

func (r *ndrReader) sid() SID {
	n := r.u32()
	if n > maxSub {
		r.failed = true
		return SID{}
	}
	s, ok := readSID(r.next(8+4*int(n), 4))
	if !ok {
		r.failed = true
	}
	return s
}

func utf16String(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func appendUTF16(b []byte, s string) []byte {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// ndrWriter writes what ndrReader reads. What pointers point to is written when
// the structure is complete.
type ndrWriter struct {
	b    []byte
	refs uint32
	body []func()
}

func beginNDR() *ndrWriter {
	w := &ndrWriter{b: []byte{ndrVersion, ndrLittle, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc, 0, 0, 0, 0, 0, 0, 0, 0}}
	w.pointer(nil)
	return w
}

func (w *ndrWriter) u16(n uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, n) }
func (w *ndrWriter) u32(n uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, n) }

func (w *ndrWriter) fileTime(n uint64) {
	w.u32(uint32(n))
	w.u32(uint32(n >> 32))
}

func (w *ndrWriter) pointer(body func()) {
	w.refs += 4
	w.u32(0x20000 + w.refs)
	if body != nil {
		w.body = append(w.body, body)
	}
}

func (w *ndrWriter) text(s string) {
	units := appendUTF16(nil, s)
	w.u16(uint16(len(units)))
	w.u16(uint16(len(units)))
	w.pointer(func() {
		n := uint32(len(units) / 2)
		w.u32(n)
		w.u32(0)
		w.u32(n)
		w.b = append(w.b, units...)
		w.align()
	})
}

func (w *ndrWriter) align() { w.b = append(w.b, make([]byte, -len(w.b)&3)...) }

func (w *ndrWriter) sid(s SID) {
	if s.IsZero() {
		w.u32(0)
		return
	}
	w.pointer(func() {
		w.u32(uint32(len(s.Sub)))
		w.b = appendSID(w.b, s)
	})
}

// flush writes what was put off; that may put off more.
func (w *ndrWriter) flush() {
	for len(w.body) > 0 {
		bodies := w.body
		w.body = nil
		for _, body := range bodies {
			body()
		}
	}
}

func (w *ndrWriter) end() []byte {
	w.flush()
	w.b = append(w.b, make([]byte, -len(w.b)&7)...)
	binary.LittleEndian.PutUint32(w.b[8:], uint32(len(w.b)-ndrHeader))
	return w.b
}
