package spnego

// Tags of the DER in the tokens.
const (
	tagOctetString   = 0x04
	tagBitString     = 0x03
	tagOID           = 0x06
	tagEnumerated    = 0x0a
	tagGeneralString = 0x1b
	tagSequence      = 0x30
	tagFrame         = 0x60 // [APPLICATION 0], RFC 2743
	tagInit          = 0xa0 // NegotiationToken CHOICE [0]
	tagResp          = 0xa1 // NegotiationToken CHOICE [1]
	tagContext       = 0xa0 // constructed, context-specific
)

// The encoders first add up the length, then write front to back into one
// buffer that is large enough.

// grow returns dst with room for exactly n more octets.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

// sizeTLV is the length of an element with n octets of content.
func sizeTLV(n int) int {
	size := 2 + n
	if n < 0x80 {
		return size
	}
	for ; n > 0; n >>= 8 {
		size++
	}
	return size
}

// appendHeader appends tag and length of an element with n octets of content.
func appendHeader(dst []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, tag, byte(n))
	case n < 1<<8:
		return append(dst, tag, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, tag, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		return append(dst, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(dst, tag, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// appendTLV appends a whole element.
func appendTLV[T []byte | string](dst []byte, tag byte, content T) []byte {
	return append(appendHeader(dst, tag, len(content)), content...)
}

// sizeField is the length of an element inside of an explicit context tag.
func sizeField(n int) int { return sizeTLV(sizeTLV(n)) }

// appendField appends an element inside of the explicit context tag [field].
func appendField[T []byte | string](dst []byte, field, tag byte, content T) []byte {
	dst = appendHeader(dst, tagContext|field, sizeTLV(len(content)))
	return appendTLV(dst, tag, content)
}
