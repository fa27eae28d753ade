package krb5

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/readmap"
)

// login is one principal with its tickets: what a credential stands on. Each
// ticket is fetched once, however many goroutines ask for it.
type login struct {
	p      *Provider
	client principal.Name
	name   gss.Name // of client
	// source tells people where the tickets come from: "the cache FILE:/tmp/krb5cc_0".
	source string
	// relogin gets a ticket-granting ticket when the last one, nil at first, is
	// not valid or ends soon; nil if that takes a person.
	relogin func(ctx context.Context, last *kdcclient.Ticket) (*kdcclient.Ticket, error)
	// wipe forgets the secret behind relogin; nil if there is none.
	wipe func()
	// home is the cache that the tickets come from and are written back to; nil if
	// there is none. Without it, homeName is the cache to write to; "" is none.
	home     ccache.Store
	homeName string
	// offset is how far the KDC's clock is ahead of ours.
	offset time.Duration
	clock  kdcClock
	// proxy says that the login is of a user whom a service goes on for; nil: it
	// is the client's own.
	proxy *proxy
	// logsIn says that relogin logs in, and so obeys forwardable: to ask for a
	// forwardable ticket even where krb5.conf does not.
	logsIn      bool
	forwardable atomic.Bool
	// askedForwardable is the last ticket that was asked for as a forwardable one.
	askedForwardable atomic.Pointer[kdcclient.Ticket]

	// hasRC4 says that the cache has a ticket-granting ticket that is passed over,
	// since its key is of that type.
	hasRC4 atomic.Bool

	// lastTime is that of the newest authenticator, in microseconds.
	lastTime atomic.Int64

	tickets readmap.Map[ticketKey, *ticketCall]
	users   readmap.Map[ticketKey, *login] // whom this service goes on for, by evidenceKey

	mu sync.Mutex // held to write what is above, and guards what follows
	// bases are the ticket-granting tickets by which the login knows its cache
	// again: the one that it has, or is about to get, and the one before, which
	// somebody may just have read. nil: none.
	bases [2][]byte
}

// ticketKey is what a ticket is filed under. It is made for each context, so
// that it refers to the name's strings and builds none, unless the name is an
// unusual one.
type ticketKey struct {
	use           ticketUse
	parts         int
	realm         string
	first, second string
	rest          string
}

type ticketUse uint8

const (
	useService            ticketUse = iota // a ticket for the named service
	useTGT                                 // the login's own ticket-granting ticket
	useCross                               // a ticket-granting ticket for another realm
	useForwarded                           // a ticket-granting ticket to hand to the named service
	useEvidence                            // a service's ticket to itself in the name of this user
	useEnterpriseEvidence                  // the same, of a user by an enterprise name
)

func keyOf(use ticketUse, n principal.Name) ticketKey {
	k := ticketKey{use: use, parts: len(n.Components), realm: n.Realm}
	if len(n.Components) > 0 {
		k.first = n.Components[0]
	}
	if len(n.Components) > 1 {
		k.second = n.Components[1]
	}
	if len(n.Components) > 2 {
		k.rest = principal.New("", n.Components[2:]...).Text()
	}
	return k
}

// tgtKey is the key of the login's own ticket-granting ticket, by the realm of
// its client. A KDC may refer the client to another realm for it.
func tgtKey(realm string) ticketKey { return ticketKey{use: useTGT, realm: realm} }

// crossKey is the key of a ticket-granting ticket for a realm to which another
// one led.
func crossKey(realm string) ticketKey { return ticketKey{use: useCross, realm: realm} }

// ticketCall is a ticket, or the fetching of it. Before done is closed only
// the goroutine that fetches may touch the rest.
type ticketCall struct {
	done   chan struct{}
	ticket *kdcclient.Ticket
	err    error
	// abandoned says that the goroutine gave up since its own caller did.
	abandoned bool

	// due is when the next ticket is to be fetched, in Unix microseconds, and next
	// the fetching of it; nil: it is not under way. Once done is closed, both are
	// written with the login's mu held.
	due  atomic.Int64
	next atomic.Pointer[ticketCall]
}

// ready is a call that has ended with a ticket.
func ready(t *kdcclient.Ticket) *ticketCall {
	c := &ticketCall{done: make(chan struct{}), ticket: t}
	c.due.Store(dueAt(t).UnixMicro())
	close(c.done)
	return c
}

// maxTickets bounds the tickets of a login, of some 3 kB each. A process that
// talks to more services than this fetches some of them again.
const maxTickets = 1 << 14

func newLogin(p *Provider, client principal.Name, source string) *login {
	return &login{p: p, client: client, name: gssName(client), source: source}
}

// authenticatorTime returns a time that no other authenticator of this login
// has, in whole microseconds: it is what ties an acceptor's answer to one of
// them.
func (l *login) authenticatorTime() time.Time {
	now := l.now().UnixMicro()
	for {
		last := l.lastTime.Load()
		next := max(now, last+1)
		if last-now > time.Second.Microseconds() {
			next = now // the clock was set back
		}
		if l.lastTime.CompareAndSwap(last, next) {
			return time.UnixMicro(next)
		}
	}
}

// add stores a ticket.
func (l *login) add(key ticketKey, t *kdcclient.Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store(key, ready(t))
}

// addLonger is add, unless a ticket is there that lasts as long.
func (l *login) addLonger(key ticketKey, t *kdcclient.Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.tickets.Get(key)
	if have == nil || have.isDone() && have.ticket != nil && have.ticket.EndTime.Before(t.EndTime) {
		l.store(key, ready(t))
	}
}

// store is called with mu held.
func (l *login) store(key ticketKey, c *ticketCall) {
	if l.tickets.Len() >= maxTickets && l.tickets.Get(key) == nil {
		l.evict()
	}
	l.tickets.Set(key, c)
}

// evict makes room: it drops what has expired or, if that is nothing, some service
// tickets, so many that the next ones do not search again.
func (l *login) evict() {
	now := l.now()
	for key, c := range l.tickets.All() {
		if c.isDone() && key != tgtKey(l.client.Realm) && !l.validAt(c.ticket, now) {
			l.tickets.Delete(key)
		}
	}
	if l.tickets.Len() < maxTickets {
		return
	}
	for key, c := range l.tickets.FromAnywhere() {
		if l.tickets.Len() <= maxTickets-maxTickets/16 {
			return
		}
		if c.isDone() && key.use != useTGT && key.use != useCross {
			l.tickets.Delete(key)
		}
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

func (l *login) validAt(t *kdcclient.Ticket, now time.Time) bool {
	return t != nil && t.ValidAt(now, l.p.skew())
}

// get returns the ticket stored under key, or has fetch get it. Goroutines that
// ask meanwhile wait for the same one. A failed fetch is not kept; where it
// failed because its own caller gave up, a waiting one takes over. Shortly before
// the ticket's end one goroutine fetches the next one, and the others use the
// present one until that is there.
func (l *login) get(ctx context.Context, key ticketKey, fetch func(context.Context) (*kdcclient.Ticket, error)) (*kdcclient.Ticket, error) {
	for {
		if t := l.present(key); t != nil { // nearly always, and without a lock
			return t, nil
		}
		l.mu.Lock()
		c, now := l.tickets.Get(key), l.now()
		done := c != nil && c.isDone() // now; a moment later it may be
		switch {
		case done && l.validAt(c.ticket, now):
			if c.isGoodAt(now) {
				l.mu.Unlock()
				return c.ticket, nil
			}
			next := &ticketCall{done: make(chan struct{})}
			c.next.Store(next)
			l.mu.Unlock()
			l.replace(ctx, key, c, next, fetch)
			continue
		case done && c.next.Load() != nil:
			c = c.next.Load() // the ticket ended before the next one came
		case done || c == nil:
			old := c
			c = &ticketCall{done: make(chan struct{})}
			l.store(key, c)
			l.mu.Unlock()
			t, err := l.fetch(ctx, key, c, old, fetch)
			if err == nil {
				l.writeBack(ctx, key, t)
			}
			return t, err
		}
		l.mu.Unlock()
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if !c.abandoned {
			return c.ticket, c.err
		}
	}
}

// present returns the ticket stored under key if it is valid and nobody need fetch
// the next one; nil otherwise.
func (l *login) present(key ticketKey) *kdcclient.Ticket {
	c := l.tickets.Get(key)
	if now := l.now(); c != nil && c.isDone() && l.validAt(c.ticket, now) && c.isGoodAt(now) {
		return c.ticket
	}
	return nil
}

// isGoodAt reports whether the next ticket is not due yet, or somebody fetches it.
func (c *ticketCall) isGoodAt(now time.Time) bool {
	return c.next.Load() != nil || now.UnixMicro() < c.due.Load()
}

// fetch carries out a call. If that fails, what was there before comes back: an
// expired ticket, which explains the failure.
func (l *login) fetch(ctx context.Context, key ticketKey, c, old *ticketCall, fetch func(context.Context) (*kdcclient.Ticket, error)) (*kdcclient.Ticket, error) {
	c.abandoned = true // unless fetch returns
	defer func() {
		if c.ticket == nil {
			l.putBack(key, c, old)
		}
		close(c.done)
	}()
	c.ticket, c.err = fetch(ctx)
	c.abandoned = c.err != nil && ctx.Err() != nil
	if c.err == nil {
		c.due.Store(dueAt(c.ticket).UnixMicro())
		l.p.logTicket(ctx, "got a ticket", c.ticket)
	}
	return c.ticket, c.err
}

// putBack undoes the storing of a failed call, unless another has taken its
// place.
func (l *login) putBack(key ticketKey, c, old *ticketCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.tickets.Get(key) != c:
	case old != nil:
		l.tickets.Set(key, old)
	default:
		l.tickets.Delete(key)
	}
}

// forget drops a ticket, which a service has refused.
func (l *login) forget(t *kdcclient.Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, c := range l.tickets.All() {
		if c.isDone() && c.ticket == t {
			l.tickets.Delete(key)
		}
	}
}

// tgt returns the ticket-granting ticket of the login's own realm.
func (l *login) tgt(ctx context.Context) (*kdcclient.Ticket, error) {
	last := l.held()
	return l.get(ctx, tgtKey(l.client.Realm), func(ctx context.Context) (*kdcclient.Ticket, error) {
		switch {
		case l.relogin != nil:
			return l.relogin(ctx, last)
		case l.canRenew(last):
			return l.renew(ctx, last)
		}
		return nil, l.nothingNew(last)
	})
}

// held returns the ticket-granting ticket of the login's own realm as it is,
// expired or not; nil if there is none.
func (l *login) held() *kdcclient.Ticket {
	if c := l.tickets.Get(tgtKey(l.client.Realm)); c != nil && c.isDone() {
		return c.ticket
	}
	return nil
}

// expires is the end of the ticket-granting ticket; zero if there is none.
func (l *login) expires() time.Time {
	if t := l.held(); t != nil {
		return t.EndTime
	}
	return time.Time{}
}

// nothingNew is the error where no other ticket-granting ticket than the last one
// can be had.
func (l *login) nothingNew(last *kdcclient.Ticket) error {
	if l.validAt(last, l.now()) {
		return errNoGain
	}
	return l.noTGT(last)
}

// noTGT explains what the login has instead of a valid ticket-granting ticket.
// last is the one that is valid no more, or not yet; nil if there is none.
func (l *login) noTGT(last *kdcclient.Ticket) error {
	if last != nil {
		return failure(gss.ErrCredentialsExpired, "acquire", "the ticket-granting ticket of %s in %s %s", l.client, l.source, l.whyInvalid(last))
	}
	if services := l.services(3); len(services) > 0 {
		return noCred("%s has for %s no ticket-granting ticket of realm %s, only tickets for %s: run kinit",
			l.source, l.client, l.client.Realm, strings.Join(services, ", "))
	}
	if l.hasRC4.Load() {
		return noCred("%s has for %s no ticket of a permitted encryption type, but one with a key of type %s: run kinit with a krb5.conf that permits AES; if that does not help, %s",
			l.source, l.client, etype.RC4HMAC, needsAES(l.client))
	}
	return noCred("%s has for %s no ticket of a permitted encryption type: run kinit", l.source, l.client)
}

func (l *login) whyInvalid(t *kdcclient.Ticket) string {
	now := l.now().UTC().Format(time.RFC3339)
	switch {
	case !l.now().Before(t.EndTime):
		return fmt.Sprintf("expired at %s, and it is %s: run kinit", t.EndTime.Format(time.RFC3339), now)
	case t.Flags&krbmsg.FlagInvalid != 0:
		return "is post-dated and has not been validated: run kinit -v"
	}
	return fmt.Sprintf("is valid only from %s on, and it is %s: check the clock, or run kinit", t.StartTime.Format(time.RFC3339), now)
}

// services names at most n services that there are tickets for.
func (l *login) services(n int) []string {
	var names []string
	for _, c := range l.tickets.All() {
		if !c.isDone() || c.ticket == nil {
			continue
		}
		if name := c.ticket.Server.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(n, len(names))]
}
