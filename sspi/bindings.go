package sspi

import (
	"encoding/binary"

	"github.com/go-negotiate/negotiate/gss"
)

// bindingsHeader is the size of SEC_CHANNEL_BINDINGS: eight numbers of 32 bits,
// in the processor's byte order, which on Windows is little-endian.
const bindingsHeader = 32

// encodeBindings makes a SEC_CHANNEL_BINDINGS with its data behind it; nil for no
// bindings. Offsets count from the beginning of the structure.
func encodeBindings(cb *gss.ChannelBindings) []byte {
	if cb == nil {
		return nil
	}
	b := make([]byte, bindingsHeader, bindingsHeader+len(cb.InitiatorAddress)+len(cb.AcceptorAddress)+len(cb.ApplicationData))
	put := func(at int, data []byte) {
		binary.LittleEndian.PutUint32(b[at:], uint32(len(data)))
		if len(data) > 0 {
			binary.LittleEndian.PutUint32(b[at+4:], uint32(len(b)))
			b = append(b, data...)
		}
	}
	binary.LittleEndian.PutUint32(b[0:], cb.InitiatorAddrType)
	put(4, cb.InitiatorAddress)
	binary.LittleEndian.PutUint32(b[12:], cb.AcceptorAddrType)
	put(16, cb.AcceptorAddress)
	put(24, cb.ApplicationData)
	return b
}
