package libgssapi

import (
	"runtime"

	"github.com/go-negotiate/negotiate/gss"
)

// Wrap implements [gss.MessageProtector].
func (c *Context) Wrap(conf bool, msg []byte) ([]byte, error) {
	f, err := c.protect("wrap", func(m *memory, f *messageFrame, context uintptr) uint32 {
		want := uintptr(0)
		if conf {
			want = 1
		}
		return uint32(call(c.lib.wrap, pin(m, &f.minor), context, want, 0, m.buffer(msg), pin(m, &f.conf), pin(m, &f.out)))
	})
	if err != nil {
		return nil, err
	}
	if conf && f.conf == 0 {
		return nil, &gss.Error{Major: gss.ErrBadQOP, Mech: c.info.Mechanism, Op: "wrap", Err: errNotEncrypted{}}
	}
	return f.result, nil
}

type errNotEncrypted struct{}

func (errNotEncrypted) Error() string { return "the context cannot encrypt" }

// Unwrap implements [gss.MessageProtector].
func (c *Context) Unwrap(token []byte) (msg []byte, conf bool, err error) {
	f, err := c.protect("unwrap", func(m *memory, f *messageFrame, context uintptr) uint32 {
		return uint32(call(c.lib.unwrap, pin(m, &f.minor), context, m.buffer(token), pin(m, &f.out), pin(m, &f.conf), pin(m, &f.qop)))
	})
	if err != nil {
		return nil, false, err
	}
	return f.result, f.conf != 0, nil
}

// GetMIC implements [gss.MessageProtector].
func (c *Context) GetMIC(msg []byte) ([]byte, error) {
	f, err := c.protect("get MIC", func(m *memory, f *messageFrame, context uintptr) uint32 {
		return uint32(call(c.lib.getMIC, pin(m, &f.minor), context, 0, m.buffer(msg), pin(m, &f.out)))
	})
	if err != nil {
		return nil, err
	}
	return f.result, nil
}

// VerifyMIC implements [gss.MessageProtector].
func (c *Context) VerifyMIC(msg, mic []byte) error {
	_, err := c.protect("verify MIC", func(m *memory, f *messageFrame, context uintptr) uint32 {
		return uint32(call(c.lib.verifyMIC, pin(m, &f.minor), context, m.buffer(msg), m.buffer(mic), pin(m, &f.qop)))
	})
	return err
}

// messageFrame is what the functions for messages write.
type messageFrame struct {
	minor, qop uint32
	conf       int32
	out        buffer
	result     []byte // what out held
}

// stale reports whether a message is refused for what the library says of its
// place in the sequence. MIT's library says so of messages that are otherwise
// true, and as in package krb5 one may come late or after a gap. Heimdal 7 looks at
// the number before it verifies anything: there each such word is a refusal.
func (l *library) stale(major uint32) bool {
	if l.vendor == vendorMIT {
		return major&uint32(gss.ErrDuplicateToken|gss.ErrOldToken) != 0
	}
	return major&supplementaryMask != 0
}

// protect calls a function for messages, none of which waits.
func (c *Context) protect(op string, f func(*memory, *messageFrame, uintptr) uint32) (*messageFrame, error) {
	if !c.done || !c.res.begin() {
		return nil, &gss.Error{Major: gss.ErrNoContext, Mech: c.mechOID, Op: op}
	}
	defer c.res.end()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var m memory
	defer m.release()
	frame := new(messageFrame)
	pin(&m, frame)
	major := f(&m, frame, c.res.context)
	frame.result = c.lib.take(&m, &frame.out)
	if failed(major) || c.lib.stale(major) {
		return nil, c.lib.failure(op, c.info.Mechanism, major, frame.minor)
	}
	if frame.result == nil {
		frame.result = []byte{}
	}
	return frame, nil
}
