package krbmsg

import (
	"encoding/binary"

	"github.com/go-negotiate/negotiate/internal/der"
)

// ProxyMessage is KDC-PROXY-MESSAGE, which carries a message to a KDC, or its
// answer, through a KDC proxy (MS-KKDCP, section 2.2.2).
type ProxyMessage struct {
	// Message is what the KDC gets or has answered, without the length in four
	// octets that stands before it on the wire.
	Message []byte
	// Realm is whose KDC is to get the message. It is empty in an answer.
	Realm string
}

// Append encodes the message.
func (m *ProxyMessage) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	field := w.Begin(der.Ctx(0))
	octets := w.Begin(der.TagOctetString)
	w.Buf = binary.BigEndian.AppendUint32(w.Buf, uint32(len(m.Message)))
	w.Buf = append(w.Buf, m.Message...)
	w.End(octets)
	w.End(field)
	if m.Realm != "" {
		w.CtxString(1, m.Realm)
	}
	w.End(seq)
	return w.Buf
}

// ParseProxyMessage reads the message.
func ParseProxyMessage(b []byte) (ProxyMessage, error) {
	return parse("KDC-PROXY-MESSAGE", b, readProxyMessage)
}

func readProxyMessage(r *der.Reader) (m ProxyMessage) {
	seq := r.Sequence()
	framed := seq.FieldOctets(0)
	if len(framed) < 4 || uint64(binary.BigEndian.Uint32(framed)) != uint64(len(framed)-4) {
		seq.Fail()
		return m
	}
	m.Message = framed[4:]
	if seq.HasField(1) {
		m.Realm = seq.FieldString(1)
	}
	return m
}
