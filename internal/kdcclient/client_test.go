package kdcclient_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// The tests of this file run in a bubble with a clock of its own, over pipes in
// place of sockets, so that waiting costs nothing and its length is exact. A
// goroutine that is left behind fails them.

// script is what one address does with a connection to it. It ends when the
// client has closed the connection.
type script func(conn net.Conn)

// network dials scripts by "udp host:port" and "tcp host:port"; nobody listens
// elsewhere. It counts the connections.
type network struct {
	scripts map[string]script

	mu      sync.Mutex
	dialed  []string
	open    int // connections that the client has not closed
	running sync.WaitGroup
}

// counted tells the network when it is closed for the first time.
type counted struct {
	net.Conn
	close func() error
}

func (c counted) Close() error { return c.close() }

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	key := network + " " + address
	n.mu.Lock()
	n.dialed = append(n.dialed, key)
	n.mu.Unlock()
	s, ok := n.scripts[key]
	if !ok {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	n.running.Go(func() {
		defer server.Close()
		s(server)
	})
	n.mu.Lock()
	n.open++
	n.mu.Unlock()
	return counted{client, sync.OnceValue(func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.open--
		return client.Close()
	})}, nil
}

// checkClosed asserts that nothing of the client is left.
func (n *network) checkClosed(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open != 0 {
		t.Errorf("%d connections are open", n.open)
	}
}

func (n *network) client(servers ...kdcclient.Server) *kdcclient.Client {
	return &kdcclient.Client{
		Servers:  func(context.Context, string) ([]kdcclient.Server, error) { return servers, nil },
		Dial:     n.dial,
		UDPLimit: 1465,
	}
}

var request = []byte("a request")

// errorReply is a message of Kerberos.
func errorReply(code krbmsg.ErrorCode) []byte {
	e := krbmsg.KRBError{Code: code, ServerTime: time.Unix(0, 0), Server: principal.TGS("R", "R")}
	return e.Append(nil)
}

var reply = errorReply(krbmsg.ErrGeneric)

func silent(conn net.Conn) { io.Copy(io.Discard, conn) }

// datagram answers each datagram.
func datagram(answer []byte) script {
	return func(conn net.Conn) {
		buf := make([]byte, 1<<16)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			conn.Write(answer)
		}
	}
}

// stream reads a request and writes whatever is given.
func stream(answer []byte) script {
	return func(conn net.Conn) {
		if readRequest(conn) == nil {
			conn.Write(answer)
			io.Copy(io.Discard, conn)
		}
	}
}

func readRequest(conn net.Conn) error {
	var n [4]byte
	if _, err := io.ReadFull(conn, n[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(n[:])))
	return err
}

func framed(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)
}

func TestExchange(t *testing.T) {
	one := []kdcclient.Server{{Address: "one:88"}}
	two := []kdcclient.Server{{Address: "one:88"}, {Address: "two:88"}}
	udp := []kdcclient.Server{{Network: "udp", Address: "one:88"}}
	tcp := []kdcclient.Server{{Network: "tcp", Address: "one:88"}}
	tests := []struct {
		name    string
		servers []kdcclient.Server
		scripts map[string]script
		change  func(*kdcclient.Client)
		size    int // of the request; 0: a short one
		took    time.Duration
		dialed  string
		wantErr string // parts of the error, separated by "|"; "": the reply comes
	}{
		{
			name: "UDP", servers: one, dialed: "udp one:88",
			scripts: map[string]script{"udp one:88": datagram(reply)},
		},
		{
			name: "long request", servers: one, size: 1466, dialed: "tcp one:88",
			scripts: map[string]script{"tcp one:88": stream(framed(reply)), "udp one:88": datagram(reply)},
		},
		{
			name: "TCP for everything", servers: one, dialed: "tcp one:88",
			change:  func(c *kdcclient.Client) { c.UDPLimit = 0 },
			scripts: map[string]script{"tcp one:88": stream(framed(reply)), "udp one:88": datagram(reply)},
		},
		{
			name: "UDP is blocked", servers: one, took: time.Second, dialed: "udp one:88, tcp one:88",
			scripts: map[string]script{"udp one:88": silent, "tcp one:88": stream(framed(reply))},
		},
		{
			name: "too big for UDP", servers: one, dialed: "udp one:88, tcp one:88",
			scripts: map[string]script{
				"udp one:88": datagram(errorReply(krbmsg.ErrResponseTooBig)),
				"tcp one:88": stream(framed(reply)),
			},
		},
		{
			name: "a datagram is lost", servers: udp, took: time.Second, dialed: "udp one:88",
			scripts: map[string]script{"udp one:88": func(conn net.Conn) {
				conn.Read(make([]byte, 1<<16))
				datagram(reply)(conn)
			}},
		},
		{
			name: "the first is down", servers: two, dialed: "udp one:88, udp two:88",
			scripts: map[string]script{"udp two:88": datagram(reply)},
		},
		{
			name: "the first is silent", servers: two, took: time.Second, dialed: "udp one:88, udp two:88",
			scripts: map[string]script{"udp one:88": silent, "udp two:88": datagram(reply)},
		},
		{
			name: "the first talks nonsense", servers: two, dialed: "udp one:88, udp two:88",
			scripts: map[string]script{"udp one:88": datagram([]byte("nonsense")), "udp two:88": datagram(reply)},
		},
		{
			name: "the first cuts its answer", servers: two, dialed: "udp one:88, udp two:88",
			scripts: map[string]script{"udp one:88": datagram(reply[:len(reply)/2]), "udp two:88": datagram(reply)},
		},
		{
			name: "the first is out of service", servers: two, dialed: "udp one:88, udp two:88",
			scripts: map[string]script{
				"udp one:88": datagram(errorReply(krbmsg.ErrSvcUnavailable)),
				"udp two:88": datagram(reply),
			},
		},
		{
			name: "all are down", servers: two,
			wantErr: "no KDC answered|realm R|udp one:88|tcp one:88|udp two:88|tcp two:88|connection refused|[realms] in krb5.conf",
		},
		{
			name: "all are silent", servers: two, took: 13 * time.Second,
			scripts: map[string]script{"udp one:88": silent, "tcp one:88": silent, "udp two:88": silent, "tcp two:88": silent},
			wantErr: "no KDC answered|tcp two:88: no answer in time",
		},
		{
			name: "limit for one server", servers: tcp, took: 3 * time.Second,
			change:  func(c *kdcclient.Client) { c.AttemptTimeout = 3 * time.Second },
			scripts: map[string]script{"tcp one:88": silent},
			wantErr: "tcp one:88: no answer in time",
		},
		{
			name: "limit for all", servers: two, took: 2500 * time.Millisecond,
			change:  func(c *kdcclient.Client) { c.Timeout = 2500 * time.Millisecond },
			scripts: map[string]script{"udp one:88": silent, "tcp one:88": silent, "udp two:88": silent, "tcp two:88": silent},
			wantErr: "udp one:88: no answer in time|udp two:88: no answer in time",
		},
		{
			name: "nonsense", servers: one,
			scripts: map[string]script{"udp one:88": datagram(make([]byte, 100)), "tcp one:88": stream(framed(make([]byte, 100)))},
			wantErr: "udp one:88: it sent 100 octets that are no message of Kerberos|tcp one:88",
		},
		{
			name: "huge announced length", servers: tcp,
			scripts: map[string]script{"tcp one:88": stream([]byte{0xff, 0xff, 0xff, 0xff})},
			wantErr: "tcp one:88: a reply of 4294967295 octets was announced, at most",
		},
		{
			name: "no length", servers: tcp,
			scripts: map[string]script{"tcp one:88": stream(make([]byte, 4))},
			wantErr: "a reply of 0 octets was announced",
		},
		{
			name: "closed within the length", servers: tcp,
			scripts: map[string]script{"tcp one:88": func(conn net.Conn) { readRequest(conn); conn.Write([]byte{0}) }},
			wantErr: "closed before the reply was complete",
		},
		{
			name: "closed within the reply", servers: tcp,
			scripts: map[string]script{"tcp one:88": func(conn net.Conn) { readRequest(conn); conn.Write(framed(reply)[:9]) }},
			wantErr: "closed before the reply was complete",
		},
		{
			name: "slow drip", servers: tcp, took: 10 * time.Second,
			scripts: map[string]script{"tcp one:88": func(conn net.Conn) {
				readRequest(conn)
				conn.Write([]byte{0, 1, 0, 0})
				for {
					if _, err := conn.Write([]byte{1}); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}},
			wantErr: "no answer in time",
		},
		{
			name: "the request does not fit", servers: udp, size: 1 << 16,
			scripts: map[string]script{"udp one:88": datagram(reply)},
			wantErr: "does not fit into a datagram",
		},
		{name: "no server is known", wantErr: "no KDC is known for realm R|[realms]|dns_lookup_kdc"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{scripts: test.scripts}
				defer n.running.Wait()
				c := n.client(test.servers...)
				if test.change != nil {
					test.change(c)
				}
				req := request
				if test.size > 0 {
					req = make([]byte, test.size)
				}
				start := time.Now()
				got, err := c.Exchange(t.Context(), "R", req)
				n.checkClosed(t)
				if took := time.Since(start); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if dialed := strings.Join(n.dialed, ", "); test.dialed != "" && dialed != test.dialed {
					t.Errorf("dialed %q, want %q", dialed, test.dialed)
				}
				if test.wantErr == "" {
					if err != nil || !bytes.Equal(got, reply) {
						t.Errorf("got % x, %v", got, err)
					}
					return
				}
				if !errors.Is(err, kdcclient.ErrUnreachable) {
					t.Fatalf("got %v, want ErrUnreachable", err)
				}
				for _, part := range strings.Split(test.wantErr, "|") {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error %q does not contain %q", err, part)
					}
				}
			})
		})
	}
}

// noDeadlines is a connection such as a tunnel's, which cannot time out by
// itself.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.New("not supported") }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.New("not supported") }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.New("not supported") }

func TestExchangeCancelled(t *testing.T) {
	cause := errors.New("the user is tired of waiting")
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	scripts := map[string]script{"udp one:88": silent, "tcp one:88": silent}
	deaf := func(conn net.Conn) { conn.Write([]byte{0}) } // reads nothing, and waits for the client to read or close
	for _, test := range []struct {
		name    string
		scripts map[string]script
		server  kdcclient.Server
		dial    func(*network) func(context.Context, string, string) (net.Conn, error)
	}{
		{"UDP", scripts, kdcclient.Server{Network: "udp", Address: "one:88"}, nil},
		{"TCP", scripts, kdcclient.Server{Network: "tcp", Address: "one:88"}, nil},
		{"both", scripts, kdcclient.Server{Address: "one:88"}, nil},
		{"writing", map[string]script{"udp one:88": deaf, "tcp one:88": deaf}, kdcclient.Server{Address: "one:88"}, nil},
		{"dialing", nil, kdcclient.Server{Address: "one:88"}, func(*network) func(context.Context, string, string) (net.Conn, error) { return hang }},
		{"no deadlines", scripts, kdcclient.Server{Network: "tcp", Address: "one:88"}, func(n *network) func(context.Context, string, string) (net.Conn, error) {
			return func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := n.dial(ctx, network, address)
				return noDeadlines{conn}, err
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{scripts: test.scripts}
				defer n.running.Wait()
				c := n.client(test.server)
				if test.dial != nil {
					c.Dial = test.dial(n)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(1500*time.Millisecond, func() { cancel(cause) })
				start := time.Now()
				_, err := c.Exchange(ctx, "R", request)
				n.checkClosed(t)
				if took := time.Since(start); took != 1500*time.Millisecond {
					t.Errorf("it returned after %v, want at once after 1.5s", took)
				}
				if !errors.Is(err, cause) || !strings.Contains(err.Error(), "realm R") {
					t.Errorf("got %v, want the cause and the realm", err)
				}
			})
		})
	}
}

// A server list that cannot be had is told as it is.
func TestServersFail(t *testing.T) {
	broken := errors.New("the DNS is down")
	c := &kdcclient.Client{Servers: func(context.Context, string) ([]kdcclient.Server, error) { return nil, broken }}
	if _, err := c.Exchange(t.Context(), "R", request); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
