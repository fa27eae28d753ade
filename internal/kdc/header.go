package kdc

import (
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// header is the verified ticket with which a TGS-REQ comes.
type header struct {
	server  principal.Name // of the ticket
	part    krbmsg.EncTicketPart
	session *etype.Key
	subkey  *etype.Key // nil: none
}

// local tells whether the ticket was issued by the realm itself.
func (h *header) local(r *Realm) bool { return h.server.Realm == r.o.Realm }

// replyKey is the key of the reply with its usage (RFC 4120, section 3.3.3).
func (h *header) replyKey() (*etype.Key, uint32) {
	if h.subkey != nil {
		return h.subkey, krbmsg.UsageTGSRepSubkey
	}
	return h.session, krbmsg.UsageTGSRepKey
}

// readHeader verifies PA-TGS-REQ (RFC 4120, section 3.3.2).
func (q *request) readHeader() (*header, error) {
	value, ok := krbmsg.FindPAData(q.msg.PAData, krbmsg.PATGSReq)
	if !ok {
		return nil, refuse(krbmsg.ErrPADataTypeNoSupp, "no ticket came with the TGS-REQ")
	}
	ap, err := krbmsg.ParseAPReq(value)
	if err != nil {
		return nil, refuse(krbmsg.ErrBadIntegrity, "the AP-REQ is malformed")
	}
	h := &header{server: ap.Ticket.Server}
	if h.part, err = q.openTicket(&ap.Ticket); err != nil {
		return nil, err
	}
	q.client = h.part.Client
	if h.session, err = etype.NewKey(etype.ID(h.part.Key.Type), h.part.Key.Value); err != nil {
		return nil, refuse(krbmsg.ErrETypeNoSupp, "the ticket's session key is of no supported type")
	}
	if err := q.checkAuthenticator(h, ap.Authenticator); err != nil {
		return nil, err
	}
	return h, q.checkTicket(&h.part)
}

// openTicket decrypts a ticket for a service of this realm.
func (q *request) openTicket(t *krbmsg.Ticket) (part krbmsg.EncTicketPart, err error) {
	c := q.realm.lookup(t.Server)
	if c == nil {
		return part, refuse(krbmsg.ErrNotUs, "the ticket is for a service that is not in this realm")
	}
	v := c.version(t.Enc.KVNO)
	if v == nil {
		return part, refuse(krbmsg.ErrBadKeyVer, "the ticket is under a key version that is not kept")
	}
	key := v.key(etype.ID(t.Enc.EType))
	if key == nil {
		return part, refuse(krbmsg.ErrNoKey, "the ticket is under a key of a type that the service does not have")
	}
	return decryptTicket(key, t)
}

func decryptTicket(key *etype.Key, t *krbmsg.Ticket) (part krbmsg.EncTicketPart, err error) {
	plain, err := key.AppendDecrypt(nil, krbmsg.UsageTicket, t.Enc.Cipher)
	if err != nil {
		return part, refuse(krbmsg.ErrBadIntegrity, "the ticket does not decrypt")
	}
	if part, err = krbmsg.ParseEncTicketPart(plain); err != nil {
		return part, refuse(krbmsg.ErrBadIntegrity, "the ticket's content is malformed")
	}
	return part, nil
}

// checkAuthenticator verifies that the sender holds the session key and wrote
// the request's body.
func (q *request) checkAuthenticator(h *header, enc krbmsg.EncryptedData) error {
	plain, err := h.session.AppendDecrypt(nil, krbmsg.UsageTGSReqAuthenticator, enc.Cipher)
	if err != nil || etype.ID(enc.EType) != h.session.Type() {
		return refuse(krbmsg.ErrBadIntegrity, "the authenticator does not decrypt")
	}
	a, err := krbmsg.ParseAuthenticator(plain)
	if err != nil {
		return refuse(krbmsg.ErrBadIntegrity, "the authenticator is malformed")
	}
	switch {
	case !a.Client.Equal(h.part.Client):
		return refuse(krbmsg.ErrBadMatch, "ticket and authenticator name different clients")
	case q.now.Sub(a.Time).Abs() > q.realm.o.Skew:
		return &krbmsg.KRBError{Code: krbmsg.ErrSkew}
	case a.Checksum.Type != h.session.Type().ChecksumType():
		return refuse(krbmsg.ErrInappCksum, "the request's checksum is missing or not of the session key's type")
	case h.session.VerifyChecksum(krbmsg.UsageTGSReqChecksum, q.msg.RawBody, a.Checksum.Sum) != nil:
		return refuse(krbmsg.ErrModified, "the request does not match its checksum")
	case a.Subkey.IsZero():
		return nil
	}
	if h.subkey, err = etype.NewKey(etype.ID(a.Subkey.Type), a.Subkey.Value); err != nil {
		return refuse(krbmsg.ErrETypeNoSupp, "the subkey is of no supported type")
	}
	return nil
}

// checkTicket verifies that a ticket is valid now.
func (q *request) checkTicket(t *krbmsg.EncTicketPart) error {
	switch {
	case t.Flags&krbmsg.FlagInvalid != 0 || t.StartTime.After(q.now.Add(q.realm.o.Skew)):
		return refuse(krbmsg.ErrTktNYV, "")
	case !t.EndTime.After(q.now):
		return refuse(krbmsg.ErrTktExpired, "")
	}
	return nil
}
