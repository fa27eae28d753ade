package kdc

import (
	"slices"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// carried are the flags that a ticket inherits from the one it is asked for
// with.
const carried = krbmsg.FlagPreAuth | krbmsg.FlagHWAuth | krbmsg.FlagForwarded | krbmsg.FlagProxy

// tgs answers a TGS-REQ (RFC 4120, section 3.3).
func (q *request) tgs() ([]byte, error) {
	h, err := q.readHeader()
	if err != nil {
		return nil, err
	}
	if q.hasAny(krbmsg.OptValidate | krbmsg.OptPostdated | krbmsg.OptAllowPostdate) {
		return nil, refuse(krbmsg.ErrBadOption, "post-dated tickets are not issued")
	}
	if q.has(krbmsg.OptRenew) {
		return q.renew(h)
	}
	if err := q.checkTGT(h); err != nil {
		return nil, err
	}
	target, err := q.target()
	if err != nil {
		return nil, err
	}
	if err := q.checkServer(target.record); err != nil {
		return nil, err
	}
	g, err := q.derive(h, target)
	if err != nil {
		return nil, err
	}
	switch q.kind {
	case KindS4U2Proxy:
		err = q.s4u2proxy(h, target, g)
	case KindS4U2Self:
		err = q.s4u2self(h, target, g)
	case KindUserToUser:
		err = q.userToUser(target, g)
	}
	if err != nil {
		return nil, err
	}
	return q.reply(g)
}

// checkTGT verifies that the ticket is a ticket-granting one, and that it
// allows what is asked for.
func (q *request) checkTGT(h *header) error {
	if !h.server.IsTGS() || h.server.Components[1] != q.realm.o.Realm {
		return refuse(krbmsg.ErrNotUs, "the ticket is not a ticket-granting ticket of this realm")
	}
	// Another realm vouches for its own clients, never for those of this one.
	if !h.local(q.realm) && h.part.Client.Realm == q.realm.o.Realm {
		return refuse(krbmsg.ErrPolicy, "another realm vouches for a client of this one")
	}
	flags := h.part.Flags
	switch {
	case q.hasAny(krbmsg.OptForwardable|krbmsg.OptForwarded) && flags&krbmsg.FlagForwardable == 0:
		return refuse(krbmsg.ErrBadOption, "the ticket-granting ticket is not forwardable")
	case q.hasAny(krbmsg.OptProxiable|krbmsg.OptProxy) && flags&krbmsg.FlagProxiable == 0:
		return refuse(krbmsg.ErrBadOption, "the ticket-granting ticket is not proxiable")
	case q.has(krbmsg.OptRenewable) && flags&krbmsg.FlagRenewable == 0:
		return refuse(krbmsg.ErrBadOption, "the ticket-granting ticket is not renewable")
	}
	return nil
}

// target is the service that a ticket is for: as the ticket names it, and as
// the database knows it.
type target struct {
	name   principal.Name
	record *record
}

// target finds the service, or the ticket-granting service of the realm that
// is nearer to it.
func (q *request) target() (target, error) {
	name := q.msg.Body.Server
	if s := q.realm.service(name); s != nil {
		return target{name, s}, nil
	}
	s := q.refer(name)
	if s == nil || q.kind == KindS4U2Self || q.kind == KindS4U2Proxy {
		// Delegation does not leave the realm here.
		return target{}, refuse(krbmsg.ErrSPrincipalUnknown, "")
	}
	q.kind = KindReferral
	return target{s.name, s}, nil
}

// service finds a service by its name or an alias.
func (r *Realm) service(name principal.Name) *record {
	if len(name.Components) == 0 {
		return nil
	}
	if s := r.lookup(name); s != nil {
		return s
	}
	if to, ok := r.alias(name); ok {
		return r.lookup(to)
	}
	return nil
}

// derive makes the grant of a ticket on the strength of another.
func (q *request) derive(h *header, to target) (*grant, error) {
	keys := to.record.current()
	session, err := q.newSession(keys)
	if err != nil {
		return nil, err
	}
	end, err := q.endTime(&to.record.policy)
	if err != nil {
		return nil, err
	}
	authData, err := q.authData(h)
	if err != nil {
		return nil, err
	}
	t := krbmsg.EncTicketPart{
		Flags: h.part.Flags & carried, Key: session, Client: h.part.Client,
		AuthTime: h.part.AuthTime, StartTime: q.second, EndTime: earlier(end, h.part.EndTime),
		Addresses: h.part.Addresses, AuthData: authData,
	}
	if h.part.Flags&krbmsg.FlagRenewable != 0 {
		t.RenewTill = q.renewTill(t.EndTime, h.part.RenewTill, &to.record.policy)
	}
	t.Flags |= q.derivedFlags(&t, &to.record.policy)
	if q.hasAny(krbmsg.OptForwarded | krbmsg.OptProxy) {
		t.Addresses = q.msg.Body.Addresses
	}
	if err := q.transit(h, &t); err != nil {
		return nil, err
	}
	g := &grant{server: to.name, ticket: t, ticketKey: keys.strongest(), kvno: keys.kvno}
	g.replyKey, g.replyUsage = h.replyKey()
	return g, nil
}

// derivedFlags are the flags that the request adds.
func (q *request) derivedFlags(t *krbmsg.EncTicketPart, p *Policy) (flags uint32) {
	if q.has(krbmsg.OptForwardable) && !p.NoForwardable {
		flags |= krbmsg.FlagForwardable
	}
	flags |= q.msg.Body.Options & (krbmsg.OptForwarded | krbmsg.OptProxiable | krbmsg.OptProxy)
	if !t.RenewTill.IsZero() {
		flags |= krbmsg.FlagRenewable
	}
	if p.OKAsDelegate {
		flags |= krbmsg.FlagOKAsDelegate
	}
	return flags
}

// authData is what the new ticket's authorization data begins with: what the
// client adds, and what its ticket has (RFC 4120, section 3.3.3).
func (q *request) authData(h *header) ([]krbmsg.TypedData, error) {
	enc := q.msg.Body.AuthData
	if enc == nil {
		return h.part.AuthData, nil
	}
	key, usage := h.session, uint32(krbmsg.UsageTGSReqAuthDataKey)
	if h.subkey != nil {
		key, usage = h.subkey, krbmsg.UsageTGSReqAuthDataSub
	}
	plain, err := key.AppendDecrypt(nil, usage, enc.Cipher)
	if err != nil {
		return nil, refuse(krbmsg.ErrBadIntegrity, "the authorization data does not decrypt")
	}
	added, err := krbmsg.ParseTypedData(plain)
	if err != nil {
		return nil, refuse(krbmsg.ErrBadIntegrity, "the authorization data is malformed")
	}
	return slices.Concat(added, h.part.AuthData), nil
}

// renew answers with the same ticket for another span of time.
func (q *request) renew(h *header) ([]byte, error) {
	old := &h.part
	switch {
	case !q.msg.Body.Server.Equal(h.server):
		return nil, refuse(krbmsg.ErrServerNoMatch, "the ticket to be renewed is for another service")
	case old.Flags&krbmsg.FlagRenewable == 0:
		return nil, refuse(krbmsg.ErrBadOption, "the ticket is not renewable")
	case !old.RenewTill.After(q.now):
		return nil, refuse(krbmsg.ErrTktExpired, "the ticket can no longer be renewed")
	}
	s := q.realm.lookup(h.server)
	if s == nil {
		return nil, refuse(krbmsg.ErrSPrincipalUnknown, "")
	}
	if err := q.checkServer(s); err != nil {
		return nil, err
	}
	session, err := q.newSession(s.current())
	if err != nil {
		return nil, err
	}
	t := *old
	t.Key, t.Flags = session, old.Flags&^krbmsg.FlagInitial
	t.StartTime = q.second
	t.EndTime = earlier(q.second.Add(lifeOf(old)), old.RenewTill)
	g := &grant{server: h.server, ticket: t, ticketKey: s.current().strongest(), kvno: s.current().kvno}
	g.replyKey, g.replyUsage = h.replyKey()
	return q.reply(g)
}

func lifeOf(t *krbmsg.EncTicketPart) time.Duration {
	start := t.StartTime
	if start.IsZero() {
		start = t.AuthTime
	}
	return t.EndTime.Sub(start)
}

// userToUser puts the ticket under the session key of the ticket-granting
// ticket of its service (RFC 4120, section 3.7).
func (q *request) userToUser(to target, g *grant) error {
	second, err := q.secondTicket()
	if err != nil {
		return err
	}
	switch {
	case !second.server.Equal(q.realm.tgs):
		return refuse(krbmsg.ErrPolicy, "the additional ticket is not a ticket-granting ticket of this realm")
	case !second.part.Client.Equal(to.record.name):
		return refuse(krbmsg.ErrServerNoMatch, "the additional ticket is another user's")
	}
	g.ticketKey, err = etype.NewKey(etype.ID(second.part.Key.Type), second.part.Key.Value)
	if err != nil {
		return refuse(krbmsg.ErrETypeNoSupp, "the additional ticket's key is of no supported type")
	}
	g.kvno = 0
	return nil
}

// secondTicket decrypts and checks the additional ticket.
func (q *request) secondTicket() (*header, error) {
	tickets := q.msg.Body.AddTickets
	if len(tickets) == 0 {
		return nil, refuse(krbmsg.ErrBadOption, "an additional ticket is needed")
	}
	part, err := q.openTicket(&tickets[0])
	if err != nil {
		return nil, err
	}
	return &header{server: tickets[0].Server, part: part}, q.checkTicket(&part)
}
