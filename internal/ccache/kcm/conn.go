package kcm

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	// maxReply bounds an answer in octets. It is MIT's.
	maxReply = 10 << 20
	// Version 2.0 of the protocol.
	versionMajor, versionMinor = 2, 0
)

// conn is a connection to a daemon.
type conn struct {
	net.Conn
	// broken says that what comes next may be no answer to what is asked next.
	broken bool
}

// with runs an operation on a connection. It returns as soon as ctx ends.
func (d Daemon) with(ctx context.Context, do func(*conn) error) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.Timeout, defaultTimeout))
	defer cancel()
	socket := cmp.Or(d.Socket, DefaultSocket)
	if socket == "-" {
		return errors.New("krb5.conf turns KCM off, with kcm_socket = -")
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err == nil {
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { c.Close() }) // ends every wait
		defer stop()
		err = do(&conn{Conn: c})
	}
	switch {
	case err == nil:
		return nil
	case caller.Err() != nil:
		return context.Cause(caller)
	case ctx.Err() != nil:
		return silentError(socket)
	case errors.Is(err, fs.ErrNotExist) && c == nil, errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no KCM daemon listens at %s: start it (sssd-kcm.socket, or Heimdal's kcm), or mend kcm_socket in krb5.conf", socket)
	}
	return err
}

// ErrSilent is what the error is where a daemon is there and does not answer.
var ErrSilent = errors.New("the KCM daemon does not answer")

// silentError is the path of its socket.
type silentError string

func (e silentError) Error() string {
	return fmt.Sprintf("the KCM daemon at %s does not answer", string(e))
}

// Is makes it ErrSilent.
func (e silentError) Is(target error) bool { return target == ErrSilent }

// call makes one exchange: the request with its length before it, then the
// answer's length and status, and the answer, which begins with the result.
func (c *conn) call(op opcode, args []byte) ([]byte, error) {
	if c.broken {
		return nil, fmt.Errorf("%w: the connection is not in step", ErrProtocol)
	}
	c.broken = true
	req := make([]byte, 4, 8+len(args))
	req = append(req, versionMajor, versionMinor)
	req = binary.BigEndian.AppendUint16(req, uint16(op))
	req = append(req, args...)
	binary.BigEndian.PutUint32(req, uint32(len(req)-4))
	if _, err := c.Write(req); err != nil {
		return nil, err
	}
	reply, err := readReply(c)
	if err != nil {
		return nil, err
	}
	c.broken = false
	return openReply(reply)
}

// openReply takes the status and the result off an answer.
func openReply(reply []byte) ([]byte, error) {
	for range 2 {
		if len(reply) < 4 {
			return nil, fmt.Errorf("%w: it has no result", ErrProtocol)
		}
		if code := int32(binary.BigEndian.Uint32(reply)); code != 0 {
			return nil, &Error{code}
		}
		reply = reply[4:]
	}
	return reply, nil
}

// readReply reads an answer, which begins with a status of four octets. What is
// announced and does not come is not allocated.
func readReply(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: it ends too early: %w", ErrProtocol, err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxReply {
		return nil, fmt.Errorf("%w: it has %d octets, at most %d are read", ErrProtocol, size, maxReply)
	}
	const status = 4 // is not counted
	b, err := io.ReadAll(io.LimitReader(r, int64(size)+status))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it ends too early: %w", ErrProtocol, err)
	case len(b) < int(size)+status:
		return nil, fmt.Errorf("%w: it has %d octets, of %d", ErrProtocol, len(b), size+status)
	}
	return b, nil
}
