package sspi

import (
	"bytes"
	"runtime"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
)

// maxMessage bounds a message, in bytes: the sizes of SSPI have 32 bits.
const maxMessage = 1 << 30

// ready reports whether the context protects messages, and with what sizes. Unless
// it fails, the context is kept until held.end is called.
func (c *secContext) ready(op string, n int) (contextSizes, error) {
	if !c.done || !c.held.begin() {
		return contextSizes{}, &gss.Error{Major: gss.ErrNoContext, Mech: c.mech, Op: op}
	}
	z, err := c.sizes(op, n)
	if err != nil {
		c.held.end()
	}
	return z, err
}

func (c *secContext) sizes(op string, n int) (contextSizes, error) {
	if n > maxMessage {
		return contextSizes{}, refusal(gss.ErrFailure, op, c.mech, "the message has %d bytes, at most %d can be protected", n, maxMessage)
	}
	z, s := c.held.sys.sizes(c.call.ctx)
	if s != secOK {
		return contextSizes{}, failure(op, c.mech, s)
	}
	return z, nil
}

// Wrap implements [gss.MessageProtector]. For Kerberos the token is that of
// RFC 4121.
func (c *secContext) Wrap(conf bool, msg []byte) ([]byte, error) {
	defer runtime.KeepAlive(c) // its cleanup deletes the handle
	z, err := c.ready("wrap", len(msg))
	if err != nil {
		return nil, err
	}
	defer c.held.end()
	if c.held.sys.isWine() {
		return nil, c.errWineWrap("wrap")
	}
	qop := uint32(noEncrypt)
	if conf {
		qop = 0
	}
	buffers := []buffer{
		{bufferToken, make([]byte, z.securityTrailer)},
		{bufferData, bytes.Clone(msg)},
		{bufferPadding, make([]byte, z.blockSize)},
	}
	if s := c.held.sys.encrypt(c.call.ctx, qop, buffers); s != secOK {
		return nil, failure("wrap", c.mech, s)
	}
	return slices.Concat(buffers[0].data, buffers[1].data, buffers[2].data), nil
}

// Unwrap implements [gss.MessageProtector].
func (c *secContext) Unwrap(token []byte) (msg []byte, conf bool, err error) {
	defer runtime.KeepAlive(c)
	if _, err := c.ready("unwrap", len(token)); err != nil {
		return nil, false, err
	}
	defer c.held.end()
	if c.held.sys.isWine() {
		return nil, false, c.errWineWrap("unwrap")
	}
	if len(token) == 0 {
		return nil, false, refusal(gss.ErrDefectiveToken, "unwrap", c.mech, "the token is empty")
	}
	buffers := []buffer{{bufferStream, bytes.Clone(token)}, {kind: bufferData}}
	qop, s := c.held.sys.decrypt(c.call.ctx, buffers)
	if s != secOK {
		return nil, false, failure("unwrap", c.mech, s)
	}
	return bytes.Clone(buffers[1].data), qop != noEncrypt, nil
}

func (c *secContext) errWineWrap(op string) error {
	return refusal(gss.ErrUnavailable, op, c.mech, "Wine lays wrapped messages out otherwise than Windows, so no peer could read them; use the provider krb5")
}

// GetMIC implements [gss.MessageProtector].
func (c *secContext) GetMIC(msg []byte) ([]byte, error) {
	defer runtime.KeepAlive(c) // its cleanup deletes the handle
	z, err := c.ready("get MIC", len(msg))
	if err != nil {
		return nil, err
	}
	defer c.held.end()
	buffers := []buffer{{bufferData, bytes.Clone(msg)}, {bufferToken, make([]byte, z.maxSignature)}}
	if s := c.held.sys.sign(c.call.ctx, buffers); s != secOK {
		return nil, failure("get MIC", c.mech, s)
	}
	return buffers[1].data, nil
}

// VerifyMIC implements [gss.MessageProtector].
func (c *secContext) VerifyMIC(msg, mic []byte) error {
	defer runtime.KeepAlive(c)
	if _, err := c.ready("verify MIC", len(msg)); err != nil {
		return err
	}
	defer c.held.end()
	if len(mic) == 0 {
		return refusal(gss.ErrDefectiveToken, "verify MIC", c.mech, "the signature is empty")
	}
	buffers := []buffer{{bufferData, bytes.Clone(msg)}, {bufferToken, bytes.Clone(mic)}}
	if s := c.held.sys.verify(c.call.ctx, buffers); s != secOK {
		return failure("verify MIC", c.mech, s)
	}
	return nil
}
