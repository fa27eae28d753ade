// Package der writes and reads the subset of DER that Kerberos messages use
// (RFC 4120, section 5.1 and appendix A). The writer encodes forwards into one
// buffer and the reader allocates nothing but what it returns, so that the same
// code serves the paths that must be fast and those that need not be.
package der

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
)

// Tags in use, beside those that Ctx and App make.
const (
	TagInteger       = 0x02
	TagBitString     = 0x03
	TagOctetString   = 0x04
	TagOID           = 0x06
	TagGeneralTime   = 0x18
	TagGeneralString = 0x1b
	TagSequence      = 0x30
)

// Ctx is the explicit context tag [n], App the tag [APPLICATION n].
func Ctx(n uint8) byte { return 0xa0 | n }

// App is the tag [APPLICATION n].
func App(n uint8) byte { return 0x60 | n }

// Writer appends DER to Buf. The zero Writer is ready; a Buf with enough
// capacity avoids allocation.
type Writer struct {
	Buf []byte
}

// Mark is where the content of an open element begins.
type Mark struct {
	at     int
	length int // the octets kept for the length, in front of it
}

// Begin opens an element and returns the mark that End closes it with.
func (w *Writer) Begin(tag byte) Mark {
	w.Buf = append(w.Buf, tag, 0)
	return Mark{at: len(w.Buf), length: 1}
}

// BeginLong is Begin for an element whose content has, in all likelihood, 256 to
// 65535 octets: End then does not move them.
func (w *Writer) BeginLong(tag byte) Mark {
	w.Buf = append(w.Buf, tag, 0, 0, 0)
	return Mark{at: len(w.Buf), length: 3}
}

// End closes the element opened at m, moving its content where the length needs
// another number of octets than was kept for it.
func (w *Writer) End(m Mark) {
	n := len(w.Buf) - m.at
	if n < 0x80 && m.length == 1 {
		w.Buf[m.at-1] = byte(n)
		return
	}
	var room [9]byte
	length := appendLength(room[:0], n)
	begin := m.at - m.length
	if len(length) != m.length {
		w.Buf = slices.Grow(w.Buf, len(length))[:begin+len(length)+n]
		copy(w.Buf[begin+len(length):], w.Buf[m.at:m.at+n])
	}
	copy(w.Buf[begin:], length)
}

// appendLength appends the length octets for n octets of content.
func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	k := (bits.Len(uint(n)) + 7) / 8
	dst = append(dst, 0x80|byte(k))
	for i := k - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

// Raw appends an element that is encoded already.
func (w *Writer) Raw(b []byte) { w.Buf = append(w.Buf, b...) }

// Int appends an INTEGER.
func (w *Writer) Int(v int64) {
	n := 1
	for ; n < 8 && (v>>(8*n-1) != 0 && v>>(8*n-1) != -1); n++ {
	}
	w.Buf = append(w.Buf, TagInteger, byte(n))
	for i := n - 1; i >= 0; i-- {
		w.Buf = append(w.Buf, byte(v>>(8*i)))
	}
}

// Octets appends an OCTET STRING.
func (w *Writer) Octets(b []byte) {
	m := w.Begin(TagOctetString)
	w.Buf = append(w.Buf, b...)
	w.End(m)
}

// String appends a GeneralString, which is what KerberosString is.
func (w *Writer) String(s string) {
	m := w.Begin(TagGeneralString)
	w.Buf = append(w.Buf, s...)
	w.End(m)
}

// Bits32 appends KerberosFlags: a BIT STRING of 32 bits, the first of which is
// the most significant of v.
func (w *Writer) Bits32(v uint32) {
	w.Buf = append(w.Buf, TagBitString, 5, 0)
	w.Buf = binary.BigEndian.AppendUint32(w.Buf, v)
}

// Time appends a KerberosTime, in UTC and whole seconds. What has no form in
// years of four digits becomes the nearest time that has one.
func (w *Writer) Time(t time.Time) {
	t = t.UTC()
	switch year := t.Year(); {
	case year < 0:
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case year > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	year, month, day := t.Date()
	hour, minute, sec := t.Clock()
	w.Buf = append(w.Buf, TagGeneralTime, 15,
		digit(year/1000), digit(year/100), digit(year/10), digit(year),
		digit(int(month)/10), digit(int(month)), digit(day/10), digit(day),
		digit(hour/10), digit(hour), digit(minute/10), digit(minute),
		digit(sec/10), digit(sec), 'Z')
}

func digit(n int) byte { return '0' + byte(n%10) }

// CtxInt appends [n] INTEGER.
func (w *Writer) CtxInt(n uint8, v int64) {
	m := w.Begin(Ctx(n))
	w.Int(v)
	w.End(m)
}

// CtxOctets appends [n] OCTET STRING.
func (w *Writer) CtxOctets(n uint8, b []byte) {
	m := w.Begin(Ctx(n))
	w.Octets(b)
	w.End(m)
}

// CtxString appends [n] GeneralString.
func (w *Writer) CtxString(n uint8, s string) {
	m := w.Begin(Ctx(n))
	w.String(s)
	w.End(m)
}

// CtxTime appends [n] KerberosTime.
func (w *Writer) CtxTime(n uint8, t time.Time) {
	m := w.Begin(Ctx(n))
	w.Time(t)
	w.End(m)
}

// CtxOptTime is CtxTime that leaves out the zero time.
func (w *Writer) CtxOptTime(n uint8, t time.Time) {
	if !t.IsZero() {
		w.CtxTime(n, t)
	}
}

// CtxBits32 appends [n] KerberosFlags.
func (w *Writer) CtxBits32(n uint8, v uint32) {
	m := w.Begin(Ctx(n))
	w.Bits32(v)
	w.End(m)
}

// CtxRaw appends [n] around an element that is encoded already.
func (w *Writer) CtxRaw(n uint8, b []byte) {
	w.Buf = appendLength(append(w.Buf, Ctx(n)), len(b))
	w.Raw(b)
}
