package krbmsg

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
)

// APReq carries a ticket and an authenticator to a service (RFC 4120, section
// 5.5.1).
type APReq struct {
	Options       uint32
	Ticket        Ticket
	Authenticator EncryptedData
}

// Append encodes the message.
func (m *APReq) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(TypeAPReq))
	seq := w.Begin(der.TagSequence)
	appendHeader(&w, 0, TypeAPReq)
	w.CtxBits32(2, m.Options)
	ticket := w.Begin(der.Ctx(3))
	w.Buf = m.Ticket.Append(w.Buf)
	w.End(ticket)
	appendCtxEncrypted(&w, 4, m.Authenticator)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseAPReq reads the message.
func ParseAPReq(b []byte) (APReq, error) {
	// Not by parse: its indirect call would move the reader to the heap.
	in := der.NewInput(b)
	r := in.Reader()
	m := readAPReq(&r)
	r.End()
	if in.Failed() {
		return APReq{}, malformed("AP-REQ")
	}
	return m, nil
}

func readAPReq(r *der.Reader) (m APReq) {
	seq := message(r, TypeAPReq)
	header(&seq, 0, TypeAPReq)
	m.Options = seq.FieldBits32(2)
	m.Ticket = fieldTicket(&seq, 3)
	m.Authenticator = fieldEncrypted(&seq, 4)
	return m
}

// APRep is the service's proof that it could read an AP-REQ (RFC 4120, section
// 5.5.2).
type APRep struct {
	Enc EncryptedData
}

// Append encodes the message.
func (m *APRep) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(TypeAPRep))
	seq := w.Begin(der.TagSequence)
	appendHeader(&w, 0, TypeAPRep)
	appendCtxEncrypted(&w, 2, m.Enc)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseAPRep reads the message.
func ParseAPRep(b []byte) (APRep, error) { return parse("AP-REP", b, readAPRep) }

func readAPRep(r *der.Reader) (m APRep) {
	seq := message(r, TypeAPRep)
	header(&seq, 0, TypeAPRep)
	m.Enc = fieldEncrypted(&seq, 2)
	return m
}

// EncAPRepPart is the encrypted part of an AP-REP. Time repeats the
// authenticator's.
type EncAPRepPart struct {
	Time      time.Time
	Subkey    EncryptionKey // zero: none
	HasSeq    bool
	SeqNumber uint32
}

// Append encodes the part.
func (p *EncAPRepPart) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(tagEncAPRepPart))
	seq := w.Begin(der.TagSequence)
	sec, micro := splitTime(p.Time)
	w.CtxTime(0, sec)
	w.CtxInt(1, micro)
	if !p.Subkey.IsZero() {
		appendCtxKey(&w, 2, p.Subkey)
	}
	if p.HasSeq {
		w.CtxInt(3, int64(p.SeqNumber))
	}
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseEncAPRepPart reads the decrypted part.
func ParseEncAPRepPart(b []byte) (EncAPRepPart, error) {
	return decode("EncAPRepPart", b, readEncAPRepPart)
}

func readEncAPRepPart(r *der.Reader) (p EncAPRepPart) {
	seq := message(r, tagEncAPRepPart)
	sec := seq.FieldTime(0)
	p.Time = sec.Add(fieldMicroseconds(&seq, 1))
	p.Subkey = fieldOptKey(&seq, 2)
	p.HasSeq = seq.HasField(3)
	if p.HasSeq {
		p.SeqNumber = seq.FieldUint32(3)
	}
	return p
}
