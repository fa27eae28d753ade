package kdc

import (
	"fmt"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Keytab returns the keys of principals, all versions of them, newest first.
func (r *Realm) Keytab(names ...string) (*keytab.Keytab, error) {
	k := new(keytab.Keytab)
	for _, name := range names {
		c, err := r.find(name)
		if err != nil {
			return nil, err
		}
		for _, v := range c.versions {
			for _, id := range v.enctypes {
				k.Entries = append(k.Entries, keytab.Entry{
					Principal: c.name, KVNO: v.kvno, KeyType: int32(id), Key: v.key(id).Bytes(),
					Timestamp: r.o.Now(),
				})
			}
		}
	}
	return k, nil
}

// TicketOptions describe a ticket that is made without a request. The zero
// value is a ticket-granting ticket that is valid from now on for as long as
// the realm allows, neither forwardable nor renewable.
type TicketOptions struct {
	// Server is whom the ticket is for; empty is the ticket-granting service.
	Server string
	// Flags are set in the ticket; see krbmsg.
	Flags uint32
	// Start is when the ticket becomes valid; zero is now. A ticket with a
	// Start in the past looks as if it had been issued then.
	Start time.Time
	// Life is for how long after Start it is valid; zero is as long as the
	// realm allows. It is not bounded by what the realm allows.
	Life time.Duration
	// RenewTill is until when it can be renewed; zero is never.
	RenewTill time.Time
	// Enctype is the type of the session key; zero is the service's preferred.
	Enctype etype.ID
}

// Ticket makes a ticket of a client, as if the client had logged in and, for
// another service than the ticket-granting one, gone on to ask for it.
func (r *Realm) Ticket(client string, o TicketOptions) (ccache.Credential, error) {
	c, err := r.find(client)
	if err != nil {
		return ccache.Credential{}, err
	}
	s := r.lookup(r.tgs)
	if o.Server != "" {
		if s, err = r.find(o.Server); err != nil {
			return ccache.Credential{}, err
		}
	}
	g, err := r.ticketGrant(c, s, o)
	if err != nil {
		return ccache.Credential{}, fmt.Errorf("kdc: a ticket for %s: %w", s.name, err)
	}
	ticket, err := r.sealTicket(g)
	if err != nil {
		return ccache.Credential{}, fmt.Errorf("kdc: a ticket for %s: %w", s.name, err)
	}
	t := &g.ticket
	return ccache.Credential{
		Client: t.Client, Server: g.server, KeyType: t.Key.Type, Key: t.Key.Value,
		AuthTime: t.AuthTime, StartTime: t.StartTime, EndTime: t.EndTime, RenewTill: t.RenewTill,
		Flags: t.Flags, Ticket: ticket.Append(nil),
	}, nil
}

func (r *Realm) ticketGrant(c, s *record, o TicketOptions) (*grant, error) {
	keys := s.current()
	setDefault(&o.Start, r.o.Now())
	setDefault(&o.Life, r.o.MaxLife)
	setDefault(&o.Enctype, keys.enctypes[0])
	session, err := etype.RandomKey(o.Enctype)
	if err != nil {
		return nil, err
	}
	start := o.Start.UTC().Truncate(time.Second)
	t := krbmsg.EncTicketPart{
		Flags: o.Flags | krbmsg.FlagPreAuth, Client: c.name,
		Key:           krbmsg.EncryptionKey{Type: int32(o.Enctype), Value: session.Bytes()},
		TransitedType: krbmsg.TransitedX500,
		AuthTime:      start, StartTime: start, EndTime: start.Add(o.Life).Truncate(time.Second),
	}
	if !o.RenewTill.IsZero() {
		t.RenewTill = o.RenewTill.UTC().Truncate(time.Second)
		t.Flags |= krbmsg.FlagRenewable
	}
	if s.name.IsTGS() {
		t.Flags |= krbmsg.FlagInitial
	}
	if s.policy.OKAsDelegate {
		t.Flags |= krbmsg.FlagOKAsDelegate
	}
	if err := r.authorize(&t, c); err != nil {
		return nil, err
	}
	return &grant{server: s.name, ticket: t, ticketKey: keys.strongest(), kvno: keys.kvno}, nil
}

// CCache returns a credential cache of a client with a ticket-granting ticket,
// made by [Realm.Ticket], followed by the given tickets.
func (r *Realm) CCache(client string, o TicketOptions, more ...ccache.Credential) (*ccache.Cache, error) {
	tgt, err := r.Ticket(client, o)
	if err != nil {
		return nil, err
	}
	return &ccache.Cache{
		Principal: tgt.Client, Creds: append([]ccache.Credential{tgt}, more...),
	}, nil
}
