package krbmsg

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Cred is the message KRB-CRED, which hands tickets to a peer (RFC 4120,
// section 5.8.1).
type Cred struct {
	Tickets []Ticket
	Enc     EncryptedData
}

// Append encodes the message.
func (m *Cred) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(TypeCred))
	seq := w.Begin(der.TagSequence)
	appendHeader(&w, 0, TypeCred)
	field := w.Begin(der.Ctx(2))
	tickets := w.Begin(der.TagSequence)
	for i := range m.Tickets {
		w.Buf = m.Tickets[i].Append(w.Buf)
	}
	w.End(tickets)
	w.End(field)
	appendCtxEncrypted(&w, 3, m.Enc)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseCred reads the message.
func ParseCred(b []byte) (Cred, error) { return parse("KRB-CRED", b, readCred) }

func readCred(r *der.Reader) (m Cred) {
	seq := message(r, TypeCred)
	header(&seq, 0, TypeCred)
	m.Tickets = fieldList(&seq, 2, readTicket)
	m.Enc = fieldEncrypted(&seq, 3)
	return m
}

// CredInfo tells of one ticket of a KRB-CRED what its holder must know. Zero
// fields are left out.
type CredInfo struct {
	Key       EncryptionKey
	Client    principal.Name
	Flags     uint32
	AuthTime  time.Time
	StartTime time.Time
	EndTime   time.Time
	RenewTill time.Time
	Server    principal.Name
	Addresses []TypedData
}

// EncCredPart is the encrypted part of a KRB-CRED. Only the tickets are
// carried: nonce, timestamp and addresses say nothing that a GSS-API token has
// not said already.
type EncCredPart struct {
	Info []CredInfo
}

// Append encodes the part.
func (p *EncCredPart) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(tagEncKrbCredPart))
	seq := w.Begin(der.TagSequence)
	field := w.Begin(der.Ctx(0))
	infos := w.Begin(der.TagSequence)
	for i := range p.Info {
		p.Info[i].append(&w)
	}
	w.End(infos)
	w.End(field)
	w.End(seq)
	w.End(app)
	return w.Buf
}

func (i *CredInfo) append(w *der.Writer) {
	seq := w.Begin(der.TagSequence)
	appendCtxKey(w, 0, i.Key)
	appendOptPrincipal(w, 1, 2, i.Client)
	if i.Flags != 0 {
		w.CtxBits32(3, i.Flags)
	}
	w.CtxOptTime(4, i.AuthTime)
	w.CtxOptTime(5, i.StartTime)
	w.CtxOptTime(6, i.EndTime)
	w.CtxOptTime(7, i.RenewTill)
	appendOptPrincipal(w, 8, 9, i.Server)
	appendCtxTypedData(w, 10, i.Addresses)
	w.End(seq)
}

func readCredInfo(r *der.Reader) (i CredInfo) {
	seq := r.Sequence()
	i.Key = fieldKey(&seq, 0)
	i.Client = fieldsOptPrincipal(&seq, 1, 2)
	if seq.HasField(3) {
		i.Flags = seq.FieldBits32(3)
	}
	i.AuthTime = seq.FieldOptTime(4)
	i.StartTime = seq.FieldOptTime(5)
	i.EndTime = seq.FieldOptTime(6)
	i.RenewTill = seq.FieldOptTime(7)
	i.Server = fieldsOptPrincipal(&seq, 8, 9)
	i.Addresses = fieldOptTypedData(&seq, 10)
	return i
}

// ParseEncCredPart reads the decrypted part.
func ParseEncCredPart(b []byte) (EncCredPart, error) {
	return decode("EncKrbCredPart", b, readEncCredPart)
}

func readEncCredPart(r *der.Reader) (p EncCredPart) {
	seq := message(r, tagEncKrbCredPart)
	p.Info = fieldList(&seq, 0, readCredInfo)
	return p
}
