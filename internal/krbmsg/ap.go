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
func ParseAPReq(b []byte) (m APReq, err error) {
	failed := false
	r := der.NewReader(b, &failed)
	app := r.Open(der.App(TypeAPReq))
	r.End()
	seq := app.Sequence()
	header(&seq, 0, TypeAPReq)
	options := seq.Field(2)
	m.Options = options.Bits32()
	ticket := seq.Field(3)
	m.Ticket = readTicket(&ticket)
	auth := seq.Field(4)
	m.Authenticator = readEncryptedData(&auth)
	if failed {
		return APReq{}, malformed("AP-REQ")
	}
	return m, nil
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
func ParseAPRep(b []byte) (m APRep, err error) {
	failed := false
	r := der.NewReader(b, &failed)
	app := r.Open(der.App(TypeAPRep))
	r.End()
	seq := app.Sequence()
	header(&seq, 0, TypeAPRep)
	enc := seq.Field(2)
	m.Enc = readEncryptedData(&enc)
	if failed {
		return APRep{}, malformed("AP-REP")
	}
	return m, nil
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
func ParseEncAPRepPart(b []byte) (p EncAPRepPart, err error) {
	failed := false
	r := der.NewReader(b, &failed)
	app := r.Open(der.App(tagEncAPRepPart))
	seq := app.Sequence()
	ctime := seq.Field(0)
	sec := ctime.Time()
	cusec := seq.Field(1)
	p.Time = sec.Add(readMicroseconds(&cusec))
	if f, ok := seq.OptionalField(2); ok {
		p.Subkey = readKey(&f)
	}
	if f, ok := seq.OptionalField(3); ok {
		p.HasSeq, p.SeqNumber = true, f.Uint32()
	}
	if failed {
		return EncAPRepPart{}, malformed("EncAPRepPart")
	}
	return p, nil
}
