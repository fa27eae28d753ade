package etype

import (
	"encoding/binary"
	"fmt"
)

// MaxIterations bounds the iteration count that [StringToKey] accepts, since
// whoever poses as the KDC can ask for any. At this bound a key takes about a
// second.
const MaxIterations = 1 << 20

// StringToKey returns the key of a password. The salt is the principal's, as
// the KDC sends it in ETYPE-INFO2 or by default the realm followed by the
// components of the name. params is the s2kparams field of ETYPE-INFO2: for the
// AES types the iteration count in four octets of big-endian order, and none
// for the type's default, 4096 with SHA-1 (RFC 3962) and 32768 with SHA-2 (RFC
// 8009). RC4-HMAC ignores salt and params and wants the password in valid
// UTF-8.
//
// As in MIT krb5, a count below the default is an error: to ask for few
// iterations is how a false KDC makes a password cheap to guess. A count above
// [MaxIterations] is one too.
//
// The work is proportional to the iteration count, and cannot be interrupted.
// The error wraps [ErrUnsupported] for such a type.
func StringToKey(id ID, password, salt string, params []byte) (*Key, error) {
	p := profileOf(id)
	if p == nil {
		return nil, unsupported(id)
	}
	count, err := p.iterations(params)
	if err != nil {
		return nil, err
	}
	value, err := p.fromPassword(p, password, salt, count)
	if err != nil {
		return nil, fmt.Errorf("etype: string-to-key of %s: %w", p.name, err)
	}
	return NewKey(id, value)
}

// iterations reads the parameters of the AES types (RFC 3962, section 4).
// Nought means 1<<32 there, which is above the bound.
func (p *profile) iterations(params []byte) (int, error) {
	if len(params) == 0 || p.leastCount == 0 {
		return p.leastCount, nil
	}
	if len(params) != 4 {
		return 0, fmt.Errorf("etype: string-to-key parameters of %s have %d octets, want 4 or none",
			p.name, len(params))
	}
	n := binary.BigEndian.Uint32(params)
	if n < uint32(p.leastCount) || n > MaxIterations {
		return 0, fmt.Errorf("etype: string-to-key of %s is to have %d iterations, accepted are %d to %d: is this the right KDC?",
			p.name, n, p.leastCount, MaxIterations)
	}
	return int(n), nil
}
