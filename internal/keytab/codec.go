package keytab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/go-negotiate/negotiate/internal/octets"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// ErrFormat is what the errors of [Parse] wrap.
var ErrFormat = errors.New("not a keytab")

const (
	maxEntries    = 1 << 17
	maxComponents = 64
)

// Parse reads a keytab. Holes that deleted entries have left are skipped. A
// file of version 0x0501, which is in the byte order of the machine that wrote
// it, is read in either order. Errors wrap [ErrFormat]. The entries do not
// refer to b.
func Parse(b []byte) (*Keytab, error) {
	switch {
	case len(b) > maxFile:
		return nil, fmt.Errorf("%w: %d octets, at most %d are read", ErrFormat, len(b), maxFile)
	case len(b) < 2 || b[0] != 5 || b[1] != 1 && b[1] != 2:
		return nil, fmt.Errorf("%w: it does not begin with version 0x0502 or 0x0501", ErrFormat)
	case b[1] == 2:
		return parse(b, 2, binary.BigEndian)
	}
	// Only the right byte order gives lengths that fit, so try both.
	if k, err := parse(b, 1, binary.LittleEndian); err == nil {
		return k, nil
	}
	return parse(b, 1, binary.BigEndian)
}

func parse(b []byte, version int, order binary.ByteOrder) (*Keytab, error) {
	r := octets.NewReader(b)
	r.Order = order
	r.Next(2)
	k := &Keytab{}
	for r.Len() > 0 {
		at := r.Offset()
		size := int32(r.U32())
		switch {
		case r.Err() != nil:
			return nil, fmt.Errorf("%w: octet %d: cut off in the length of an entry", ErrFormat, at)
		case size == 0:
			return k, nil // MIT's mark of the end
		case size < 0:
			// The minimum has no positive counterpart in 32 bits.
			r.Next(uint32(-int64(size)))
			if r.Err() != nil && version == 1 {
				return nil, fmt.Errorf("%w: octet %d: a hole goes beyond the end", ErrFormat, at)
			}
			continue // MIT takes a hole that goes beyond the end for the end
		}
		body := r.Next(uint32(size))
		if r.Err() != nil {
			return nil, fmt.Errorf("%w: octet %d: an entry of %d octets goes beyond the end", ErrFormat, at, size)
		}
		e, err := parseEntry(body, version, order)
		if err != nil {
			return nil, fmt.Errorf("%w: entry at octet %d: %w", ErrFormat, at, err)
		}
		if len(k.Entries) == maxEntries {
			return nil, fmt.Errorf("%w: more than %d entries", ErrFormat, maxEntries)
		}
		k.Entries = append(k.Entries, e)
	}
	return k, nil
}

func parseEntry(b []byte, version int, order binary.ByteOrder) (Entry, error) {
	r := octets.NewReader(b)
	r.Order = order
	count := int(r.U16())
	if version == 1 {
		count-- // it counts the realm
	}
	if count < 0 || count > maxComponents {
		return Entry{}, fmt.Errorf("%d components in a name, at most %d are read", count, maxComponents)
	}
	var e Entry
	e.Principal.Realm = counted(r)
	for range count {
		e.Principal.Components = append(e.Principal.Components, counted(r))
	}
	if version == 1 {
		e.Principal.Type = principal.TypePrincipal
	} else {
		e.Principal.Type = int32(r.U32())
	}
	e.Timestamp = r.Time()
	e.KVNO = uint32(r.U8())
	e.KeyType = int32(int16(r.U16()))
	e.Key = append([]byte{}, r.Next(uint32(r.U16()))...)
	if r.Err() != nil {
		return Entry{}, errors.New("its fields go beyond its end")
	}
	if r.Len() >= 4 {
		if v := r.U32(); v != 0 {
			e.KVNO = v
		}
	}
	return e, nil
}

func counted(r *octets.Reader) string { return string(r.Next(uint32(r.U16()))) }

// Marshal returns the keytab in version 0x0502, as MIT writes it. It fails for
// a name or a key that does not fit the format's 16-bit lengths.
func (k *Keytab) Marshal() ([]byte, error) {
	b := []byte{5, 2}
	for _, e := range k.Entries {
		start := len(b)
		var err error
		if b, err = appendEntry(append(b, 0, 0, 0, 0), e); err != nil {
			return nil, fmt.Errorf("keytab entry %s: %w", e, err)
		}
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	}
	return b, nil
}

func appendEntry(b []byte, e Entry) ([]byte, error) {
	be := binary.BigEndian
	if n := len(e.Principal.Components); n > maxComponents {
		return nil, fmt.Errorf("its name has %d components, at most %d are allowed", n, maxComponents)
	}
	if e.KeyType < math.MinInt16 || e.KeyType > math.MaxInt16 {
		return nil, errors.New("its key type does not fit into 16 bits")
	}
	b = be.AppendUint16(b, uint16(len(e.Principal.Components)))
	for _, s := range append([]string{e.Principal.Realm}, e.Principal.Components...) {
		if len(s) > math.MaxUint16 {
			return nil, fmt.Errorf("a part of its name has %d octets, at most %d fit", len(s), math.MaxUint16)
		}
		b = append(be.AppendUint16(b, uint16(len(s))), s...)
	}
	if len(e.Key) > math.MaxUint16 {
		return nil, errors.New("its key does not fit")
	}
	b = be.AppendUint32(b, uint32(e.Principal.Type))
	b = octets.AppendTime(b, e.Timestamp)
	b = append(b, byte(e.KVNO))
	b = be.AppendUint16(b, uint16(e.KeyType))
	b = append(be.AppendUint16(b, uint16(len(e.Key))), e.Key...)
	return be.AppendUint32(b, e.KVNO), nil
}
