package der

import "time"

// The methods below read an explicit field [n] that must be there and that
// holds one element and nothing else; Writer has one of the same kind for each.

// FieldInt reads [n] INTEGER between lo and hi.
func (r *Reader) FieldInt(n uint8, lo, hi int64) int64 {
	f := r.Field(n)
	v := f.Int(lo, hi)
	f.End()
	return v
}

// FieldInt32 reads [n] Int32.
func (r *Reader) FieldInt32(n uint8) int32 {
	f := r.Field(n)
	v := f.Int32()
	f.End()
	return v
}

// FieldUint32 reads [n] UInt32; see Uint32.
func (r *Reader) FieldUint32(n uint8) uint32 {
	f := r.Field(n)
	v := f.Uint32()
	f.End()
	return v
}

// FieldOctets reads [n] OCTET STRING.
func (r *Reader) FieldOctets(n uint8) []byte {
	f := r.Field(n)
	v := f.Octets()
	f.End()
	return v
}

// FieldString reads [n] GeneralString; see String.
func (r *Reader) FieldString(n uint8) string {
	f := r.Field(n)
	v := f.String()
	f.End()
	return v
}

// FieldBits32 reads [n] KerberosFlags; see Bits32.
func (r *Reader) FieldBits32(n uint8) uint32 {
	f := r.Field(n)
	v := f.Bits32()
	f.End()
	return v
}

// FieldTime reads [n] KerberosTime.
func (r *Reader) FieldTime(n uint8) time.Time {
	f := r.Field(n)
	v := f.Time()
	f.End()
	return v
}

// FieldOptTime is FieldTime for a field that may be absent; it is then the zero
// time.
func (r *Reader) FieldOptTime(n uint8) time.Time {
	if !r.HasField(n) {
		return time.Time{}
	}
	return r.FieldTime(n)
}

// FieldElement reads [n] around an element, whatever its tag, and returns a
// reader of that element whole.
func (r *Reader) FieldElement(n uint8) Reader {
	f := r.Field(n)
	v := f.Element()
	f.End()
	return v
}
