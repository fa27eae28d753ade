package pac

import (
	"encoding/binary"
	"time"
)

// Client ties the PAC to its ticket (MS-PAC, section 2.7).
type Client struct {
	AuthTime time.Time
	Name     string
}

// Client reads it; ok is false if there is none.
func (p *PAC) Client() (c Client, ok bool, err error) {
	data, err := p.find(TypeClient)
	if data == nil || err != nil {
		return c, false, err
	}
	if len(data) < 10 || len(data) < 10+int(binary.LittleEndian.Uint16(data[8:])) {
		return c, false, malformed("its client's name is cut short")
	}
	c.AuthTime = timeOf(binary.LittleEndian.Uint64(data))
	c.Name = utf16String(data[10 : 10+int(binary.LittleEndian.Uint16(data[8:]))])
	return c, true, nil
}

// Append encodes it as a buffer of TypeClient.
func (c *Client) Append() []byte {
	name := appendUTF16(nil, c.Name)
	b := binary.LittleEndian.AppendUint64(nil, fileTimeOf(c.AuthTime))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	return append(b, name...)
}

// UPN is the user's principal name and domain (section 2.10).
type UPN struct {
	Name      string
	DNSDomain string
	// Constructed says that the directory has no name for the user and that this
	// one is made of account and domain.
	Constructed bool
	// Account and SID are empty where older domain controllers do not tell them.
	Account string
	SID     SID
}

const (
	upnConstructed = 1
	upnExtended    = 2
)

// UPN reads it; ok is false if there is none.
func (p *PAC) UPN() (u UPN, ok bool, err error) {
	data, err := p.find(TypeUPN)
	if data == nil || err != nil {
		return u, false, err
	}
	if len(data) < 12 {
		return u, false, malformed("its principal name is cut short")
	}
	field := func(at int) []byte {
		if len(data) < at+4 {
			err = malformed("its principal name is cut short")
			return nil
		}
		size, offset := int(binary.LittleEndian.Uint16(data[at:])), int(binary.LittleEndian.Uint16(data[at+2:]))
		if offset+size > len(data) {
			err = malformed("its principal name is cut short")
			return nil
		}
		return data[offset : offset+size]
	}
	flags := binary.LittleEndian.Uint32(data[8:])
	u.Name, u.DNSDomain = utf16String(field(0)), utf16String(field(4))
	u.Constructed = flags&upnConstructed != 0
	if flags&upnExtended != 0 {
		u.Account = utf16String(field(12))
		if sid := field(16); err == nil {
			var good bool
			if u.SID, good = readSID(sid); !good {
				err = malformed("its principal's SID cannot be read")
			}
		}
	}
	if err != nil {
		return UPN{}, false, err
	}
	return u, true, nil
}

// Append encodes it as a buffer of TypeUPN, with Account and SID.
func (u *UPN) Append() []byte {
	const head = 24
	b := make([]byte, head)
	put := func(at int, value []byte) {
		binary.LittleEndian.PutUint16(b[at:], uint16(len(value)))
		binary.LittleEndian.PutUint16(b[at+2:], uint16(len(b)))
		b = append(b, value...)
		b = append(b, make([]byte, -len(b)&7)...)
	}
	flags := uint32(upnExtended)
	if u.Constructed {
		flags |= upnConstructed
	}
	binary.LittleEndian.PutUint32(b[8:], flags)
	put(0, appendUTF16(nil, u.Name))
	put(4, appendUTF16(nil, u.DNSDomain))
	put(12, appendUTF16(nil, u.Account))
	put(16, appendSID(nil, u.SID))
	return b
}
