package kdc

import (
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// grant is what a successful request gets.
type grant struct {
	server    principal.Name // as the ticket names it
	ticket    krbmsg.EncTicketPart
	ticketKey *etype.Key
	kvno      uint32 // of ticketKey; 0: not told

	replyKey   *etype.Key
	replyUsage uint32
	replyKVNO  uint32
	padata     []krbmsg.PAData
	encPAData  []krbmsg.PAData
}

// Room for what most tickets and replies are, so that encoding them allocates
// once.
const (
	ticketRoom = 512
	replyRoom  = 1536
)

// seal encrypts what encode appends.
func seal(key *etype.Key, usage uint32, encode func([]byte) []byte) ([]byte, error) {
	id := key.Type()
	buf := make([]byte, id.Confounder(), ticketRoom)
	buf = encode(buf)
	buf = append(buf, make([]byte, id.MACSize())...)
	if err := key.Seal(usage, buf); err != nil {
		return nil, err
	}
	return buf, nil
}

// sealTicket makes the ticket of a grant.
func (r *Realm) sealTicket(g *grant) (krbmsg.Ticket, error) {
	r.sign(&g.ticket, g.ticketKey)
	cipher, err := seal(g.ticketKey, krbmsg.UsageTicket, g.ticket.Append)
	if err != nil {
		return krbmsg.Ticket{}, err
	}
	return krbmsg.Ticket{
		Server: g.server,
		Enc:    krbmsg.EncryptedData{EType: int32(g.ticketKey.Type()), KVNO: g.kvno, Cipher: cipher},
	}, nil
}

// reply encodes a grant as the answer to the request.
func (q *request) reply(g *grant) ([]byte, error) {
	typ := krbmsg.TypeASRep
	if q.msg.Type == krbmsg.TypeTGSReq {
		typ = krbmsg.TypeTGSRep
	}
	ticket, err := q.realm.sealTicket(g)
	if err != nil {
		return nil, err
	}
	t := &g.ticket
	part := krbmsg.EncKDCRepPart{
		Key: t.Key, LastReq: q.second, Nonce: q.msg.Body.Nonce, Flags: t.Flags,
		AuthTime: t.AuthTime, StartTime: t.StartTime, EndTime: t.EndTime, RenewTill: t.RenewTill,
		Server: g.server, Addresses: t.Addresses, PAData: g.encPAData,
	}
	cipher, err := seal(g.replyKey, g.replyUsage, func(dst []byte) []byte { return part.Append(typ, dst) })
	if err != nil {
		return nil, err
	}
	rep := krbmsg.KDCRep{
		Type: typ, PAData: g.padata, Client: t.Client, Ticket: ticket,
		Enc: krbmsg.EncryptedData{EType: int32(g.replyKey.Type()), KVNO: g.replyKVNO, Cipher: cipher},
	}
	return rep.Append(make([]byte, 0, replyRoom)), nil
}

// newSession makes a session key of the first type that client and service
// support.
func (q *request) newSession(s *keyVersion) (krbmsg.EncryptionKey, error) {
	id, ok := s.first(q.msg.Body.ETypes)
	if !ok {
		return krbmsg.EncryptionKey{}, refuse(krbmsg.ErrETypeNoSupp, "no encryption type in common with the service")
	}
	key, err := etype.RandomKey(id)
	if err != nil {
		return krbmsg.EncryptionKey{}, err
	}
	return krbmsg.EncryptionKey{Type: int32(id), Value: key.Bytes()}, nil
}
