package krb5

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// login is one principal with its tickets: what a credential stands on. Each
// service ticket is fetched once, however many goroutines ask for it.
type login struct {
	p      *Provider
	client principal.Name
	// source tells people where the tickets come from: "FILE:/tmp/krb5cc_0".
	source string
	// relogin gets a new ticket-granting ticket when the present one has
	// expired; nil if that takes a person.
	relogin func(ctx context.Context) (*kdcclient.Ticket, error)
	// offset is how far the KDC's clock is ahead of ours.
	offset time.Duration

	mu      sync.Mutex
	tickets map[string]*ticketCall // by ticketKey
}

// ticketCall is a ticket, or the fetching of it. Before done is closed only
// the goroutine that fetches may touch the rest.
type ticketCall struct {
	done   chan struct{}
	ticket *kdcclient.Ticket
	err    error
	// former is the call that this one replaces, with a ticket that has expired.
	// It comes back if this one fails, for people to be told about.
	former *ticketCall
}

var closedChan = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// maxTickets bounds the tickets of a login. A process that talks to more
// services than this fetches some of them again.
const maxTickets = 1024

func newLogin(p *Provider, client principal.Name, source string) *login {
	return &login{p: p, client: client, source: source, tickets: make(map[string]*ticketCall)}
}

func (l *login) now() time.Time { return l.p.now().Add(l.offset) }

// add stores a ticket under the given key.
func (l *login) add(key string, t *kdcclient.Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store(key, &ticketCall{done: closedChan, ticket: t})
}

// store is called with mu held.
func (l *login) store(key string, c *ticketCall) {
	if len(l.tickets) >= maxTickets {
		l.evict()
	}
	l.tickets[key] = c
}

// evict makes room: it drops what has expired, and one service ticket more if
// that is nothing.
func (l *login) evict() {
	now := l.now()
	victim := ""
	for key, c := range l.tickets {
		switch {
		case !c.isDone():
		case c.ticket == nil || !c.ticket.ValidAt(now, l.p.skew()):
			delete(l.tickets, key)
		case !c.ticket.Server.IsTGS():
			victim = key
		}
	}
	if len(l.tickets) >= maxTickets {
		delete(l.tickets, victim)
	}
}

func (c *ticketCall) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// get returns the ticket stored under key, or has fetch get it. Goroutines that
// ask meanwhile wait for the same one. A failed fetch is not kept; where it
// failed because its own caller gave up, a waiting one takes over.
func (l *login) get(ctx context.Context, key string, fetch func(context.Context) (*kdcclient.Ticket, error)) (*kdcclient.Ticket, error) {
	for {
		l.mu.Lock()
		c := l.tickets[key]
		if c == nil || c.isDone() && !l.usable(c.ticket) {
			c = &ticketCall{done: make(chan struct{}), former: c}
			l.store(key, c)
			l.mu.Unlock()
			return l.fetch(ctx, key, c, fetch)
		}
		l.mu.Unlock()
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if c.err == nil || !isContextError(c.err) {
			return c.ticket, c.err
		}
	}
}

func (l *login) usable(t *kdcclient.Ticket) bool {
	return t != nil && t.ValidAt(l.now(), l.p.skew())
}

func (l *login) fetch(ctx context.Context, key string, c *ticketCall, fetch func(context.Context) (*kdcclient.Ticket, error)) (*kdcclient.Ticket, error) {
	defer func() {
		if c.ticket == nil && c.err == nil { // fetch panicked
			c.err = context.Canceled
		}
		l.settle(key, c)
		close(c.done)
	}()
	c.ticket, c.err = fetch(ctx)
	if c.err == nil {
		l.p.logTicket(ctx, "got a ticket", c.ticket)
	}
	return c.ticket, c.err
}

// settle ends a call: one that failed gives way to the former, unless another
// has taken its place.
func (l *login) settle(key string, c *ticketCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.ticket != nil || l.tickets[key] != c:
	case c.former != nil:
		l.tickets[key] = c.former
	default:
		delete(l.tickets, key)
	}
	c.former = nil
}

// forget drops a ticket, which a service has refused.
func (l *login) forget(t *kdcclient.Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, c := range l.tickets {
		if c.isDone() && c.ticket == t {
			delete(l.tickets, key)
		}
	}
}

// tgt returns the ticket-granting ticket of the login's own realm.
func (l *login) tgt(ctx context.Context) (*kdcclient.Ticket, error) {
	return l.get(ctx, tgtKey(l.client.Realm), func(ctx context.Context) (*kdcclient.Ticket, error) {
		if l.relogin == nil {
			return nil, l.noTGT()
		}
		return l.relogin(ctx)
	})
}

func tgtKey(realm string) string { return "tgt " + realm }

// noTGT explains what the login holds instead of a usable ticket-granting ticket.
func (l *login) noTGT() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var held []string
	var expired *kdcclient.Ticket
	for _, c := range l.tickets {
		if !c.isDone() && c.former != nil {
			c = c.former
		}
		if !c.isDone() || c.ticket == nil {
			continue
		}
		if c.ticket.Server.Equal(principal.TGS(l.client.Realm, l.client.Realm)) {
			expired = c.ticket
		}
		if len(held) < 3 {
			held = append(held, c.ticket.Server.String())
		}
	}
	switch {
	case expired != nil:
		return &gss.Error{Major: gss.ErrCredentialsExpired, Mech: gss.MechKRB5, Op: "initiate", Err: expiredTicket(expired, l)}
	case len(held) == 0:
		return noCred("%s of %s holds no ticket: run kinit", l.source, l.client)
	}
	return noCred("%s of %s holds no ticket-granting ticket of its realm, only %s: run kinit", l.source, l.client, strings.Join(held, ", "))
}

func expiredTicket(t *kdcclient.Ticket, l *login) error {
	now := l.now()
	if now.Before(t.EndTime) {
		return fmt.Errorf("the ticket-granting ticket of %s in %s is valid only from %s on, and it is %s: check the clock, or run kinit",
			l.client, l.source, t.StartTime.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("the ticket-granting ticket of %s in %s expired at %s, and it is %s: run kinit",
		l.client, l.source, t.EndTime.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
}

// logTicket tells of a ticket what klist would.
func (p *Provider) logTicket(ctx context.Context, msg string, t *kdcclient.Ticket) {
	if !p.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("client", t.Client.String()),
		slog.String("service", t.Server.String()),
		slog.String("session_key", t.Key.Type().String()),
		slog.String("flags", flagText(t.Flags)),
		slog.Time("expires", t.EndTime),
	}
	if tkt, err := krbmsg.ParseTicket(t.Raw); err == nil {
		attrs = append(attrs, slog.String("ticket_key", etypeName(tkt.Enc.EType)), slog.Uint64("kvno", uint64(tkt.Enc.KVNO)))
	}
	p.log.LogAttrs(ctx, slog.LevelDebug, msg, attrs...)
}

var flagLetters = [...]struct {
	flag   uint32
	letter byte
}{
	{krbmsg.FlagForwardable, 'F'}, {krbmsg.FlagForwarded, 'f'}, {krbmsg.FlagProxiable, 'P'}, {krbmsg.FlagProxy, 'p'},
	{krbmsg.FlagRenewable, 'R'}, {krbmsg.FlagInitial, 'I'}, {krbmsg.FlagInvalid, 'i'}, {krbmsg.FlagHWAuth, 'H'},
	{krbmsg.FlagPreAuth, 'A'}, {krbmsg.FlagTransited, 'T'}, {krbmsg.FlagOKAsDelegate, 'O'}, {krbmsg.FlagAnonymousTick, 'a'},
}

// flagText abbreviates ticket flags as klist -f does.
func flagText(flags uint32) string {
	var b []byte
	for _, f := range flagLetters {
		if flags&f.flag != 0 {
			b = append(b, f.letter)
		}
	}
	return string(b)
}
