package kdcclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	if r.Client.Type == principal.TypeEnterprise {
		r.Options |= krbmsg.OptCanonicalize // the KDC must find who is meant
	}
	for range maxReferrals {
		t, err := c.asOrPrimary(ctx, r)
		e, ok := errors.AsType[*krbmsg.KRBError](err)
		if !ok || e.Code != krbmsg.ErrWrongRealm || r.Options&krbmsg.OptCanonicalize == 0 || e.Client.Realm == "" || e.Client.Realm == r.Client.Realm {
			return t, err
		}
		r.Client.Realm = e.Client.Realm
	}
	return nil, badReply("more than %d referrals between realms", maxReferrals)
}

// asOrPrimary also asks a primary KDC when another one has refused the client: a
// new password reaches the others later.
func (c *Client) asOrPrimary(ctx context.Context, r ASRequest) (*Ticket, error) {
	t, by, err := c.asInRealm(ctx, r)
	if !isStale(err) || c.Primaries == nil {
		return t, err
	}
	primaries, perr := c.Primaries(ctx, r.Client.Realm)
	isPrimary := func(s Server) bool { return s.Address == by.Address }
	if perr != nil || len(primaries) == 0 || slices.ContainsFunc(primaries, isPrimary) {
		return nil, err
	}
	again := *c
	again.Servers = c.Primaries
	t, _, perr = again.asInRealm(ctx, r)
	if errors.Is(perr, ErrUnreachable) {
		return nil, err
	}
	return t, perr
}

// isStale reports whether a KDC may have refused what another one knows better.
func isStale(err error) bool {
	e, ok := errors.AsType[*krbmsg.KRBError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case krbmsg.ErrPreauthFailed, krbmsg.ErrKeyExpired, krbmsg.ErrCPrincipalUnknown:
		return true
	}
	return false
}

// asExchange is the state of one AS exchange with one realm.
type asExchange struct {
	c       *Client
	r       ASRequest
	body    krbmsg.KDCReqBody
	methods []byte // how to authenticate; nil until the KDC has told
	padata  []krbmsg.PAData
	ahead   time.Duration // of the KDC's clock, as it says
	asked   time.Time     // when, by our clock
	by      Server        // who answered last
}

func (c *Client) asInRealm(ctx context.Context, r ASRequest) (*Ticket, Server, error) {
	if r.Server.IsZero() {
		r.Server = principal.TGS(r.Client.Realm, r.Client.Realm)
	}
	x := &asExchange{c: c, r: r, body: krbmsg.KDCReqBody{
		Options: r.Options,
		Client:  r.Client,
		Realm:   r.Client.Realm,
		Server:  r.Server,
		ETypes:  r.ETypes,
	}}
	t, err := x.run(ctx)
	return t, x.by, err
}

// maxRounds bounds the requests of one exchange: the first, one that
// authenticates, and one more by the KDC's clock.
const maxRounds = 3

func (x *asExchange) run(ctx context.Context) (*Ticket, error) {
	for round := 1; ; round++ {
		t, err := x.ask(ctx)
		e, ok := errors.AsType[*krbmsg.KRBError](err)
		if !ok || round == maxRounds || !x.advances(e) {
			return t, err
		}
		if x.methods == nil {
			continue
		}
		if err := x.authenticate(x.methods); err != nil {
			return nil, err
		}
	}
}

// advances reports whether another request may succeed where the last one got
// an error.
func (x *asExchange) advances(e *krbmsg.KRBError) bool {
	ahead := x.c.ahead(e, x.asked)
	switch e.Code {
	case krbmsg.ErrPreauthRequired:
		if x.methods != nil {
			return false
		}
		x.methods, x.ahead = e.Data, ahead
		return true
	case krbmsg.ErrSkew, krbmsg.ErrNeverValid:
		if ahead == 0 || x.ahead != 0 {
			return false
		}
		x.ahead = ahead
		return true
	}
	return false
}

// now is the KDC's time, as far as it is known.
func (x *asExchange) now() time.Time { return x.c.now().Add(x.ahead) }

func (x *asExchange) setTimes() {
	now := x.now()
	x.body.Till = now.Add(cmp.Or(x.r.Lifetime, 24*time.Hour))
	if x.r.RenewLife > 0 {
		x.body.Options |= krbmsg.OptRenewable
		x.body.RenewTill = now.Add(x.r.RenewLife)
	}
}

func (x *asExchange) ask(ctx context.Context) (*Ticket, error) {
	x.body.Nonce = newNonce()
	x.asked = x.c.now()
	x.setTimes()
	req := krbmsg.KDCReq{Type: krbmsg.TypeASReq, PAData: x.padata, Body: x.body}
	a, err := x.c.exchange(ctx, x.body.Realm, req.Append(nil))
	if err != nil {
		return nil, err
	}
	x.by = a.by
	rep, err := parseReply(krbmsg.TypeASRep, a.reply)
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
	cipher, err := key.AppendEncrypt(nil, krbmsg.UsageASReqTimestamp, krbmsg.AppendPAEncTSEnc(nil, x.now()))
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

// maxOffered bounds the types that an error names.
const maxOffered = 10

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
	var offered []string
	for _, e := range entries[:min(len(entries), maxOffered)] {
		offered = append(offered, etype.ID(e.EType).String())
	}
	return nil, fmt.Errorf("%w: it offers %s, and none that is allowed here", krbmsg.ErrETypeNoSupp, strings.Join(offered, ", "))
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

// open decrypts the reply and checks that it answers this request.
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
	if err := x.check(rep, &part); err != nil {
		return nil, err
	}
	x.c.synchronize(part.AuthTime, x.asked)
	return newTicket(rep, &part)
}

// check holds the reply against the request (RFC 4120, section 3.1.5; RFC 6806,
// section 6). A KDC may write the realm in its own way, in capital letters as
// Active Directory does, and must not be another realm's.
func (x *asExchange) check(rep *krbmsg.KDCRep, part *krbmsg.EncKDCRepPart) error {
	canonical := x.body.Options&krbmsg.OptCanonicalize != 0
	switch {
	case part.Nonce != x.body.Nonce:
		return badReply("it has another nonce")
	case !rep.Client.Equal(x.r.Client) && !canonical:
		return badReply("it is for %s", rep.Client)
	case !strings.EqualFold(rep.Client.Realm, x.r.Client.Realm), !strings.EqualFold(part.Server.Realm, x.r.Server.Realm):
		return badReply("it is of realm %s for %s, and realm %s was asked", part.Server.Realm, rep.Client, x.r.Client.Realm)
	case !part.Server.Equal(x.r.Server) && !(canonical && part.Server.IsTGS()), !part.Server.Equal(rep.Ticket.Server):
		return badReply("it holds a ticket for %s", part.Server)
	case part.Server.IsTGS() && x.r.Server.IsTGS() && !strings.EqualFold(part.Server.Components[1], x.r.Server.Components[1]):
		return badReply("it holds a ticket for %s", part.Server)
	case !slices.Contains(x.r.ETypes, part.Key.Type):
		return badReply("its session key is of type %s, which was not offered", etype.ID(part.Key.Type))
	}
	return nil
}
