package main

import (
	"context"
	"encoding/binary"
	"net"
	"slices"
)

// dialKDC connects as net.Dialer does, and records the messages.
func (t *tape) dialKDC(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tapped{Conn: conn, tape: t, network: network}, nil
}

// tapped is a connection to a KDC whose messages are recorded. One goroutine may
// read from it and one write.
type tapped struct {
	net.Conn
	tape    *tape
	network string
	out, in []byte // of TCP, the beginnings of messages
}

// Write records what was written.
func (c *tapped) Write(b []byte) (int, error) {
	c.out = c.record(append(c.out, b...), false)
	return c.Conn.Write(b)
}

// Read records what was read.
func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.in = c.record(append(c.in, b[:n]...), true)
	}
	return n, err
}

// record records the messages that are complete in b, and returns the rest. Over
// UDP that is all; over TCP their length stands in front (RFC 4120, section
// 7.2.2).
func (c *tapped) record(b []byte, incoming bool) (rest []byte) {
	if c.network == "udp" {
		c.add(b, incoming)
		return nil
	}
	for len(b) >= 4 {
		n := binary.BigEndian.Uint32(b)
		if uint64(len(b)) < 4+uint64(n) {
			break
		}
		c.add(b[4:4+n], incoming)
		b = b[4+n:]
	}
	return b
}

func (c *tapped) add(message []byte, incoming bool) {
	c.tape.add(&event{kind: eventMessage, message: slices.Clone(message), incoming: incoming, network: c.network})
}
