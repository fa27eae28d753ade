package etype

import (
	"encoding/binary"
	"fmt"
)

// MaxIterations bounds the iteration count that [StringToKey] accepts, since
// whoever poses as the KDC can ask for any. At this bound a key takes about a
// second.
const MaxIterations = 1 << 20

// iterations reads the string-to-key parameters of the AES types (RFC 3962,
// section 4). Its count of nought means 1<<32 there, and is an error here.
func iterations(params []byte, byDefault int) (int, error) {
	if len(params) == 0 {
		return byDefault, nil
	}
	if len(params) != 4 {
		return 0, fmt.Errorf("etype: string-to-key parameters have %d octets, want 4 or none", len(params))
	}
	n := binary.BigEndian.Uint32(params)
	if n == 0 || n > MaxIterations {
		return 0, fmt.Errorf("etype: the iteration count for string-to-key is %d, want 1 to %d", n, MaxIterations)
	}
	return int(n), nil
}
