package der

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Input is a message that is read, and whether that has failed so far.
type Input struct {
	b      []byte
	failed bool
}

// NewInput returns an input of b.
func NewInput(b []byte) Input { return Input{b: b} }

// Reader returns a reader of the whole input.
func (in *Input) Reader() Reader { return Reader{in: in, end: len(in.b)} }

// Failed reports whether any reader of the input has failed.
func (in *Input) Failed() bool { return in.failed }

// Reader reads elements of an Input one after the other. A reader that failed
// is empty and returns zero values from then on, so that a decoder reads
// straight on and asks the Input once, at its end; until then nothing that was
// read may be used. Slices that are returned alias the input and have no
// capacity beyond their length.
//
// The place is kept as numbers, not as a slice: storing a pointer would move
// the Input to the heap.
type Reader struct {
	in       *Input
	pos, end int
}

// Fail records a failure that the decoder found.
func (r *Reader) Fail() {
	r.in.failed = true
	r.pos = r.end
}

// Empty reports whether all was read.
func (r *Reader) Empty() bool { return r.pos == r.end }

// Rest returns what was not read yet.
func (r *Reader) Rest() []byte { return r.in.b[r.pos:r.end:r.end] }

// End fails unless all was read.
func (r *Reader) End() {
	if !r.Empty() {
		r.Fail()
	}
}

// More reports whether a list goes on after have elements. It fails if the list
// has more than limit.
func (r *Reader) More(have, limit int) bool {
	if r.Empty() {
		return false
	}
	if have >= limit {
		r.Fail()
		return false
	}
	return true
}

// Has reports whether the next element has the given tag.
func (r *Reader) Has(tag byte) bool { return !r.Empty() && r.in.b[r.pos] == tag }

// HasField reports whether the next element is the explicit field [n].
func (r *Reader) HasField(n uint8) bool { return r.Has(Ctx(n)) }

// Open reads an element with the given tag and returns a reader of its content.
func (r *Reader) Open(tag byte) Reader {
	s := cryptobyte.String(r.Rest())
	var body cryptobyte.String
	ok := s.ReadASN1(&body, asn1.Tag(tag))
	return r.take(ok, len(s), len(body))
}

// Element reads an element whole, whatever its tag, and returns a reader of it.
func (r *Reader) Element() Reader {
	s := cryptobyte.String(r.Rest())
	var tag asn1.Tag
	var element cryptobyte.String
	ok := s.ReadAnyASN1Element(&element, &tag)
	return r.take(ok, len(s), len(element))
}

// take moves r to where rest octets are left, and returns a reader of the n
// octets before that place.
func (r *Reader) take(ok bool, rest, n int) Reader {
	if !ok {
		r.Fail()
		return Reader{in: r.in}
	}
	r.pos = r.end - rest
	return Reader{in: r.in, pos: r.pos - n, end: r.pos}
}

// Optional is Open for an element that may be absent.
func (r *Reader) Optional(tag byte) (Reader, bool) {
	if !r.Has(tag) {
		return Reader{in: r.in}, false
	}
	return r.Open(tag), true
}

// Field reads the explicit field [n], which must be there.
func (r *Reader) Field(n uint8) Reader { return r.Open(Ctx(n)) }

// OptionalField reads the explicit field [n] if it is there.
func (r *Reader) OptionalField(n uint8) (Reader, bool) { return r.Optional(Ctx(n)) }

// Sequence reads a SEQUENCE.
func (r *Reader) Sequence() Reader { return r.Open(TagSequence) }

// Int reads an INTEGER between lo and hi.
func (r *Reader) Int(lo, hi int64) int64 {
	s := cryptobyte.String(r.Rest())
	var v int64
	ok := s.ReadASN1Integer(&v) && lo <= v && v <= hi
	r.take(ok, len(s), 0)
	if !ok {
		return 0
	}
	return v
}

// Int32 reads an Int32 of RFC 4120.
func (r *Reader) Int32() int32 { return int32(r.Int(-1<<31, 1<<31-1)) }

// Uint32 reads a UInt32 of RFC 4120, also where a peer encodes it as a negative
// number, as some do with sequence numbers and nonces.
func (r *Reader) Uint32() uint32 { return uint32(r.Int(-1<<31, 1<<32-1)) }

// Octets reads an OCTET STRING. The result is nil only after a failure.
func (r *Reader) Octets() []byte {
	body := r.Open(TagOctetString)
	if r.in.failed {
		return nil
	}
	return body.Rest()
}

// String reads a GeneralString, or one of the string types that some peers send
// in its place.
func (r *Reader) String() string {
	for _, tag := range [...]byte{TagGeneralString, 0x0c /* UTF8String */, 0x16 /* IA5String */, 0x13 /* PrintableString */} {
		if body, ok := r.Optional(tag); ok {
			return string(body.Rest())
		}
	}
	r.Fail()
	return ""
}

// Bits32 reads KerberosFlags and returns the first 32 bits. RFC 4120, section
// 5.2.8, has peers send at least these; more are passed over, and missing ones
// are zero, since some peers leave out zeros at the end.
func (r *Reader) Bits32() uint32 {
	body := r.Open(TagBitString)
	b := body.Rest()
	if len(b) == 0 || b[0] > 7 || (len(b) == 1 && b[0] != 0) {
		r.Fail()
		return 0
	}
	unused, bits := b[0], b[1:]
	var v uint32
	for i := range 4 {
		v <<= 8
		if i < len(bits) {
			v |= uint32(bits[i])
		}
		if i == len(bits)-1 {
			v &^= 1<<unused - 1 // padding, which means nothing
		}
	}
	return v
}

// Time reads a KerberosTime: YYYYMMDDHHMMSSZ and nothing else.
func (r *Reader) Time() time.Time {
	body := r.Open(TagGeneralTime)
	t, ok := parseTime(body.Rest())
	if !ok {
		r.Fail()
		return time.Time{}
	}
	return t
}

// timeFields are the widths of the parts of a KerberosTime.
var timeFields = [...]int{4, 2, 2, 2, 2, 2}

func parseTime(b []byte) (time.Time, bool) {
	if len(b) != 15 || b[14] != 'Z' {
		return time.Time{}, false
	}
	var v [6]int
	for i, width := range timeFields {
		for _, c := range b[:width] {
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
			v[i] = v[i]*10 + int(c-'0')
		}
		b = b[width:]
	}
	// A leap second is allowed and means the second before it, so that the
	// year stays below 10000.
	if v[1] < 1 || v[1] > 12 || v[2] < 1 || v[3] > 23 || v[4] > 59 || v[5] > 60 {
		return time.Time{}, false
	}
	if midnight := time.Date(v[0], time.Month(v[1]), v[2], 0, 0, 0, 0, time.UTC); midnight.Day() != v[2] {
		return time.Time{}, false // no such day, such as February 30
	}
	return time.Date(v[0], time.Month(v[1]), v[2], v[3], v[4], min(v[5], 59), 0, time.UTC), true
}
