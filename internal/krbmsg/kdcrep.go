package krbmsg

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// KDCRep is an AS-REP or a TGS-REP (RFC 4120, section 5.4.2).
type KDCRep struct {
	Type   int // TypeASRep or TypeTGSRep
	PAData []PAData
	Client principal.Name
	Ticket Ticket
	Enc    EncryptedData
}

// Append encodes the message.
func (m *KDCRep) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(uint8(m.Type)))
	seq := w.Begin(der.TagSequence)
	appendHeader(&w, 0, m.Type)
	if len(m.PAData) > 0 {
		pm := w.Begin(der.Ctx(2))
		appendPADataList(&w, m.PAData)
		w.End(pm)
	}
	w.CtxString(3, m.Client.Realm)
	appendCtxName(&w, 4, m.Client)
	tm := w.Begin(der.Ctx(5))
	w.Buf = m.Ticket.Append(w.Buf)
	w.End(tm)
	appendCtxEncrypted(&w, 6, m.Enc)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseKDCRep reads a reply of the given type.
func ParseKDCRep(typ int, b []byte) (m KDCRep, err error) {
	m.Type = typ
	err = parse("KDC-REP", b, func(r *der.Reader) {
		app := r.Open(der.App(uint8(typ)))
		seq := app.Sequence()
		header(&seq, 0, typ)
		if f, ok := seq.OptionalField(2); ok {
			m.PAData = list(&f, readPAData)
		}
		m.Client = readRealmAndName(&seq, 3, 4)
		ticket := seq.Field(5)
		m.Ticket = readTicket(&ticket)
		enc := seq.Field(6)
		m.Enc = readEncryptedData(&enc)
	})
	return m, err
}

// EncKDCRepPart is what a KDC says to the client alone.
type EncKDCRepPart struct {
	Key           EncryptionKey
	LastReq       time.Time // zero: none is told
	Nonce         uint32
	KeyExpiration time.Time // zero: none
	Flags         uint32
	AuthTime      time.Time
	StartTime     time.Time // zero: AuthTime
	EndTime       time.Time
	RenewTill     time.Time // zero: not renewable
	Server        principal.Name
	Addresses     []TypedData
	PAData        []PAData // RFC 6806, section 11
}

// Append encodes the part of a reply of the given type.
func (p *EncKDCRepPart) Append(typ int, dst []byte) []byte {
	w := der.Writer{Buf: dst}
	tag := byte(tagEncTGSRepPart)
	if typ == TypeASRep {
		tag = tagEncASRepPart
	}
	app := w.Begin(der.App(tag))
	seq := w.Begin(der.TagSequence)
	appendCtxKey(&w, 0, p.Key)
	last := w.Begin(der.Ctx(1))
	entries := w.Begin(der.TagSequence)
	entry := w.Begin(der.TagSequence)
	w.CtxInt(0, 0)
	lastTime := p.LastReq
	if lastTime.IsZero() {
		lastTime = time.Unix(0, 0)
	}
	w.CtxTime(1, lastTime)
	w.End(entry)
	w.End(entries)
	w.End(last)
	w.CtxInt(2, int64(p.Nonce))
	w.CtxOptTime(3, p.KeyExpiration)
	w.CtxBits32(4, p.Flags)
	w.CtxTime(5, p.AuthTime)
	w.CtxOptTime(6, p.StartTime)
	w.CtxTime(7, p.EndTime)
	w.CtxOptTime(8, p.RenewTill)
	w.CtxString(9, p.Server.Realm)
	appendCtxName(&w, 10, p.Server)
	appendCtxTypedData(&w, 11, p.Addresses)
	if len(p.PAData) > 0 {
		m := w.Begin(der.Ctx(12))
		appendPADataList(&w, p.PAData)
		w.End(m)
	}
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseEncKDCRepPart reads the decrypted part. Some KDCs use the application
// tag of the other reply (RFC 4120, section 5.4.2), so both are taken.
func ParseEncKDCRepPart(b []byte) (p EncKDCRepPart, err error) {
	err = parse("EncKDCRepPart", b, func(r *der.Reader) {
		tag := der.App(tagEncTGSRepPart)
		if r.Has(der.App(tagEncASRepPart)) {
			tag = der.App(tagEncASRepPart)
		}
		app := r.Open(tag)
		seq := app.Sequence()
		key := seq.Field(0)
		p.Key = readKey(&key)
		seq.Field(1) // last-req: nothing here acts on it
		nonce := seq.Field(2)
		p.Nonce = nonce.Uint32()
		p.KeyExpiration = optionalTime(&seq, 3)
		flags := seq.Field(4)
		p.Flags = flags.Bits32()
		auth := seq.Field(5)
		p.AuthTime = auth.Time()
		p.StartTime = optionalTime(&seq, 6)
		end := seq.Field(7)
		p.EndTime = end.Time()
		p.RenewTill = optionalTime(&seq, 8)
		p.Server = readRealmAndName(&seq, 9, 10)
		p.Addresses = optionalTypedData(&seq, 11)
		if f, ok := seq.OptionalField(12); ok {
			p.PAData = list(&f, readPAData)
		}
		// Ciphertext of block ciphers may be padded after the element.
		*r = der.NewReader(nil, new(bool))
	})
	return p, err
}
