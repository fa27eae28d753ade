package krbmsg

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Ticket is a ticket as others than its service see it (RFC 4120, section 5.3).
type Ticket struct {
	Server principal.Name
	Enc    EncryptedData
	// Raw is the encoding that was read; Append writes it back unchanged.
	Raw []byte
}

// Append encodes the ticket, or appends Raw if there is one.
func (t *Ticket) Append(dst []byte) []byte {
	if t.Raw != nil {
		return append(dst, t.Raw...)
	}
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(tagTicket))
	seq := w.Begin(der.TagSequence)
	w.CtxInt(0, Version)
	w.CtxString(1, t.Server.Realm)
	appendCtxName(&w, 2, t.Server)
	appendCtxEncrypted(&w, 3, t.Enc)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseTicket reads a ticket by itself, such as a credential cache holds.
func ParseTicket(b []byte) (t Ticket, err error) {
	err = parse("Ticket", b, func(r *der.Reader) { t = readTicket(r) })
	return t, err
}

func readTicket(r *der.Reader) (t Ticket) {
	t.Raw = r.Element()
	failed := false
	inner := der.NewReader(t.Raw, &failed)
	app := inner.Open(der.App(tagTicket))
	seq := app.Sequence()
	version := seq.Field(0)
	if version.Int32() != Version {
		seq.Fail()
	}
	t.Server = readRealmAndName(&seq, 1, 2)
	enc := seq.Field(3)
	t.Enc = readEncryptedData(&enc)
	if failed {
		r.Fail()
	}
	return t
}

// EncTicketPart is what a ticket says to its service.
type EncTicketPart struct {
	Flags         uint32
	Key           EncryptionKey
	Client        principal.Name
	TransitedType int32
	Transited     []byte
	AuthTime      time.Time
	StartTime     time.Time // zero: AuthTime
	EndTime       time.Time
	RenewTill     time.Time // zero: not renewable
	Addresses     []TypedData
	AuthData      []TypedData
}

// Append encodes the part.
func (p *EncTicketPart) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(tagEncTicketPart))
	seq := w.Begin(der.TagSequence)
	w.CtxBits32(0, p.Flags)
	appendCtxKey(&w, 1, p.Key)
	w.CtxString(2, p.Client.Realm)
	appendCtxName(&w, 3, p.Client)
	transited := w.Begin(der.Ctx(4))
	tseq := w.Begin(der.TagSequence)
	w.CtxInt(0, int64(p.TransitedType))
	w.CtxOctets(1, p.Transited)
	w.End(tseq)
	w.End(transited)
	w.CtxTime(5, p.AuthTime)
	w.CtxOptTime(6, p.StartTime)
	w.CtxTime(7, p.EndTime)
	w.CtxOptTime(8, p.RenewTill)
	appendCtxTypedData(&w, 9, p.Addresses)
	appendCtxTypedData(&w, 10, p.AuthData)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseEncTicketPart reads the decrypted part of a ticket.
func ParseEncTicketPart(b []byte) (p EncTicketPart, err error) {
	failed := false
	r := der.NewReader(b, &failed)
	app := r.Open(der.App(tagEncTicketPart))
	seq := app.Sequence()
	flags := seq.Field(0)
	p.Flags = flags.Bits32()
	key := seq.Field(1)
	p.Key = readKey(&key)
	p.Client = readRealmAndName(&seq, 2, 3)
	transited := seq.Field(4)
	tr := readTypedData(&transited)
	p.TransitedType, p.Transited = tr.Type, tr.Data
	auth := seq.Field(5)
	p.AuthTime = auth.Time()
	p.StartTime = optionalTime(&seq, 6)
	end := seq.Field(7)
	p.EndTime = end.Time()
	p.RenewTill = optionalTime(&seq, 8)
	p.Addresses = optionalTypedData(&seq, 9)
	p.AuthData = optionalTypedData(&seq, 10)
	if failed {
		return EncTicketPart{}, malformed("EncTicketPart")
	}
	return p, nil
}
