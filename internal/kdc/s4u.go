package kdc

import (
	"crypto/hmac"
	"crypto/subtle"
	"slices"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 MS-SFU makes a checksum with it

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Checksum types of MS-SFU that are not those of the key.
const (
	sumRSAMD4  = 2    // without a key, for RC4 only
	sumHMACMD5 = -138 // with a key of any type; see etype.HMACMD5
)

// optReplyKeyUsage of PA-S4U-X509-USER asks for key usage 27 in the reply's
// checksum (MS-SFU, section 2.2.2).
const optReplyKeyUsage uint32 = 1 << (31 - 2)

// s4u2self turns the grant into a ticket of a user to the service that asks
// (MS-SFU, section 3.2.5.1).
func (q *request) s4u2self(h *header, to target, g *grant) error {
	user, err := q.forUser(h, g)
	if err != nil {
		return err
	}
	if !to.record.name.Equal(h.part.Client) {
		return refuse(krbmsg.ErrBadMatch, "a service can get a user's ticket to itself only")
	}
	if q.hasAny(notInAS) {
		return refuse(krbmsg.ErrBadOption, "option does not go with S4U2Self")
	}
	c, err := q.impersonated(user)
	if err != nil {
		return err
	}
	g.ticket.Client = c.name
	if err := q.realm.authorize(&g.ticket, c); err != nil {
		return err
	}
	if c.policy.NoForwardable || !to.record.policy.OKToAuthAsDelegate {
		g.ticket.Flags &^= krbmsg.FlagForwardable
	}
	return nil
}

// impersonated finds the user whose ticket is asked for.
func (q *request) impersonated(user principal.Name) (*record, error) {
	if user.Realm == "" {
		user.Realm = q.realm.o.Realm
	}
	// A user is found by an alias and by an enterprise name, as in a login.
	as := request{realm: q.realm, now: q.now, client: user}
	as.msg.Body = krbmsg.KDCReqBody{Client: user, Realm: user.Realm, Options: krbmsg.OptCanonicalize}
	c, err := as.findClient()
	if err != nil {
		return nil, err
	}
	return c, q.checkClient(c)
}

// forUser reads who is meant, and lets the grant answer PA-S4U-X509-USER. Of
// the two forms this is the newer one.
func (q *request) forUser(h *header, g *grant) (principal.Name, error) {
	if value, ok := krbmsg.FindPAData(q.msg.PAData, krbmsg.PAS4UX509User); ok {
		return q.x509User(value, h, g)
	}
	value, _ := krbmsg.FindPAData(q.msg.PAData, krbmsg.PAForUser)
	f, err := krbmsg.ParseForUser(value)
	if err != nil {
		return principal.Name{}, refuse(krbmsg.ErrBadIntegrity, "PA-FOR-USER is malformed")
	}
	if f.Checksum.Type != sumHMACMD5 {
		return principal.Name{}, refuse(krbmsg.ErrInappCksum, "PA-FOR-USER has no HMAC-MD5 checksum")
	}
	want := etype.HMACMD5(h.session, krbmsg.UsageForUserChecksum, f.ChecksumInput())
	if !hmac.Equal(want, f.Checksum.Sum) {
		return principal.Name{}, refuse(krbmsg.ErrModified, "PA-FOR-USER does not match its checksum")
	}
	return f.User, nil
}

// x509User verifies PA-S4U-X509-USER and answers it with the same name under a
// checksum of the reply's key, without which a client cannot know that the KDC
// understood (MS-SFU, sections 3.1.5.1.1.1 and 3.2.5.1.2).
func (q *request) x509User(value []byte, h *header, g *grant) (principal.Name, error) {
	s, err := krbmsg.ParseS4UX509User(value)
	if err != nil {
		return principal.Name{}, refuse(krbmsg.ErrBadIntegrity, "PA-S4U-X509-USER is malformed")
	}
	key, _ := h.replyKey()
	want, err := s4uChecksum(key, s.Checksum.Type, krbmsg.UsageS4UX509Request, s.RawID)
	if err != nil {
		return principal.Name{}, err
	}
	if subtle.ConstantTimeCompare(want, s.Checksum.Sum) != 1 || s.ID.Nonce != q.msg.Body.Nonce {
		return principal.Name{}, refuse(krbmsg.ErrModified, "PA-S4U-X509-USER does not match its checksum or nonce")
	}
	if len(s.ID.User.Components) == 0 {
		return principal.Name{}, refuse(krbmsg.ErrCPrincipalUnknown, "users are not found by certificates")
	}
	return s.ID.User, answerX509User(key, &s, g)
}

func answerX509User(key *etype.Key, s *krbmsg.S4UX509User, g *grant) error {
	reply := krbmsg.S4UX509User{ID: krbmsg.S4UUserID{
		Nonce: s.ID.Nonce, User: s.ID.User, Options: s.ID.Options & optReplyKeyUsage, HasOptions: s.ID.HasOptions,
	}}
	usage := uint32(krbmsg.UsageS4UX509Request)
	if reply.ID.Options != 0 {
		usage = krbmsg.UsageS4UX509Reply
	}
	sum, err := s4uChecksum(key, s.Checksum.Type, usage, reply.ID.Append(nil))
	if err != nil {
		return err
	}
	reply.Checksum = krbmsg.Checksum{Type: s.Checksum.Type, Sum: sum}
	g.padata = append(g.padata, krbmsg.PAData{Type: krbmsg.PAS4UX509User, Value: reply.Append(nil)})
	if key.Type() == etype.RC4HMAC {
		// The checksum has no key there, so both are repeated under encryption.
		g.encPAData = append(g.encPAData, krbmsg.PAData{
			Type: krbmsg.PAS4UX509User, Value: slices.Concat(s.Checksum.Sum, sum),
		})
	}
	return nil
}

func s4uChecksum(key *etype.Key, typ int32, usage uint32, data []byte) ([]byte, error) {
	switch {
	case typ == key.Type().ChecksumType():
		return key.AppendChecksum(nil, usage, data)
	case typ == sumRSAMD4 && key.Type() == etype.RC4HMAC:
		h := md4.New()
		h.Write(data)
		return h.Sum(nil), nil
	}
	return nil, refuse(krbmsg.ErrInappCksum, "the checksum of PA-S4U-X509-USER is not of the key's type")
}

// s4u2proxy turns the grant into a ticket of the user whose ticket to the
// asking service comes as evidence (MS-SFU, section 3.2.5.2).
func (q *request) s4u2proxy(h *header, to target, g *grant) error {
	evidence, err := q.secondTicket()
	if err != nil {
		return err
	}
	middle := q.realm.service(evidence.server)
	if middle == nil || !middle.name.Equal(h.part.Client) {
		return refuse(krbmsg.ErrBadMatch, "the evidence is a ticket to another service")
	}
	if err := q.checkDelegation(middle, to.record, evidence.part.Flags); err != nil {
		return err
	}
	t, e := &g.ticket, &evidence.part
	t.Client, t.AuthTime = e.Client, e.AuthTime
	t.EndTime = earlier(t.EndTime, e.EndTime)
	t.TransitedType, t.Transited = e.TransitedType, e.Transited
	const ofUser = carried | krbmsg.FlagForwardable | krbmsg.FlagTransited
	t.Flags = t.Flags&^(ofUser|krbmsg.FlagRenewable) | e.Flags&ofUser
	t.RenewTill = noCeiling
	t.AuthData = e.AuthData
	return nil
}

// checkDelegation verifies that one service may go to another in the user's
// name.
func (q *request) checkDelegation(middle, to *record, flags uint32) error {
	if q.wantsRBCD() && slices.Contains(to.policy.DelegateFrom, middle.name.Key()) {
		return nil
	}
	switch {
	case flags&krbmsg.FlagForwardable == 0:
		return refuse(krbmsg.ErrBadOption, "the evidence is not forwardable")
	case !slices.Contains(middle.policy.DelegateTo, to.name.Key()):
		return refuse(krbmsg.ErrBadOption, "the service may not delegate to this service")
	}
	return nil
}

// wantsRBCD tells whether the client knows of resource-based delegation
// (MS-KILE, section 2.2.10).
func (q *request) wantsRBCD() bool {
	value, ok := krbmsg.FindPAData(q.msg.PAData, krbmsg.PAPACOptions)
	if !ok {
		return false
	}
	flags, err := krbmsg.ParsePACOptions(value)
	return err == nil && flags&krbmsg.PACOptionsRBCD != 0
}
