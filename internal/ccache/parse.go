package ccache

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/go-negotiate/negotiate/internal/octets"
	"github.com/go-negotiate/negotiate/internal/principal"
)

const (
	maxCreds      = 1 << 16
	maxComponents = 64
	maxTyped      = 4096 // addresses or authorization data of one credential
)

// tagOffset marks the KDC's clock offset in the header of version 4.
const tagOffset = 1

// Parse reads a credential cache of version 1 to 4. Versions 1 and 2 are in the
// byte order of the machine that wrote them and are read in either order.
// Errors wrap [ErrFormat]; for a file that ends too early they wrap
// io.ErrUnexpectedEOF as well. The cache does not refer to b.
func Parse(b []byte) (*Cache, error) {
	switch {
	case len(b) > MaxSize:
		return nil, fmt.Errorf("%w: %d octets, at most %d are read", ErrFormat, len(b), MaxSize)
	case len(b) == 0:
		return nil, fmt.Errorf("%w: it is empty: %w", ErrFormat, io.ErrUnexpectedEOF)
	case len(b) < 2 || b[0] != 5 || b[1] < 1 || b[1] > 4:
		return nil, fmt.Errorf("%w: it does not begin with a version from 0x0501 to 0x0504", ErrFormat)
	}
	version := int(b[1])
	if version >= 3 {
		return parse(b, version, binary.BigEndian)
	}
	// Only the right byte order gives lengths that fit, so try both.
	if c, err := parse(b, version, binary.LittleEndian); err == nil {
		return c, nil
	}
	return parse(b, version, binary.BigEndian)
}

// parser reads the fields of one file. The first failure stays in err.
type parser struct {
	octets.Reader
	version int
	err     error
}

func parse(b []byte, version int, order binary.ByteOrder) (*Cache, error) {
	p := &parser{Reader: *octets.NewReader(b), version: version}
	p.Order = order
	p.Next(2)
	c := &Cache{}
	if version == 4 {
		c.KDCOffset = p.header()
	}
	c.Principal = p.name()
	if err := p.check("header"); err != nil {
		return nil, err
	}
	for n := 0; p.Len() > 0; n++ {
		if n == maxCreds {
			return nil, fmt.Errorf("%w: more than %d credentials", ErrFormat, maxCreds)
		}
		at := p.Offset()
		cred := p.credential()
		if err := p.check(fmt.Sprintf("credential at octet %d", at)); err != nil {
			return nil, err
		}
		c.add(cred)
	}
	return c, nil
}

// add files a credential where it belongs.
func (c *Cache) add(cred Credential) {
	if e, ok := asConfig(&cred); ok {
		c.SetConfig(e.key, e.server, e.value)
		return
	}
	// MIT removes an entry in place by clearing its end.
	if removed := cred.EndTime.IsZero() && !cred.AuthTime.IsZero(); removed {
		return
	}
	c.Creds = append(c.Creds, cred)
}

func (p *parser) check(what string) error {
	switch {
	case p.err != nil:
		return fmt.Errorf("%w: %s: %w", ErrFormat, what, p.err)
	case p.Err() != nil:
		return fmt.Errorf("%w: %s is cut off: %w", ErrFormat, what, p.Err())
	}
	return nil
}

// header reads the tagged fields of version 4.
func (p *parser) header() (offset time.Duration) {
	r := octets.NewReader(p.Next(uint32(p.U16())))
	for r.Len() > 0 {
		tag, data := r.U16(), octets.NewReader(r.Next(uint32(r.U16())))
		if tag == tagOffset && data.Len() >= 8 {
			sec, usec := int32(data.U32()), int32(data.U32())
			offset = time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond
		}
	}
	if r.Err() != nil && p.err == nil {
		p.err = fmt.Errorf("a field goes beyond its end")
	}
	return offset
}

func (p *parser) name() principal.Name {
	n := principal.Name{Type: principal.TypeUnknown}
	if p.version > 1 {
		n.Type = int32(p.U32())
	}
	count := p.U32()
	if p.version == 1 {
		count-- // it counts the realm; 0 becomes too large
	}
	if !p.within(count, maxComponents, "components in a name") {
		return n
	}
	n.Realm = string(p.data())
	for range count {
		n.Components = append(n.Components, string(p.data()))
	}
	return n
}

func (p *parser) credential() Credential {
	var c Credential
	c.Client, c.Server = p.name(), p.name()
	c.KeyType = int32(int16(p.U16()))
	if p.version == 3 {
		p.U16() // version 3 has it twice
	}
	c.Key = p.bytes()
	c.AuthTime, c.StartTime, c.EndTime, c.RenewTill = p.Time(), p.Time(), p.Time(), p.Time()
	c.IsSKey = p.U8() != 0
	c.Flags = p.U32()
	c.Addresses = p.typed("addresses")
	c.AuthData = p.typed("authorization data")
	c.Ticket, c.SecondTicket = p.bytes(), p.bytes()
	return c
}

func (p *parser) typed(what string) []TypedData {
	count := p.U32()
	if !p.within(count, maxTyped, what) {
		return nil
	}
	var list []TypedData
	for range count {
		list = append(list, TypedData{Type: int32(int16(p.U16())), Data: p.bytes()})
		if p.Err() != nil {
			return nil
		}
	}
	return list
}

func (p *parser) within(count, limit uint32, what string) bool {
	if p.err == nil && p.Err() == nil && count > limit {
		p.err = fmt.Errorf("%d %s, at most %d are read", count, what, limit)
	}
	return p.err == nil && p.Err() == nil
}

// data returns a counted field as a part of the file.
func (p *parser) data() []byte { return p.Next(p.U32()) }

// bytes returns a copy of a counted field, nil for an empty one.
func (p *parser) bytes() []byte { return append([]byte(nil), p.data()...) }
