package kdcclient

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// TGSRequest asks the KDC of the realm that TGT is for.
type TGSRequest struct {
	TGT     *Ticket
	Server  principal.Name // its realm is that of the TGT's service
	ETypes  []int32        // allowed encryption types, preferred first
	Options uint32
	Till    time.Time // zero: the end of TGT
	PAData  []krbmsg.PAData
	// AddTickets are evidence tickets, for S4U2Proxy and user-to-user.
	AddTickets []krbmsg.Ticket
	// AnyClient accepts a ticket for another client, as S4U returns it.
	AnyClient bool

	// morePAData makes what depends on the exchange; nil is none.
	morePAData func(nonce uint32, subkey *etype.Key) ([]krbmsg.PAData, error)
	// checkMore is called with a reply that is in order so far; nil is not.
	checkMore func(rep *krbmsg.KDCRep, nonce uint32, subkey *etype.Key) error
}

// Realm is the realm whose KDC the request goes to.
func (r *TGSRequest) Realm() string {
	if r.TGT.Server.IsTGS() {
		return r.TGT.Server.Components[1]
	}
	return r.TGT.Server.Realm
}

// TGS makes one exchange. With OptCanonicalize the ticket may be for another
// service than Server: a referral, which is a ticket-granting ticket for another
// realm, or the canonical name. A KRB-ERROR is returned as a *krbmsg.KRBError.
func (c *Client) TGS(ctx context.Context, r TGSRequest) (*Ticket, error) {
	asked := c.now()
	t, _, err := c.tgs(ctx, &r, 0)
	e, ok := errors.AsType[*krbmsg.KRBError](err)
	if !ok || e.Code != krbmsg.ErrSkew {
		return t, err
	}
	ahead := c.ahead(e, asked)
	if ahead == 0 {
		return nil, err
	}
	asked = c.now()
	t, kdcTime, err := c.tgs(ctx, &r, ahead)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(r.TGT.Client.Realm, r.Realm()) { // no other realm sets the client's clock
		c.synchronize(kdcTime, asked)
	}
	return t, nil
}

// tgs makes the exchange as of a clock that is ahead of ours, and returns the
// KDC's time, too.
func (c *Client) tgs(ctx context.Context, r *TGSRequest, ahead time.Duration) (t *Ticket, kdcTime time.Time, err error) {
	r.Server.Realm = r.Realm()
	body := krbmsg.KDCReqBody{
		Options:    r.Options,
		Realm:      r.Server.Realm,
		Server:     r.Server,
		Till:       r.Till,
		Nonce:      newNonce(),
		ETypes:     r.ETypes,
		AddTickets: r.AddTickets,
	}
	if body.Till.IsZero() {
		body.Till = r.TGT.EndTime
	}
	subkey, err := etype.RandomKey(r.TGT.Key.Type())
	if err != nil {
		return nil, kdcTime, err
	}
	rawBody := body.Append(nil)
	now := c.now().Add(ahead)
	apReq, err := tgsAPReq(r.TGT, subkey, rawBody, now)
	if err != nil {
		return nil, kdcTime, err
	}
	padata := append([]krbmsg.PAData{{Type: krbmsg.PATGSReq, Value: apReq}}, r.PAData...)
	if r.morePAData != nil {
		more, err := r.morePAData(body.Nonce, subkey)
		if err != nil {
			return nil, kdcTime, err
		}
		padata = append(padata, more...)
	}
	req := krbmsg.KDCReq{
		Type:    krbmsg.TypeTGSReq,
		PAData:  padata,
		RawBody: rawBody,
	}
	reply, err := c.Exchange(ctx, r.Server.Realm, req.Append(nil))
	if err != nil {
		return nil, kdcTime, err
	}
	rep, err := parseReply(krbmsg.TypeTGSRep, reply)
	if err != nil {
		return nil, kdcTime, err
	}
	part, err := openTGSRep(&rep, subkey, r.TGT.Key)
	if err != nil {
		return nil, kdcTime, err
	}
	if err := r.check(&rep, part, body.Nonce); err != nil {
		return nil, kdcTime, err
	}
	if r.checkMore != nil && !(part.Server.IsTGS() && !r.Server.IsTGS()) { // which a referral does not answer yet
		if err := r.checkMore(&rep, body.Nonce, subkey); err != nil {
			return nil, kdcTime, err
		}
	}
	if kdcTime = part.StartTime; kdcTime.IsZero() {
		kdcTime = now // which it has accepted
	}
	t, err = newTicket(&rep, part)
	return t, kdcTime, err
}

// tgsAPReq makes the AP-REQ that authenticates a TGS-REQ and covers its body.
func tgsAPReq(tgt *Ticket, subkey *etype.Key, body []byte, now time.Time) ([]byte, error) {
	sum, err := tgt.Key.AppendChecksum(nil, krbmsg.UsageTGSReqChecksum, body)
	if err != nil {
		return nil, err
	}
	auth := krbmsg.Authenticator{
		Client:   tgt.Client,
		Checksum: krbmsg.Checksum{Type: tgt.Key.Type().ChecksumType(), Sum: sum},
		Time:     now,
		Subkey:   krbmsg.EncryptionKey{Type: int32(subkey.Type()), Value: subkey.Bytes()},
	}
	cipher, err := tgt.Key.AppendEncrypt(nil, krbmsg.UsageTGSReqAuthenticator, auth.Append(nil))
	if err != nil {
		return nil, err
	}
	req := krbmsg.APReq{
		Ticket:        krbmsg.Ticket{Raw: tgt.Raw},
		Authenticator: krbmsg.EncryptedData{EType: int32(tgt.Key.Type()), Cipher: cipher},
	}
	return req.Append(nil), nil
}

// openTGSRep decrypts the reply with the sub-key, or with the session key, as
// KDCs do that ignore sub-keys.
func openTGSRep(rep *krbmsg.KDCRep, subkey, session *etype.Key) (*krbmsg.EncKDCRepPart, error) {
	plain, err := subkey.AppendDecrypt(nil, krbmsg.UsageTGSRepSubkey, rep.Enc.Cipher)
	if err != nil {
		plain, err = session.AppendDecrypt(nil, krbmsg.UsageTGSRepKey, rep.Enc.Cipher)
	}
	if err != nil {
		return nil, badReply("it cannot be decrypted with the keys of this exchange")
	}
	part, err := krbmsg.ParseEncKDCRepPart(plain)
	if err != nil {
		return nil, badReply("%v", err)
	}
	return &part, nil
}

// check holds the reply against the request (RFC 4120, section 3.3.4; RFC 6806,
// section 8).
func (r *TGSRequest) check(rep *krbmsg.KDCRep, part *krbmsg.EncKDCRepPart, nonce uint32) error {
	canonical := r.Options&krbmsg.OptCanonicalize != 0
	switch {
	case part.Nonce != nonce:
		return badReply("it has another nonce")
	case !rep.Client.Equal(r.TGT.Client) && !r.AnyClient:
		return badReply("it is for %s, not for %s", rep.Client, r.TGT.Client)
	case !part.Server.Equal(rep.Ticket.Server):
		return badReply("it calls the service %s and its ticket %s", part.Server, rep.Ticket.Server)
	case !strings.EqualFold(part.Server.Realm, r.Server.Realm):
		return badReply("it is of realm %s, and realm %s was asked", part.Server.Realm, r.Server.Realm)
	case !part.Server.Equal(r.Server) && !canonical:
		return badReply("it holds a ticket for %s, not for %s", part.Server, r.Server)
	case !slices.Contains(r.ETypes, part.Key.Type):
		return badReply("its session key is of type %s, which was not offered", etype.ID(part.Key.Type))
	}
	return nil
}
