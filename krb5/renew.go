package krb5

import (
	"context"
	"errors"
	"time"

	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// A ticket is replaced before its end, so that no request meets one that has
// ended. There is no goroutine that waits for that: of the requests that come
// when the time has come, one fetches the next ticket, and the others go on with
// the present one.

const (
	// maxMargin is how long before its end a ticket is replaced; of one with a
	// short life, it is the last quarter.
	maxMargin = 5 * time.Minute
	// replaceTimeout is how long a request may be held up by fetching the next
	// ticket, while it could go on with the present one.
	replaceTimeout = 3 * time.Second
)

// margin is how long before its end a ticket is to be replaced.
func margin(t *kdcclient.Ticket) time.Duration {
	start := t.StartTime
	if start.IsZero() {
		start = t.AuthTime
	}
	return max(0, min(t.EndTime.Sub(start)/4, maxMargin))
}

// dueAt is when a ticket is to be replaced.
func dueAt(t *kdcclient.Ticket) time.Time { return t.EndTime.Add(-margin(t)) }

// retryAfter is when to try again to replace a ticket.
func retryAfter(now time.Time, t *kdcclient.Ticket) time.Time {
	return now.Add(max(margin(t)/8, 10*time.Millisecond))
}

// errNoGain says that there is no ticket yet that lasts longer than the present
// one, which is still valid.
var errNoGain = errors.New("no ticket yet lasts longer")

// replace carries out n, the next of c. If that fails the ticket of c stays, and
// another attempt is due later.
func (l *login) replace(ctx context.Context, key ticketKey, c, n *ticketCall, fetch func(context.Context) (*kdcclient.Ticket, error)) {
	n.abandoned = true // unless there is a ticket
	defer func() {
		if n.ticket != nil {
			l.writeBack(ctx, key, n.ticket)
		}
	}()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		again := retryAfter(l.now(), c.ticket).UnixMicro()
		c.due.Store(again)
		c.next.Store(nil)
		if n.ticket != nil {
			// A new ticket may be due at once, where the KDC's clock is far ahead.
			n.due.Store(max(dueAt(n.ticket).UnixMicro(), again))
			n.abandoned = false
		}
		close(n.done) // before others find it, to whom there would be no ticket
		if n.ticket != nil && l.tickets.Get(key) == c {
			l.tickets.Set(key, n)
		}
	}()
	short, cancel := context.WithTimeout(ctx, l.p.patience(ctx))
	defer cancel()
	t, err := l.successor(short, key, c.ticket, fetch)
	switch {
	case err == nil:
		n.ticket = t
		l.p.logTicket(ctx, "replaced a ticket before its end", t)
	case !errors.Is(err, errNoGain):
		l.p.log.Warn("a ticket that ends soon could not be replaced yet: it is used until its end",
			"service", c.ticket.Server.String(), "expires", c.ticket.EndTime, "error", err)
	}
}

// patience is how long a request waits for a ticket that it can do without: so
// long that half of the time that its caller gives is left.
func (p *Provider) patience(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(p.replaceTimeout, time.Until(end)/2)
	}
	return p.replaceTimeout
}

// successor fetches a ticket that lasts longer than t. None but the
// ticket-granting ticket outlasts that.
func (l *login) successor(ctx context.Context, key ticketKey, t *kdcclient.Ticket, fetch func(context.Context) (*kdcclient.Ticket, error)) (*kdcclient.Ticket, error) {
	if key != tgtKey(l.client.Realm) {
		own, err := l.tgt(ctx)
		if err != nil {
			return nil, err
		}
		if !own.EndTime.After(t.EndTime) {
			return nil, errNoGain
		}
	}
	next, err := fetch(ctx)
	if err != nil {
		return nil, err
	}
	if !next.EndTime.After(t.EndTime) {
		return nil, errNoGain
	}
	return next, nil
}

// canRenew reports whether the KDC may renew a ticket-granting ticket: it is
// renewable, and valid still.
func (l *login) canRenew(t *kdcclient.Ticket) bool {
	return t != nil && t.Flags&krbmsg.FlagRenewable != 0 && t.RenewTill.After(t.EndTime) && l.validAt(t, l.now())
}

// renew has the KDC renew a ticket-granting ticket (RFC 4120, section 2.3), as
// kinit -R does.
func (l *login) renew(ctx context.Context, t *kdcclient.Ticket) (*kdcclient.Ticket, error) {
	next, err := l.kdc().TGS(ctx, kdcclient.TGSRequest{
		TGT:     t,
		Server:  t.Server,
		ETypes:  l.p.conf.DefaultTGSEnctypes,
		Options: krbmsg.OptRenew | t.Flags&(krbmsg.OptForwardable|krbmsg.OptProxiable|krbmsg.OptRenewable),
		Till:    t.RenewTill,
	})
	if err != nil {
		return nil, l.explain(err, t.Server)
	}
	return next, nil
}
