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
func ParseKDCRep(typ int, b []byte) (KDCRep, error) {
	return parse("KDC-REP", b, func(r *der.Reader) KDCRep { return readKDCRep(r, typ) })
}

func readKDCRep(r *der.Reader, typ int) (m KDCRep) {
	m.Type = typ
	seq := message(r, uint8(typ))
	header(&seq, 0, typ)
	m.PAData = fieldOptList(&seq, 2, readPAData)
	m.Client = fieldsPrincipal(&seq, 3, 4)
	m.Ticket = fieldTicket(&seq, 5)
	m.Enc = fieldEncrypted(&seq, 6)
	return m
}

// EncKDCRepPart is what a KDC says to the client alone.
type EncKDCRepPart struct {
	Key           EncryptionKey
	LastReq       time.Time // the client's last request of any kind; zero: none is told
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
	appendLastReq(&w, p.LastReq)
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
func ParseEncKDCRepPart(b []byte) (EncKDCRepPart, error) {
	return decode("EncKDCRepPart", b, readEncKDCRepPart)
}

func readEncKDCRepPart(r *der.Reader) (p EncKDCRepPart) {
	tag := uint8(tagEncTGSRepPart)
	if r.Has(der.App(tagEncASRepPart)) {
		tag = tagEncASRepPart
	}
	seq := message(r, tag)
	p.Key = fieldKey(&seq, 0)
	p.LastReq = fieldLastReq(&seq, 1)
	p.Nonce = seq.FieldUint32(2)
	p.KeyExpiration = seq.FieldOptTime(3)
	p.Flags = seq.FieldBits32(4)
	p.AuthTime = seq.FieldTime(5)
	p.StartTime = seq.FieldOptTime(6)
	p.EndTime = seq.FieldTime(7)
	p.RenewTill = seq.FieldOptTime(8)
	p.Server = fieldsPrincipal(&seq, 9, 10)
	p.Addresses = fieldOptTypedData(&seq, 11)
	p.PAData = fieldOptList(&seq, 12, readPAData)
	return p
}

// Kinds of entries of last-req (RFC 4120, section 5.4.2). A negative one is
// about the answering KDC alone.
const (
	lastReqNone = 0
	lastReqAny  = 5
)

// appendLastReq appends LastReq. It is a list that has to be there, so that
// there is an entry for "nothing".
func appendLastReq(w *der.Writer, t time.Time) {
	kind := int64(lastReqAny)
	if t.IsZero() {
		kind, t = lastReqNone, time.Unix(0, 0)
	}
	list := w.Begin(der.TagSequence)
	entry := w.Begin(der.TagSequence)
	w.CtxInt(0, kind)
	w.CtxTime(1, t)
	w.End(entry)
	w.End(list)
}

func fieldLastReq(r *der.Reader, n uint8) (t time.Time) {
	type entry struct {
		kind int32
		at   time.Time
	}
	entries := fieldList(r, n, func(r *der.Reader) entry {
		seq := r.Sequence()
		return entry{seq.FieldInt32(0), seq.FieldTime(1)}
	})
	for _, e := range entries {
		if e.kind == lastReqAny || e.kind == -lastReqAny {
			t = e.at
		}
	}
	return t
}
