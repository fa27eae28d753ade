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
func ParseTicket(b []byte) (Ticket, error) { return parse("Ticket", b, readTicket) }

func readTicket(r *der.Reader) (t Ticket) {
	whole := r.Element()
	t.Raw = whole.Rest()
	seq := message(&whole, tagTicket)
	if seq.FieldInt32(0) != Version {
		seq.Fail()
	}
	t.Server = fieldsPrincipal(&seq, 1, 2)
	t.Enc = fieldEncrypted(&seq, 3)
	return t
}

func fieldTicket(r *der.Reader, n uint8) Ticket {
	f := r.Field(n)
	t := readTicket(&f)
	f.End()
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

// ParseEncTicketPart reads the decrypted part of a ticket. Its client has a name.
func ParseEncTicketPart(b []byte) (EncTicketPart, error) {
	// Not by decode: its indirect call would move the reader to the heap.
	in := der.NewInput(b)
	r := in.Reader()
	p := readEncTicketPart(&r)
	if in.Failed() {
		return EncTicketPart{}, malformed("EncTicketPart")
	}
	return p, nil
}

func readEncTicketPart(r *der.Reader) (p EncTicketPart) {
	seq := message(r, tagEncTicketPart)
	p.Flags = seq.FieldBits32(0)
	p.Key = fieldKey(&seq, 1)
	p.Client = fieldsPrincipal(&seq, 2, 3)
	if len(p.Client.Components) == 0 {
		seq.Fail()
	}
	transited := seq.Field(4)
	t := readTypedData(&transited)
	transited.End()
	p.TransitedType, p.Transited = t.Type, t.Data
	p.AuthTime = seq.FieldTime(5)
	p.StartTime = seq.FieldOptTime(6)
	p.EndTime = seq.FieldTime(7)
	p.RenewTill = seq.FieldOptTime(8)
	p.Addresses = fieldOptTypedData(&seq, 9)
	p.AuthData = fieldOptTypedData(&seq, 10)
	return p
}
