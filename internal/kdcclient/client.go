// Package kdcclient is a client of Kerberos KDCs: it finds a server that answers
// (RFC 4120, section 7.2; MS-KKDCP), and makes the AS exchange (section 3.1) and
// single TGS exchanges (section 3.3) with it. What to ask for in which realm, and
// what to keep, is its caller's business.
package kdcclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Networks of a [Server].
const (
	udp   = "udp"
	tcp   = "tcp"
	https = "https"
)

// Server is one address of a KDC.
type Server struct {
	// Network is "udp" or "tcp", empty for both, or "https" for a KDC proxy.
	Network string
	// Address is host:port, or the whole URL of a KDC proxy.
	Address string
}

// Client asks the KDCs of any realm. It is safe for concurrent use.
type Client struct {
	// Servers lists the KDCs of a realm in the order in which to try them.
	Servers func(ctx context.Context, realm string) ([]Server, error)
	// Primaries lists those that know a changed password first. They are asked
	// too when another one refuses a client. Nil: there are none.
	Primaries func(ctx context.Context, realm string) ([]Server, error)
	// Dial connects, and gives up when ctx ends; nil is net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS says which KDC proxies of a realm are trusted; nil is the system's
	// roots.
	TLS func(realm string) (*tls.Config, error)
	// UDPLimit is the longest request that goes over UDP first; a longer one
	// goes over TCP first. Zero sends all over TCP first.
	UDPLimit int
	// AttemptTimeout is how long one server is waited for in all; zero is 10
	// seconds.
	AttemptTimeout time.Duration
	// Timeout bounds a whole exchange; zero leaves that to the context.
	Timeout time.Duration
	// Memory remembers which servers did not answer; nil remembers nothing.
	// Copies of a Client share it.
	Memory *Memory
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Synchronize gets the KDC's time when an exchange that has proved to be
	// with the KDC shows that the clock is wrong. Now is to tell the KDC's time
	// from then on. Nil: a clock that is wrong is an error.
	Synchronize func(kdc time.Time)
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.Dial == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return c.Dial(ctx, network, address)
}

const (
	// stagger is how long one server is waited for before the next is asked too.
	stagger = time.Second
	// defaultAttempt is how long a silent server is listened to in all.
	defaultAttempt = 10 * time.Second
	// maxReply bounds a reply. Tickets of users in very many groups stay below
	// 64 KiB, so that there is much room.
	maxReply = 10 << 20
)

// ErrUnreachable is what Exchange's error wraps when no KDC answered, or none
// with a message of Kerberos.
var ErrUnreachable = errors.New("no KDC answered")

// Exchange sends req to the KDCs of realm until one answers, and returns its
// answer, which may be a KRB-ERROR. It returns at once when ctx ends, and leaves
// nothing running behind. The error wraps ErrUnreachable and tells what was
// tried.
func (c *Client) Exchange(ctx context.Context, realm string, req []byte) ([]byte, error) {
	a, err := c.exchange(ctx, realm, req)
	return a.reply, err
}

// answer is a reply and whose it is.
type answer struct {
	reply []byte
	by    Server
}

func (c *Client) exchange(ctx context.Context, realm string, req []byte) (answer, error) {
	servers, err := c.Servers(ctx, realm)
	if err != nil {
		return answer{}, err
	}
	if len(servers) == 0 {
		return answer{}, fmt.Errorf("%w: no KDC is known for realm %s: name one in [realms] of krb5.conf, or set dns_lookup_kdc = true", ErrUnreachable, realm)
	}
	a, err := c.race(ctx, realm, c.attempts(servers, len(req)), req)
	if err != nil && ctx.Err() != nil {
		return answer{}, fmt.Errorf("waiting for a KDC of realm %s: %w", realm, context.Cause(ctx))
	}
	if err != nil {
		return answer{}, fmt.Errorf("%w for realm %s: %w; check the network, and the kdc lines of [realms] in krb5.conf", ErrUnreachable, realm, err)
	}
	return a, nil
}

// attempts orders the servers: each over its preferred transport, then each
// that allows both over the other, and last those that did not answer lately.
// None is there twice.
func (c *Client) attempts(servers []Server, size int) []Server {
	first, second := udp, tcp
	if size > c.UDPLimit {
		first, second = second, first
	}
	var out, fallback []Server
	for _, s := range servers {
		if s.Network == "" {
			s.Network = first
			fallback = append(fallback, Server{Network: second, Address: s.Address})
		}
		out = addNew(out, s)
	}
	for _, s := range fallback {
		out = addNew(out, s)
	}
	c.Memory.order(out)
	return out
}

func addNew(list []Server, s Server) []Server {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// hasCode reports whether a reply is a KRB-ERROR with the code.
func hasCode(reply []byte, code krbmsg.ErrorCode) bool {
	if !krbmsg.IsKRBError(reply) {
		return false
	}
	e, err := krbmsg.ParseKRBError(reply)
	return err == nil && e.Code == code
}
