package kdcclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// KeyFunc returns the long-term key of a client for an encryption type. A
// password becomes one with the salt and parameters that the KDC names; a
// keytab has it. It returns an error if there is none of this type.
type KeyFunc func(id etype.ID, salt string, params []byte) (*etype.Key, error)

// ASRequest asks for an initial ticket.
type ASRequest struct {
	Client    principal.Name
	Server    principal.Name // zero: the ticket-granting service of the client's realm
	Key       KeyFunc
	ETypes    []int32 // allowed encryption types, preferred first
	Options   uint32
	Lifetime  time.Duration // zero: as long as the KDC grants
	RenewLife time.Duration // zero: not renewable
}

// maxReferrals bounds how often the KDCs may send the client on to another
// realm.
const maxReferrals = 5

// AS makes the exchange, with encrypted-timestamp pre-authentication when the
// KDC asks for it (RFC 4120, section 5.2.7.2). A KRB-ERROR is returned as a
// *krbmsg.KRBError.
func (c *Client) AS(ctx context.Context, r ASRequest) (*Ticket, error) {
	for range maxReferrals {
		t, err := c.asInRealm(ctx, r)
		e, ok := errors.AsType[*krbmsg.KRBError](err)
		if !ok || e.Code != krbmsg.ErrWrongRealm || r.Options&krbmsg.OptCanonicalize == 0 || e.Client.Realm == "" || e.Client.Realm == r.Client.Realm {
			return t, err
		}
		r.Client.Realm = e.Client.Realm
	}
	return nil, badReply("more than %d referrals between realms", maxReferrals)
}

// asExchange is the state of one AS exchange with one realm.
type asExchange struct {
	c      *Client
	r      ASRequest
	body   krbmsg.KDCReqBody
	padata []krbmsg.PAData
}

func (c *Client) asInRealm(ctx context.Context, r ASRequest) (*Ticket, error) {
	if r.Server.IsZero() {
		r.Server = principal.TGS(r.Client.Realm, r.Client.Realm)
	}
	now := c.now()
	x := &asExchange{c: c, r: r, body: krbmsg.KDCReqBody{
		Options: r.Options,
		Client:  r.Client,
		Realm:   r.Client.Realm,
		Server:  r.Server,
		ETypes:  r.ETypes,
		Till:    now.Add(24 * time.Hour),
	}}
	if r.Lifetime > 0 {
		x.body.Till = now.Add(r.Lifetime)
	}
	if r.RenewLife > 0 {
		x.body.Options |= krbmsg.OptRenewable
		x.body.RenewTill = now.Add(r.RenewLife)
	}
	t, err := x.ask(ctx)
	e, ok := errors.AsType[*krbmsg.KRBError](err)
	if !ok || e.Code != krbmsg.ErrPreauthRequired {
		return t, err
	}
	if err := x.authenticate(e.Data); err != nil {
		return nil, err
	}
	return x.ask(ctx)
}

func (x *asExchange) ask(ctx context.Context) (*Ticket, error) {
	x.body.Nonce = newNonce()
	req := krbmsg.KDCReq{Type: krbmsg.TypeASReq, PAData: x.padata, Body: x.body}
	reply, err := x.c.Exchange(ctx, x.body.Realm, req.Append(nil))
	if err != nil {
		return nil, err
	}
	rep, err := parseReply(krbmsg.TypeASRep, reply)
	if err != nil {
		return nil, err
	}
	return x.open(&rep)
}

// authenticate answers a demand for pre-authentication with the timestamp,
// encrypted under the first type that the KDC offers and we have a key of.
func (x *asExchange) authenticate(methodData []byte) error {
	methods, err := krbmsg.ParseMethodData(methodData)
	if err != nil {
		return badReply("%v", err)
	}
	if _, ok := krbmsg.FindPAData(methods, krbmsg.PAEncTimestamp); !ok {
		return errors.New("the KDC wants a kind of pre-authentication other than the encrypted timestamp, and no other is supported here: log in with kinit and use its credential cache")
	}
	key, err := x.clientKey(methods)
	if err != nil {
		return err
	}
	cipher, err := key.AppendEncrypt(nil, krbmsg.UsageASReqTimestamp, krbmsg.AppendPAEncTSEnc(nil, x.c.now()))
	if err != nil {
		return err
	}
	enc := krbmsg.EncryptedData{EType: int32(key.Type()), Cipher: cipher}
	x.padata = []krbmsg.PAData{{Type: krbmsg.PAEncTimestamp, Value: krbmsg.AppendEncryptedData(nil, enc)}}
	if cookie, ok := krbmsg.FindPAData(methods, krbmsg.PAFXCookie); ok { // RFC 6113, section 5.2
		x.padata = append(x.padata, krbmsg.PAData{Type: krbmsg.PAFXCookie, Value: cookie})
	}
	return nil
}

// clientKey picks the key for the first usable entry of PA-ETYPE-INFO2.
func (x *asExchange) clientKey(methods []krbmsg.PAData) (*etype.Key, error) {
	entries, err := x.etypeInfo(methods)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, e := range entries {
		if !slices.Contains(x.r.ETypes, e.EType) {
			continue
		}
		key, err := x.r.Key(etype.ID(e.EType), e.Salt, e.Params)
		if err == nil {
			return key, nil
		}
		failures = append(failures, err)
	}
	if len(failures) > 0 {
		return nil, errors.Join(failures...)
	}
	return nil, fmt.Errorf("%w: it offers none that is allowed here", krbmsg.ErrETypeNoSupp)
}

// etypeInfo returns the entries with their salts; where the KDC sends none, the
// allowed types with the default salt.
func (x *asExchange) etypeInfo(methods []krbmsg.PAData) ([]krbmsg.ETypeInfo2, error) {
	var entries []krbmsg.ETypeInfo2
	if value, ok := krbmsg.FindPAData(methods, krbmsg.PAETypeInfo2); ok {
		var err error
		if entries, err = krbmsg.ParseETypeInfo2(value); err != nil {
			return nil, badReply("%v", err)
		}
	} else {
		for _, id := range x.r.ETypes {
			entries = append(entries, krbmsg.ETypeInfo2{EType: id})
		}
	}
	for i := range entries {
		if !entries[i].HasSalt {
			entries[i].Salt = defaultSalt(x.r.Client)
		}
	}
	return entries, nil
}

// defaultSalt is the realm followed by the components (RFC 4120, section 4).
func defaultSalt(n principal.Name) string {
	salt := n.Realm
	for _, c := range n.Components {
		salt += c
	}
	return salt
}

// open decrypts the reply and checks that it answers this request (RFC 4120,
// section 3.1.5).
func (x *asExchange) open(rep *krbmsg.KDCRep) (*Ticket, error) {
	if !slices.Contains(x.r.ETypes, rep.Enc.EType) {
		return nil, badReply("it is encrypted with %s, which was not offered", etype.ID(rep.Enc.EType))
	}
	entries, err := x.etypeInfo(rep.PAData)
	if err != nil {
		return nil, err
	}
	salt, params := defaultSalt(x.r.Client), []byte(nil)
	for _, e := range entries {
		if e.EType == rep.Enc.EType {
			salt, params = e.Salt, e.Params
			break
		}
	}
	key, err := x.r.Key(etype.ID(rep.Enc.EType), salt, params)
	if err != nil {
		return nil, err
	}
	plain, err := key.AppendDecrypt(nil, krbmsg.UsageASRepPart, rep.Enc.Cipher)
	if err != nil {
		return nil, fmt.Errorf("%w: the reply cannot be decrypted with this password or key", krbmsg.ErrPreauthFailed)
	}
	part, err := krbmsg.ParseEncKDCRepPart(plain)
	if err != nil {
		return nil, badReply("%v", err)
	}
	canonical := x.body.Options&krbmsg.OptCanonicalize != 0
	switch {
	case part.Nonce != x.body.Nonce:
		return nil, badReply("it has another nonce")
	case !rep.Client.Equal(x.r.Client) && !canonical:
		return nil, badReply("it is for %s", rep.Client)
	case !part.Server.Equal(x.r.Server) && !(canonical && part.Server.IsTGS()), !part.Server.Equal(rep.Ticket.Server):
		return nil, badReply("it holds a ticket for %s", part.Server)
	case !slices.Contains(x.r.ETypes, part.Key.Type):
		return nil, badReply("its session key is of type %s, which was not offered", etype.ID(part.Key.Type))
	}
	return newTicket(rep, &part)
}
