package pac

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/internal/etype"
)

// Types of buffers (MS-PAC, section 2.4).
const (
	TypeLogon           = 1
	TypeServerSignature = 6
	TypeKDCSignature    = 7
	TypeClient          = 10
	TypeUPN             = 12
)

const (
	headerSize = 8  // before the table of buffers (section 2.3)
	entrySize  = 16 // of the table
	alignment  = 8  // of buffers
	maxBuffers = 64
	// signatureUsage is KERB_NON_KERB_CKSUM_SALT.
	signatureUsage = 17
)

var (
	// ErrMalformed is wrapped by the errors of octets that are no PAC.
	ErrMalformed = errors.New("the PAC is malformed")
	// ErrSignature is wrapped by the errors of one that is not signed, or not with
	// this key.
	ErrSignature = errors.New("the PAC's signature does not verify")
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// Buffer is one part of a PAC.
type Buffer struct {
	Type uint32
	Data []byte
}

// PAC is a PAC that was cut into its buffers. It refers to what was parsed.
type PAC struct {
	raw     []byte
	buffers []Buffer
}

// Parse reads the table of buffers.
func Parse(b []byte) (*PAC, error) {
	if len(b) < headerSize || binary.LittleEndian.Uint32(b[4:]) != 0 {
		return nil, malformed("it does not begin with version 0")
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxBuffers || uint64(len(b)) < headerSize+uint64(n)*entrySize {
		return nil, malformed("its table of buffers does not fit")
	}
	p := &PAC{raw: b, buffers: make([]Buffer, n)}
	for i := range p.buffers {
		entry := b[headerSize+i*entrySize:]
		size, offset := uint64(binary.LittleEndian.Uint32(entry[4:])), binary.LittleEndian.Uint64(entry[8:])
		if offset > uint64(len(b)) || size > uint64(len(b))-offset {
			return nil, malformed("a buffer lies outside of it")
		}
		p.buffers[i] = Buffer{Type: binary.LittleEndian.Uint32(entry), Data: b[offset : offset+size : offset+size]}
	}
	return p, nil
}

// Buffers returns the parts in their order.
func (p *PAC) Buffers() []Buffer { return p.buffers }

// find returns the buffer of a type. One that is there twice would leave open
// which one counts.
func (p *PAC) find(typ uint32) (data []byte, err error) {
	for _, b := range p.buffers {
		switch {
		case b.Type != typ:
		case data != nil:
			return nil, malformed(fmt.Sprintf("it has two buffers of type %d", typ))
		default:
			data = b.Data
		}
	}
	return data, nil
}

// VerifyServer verifies the server's signature (section 2.8) with the key that
// the ticket was encrypted with. The KDC's signature is for the KDC.
func (p *PAC) VerifyServer(key *etype.Key) error {
	data, err := p.find(TypeServerSignature)
	if err != nil {
		return err
	}
	if data == nil {
		return fmt.Errorf("%w: it has none of the server's key", ErrSignature)
	}
	typ, sum, err := signature(data)
	if err != nil {
		return err
	}
	if typ != key.Type().ChecksumType() {
		return fmt.Errorf("%w: it is of checksum type %d, and the ticket's key has type %d", ErrSignature, typ, key.Type().ChecksumType())
	}
	signed := append([]byte(nil), p.raw...)
	for i, b := range p.buffers {
		if b.Type != TypeServerSignature && b.Type != TypeKDCSignature {
			continue
		}
		_, value, err := signature(b.Data)
		if err != nil {
			return err
		}
		start := binary.LittleEndian.Uint64(p.raw[headerSize+i*entrySize+8:]) + 4
		clear(signed[start : start+uint64(len(value))])
	}
	if err := key.VerifyChecksum(signatureUsage, signed, sum); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

// signature cuts a signature's buffer: the type of the checksum, the checksum,
// and possibly the number of a read-only KDC.
func signature(b []byte) (typ int32, sum []byte, err error) {
	if len(b) < 4 {
		return 0, nil, malformed("a signature is cut short")
	}
	typ, sum = int32(binary.LittleEndian.Uint32(b)), b[4:]
	size := len(sum)
	for _, id := range [...]etype.ID{etype.AES128SHA1, etype.AES256SHA1, etype.AES128SHA2, etype.AES256SHA2, etype.RC4HMAC} {
		if id.ChecksumType() == typ {
			size = id.ChecksumSize()
		}
	}
	if len(sum) < size {
		return 0, nil, malformed("a signature is cut short")
	}
	return typ, sum[:size], nil
}

// Marshal makes a PAC of buffers, which are not signatures, and signs it with
// the server's key and with the KDC's.
func Marshal(buffers []Buffer, server, kdc *etype.Key) ([]byte, error) {
	all := buffers[:len(buffers):len(buffers)]
	for _, signer := range []struct {
		typ uint32
		id  etype.ID
	}{{TypeServerSignature, server.Type()}, {TypeKDCSignature, kdc.Type()}} {
		data := binary.LittleEndian.AppendUint32(nil, uint32(signer.id.ChecksumType()))
		all = append(all, Buffer{signer.typ, append(data, make([]byte, signer.id.ChecksumSize())...)})
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(all)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, make([]byte, entrySize*len(all))...)
	places := map[uint32]int{}
	for i, part := range all {
		b = append(b, make([]byte, -len(b)&(alignment-1))...)
		entry := b[headerSize+i*entrySize:]
		binary.LittleEndian.PutUint32(entry, part.Type)
		binary.LittleEndian.PutUint32(entry[4:], uint32(len(part.Data)))
		binary.LittleEndian.PutUint64(entry[8:], uint64(len(b)))
		places[part.Type] = len(b) + 4
		b = append(b, part.Data...)
	}
	b = append(b, make([]byte, -len(b)&(alignment-1))...)
	sum, err := server.AppendChecksum(nil, signatureUsage, b)
	if err != nil {
		return nil, err
	}
	// The KDC signs the server's signature.
	kdcSum, err := kdc.AppendChecksum(nil, signatureUsage, sum)
	if err != nil {
		return nil, err
	}
	copy(b[places[TypeServerSignature]:], sum)
	copy(b[places[TypeKDCSignature]:], kdcSum)
	return b, nil
}

// Sign signs a PAC for another server.
func Sign(b []byte, server, kdc *etype.Key) ([]byte, error) {
	p, err := Parse(b)
	if err != nil {
		return nil, err
	}
	var parts []Buffer
	for _, part := range p.buffers {
		if part.Type != TypeServerSignature && part.Type != TypeKDCSignature {
			parts = append(parts, part)
		}
	}
	return Marshal(parts, server, kdc)
}
