package kdcclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// outcome is how an attempt ended.
type outcome struct {
	answer
	err error
}

// race is the attempts of one exchange.
type race struct {
	c        *Client
	attempts []Server
	next     int                  // the first that has not begun
	open     map[Server]time.Time // those that wait, and since when
	failures []string
}

// race starts the attempts one after the other, the next as soon as one fails
// or has been silent for a while, and returns the first answer.
func (c *Client) race(ctx context.Context, realm string, attempts []Server, req []byte) (answer, error) {
	caller := ctx
	ctx, cancel := withTimeout(ctx, c.Timeout)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	results := make(chan outcome, len(attempts))
	r := race{c: c, attempts: attempts, open: make(map[Server]time.Time)}
	start := func() {
		server := r.begin()
		running.Go(func() {
			reply, err := c.ask(ctx, realm, server, req)
			results <- outcome{answer{reply, server}, err}
		})
	}
	start()
	timer := time.NewTimer(stagger)
	defer timer.Stop()
	for {
		select {
		case o := <-results:
			if r.ended(o, caller); o.err == nil {
				return o.answer, nil
			}
		case <-timer.C:
		case <-caller.Done():
			r.noteSilent()
			return answer{}, caller.Err()
		}
		if r.next < len(attempts) {
			start()
			timer.Reset(stagger)
		} else if len(r.open) == 0 {
			return answer{}, errors.New(strings.Join(r.failures, "; "))
		}
	}
}

func (r *race) begin() Server {
	s := r.attempts[r.next]
	r.next++
	r.open[s] = time.Now()
	return s
}

// ended notes how an attempt ended, and who else was silent meanwhile.
func (r *race) ended(o outcome, caller context.Context) {
	delete(r.open, o.by)
	if o.err == nil {
		r.c.Memory.note(o.by, false)
		r.noteSilent()
		return
	}
	r.failures = append(r.failures, o.err.Error())
	if caller.Err() == nil {
		r.c.Memory.note(o.by, true)
	}
}

// noteSilent remembers the servers that had their time to answer.
func (r *race) noteSilent() {
	for s, since := range r.open {
		if time.Since(since) >= stagger {
			r.c.Memory.note(s, true)
		}
	}
}

// withTimeout is context.WithTimeout, where zero is no timeout.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// ask makes one attempt. A reply that does not fit into a datagram is fetched
// over TCP from the same server.
func (c *Client) ask(ctx context.Context, realm string, s Server, req []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.AttemptTimeout, defaultAttempt))
	defer cancel()
	reply, err := c.askOnce(ctx, realm, s, req)
	if err == nil && s.Network == udp && hasCode(reply, krbmsg.ErrResponseTooBig) {
		s.Network = tcp
		reply, err = c.askOnce(ctx, realm, s, req)
	}
	switch {
	case err != nil:
	case !isMessage(reply):
		err = fmt.Errorf("it sent %d octets that are no message of Kerberos", len(reply))
	case hasCode(reply, krbmsg.ErrSvcUnavailable):
		err = krbmsg.ErrSvcUnavailable
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, plain(ctx, err))
	}
	return reply, nil
}

// String is the address behind its transport.
func (s Server) String() string {
	switch s.Network {
	case "", https:
		return s.Address
	}
	return s.Network + " " + s.Address
}

// plain replaces an error of a closed connection by why it was closed, and
// drops the addresses that the caller names anyway.
func plain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("no answer in time")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}

// isMessage reports whether a reply is one whole element with the tag of a KDC's
// answer. Another server may do better than one that sends anything else.
func isMessage(reply []byte) bool {
	s := cryptobyte.String(reply)
	var tag asn1.Tag
	if !s.ReadAnyASN1(new(cryptobyte.String), &tag) || !s.Empty() {
		return false
	}
	switch byte(tag) {
	case der.App(krbmsg.TypeASRep), der.App(krbmsg.TypeTGSRep), der.App(krbmsg.TypeError):
		return true
	}
	return false
}

func (c *Client) askOnce(ctx context.Context, realm string, s Server, req []byte) ([]byte, error) {
	if s.Network == https {
		return c.askProxy(ctx, realm, s.Address, req)
	}
	conn, err := c.dial(ctx, s.Network, s.Address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Closing ends every wait, also on connections that know no deadlines.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if s.Network == udp {
		return exchangeUDP(conn, req)
	}
	return exchangeTCP(conn, req)
}
