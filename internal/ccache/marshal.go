package ccache

import (
	"encoding/binary"
	"time"

	"github.com/go-negotiate/negotiate/internal/octets"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Marshal returns the cache in version 4 of the format, which MIT, Heimdal and
// Java read. Settings come before the tickets, as MIT's kinit has them.
func (c *Cache) Marshal() []byte {
	be := binary.BigEndian
	b := []byte{5, 4, 0, 12, 0, tagOffset, 0, 8}
	b = be.AppendUint32(b, uint32(int32(c.KDCOffset/time.Second)))
	b = be.AppendUint32(b, uint32(int32(c.KDCOffset%time.Second/time.Microsecond)))
	b = appendName(b, c.Principal)
	for _, e := range c.config {
		b = appendCredential(b, 4, e.credential(c.Principal))
	}
	for _, cred := range c.Creds {
		b = appendCredential(b, 4, cred)
	}
	return b
}

// appendCredential appends c in version 3 or 4, which share the byte order.
func appendCredential(b []byte, version int, c Credential) []byte {
	be := binary.BigEndian
	b = appendName(appendName(b, c.Client), c.Server)
	b = be.AppendUint16(b, uint16(c.KeyType))
	if version == 3 {
		b = be.AppendUint16(b, uint16(c.KeyType))
	}
	b = appendData(b, c.Key)
	for _, t := range []time.Time{c.AuthTime, c.StartTime, c.EndTime, c.RenewTill} {
		b = octets.AppendTime(b, t)
	}
	if c.IsSKey {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = be.AppendUint32(b, c.Flags)
	b = appendTyped(b, c.Addresses)
	b = appendTyped(b, c.AuthData)
	return appendData(appendData(b, c.Ticket), c.SecondTicket)
}

func appendName(b []byte, n principal.Name) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(n.Type))
	b = binary.BigEndian.AppendUint32(b, uint32(len(n.Components)))
	b = appendData(b, n.Realm)
	for _, c := range n.Components {
		b = appendData(b, c)
	}
	return b
}

func appendTyped(b []byte, list []TypedData) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
	for _, d := range list {
		b = binary.BigEndian.AppendUint16(b, uint16(d.Type))
		b = appendData(b, d.Data)
	}
	return b
}

func appendData[T ~string | ~[]byte](b []byte, data T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}
