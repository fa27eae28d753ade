package krb5

import (
	"crypto/md5"
	"encoding/binary"
	"hash"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// gssChecksum is the checksum of the authenticator (RFC 4121, section 4.1.1).
type gssChecksum struct {
	bindings [md5.Size]byte // zero: none
	flags    gss.Flags
	deleg    []byte // KRB-CRED, with FlagDelegate
}

const (
	checksumLen = 24
	delegOption = 1
)

func (c *gssChecksum) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, md5.Size)
	b = append(b, c.bindings[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.flags))
	if c.flags.Has(gss.FlagDelegate) {
		b = binary.LittleEndian.AppendUint16(b, delegOption)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(c.deleg)))
		b = append(b, c.deleg...)
	}
	return b
}

// parseChecksum reads the checksum; extensions after the known part are passed
// over.
func parseChecksum(b []byte) (c gssChecksum, ok bool) {
	if len(b) < checksumLen || binary.LittleEndian.Uint32(b) != md5.Size {
		return c, false
	}
	copy(c.bindings[:], b[4:])
	c.flags = gss.Flags(binary.LittleEndian.Uint32(b[20:]))
	if !c.flags.Has(gss.FlagDelegate) {
		return c, true
	}
	rest := b[checksumLen:]
	if len(rest) < 4 || binary.LittleEndian.Uint16(rest) != delegOption {
		return c, false
	}
	n := int(binary.LittleEndian.Uint16(rest[2:]))
	if len(rest) < 4+n {
		return c, false
	}
	c.deleg = rest[4 : 4+n]
	return c, true
}

// hashBindings is the Bnd field (RFC 4121, section 4.1.1.2).
func hashBindings(cb *gss.ChannelBindings) (sum [md5.Size]byte) {
	h := md5.New()
	writeAddress(h, cb.InitiatorAddrType, cb.InitiatorAddress)
	writeAddress(h, cb.AcceptorAddrType, cb.AcceptorAddress)
	writeOctets(h, cb.ApplicationData)
	h.Sum(sum[:0])
	return sum
}

func writeAddress(h hash.Hash, typ uint32, address []byte) {
	h.Write(binary.LittleEndian.AppendUint32(nil, typ))
	writeOctets(h, address)
}

func writeOctets(h hash.Hash, b []byte) {
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(b))))
	h.Write(b)
}

// cbtAuthData is the authorization data by which an initiator says that it
// presents channel bindings whenever it can (MS-KILE, section 3.2.5.8), so that
// an acceptor may take their absence for an attack.
func cbtAuthData() []krbmsg.TypedData {
	var value [4]byte
	binary.LittleEndian.PutUint32(value[:], krbmsg.APOptionsCBT)
	inner := krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: krbmsg.ADAPOptions, Data: value[:]}})
	return []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: inner}}
}

// saysCBT reports whether cbtAuthData is among the authorization data.
func saysCBT(data []krbmsg.TypedData) bool {
	for _, d := range data {
		if d.Type != krbmsg.ADIfRelevant {
			continue
		}
		inner, err := krbmsg.ParseTypedData(d.Data)
		if err != nil {
			continue
		}
		for _, e := range inner {
			if e.Type == krbmsg.ADAPOptions && len(e.Data) >= 4 && binary.LittleEndian.Uint32(e.Data)&krbmsg.APOptionsCBT != 0 {
				return true
			}
		}
	}
	return false
}
