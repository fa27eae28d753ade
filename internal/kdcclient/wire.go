package kdcclient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// resend is when a datagram that nobody answered is sent again, counted from
// the one before. Datagrams get lost.
var resend = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// maxDatagram is the longest payload that UDP carries.
const maxDatagram = 65507

func exchangeUDP(conn net.Conn, req []byte) ([]byte, error) {
	if len(req) > maxDatagram {
		return nil, errors.New("the request does not fit into a datagram")
	}
	buf := make([]byte, maxDatagram)
	for _, wait := range resend {
		if _, err := conn.Write(req); err != nil {
			return nil, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, err
		}
		n, err := conn.Read(buf)
		if err == nil {
			// A copy, since tickets are kept and most are far shorter.
			return bytes.Clone(buf[:n]), nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
	}
	return nil, errors.New("no answer in time")
}

// exchangeTCP frames messages by their length in four octets (RFC 4120, section
// 7.2.2).
func exchangeTCP(conn net.Conn, req []byte) ([]byte, error) {
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(req)), uint32(len(req)))
	if _, err := conn.Write(append(framed, req...)); err != nil {
		return nil, err
	}
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, shortReply(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > maxReply {
		return nil, fmt.Errorf("a reply of %d octets was announced, at most %d are taken", n, maxReply)
	}
	return readReply(conn, int(n))
}

// readReply reads n octets, allocating as they come and not as announced.
func readReply(conn net.Conn, n int) ([]byte, error) {
	const step = 16 << 10
	reply := make([]byte, 0, min(n, step))
	for len(reply) < n {
		have := len(reply)
		want := min(n-have, step)
		reply = append(reply, make([]byte, want)...)
		if _, err := io.ReadFull(conn, reply[have:]); err != nil {
			return nil, shortReply(err)
		}
	}
	return reply, nil
}

func shortReply(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed before the reply was complete")
	}
	return err
}
