package kdc

import (
	"strings"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// notInAS are the options that only a TGS-REQ can have.
const notInAS = krbmsg.OptForwarded | krbmsg.OptProxy | krbmsg.OptRenew | krbmsg.OptValidate |
	krbmsg.OptEncTktInSKey | krbmsg.OptCNameInAddlTkt

// as answers an AS-REQ (RFC 4120, section 3.1).
func (q *request) as() ([]byte, error) {
	client, err := q.findClient()
	if err != nil {
		return nil, err
	}
	server := q.realm.service(q.msg.Body.Server)
	switch {
	case server == nil:
		return nil, refuse(krbmsg.ErrSPrincipalUnknown, "")
	case q.hasAny(notInAS):
		return nil, refuse(krbmsg.ErrBadOption, "option needs a ticket")
	case q.hasAny(krbmsg.OptAllowPostdate|krbmsg.OptPostdated) || q.msg.Body.From.After(q.now.Add(q.realm.o.Skew)):
		return nil, refuse(krbmsg.ErrCannotPostdate, "post-dated tickets are not issued")
	case q.has(krbmsg.OptRequestAnonymous):
		return nil, refuse(krbmsg.ErrBadOption, "anonymous tickets are not issued")
	}
	if err := q.checkClient(client); err != nil {
		return nil, err
	}
	if err := q.checkServer(server); err != nil {
		return nil, err
	}
	key, preauth, err := q.preauth(client)
	if err != nil {
		return nil, err
	}
	return q.login(client, server, key, preauth)
}

// login issues the ticket to a client that may have it.
func (q *request) login(client, server *record, key *etype.Key, preauth bool) ([]byte, error) {
	session, err := q.newSession(server.current())
	if err != nil {
		return nil, err
	}
	end, err := q.endTime(&client.policy, &server.policy)
	if err != nil {
		return nil, err
	}
	g := &grant{
		server: q.msg.Body.Server,
		ticket: krbmsg.EncTicketPart{
			Flags: krbmsg.FlagInitial, Key: session, Client: q.client,
			TransitedType: krbmsg.TransitedX500,
			AuthTime:      q.second, StartTime: q.second, EndTime: end,
			RenewTill: q.renewTill(end, noCeiling, &client.policy, &server.policy),
			Addresses: q.msg.Body.Addresses,
		},
		ticketKey: server.current().strongest(), kvno: server.current().kvno,
		replyKey: key, replyUsage: krbmsg.UsageASRepPart, replyKVNO: client.current().kvno,
		padata: []krbmsg.PAData{etypeInfo2(client.current(), key.Type())},
	}
	g.ticket.Flags |= q.loginFlags(client, server, g, preauth)
	if err := q.realm.authorize(&g.ticket, client); err != nil {
		return nil, err
	}
	return q.reply(g)
}

// loginFlags are the flags of a ticket beside INITIAL.
func (q *request) loginFlags(client, server *record, g *grant, preauth bool) (flags uint32) {
	if preauth {
		flags |= krbmsg.FlagPreAuth
	}
	if q.has(krbmsg.OptForwardable) && !client.policy.NoForwardable && !server.policy.NoForwardable {
		flags |= krbmsg.FlagForwardable
	}
	if q.has(krbmsg.OptProxiable) {
		flags |= krbmsg.FlagProxiable
	}
	if !g.ticket.RenewTill.IsZero() {
		flags |= krbmsg.FlagRenewable
	}
	if server.policy.OKAsDelegate {
		flags |= krbmsg.FlagOKAsDelegate
	}
	return flags
}

// findClient finds the client of an AS-REQ and sets q.client to the name that
// the ticket gets.
func (q *request) findClient() (*record, error) {
	name := q.msg.Body.Client
	if len(name.Components) == 0 {
		return nil, refuse(krbmsg.ErrCPrincipalUnknown, "")
	}
	if name.Type == principal.TypeEnterprise {
		return q.enterpriseClient(name)
	}
	if c := q.realm.lookup(name); c != nil {
		return c, nil
	}
	target, ok := q.realm.alias(name)
	if !ok || !q.has(krbmsg.OptCanonicalize) {
		return nil, q.unknownClient()
	}
	return q.clientNamed(target)
}

// enterpriseClient finds who is meant by "user@domain" (RFC 6806, section 5).
func (q *request) enterpriseClient(name principal.Name) (*record, error) {
	if target, ok := q.realm.alias(principal.New(q.realm.o.Realm, name.Components...)); ok {
		return q.clientNamed(target)
	}
	user, domain, _ := strings.Cut(name.Components[0], "@")
	realm := q.realm.o.Realm
	if domain != "" && !strings.EqualFold(domain, realm) {
		if realm = q.realm.realmOf(domain); realm == "" {
			return nil, q.unknownClient()
		}
	}
	return q.clientNamed(principal.New(realm, user))
}

// clientNamed finds the client with its canonical name.
func (q *request) clientNamed(name principal.Name) (*record, error) {
	if name.Realm != q.realm.o.Realm {
		return nil, &krbmsg.KRBError{Code: krbmsg.ErrWrongRealm, Client: name}
	}
	c := q.realm.lookup(name)
	if c == nil {
		return nil, q.unknownClient()
	}
	q.client = name
	return c, nil
}

// unknownClient is the refusal of a client that is not in the database. One
// that asked for the realm of another is sent there if that one is known.
func (q *request) unknownClient() error {
	realm := q.msg.Body.Realm
	if realm != q.realm.o.Realm && q.has(krbmsg.OptCanonicalize) && q.realm.knows(realm) {
		return &krbmsg.KRBError{Code: krbmsg.ErrWrongRealm}
	}
	return refuse(krbmsg.ErrCPrincipalUnknown, "")
}
