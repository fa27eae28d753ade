package kdc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// serveTCP accepts connections until the listener is closed.
func (k *sockets) serveTCP() {
	slots := make(chan struct{}, maxConns)
	for {
		c, err := k.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of file descriptors or an aborted connection: go on, and give
			// others the time to end.
			select {
			case <-k.stop:
				return
			case <-time.After(acceptPause):
			}
			continue
		}
		if !k.track(c) {
			return
		}
		slots <- struct{}{}
		k.wg.Go(func() {
			defer func() { <-slots }()
			defer k.forget(c)
			k.serveConn(c)
		})
	}
}

const acceptPause = 5 * time.Millisecond

// serveConn answers the requests of a connection, each behind its length in
// four octets (RFC 4120, section 7.2.2).
func (k *sockets) serveConn(c net.Conn) {
	var body bytes.Buffer
	for {
		if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
			return
		}
		err := readFrame(c, &body)
		if errors.Is(err, errTooLong) {
			msg := k.server.realm.tooLong()
			writeFrame(c, reply{message: msg, cut: len(msg)})
			return
		}
		if err != nil {
			return
		}
		r := k.server.serve(TCP, body.Bytes(), k.stop)
		if r.silent {
			continue
		}
		if r.cut == 0 || !writeFrame(c, r) {
			return
		}
	}
}

var errTooLong = errors.New("the message is too long")

// readFrame reads one message into body, which grows with what has come and not
// with what is announced.
func readFrame(c io.Reader, body *bytes.Buffer) error {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return errTooLong
	}
	body.Reset()
	_, err := io.CopyN(body, c, int64(n))
	return err
}

// writeFrame writes a reply, and reports whether the connection can go on.
func writeFrame(c net.Conn, r reply) bool {
	if c.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
		return false
	}
	frame := make([]byte, 4, 4+r.cut)
	binary.BigEndian.PutUint32(frame, uint32(len(r.message)))
	frame = append(frame, r.message[:r.cut]...)
	_, err := c.Write(frame)
	return err == nil && r.cut == len(r.message)
}

// tooLong answers a message whose announced length is beyond all bounds
// (RFC 4120, section 7.2.2).
func (r *Realm) tooLong() []byte {
	e := krbmsg.KRBError{Code: krbmsg.ErrFieldTooLong, ServerTime: r.o.Now(), Server: r.tgs}
	return e.Append(nil)
}
