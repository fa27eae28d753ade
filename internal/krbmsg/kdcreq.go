package krbmsg

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// KDCReq is an AS-REQ or a TGS-REQ (RFC 4120, section 5.4.1).
type KDCReq struct {
	Type   int // TypeASReq or TypeTGSReq
	PAData []PAData
	Body   KDCReqBody
	// RawBody is the body's encoding, which a TGS-REQ's authenticator covers.
	// ParseKDCReq sets it; Append writes it in place of Body if it is set.
	RawBody []byte
}

// KDCReqBody is what is asked for.
type KDCReqBody struct {
	Options    uint32
	Client     principal.Name // its realm is not carried; no components: left out
	Realm      string
	Server     principal.Name // its realm is Realm; no components: left out
	From       time.Time      // zero: left out
	Till       time.Time      // zero: 1970, which asks for the longest lifetime; 1970 is read as zero
	RenewTill  time.Time      // zero: left out
	Nonce      uint32
	ETypes     []int32
	Addresses  []TypedData
	AuthData   *EncryptedData
	AddTickets []Ticket
}

// Append encodes the body.
func (b *KDCReqBody) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	w.CtxBits32(0, b.Options)
	if len(b.Client.Components) > 0 {
		appendCtxName(&w, 1, b.Client)
	}
	w.CtxString(2, b.Realm)
	if len(b.Server.Components) > 0 {
		appendCtxName(&w, 3, b.Server)
	}
	w.CtxOptTime(4, b.From)
	till := b.Till
	if till.IsZero() {
		till = time.Unix(0, 0)
	}
	w.CtxTime(5, till)
	w.CtxOptTime(6, b.RenewTill)
	w.CtxInt(7, int64(b.Nonce))
	m := w.Begin(der.Ctx(8))
	etypes := w.Begin(der.TagSequence)
	for _, e := range b.ETypes {
		w.Int(int64(e))
	}
	w.End(etypes)
	w.End(m)
	appendCtxTypedData(&w, 9, b.Addresses)
	if b.AuthData != nil {
		appendCtxEncrypted(&w, 10, *b.AuthData)
	}
	if len(b.AddTickets) > 0 {
		m := w.Begin(der.Ctx(11))
		tickets := w.Begin(der.TagSequence)
		for i := range b.AddTickets {
			w.Buf = b.AddTickets[i].Append(w.Buf)
		}
		w.End(tickets)
		w.End(m)
	}
	w.End(seq)
	return w.Buf
}

func readKDCReqBody(r *der.Reader) (b KDCReqBody) {
	seq := r.Sequence()
	b.Options = seq.FieldBits32(0)
	b.Client = fieldOptName(&seq, 1)
	b.Realm = seq.FieldString(2)
	b.Server = fieldOptName(&seq, 3)
	if len(b.Client.Components) > 0 {
		b.Client.Realm = b.Realm
	}
	if len(b.Server.Components) > 0 {
		b.Server.Realm = b.Realm
	}
	b.From = seq.FieldOptTime(4)
	b.Till = seq.FieldTime(5)
	if b.Till.Unix() == 0 {
		b.Till = time.Time{}
	}
	b.RenewTill = seq.FieldOptTime(6)
	b.Nonce = seq.FieldUint32(7)
	b.ETypes = fieldList(&seq, 8, (*der.Reader).Int32)
	b.Addresses = fieldOptTypedData(&seq, 9)
	if seq.HasField(10) {
		enc := fieldEncrypted(&seq, 10)
		b.AuthData = &enc
	}
	b.AddTickets = fieldOptList(&seq, 11, readTicket)
	return b
}

// Append encodes the message.
func (m *KDCReq) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(uint8(m.Type)))
	seq := w.Begin(der.TagSequence)
	appendHeader(&w, 1, m.Type)
	if len(m.PAData) > 0 {
		pm := w.Begin(der.Ctx(3))
		appendPADataList(&w, m.PAData)
		w.End(pm)
	}
	bm := w.Begin(der.Ctx(4))
	if m.RawBody != nil {
		w.Raw(m.RawBody)
	} else {
		w.Buf = m.Body.Append(w.Buf)
	}
	w.End(bm)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseKDCReq reads an AS-REQ or a TGS-REQ.
func ParseKDCReq(b []byte) (KDCReq, error) { return parse("KDC-REQ", b, readKDCReq) }

func readKDCReq(r *der.Reader) (m KDCReq) {
	m.Type = TypeASReq
	if r.Has(der.App(TypeTGSReq)) {
		m.Type = TypeTGSReq
	}
	seq := message(r, uint8(m.Type))
	header(&seq, 1, m.Type)
	m.PAData = fieldOptList(&seq, 3, readPAData)
	body := seq.FieldElement(4)
	m.RawBody = body.Rest()
	m.Body = readKDCReqBody(&body)
	return m
}
