package gsstest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/go-negotiate/negotiate/gss"
)

// A message token is a header and a body. The header: kind, direction, sequence
// number. The body: the message and an HMAC, or an AEAD's output.
const (
	headerLen = 10
	kindMIC   = 'M'
	kindPlain = 'W'
	kindConf  = 'E'
)

// protection is the state of the message functions.
type protection struct {
	initiator bool
	sent      uint64
	next      uint64 // of the peer's sequence numbers, the lowest not yet seen
}

func (b *base) ready(op string) error {
	if b.done && !b.dead {
		return nil
	}
	return wrap(op, b.info.Mechanism, fail(gss.ErrNoContext, "the context is not established"))
}

// Wrap implements [gss.MessageProtector].
func (b *base) Wrap(conf bool, msg []byte) ([]byte, error) {
	if err := b.ready("wrap"); err != nil {
		return nil, err
	}
	if !conf {
		h := append(b.header(kindPlain), msg...)
		return append(h, mac(b.key, h)...), nil
	}
	h := b.header(kindConf)
	return b.aead().Seal(h, nonce(h), msg, h), nil
}

// Unwrap implements [gss.MessageProtector].
func (b *base) Unwrap(tok []byte) (msg []byte, conf bool, err error) {
	if err := b.ready("unwrap"); err != nil {
		return nil, false, err
	}
	msg, conf, err = b.unwrap(tok)
	if err != nil {
		return nil, false, wrap("unwrap", b.info.Mechanism, err)
	}
	return msg, conf, nil
}

func (b *base) unwrap(tok []byte) (msg []byte, conf bool, err error) {
	if len(tok) < headerLen {
		return nil, false, fail(gss.ErrDefectiveToken, "%d bytes are no message", len(tok))
	}
	h, body := tok[:headerLen], tok[headerLen:]
	switch {
	case h[1] != b.direction(false):
		return nil, false, fail(gss.ErrBadMIC, "the message is not from the peer")
	case h[0] == kindConf:
		msg, err = b.aead().Open(nil, nonce(h), body, h)
		conf = true
	case h[0] == kindPlain && len(body) >= sha256.Size:
		msg = bytes.Clone(body[:len(body)-sha256.Size])
		err = verify(b.key, tok)
	default:
		return nil, false, fail(gss.ErrDefectiveToken, "the message is of an unknown kind")
	}
	if err != nil {
		return nil, false, fail(gss.ErrBadMIC, "the message was altered")
	}
	return msg, conf, b.order(h)
}

// GetMIC implements [gss.MessageProtector].
func (b *base) GetMIC(msg []byte) ([]byte, error) {
	if err := b.ready("getmic"); err != nil {
		return nil, err
	}
	h := b.header(kindMIC)
	return append(h, mac(b.key, append(bytes.Clone(h), msg...))...), nil
}

// VerifyMIC implements [gss.MessageProtector].
func (b *base) VerifyMIC(msg, mic []byte) error {
	if err := b.ready("verifymic"); err != nil {
		return err
	}
	if len(mic) != headerLen+sha256.Size || mic[0] != kindMIC {
		return wrap("verifymic", b.info.Mechanism, fail(gss.ErrDefectiveToken, "%d bytes are no signature", len(mic)))
	}
	h := mic[:headerLen]
	want := mac(b.key, append(bytes.Clone(h), msg...))
	if h[1] != b.direction(false) || !hmac.Equal(want, mic[headerLen:]) {
		return wrap("verifymic", b.info.Mechanism, fail(gss.ErrBadMIC, "the signature is not the peer's over this message"))
	}
	if err := b.order(h); err != nil {
		return wrap("verifymic", b.info.Mechanism, err)
	}
	return nil
}

func (b *base) header(kind byte) []byte {
	h := binary.BigEndian.AppendUint64([]byte{kind, b.direction(true)}, b.prot.sent)
	b.prot.sent++
	return h
}

// direction marks what this side sends, or what it receives.
func (b *base) direction(sends bool) byte {
	if b.prot.initiator == sends {
		return 'i'
	}
	return 'a'
}

// order checks the sequence number if the context has FlagReplay or
// FlagSequence.
func (b *base) order(h []byte) error {
	if b.info.Flags&(gss.FlagReplay|gss.FlagSequence) == 0 {
		return nil
	}
	n := binary.BigEndian.Uint64(h[2:])
	switch {
	case n < b.prot.next:
		return fail(gss.ErrDuplicateToken, "message %d was seen before", n)
	case n > b.prot.next && b.info.Flags.Has(gss.FlagSequence):
		return fail(gss.ErrGapToken, "message %d came, want %d", n, b.prot.next)
	}
	b.prot.next = n + 1
	return nil
}

func (b *base) aead() cipher.AEAD {
	block, err := aes.NewCipher(b.key)
	if err != nil {
		panic(err) // the key is of 32 bytes
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return a
}

func nonce(h []byte) []byte { return append([]byte{0, 0}, h...) }
