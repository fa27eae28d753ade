// Package kdcclient is a client of Kerberos KDCs: it finds a server that answers
// (RFC 4120, section 7.2), and makes the AS exchange (section 3.1) and single
// TGS exchanges (section 3.3) with it. What to ask for in which realm, and what
// to keep, is its caller's business.
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

// Server is one address of a KDC. Network is "udp" or "tcp"; empty allows both.
type Server struct {
	Network string
	Address string // host:port
}

// Client asks the KDCs of any realm. It is safe for concurrent use.
type Client struct {
	// Servers lists the KDCs of a realm in the order in which to try them.
	Servers func(ctx context.Context, realm string) ([]Server, error)
	// Dial connects, and gives up when ctx ends; nil is net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// UDPLimit is the longest request that goes over UDP first; a longer one
	// goes over TCP first. Zero sends all over TCP first.
	UDPLimit int
	// AttemptTimeout is how long one server is waited for in all; zero is 10
	// seconds.
	AttemptTimeout time.Duration
	// Timeout bounds a whole exchange; zero leaves that to the context.
	Timeout time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

const (
	// stagger is how long one server is waited for before the next is asked too.
	stagger = time.Second
	// defaultAttempt is how long a silent server is listened to in all.
	defaultAttempt = 10 * time.Second
	// maxReply bounds a reply; tickets of users in very many groups stay below
	// 64 KiB.
	maxReply = 1 << 20
)

// ErrUnreachable is what Exchange's error wraps when no KDC answered, or none
// with a message of Kerberos.
var ErrUnreachable = errors.New("no KDC answered")

// Exchange sends req to the KDCs of realm until one answers, and returns its
// answer, which may be a KRB-ERROR. It returns at once when ctx ends, and leaves
// nothing running behind. The error wraps ErrUnreachable and tells what was
// tried.
func (c *Client) Exchange(ctx context.Context, realm string, req []byte) ([]byte, error) {
	servers, err := c.Servers(ctx, realm)
	if err != nil {
		return nil, err
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("%w: no KDC is known for realm %s: name one in [realms] of krb5.conf, or set dns_lookup_kdc = true", ErrUnreachable, realm)
	}
	reply, err := c.race(ctx, c.attempts(servers, len(req)), req)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("waiting for a KDC of realm %s: %w", realm, context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("%w for realm %s: %w; check the network, and the kdc lines of [realms] in krb5.conf", ErrUnreachable, realm, err)
	}
	return reply, nil
}

// attempts orders the servers: each over its preferred transport, then each
// that allows both over the other.
func (c *Client) attempts(servers []Server, size int) []Server {
	first, second := "udp", "tcp"
	if size > c.UDPLimit {
		first, second = second, first
	}
	var out, fallback []Server
	for _, s := range servers {
		if s.Network == "" {
			s.Network = first
			fallback = append(fallback, Server{Network: second, Address: s.Address})
		}
		out = append(out, s)
	}
	return append(out, fallback...)
}

type outcome struct {
	reply []byte
	err   error
}

// race starts the attempts one after the other, the next as soon as one fails
// or has been silent for a while, and returns the first answer.
func (c *Client) race(ctx context.Context, attempts []Server, req []byte) ([]byte, error) {
	caller := ctx
	ctx, cancel := withTimeout(ctx, c.Timeout)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	results := make(chan outcome, len(attempts))
	next, open := 0, 0
	start := func() {
		server := attempts[next]
		next++
		open++
		running.Go(func() {
			reply, err := c.ask(ctx, server, req)
			results <- outcome{reply, err}
		})
	}
	start()
	var failures []string
	timer := time.NewTimer(stagger)
	defer timer.Stop()
	for {
		select {
		case r := <-results:
			open--
			if r.err == nil {
				return r.reply, nil
			}
			failures = append(failures, r.err.Error())
		case <-timer.C:
		case <-caller.Done():
			return nil, caller.Err()
		}
		if next < len(attempts) {
			start()
			timer.Reset(stagger)
		} else if open == 0 {
			return nil, errors.New(strings.Join(failures, "; "))
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
func (c *Client) ask(ctx context.Context, s Server, req []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.AttemptTimeout, defaultAttempt))
	defer cancel()
	reply, err := c.askOnce(ctx, s, req)
	if err == nil && s.Network == "udp" && hasCode(reply, krbmsg.ErrResponseTooBig) {
		s.Network = "tcp"
		reply, err = c.askOnce(ctx, s, req)
	}
	switch {
	case err != nil:
	case !isMessage(reply):
		err = fmt.Errorf("it sent %d octets that are no message of Kerberos", len(reply))
	case hasCode(reply, krbmsg.ErrSvcUnavailable):
		err = krbmsg.ErrSvcUnavailable
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", s.Network, s.Address, plain(ctx, err))
	}
	return reply, nil
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

func hasCode(reply []byte, code krbmsg.ErrorCode) bool {
	if !krbmsg.IsKRBError(reply) {
		return false
	}
	e, err := krbmsg.ParseKRBError(reply)
	return err == nil && e.Code == code
}

func (c *Client) askOnce(ctx context.Context, s Server, req []byte) ([]byte, error) {
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, s.Network, s.Address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Closing ends every wait, also on connections that know no deadlines.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if s.Network == "udp" {
		return exchangeUDP(conn, req)
	}
	return exchangeTCP(conn, req)
}
