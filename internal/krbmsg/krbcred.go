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
func ParseCred(b []byte) (m Cred, err error) {
	err = parse("KRB-CRED", b, func(r *der.Reader) {
		app := r.Open(der.App(TypeCred))
		seq := app.Sequence()
		header(&seq, 0, TypeCred)
		tickets := seq.Field(2)
		m.Tickets = list(&tickets, readTicket)
		enc := seq.Field(3)
		m.Enc = readEncryptedData(&enc)
	})
	return m, err
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
	if len(i.Client.Components) > 0 {
		w.CtxString(1, i.Client.Realm)
		appendCtxName(w, 2, i.Client)
	}
	w.CtxBits32(3, i.Flags)
	w.CtxOptTime(4, i.AuthTime)
	w.CtxOptTime(5, i.StartTime)
	w.CtxOptTime(6, i.EndTime)
	w.CtxOptTime(7, i.RenewTill)
	if len(i.Server.Components) > 0 {
		w.CtxString(8, i.Server.Realm)
		appendCtxName(w, 9, i.Server)
	}
	appendCtxTypedData(w, 10, i.Addresses)
	w.End(seq)
}

func readCredInfo(r *der.Reader) (i CredInfo) {
	seq := r.Sequence()
	key := seq.Field(0)
	i.Key = readKey(&key)
	i.Client = optionalRealmAndName(&seq, 1, 2)
	if f, ok := seq.OptionalField(3); ok {
		i.Flags = f.Bits32()
	}
	i.AuthTime = optionalTime(&seq, 4)
	i.StartTime = optionalTime(&seq, 5)
	i.EndTime = optionalTime(&seq, 6)
	i.RenewTill = optionalTime(&seq, 7)
	i.Server = optionalRealmAndName(&seq, 8, 9)
	i.Addresses = optionalTypedData(&seq, 10)
	return i
}

// ParseEncCredPart reads the decrypted part.
func ParseEncCredPart(b []byte) (p EncCredPart, err error) {
	err = parse("EncKrbCredPart", b, func(r *der.Reader) {
		app := r.Open(der.App(tagEncKrbCredPart))
		seq := app.Sequence()
		infos := seq.Field(0)
		p.Info = list(&infos, readCredInfo)
		*r = der.NewReader(nil, new(bool))
	})
	return p, err
}
