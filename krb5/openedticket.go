package krb5

import (
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// openedTicket is what an acceptor needs of a ticket that it has decrypted.
type openedTicket struct {
	server     principal.Name // whose key has opened it
	client     principal.Name
	session    *etype.Key
	flags      uint32
	start, end time.Time
	raw        string                // the ticket itself, encrypted
	hash       uint64                // of raw
	by         *serviceKey           // what has opened it
	proxy      atomic.Pointer[login] // how an acceptor goes on for the client; nil: not yet
	transited  error                 // why the realms on the client's way are not acceptable; nil: they are
}

// anonymous reports whether a ticket hides its client (RFC 8062).
func (t *openedTicket) anonymous() bool {
	n := t.client.Components
	return t.flags&krbmsg.FlagAnonymousTick != 0 || len(n) == 2 && n[0] == "WELLKNOWN" && n[1] == "ANONYMOUS"
}

// openTicket decrypts the ticket, in room if there is enough, unless it was
// decrypted before.
func (c *acceptor) openTicket(t *krbmsg.Ticket, keys *keytabFile, room []byte) (*openedTicket, error) {
	hash := keys.opened.hash(t.Raw)
	if o := keys.opened.find(hash, t.Raw); o != nil && c.cred.matches(o.server) {
		return o, nil
	}
	plain, by, code := keys.table.open(room, t, c.cred.matches)
	if code != 0 {
		return nil, refuse(gss.ErrFailure, code, "%w", c.explainKeys(code, t, keys.table))
	}
	defer clear(plain)
	part, err := krbmsg.ParseEncTicketPart(plain)
	if err != nil {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrModified, "%w", err)
	}
	session, err := etype.NewKey(etype.ID(part.Key.Type), part.Key.Value)
	if err != nil || !c.p.permitted(part.Key.Type) {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrETypeNoSupp, "the ticket's session key is of type %s, which is not permitted: %s", etype.ID(part.Key.Type), needsAES(by.principal))
	}
	o := &openedTicket{
		server: by.principal, client: part.Client, session: session, flags: part.Flags, start: part.StartTime, end: part.EndTime,
		raw: string(t.Raw), hash: hash, by: by,
	}
	if o.start.IsZero() {
		o.start = part.AuthTime
	}
	o.transited = c.p.checkTransited(&part, by.principal.Realm)
	return o, nil
}

// checkTicket checks that the ticket is valid now (RFC 4120, section 3.2.3).
func (c *acceptor) checkTicket(t *openedTicket, now time.Time) error {
	skew := c.p.skew()
	switch {
	case t.flags&krbmsg.FlagInvalid != 0:
		return refuse(gss.ErrFailure, krbmsg.ErrTktNYV, "the ticket of %s is post-dated and has not been validated", t.client)
	case t.start.Sub(now) > skew:
		return refuse(gss.ErrFailure, krbmsg.ErrTktNYV, "the ticket of %s is valid only from %s on, and it is %s: compare this machine's clock with the KDC's", t.client, t.start.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case now.Sub(t.end) > skew:
		return refuse(gss.ErrCredentialsExpired, krbmsg.ErrTktExpired, "the ticket of %s expired at %s, and it is %s", t.client, t.end.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case t.client.Realm == "" || len(t.client.Components) == 0:
		return refuse(gss.ErrDefectiveToken, krbmsg.ErrBadMatch, "the ticket names no client")
	case t.transited != nil:
		return refuse(gss.ErrUnauthorized, errPathNotAccepted, "the ticket of %s: %w", t.client, t.transited)
	}
	return nil
}

// explainKeys tells why no key opens a ticket, and what to do about it.
func (c *acceptor) explainKeys(code krbmsg.ErrorCode, t *krbmsg.Ticket, keys keyTable) error {
	switch code {
	case krbmsg.ErrNotUs:
		have := "nothing usable"
		if len(keys) > 0 {
			have = keys[0].principal.String()
		}
		if !c.cred.want.IsZero() {
			return fmt.Errorf("the ticket is for %s, and only those for %s are accepted: have the client use that as its target", t.Server, c.cred.want)
		}
		return fmt.Errorf("the ticket is for %s, and the keytab %s has no such principal (the first it has is %s): add its key, or have the client use another target", t.Server, c.cred.path, have)
	case krbmsg.ErrNoKey:
		if c.p.forbidden(t.Enc.EType) {
			return fmt.Errorf("the ticket for %s is encrypted with %s, which is not permitted: %s; then export the keytab %s again", t.Server, etype.ID(t.Enc.EType), needsAES(t.Server), c.cred.path)
		}
		return fmt.Errorf("the ticket for %s is encrypted with %s, of which the keytab %s has no permitted key: export the keytab again", t.Server, etype.ID(t.Enc.EType), c.cred.path)
	}
	return fmt.Errorf("the ticket for %s (key version %d) does not open with the keys in the keytab %s: the service was rekeyed, export the keytab again", t.Server, t.Enc.KVNO, c.cred.path)
}

// openedTickets remembers tickets that were decrypted, since a client comes with the same one again and again: that
// saves decrypting it, and above all deriving the keys from its session key. It
// belongs to one version of a keytab and ends with it. What can change, such as
// the time, is checked each time.
//
// A ticket has a few places, by its hash, and takes that of the oldest there. So
// neither finding nor adding needs a lock.
type openedTickets struct {
	seed maphash.Seed
	sets [maxOpened / setSize]openedSet
}

type openedSet struct {
	places [setSize]atomic.Pointer[openedTicket]
	next   atomic.Uint32 // the place of the oldest
}

const (
	// maxOpened bounds the tickets that are remembered, some 3 kB each and the
	// ticket itself.
	maxOpened = 1024
	setSize   = 8
)

func newOpenedTickets() *openedTickets { return &openedTickets{seed: maphash.MakeSeed()} }

// hash is by what a ticket is looked for. It only leads there: the octets decide.
func (o *openedTickets) hash(raw []byte) uint64 { return maphash.Bytes(o.seed, raw) }

func (o *openedTickets) set(hash uint64) *openedSet { return &o.sets[hash%uint64(len(o.sets))] }

// find returns the ticket with these octets and their hash, or nil.
func (o *openedTickets) find(hash uint64, raw []byte) *openedTicket {
	s := o.set(hash)
	for i := range s.places {
		if t := s.places[i].Load(); t != nil && t.hash == hash && t.raw == string(raw) {
			return t
		}
	}
	return nil
}

// add remembers a ticket, unless it is there. Goroutines that open one at once may
// each have theirs remembered, which does no harm.
func (o *openedTickets) add(t *openedTicket) {
	s := o.set(t.hash)
	for i := range s.places {
		if have := s.places[i].Load(); have == t || have != nil && have.hash == t.hash && have.raw == t.raw {
			return
		}
	}
	s.places[(s.next.Add(1)-1)%setSize].Store(t)
}
