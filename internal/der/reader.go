package der

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Reader reads elements one after the other. A failure is remembered in the
// flag that all readers of one message share: after it each method returns zero
// values, so that a decoder reads straight on and looks at the flag once, at
// its end. What Octets and Element return aliases the input.
type Reader struct {
	s      cryptobyte.String
	failed *bool
}

// NewReader reads b. failed must not be nil; it is set by the first failure.
func NewReader(b []byte, failed *bool) Reader {
	return Reader{s: b, failed: failed}
}

// Fail records a failure that the decoder found.
func (r *Reader) Fail() {
	*r.failed = true
	r.s = nil
}

// Empty reports whether all of the input was read.
func (r *Reader) Empty() bool { return len(r.s) == 0 }

// End fails unless all of the input was read.
func (r *Reader) End() {
	if !r.Empty() {
		r.Fail()
	}
}

// Has reports whether the next element has the given tag.
func (r *Reader) Has(tag byte) bool { return len(r.s) > 0 && r.s[0] == tag }

// Open reads an element with the given tag and returns a reader of its content.
func (r *Reader) Open(tag byte) Reader {
	var body cryptobyte.String
	if !r.s.ReadASN1(&body, asn1.Tag(tag)) {
		r.Fail()
	}
	return Reader{s: body, failed: r.failed}
}

// Optional is Open for an element that may be absent.
func (r *Reader) Optional(tag byte) (Reader, bool) {
	if !r.Has(tag) {
		return Reader{failed: r.failed}, false
	}
	return r.Open(tag), true
}

// Field reads the explicit field [n], which must be there.
func (r *Reader) Field(n uint8) Reader { return r.Open(Ctx(n)) }

// OptionalField reads the explicit field [n] if it is there.
func (r *Reader) OptionalField(n uint8) (Reader, bool) { return r.Optional(Ctx(n)) }

// Sequence reads a SEQUENCE.
func (r *Reader) Sequence() Reader { return r.Open(TagSequence) }

// Element returns the next element whole, whatever its tag.
func (r *Reader) Element() []byte {
	var e cryptobyte.String
	if !r.s.ReadAnyASN1Element(&e, new(asn1.Tag)) {
		r.Fail()
	}
	return e
}

// Int reads an INTEGER between lo and hi.
func (r *Reader) Int(lo, hi int64) int64 {
	var v int64
	if !r.s.ReadASN1Integer(&v) || v < lo || v > hi {
		r.Fail()
		return 0
	}
	return v
}

// Int32 reads an Int32 of RFC 4120.
func (r *Reader) Int32() int32 { return int32(r.Int(-1<<31, 1<<31-1)) }

// Uint32 reads a UInt32 of RFC 4120, also where a peer encodes it as a negative
// number, as some do with sequence numbers and nonces.
func (r *Reader) Uint32() uint32 { return uint32(r.Int(-1<<31, 1<<32-1)) }

// Octets reads an OCTET STRING.
func (r *Reader) Octets() []byte {
	body := r.Open(TagOctetString)
	return body.s
}

// String reads a GeneralString, or one of the string types that some peers send
// in its place.
func (r *Reader) String() string {
	for _, tag := range [...]byte{TagGeneralString, 0x0c /* UTF8String */, 0x16 /* IA5String */, 0x13 /* PrintableString */} {
		if body, ok := r.Optional(tag); ok {
			return string(body.s)
		}
	}
	r.Fail()
	return ""
}

// Bits32 reads KerberosFlags and returns the first 32 bits; more are allowed
// and passed over, missing ones are zero.
func (r *Reader) Bits32() uint32 {
	body := r.Open(TagBitString)
	b := []byte(body.s)
	if len(b) == 0 || b[0] > 7 {
		r.Fail()
		return 0
	}
	var v uint32
	for i := range 4 {
		v <<= 8
		if i+1 < len(b) {
			v |= uint32(b[i+1])
		}
	}
	return v
}

// Time reads a KerberosTime: YYYYMMDDHHMMSSZ and nothing else.
func (r *Reader) Time() time.Time {
	body := r.Open(TagGeneralTime)
	t, ok := parseTime(body.s)
	if !ok {
		r.Fail()
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
	// A leap second is allowed and means the second after it.
	if v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 || v[4] > 59 || v[5] > 60 {
		return time.Time{}, false
	}
	return time.Date(v[0], time.Month(v[1]), v[2], v[3], v[4], v[5], 0, time.UTC), true
}
