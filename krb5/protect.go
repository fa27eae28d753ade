package krb5

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"math"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// protection protects messages with the tokens of RFC 4121, section 4.2. Its
// key is derived when the first message comes: most contexts over HTTP see none.
type protection struct {
	established    bool
	initiator      bool // this side is the initiator
	acceptorSubkey bool // the key is the acceptor's
	secret         *contextKey
	key            *etype.Key // of secret
	send           uint64
	receive        window
}

// contextKey is the key that protects a context's messages: a sub-key of one
// side. It belongs to the context alone, which wipes it. A context has a pointer
// to it, so that nothing that prints the context as a plain structure prints the
// key.
type contextKey struct {
	id    etype.ID
	size  int
	value [maxKeySize]byte
}

const maxKeySize = 32

// random makes a new key.
func (k *contextKey) random(id etype.ID) {
	k.id, k.size = id, id.KeySize()
	rand.Read(k.bytes())
}

// set copies a key, which has no more than maxKeySize octets.
func (k *contextKey) set(id etype.ID, value []byte) {
	k.wipe()
	k.id, k.size = id, copy(k.value[:], value)
}

func (k *contextKey) bytes() []byte { return k.value[:k.size] }

func (k *contextKey) wipe() { *k = contextKey{} }

// message is the key as a message carries it.
func (k *contextKey) message() krbmsg.EncryptionKey {
	return krbmsg.EncryptionKey{Type: int32(k.id), Value: k.bytes()}
}

// Token identifiers and flags.
const (
	idMIC  = "\x04\x04"
	idWrap = "\x05\x04"

	flagFromAcceptor   = 1
	flagSealed         = 2
	flagAcceptorSubkey = 4

	headerLen = 16
)

// wipe ends the protection.
func (p *protection) wipe() {
	p.secret.wipe()
	p.key = nil
	p.established = false
}

// ready derives the key.
func (p *protection) ready(op string) error {
	if !p.established {
		return &gss.Error{Major: gss.ErrNoContext, Mech: gss.MechKRB5, Op: op}
	}
	if p.key != nil {
		return nil
	}
	if p.secret.id == etype.RC4HMAC {
		return failure(gss.ErrUnavailable, op, "messages are not protected with %s, which RFC 4121 does not cover", p.secret.id)
	}
	key, err := etype.NewKey(p.secret.id, p.secret.bytes())
	if err != nil {
		return failure(gss.ErrFailure, op, "%w", err)
	}
	p.key = key
	return nil
}

// usages returns the key usages for sealing and signing of one direction.
func usages(fromInitiator bool) (seal, sign uint32) {
	if fromInitiator {
		return krbmsg.UsageInitiatorSeal, krbmsg.UsageInitiatorSign
	}
	return krbmsg.UsageAcceptorSeal, krbmsg.UsageAcceptorSign
}

// header makes the 16 octets that begin a token. For MIC tokens the four octets
// of ec and rrc are filler.
func (p *protection) header(id string, sealed bool, ec, rrc uint16) []byte {
	flags := byte(0)
	if !p.initiator {
		flags |= flagFromAcceptor
	}
	if sealed {
		flags |= flagSealed
	}
	if p.acceptorSubkey {
		flags |= flagAcceptorSubkey
	}
	h := append(make([]byte, 0, headerLen), id...)
	h = append(h, flags, 0xff)
	h = binary.BigEndian.AppendUint16(h, ec)
	h = binary.BigEndian.AppendUint16(h, rrc)
	h = binary.BigEndian.AppendUint64(h, p.send)
	p.send++
	return h
}

// GetMIC returns a MIC token (section 4.2.6.1).
func (p *protection) GetMIC(msg []byte) ([]byte, error) {
	if err := p.ready("get MIC"); err != nil {
		return nil, err
	}
	h := p.header(idMIC, false, math.MaxUint16, math.MaxUint16)
	_, sign := usages(p.initiator)
	return p.key.AppendChecksum(h, sign, concat(msg, h))
}

// VerifyMIC checks a MIC token of the peer.
func (p *protection) VerifyMIC(msg, mic []byte) error {
	if err := p.ready("verify MIC"); err != nil {
		return err
	}
	h, err := p.parseHeader("verify MIC", idMIC, mic)
	if err != nil {
		return err
	}
	_, sign := usages(!p.initiator)
	if err := p.key.VerifyChecksum(sign, concat(msg, mic[:headerLen]), mic[headerLen:]); err != nil {
		return failure(gss.ErrBadMIC, "verify MIC", "%w", err)
	}
	return p.receive.accept("verify MIC", h.seq)
}

// Wrap returns a wrap token (section 4.2.6.2), encrypted or only signed.
func (p *protection) Wrap(conf bool, msg []byte) ([]byte, error) {
	if err := p.ready("wrap"); err != nil {
		return nil, err
	}
	seal, _ := usages(p.initiator)
	if conf {
		h := p.header(idWrap, true, 0, 0)
		return p.key.AppendEncrypt(h, seal, concat(msg, h))
	}
	h := p.header(idWrap, false, 0, 0)
	sum, err := p.key.AppendChecksum(nil, seal, concat(msg, h))
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(h[4:], uint16(len(sum)))
	return append(append(h, msg...), sum...), nil
}

// Unwrap reverses Wrap of the peer.
func (p *protection) Unwrap(token []byte) (msg []byte, conf bool, err error) {
	if err := p.ready("unwrap"); err != nil {
		return nil, false, err
	}
	h, err := p.parseHeader("unwrap", idWrap, token)
	if err != nil {
		return nil, false, err
	}
	body := unrotate(token[headerLen:], int(h.rrc))
	header := append(make([]byte, 0, headerLen), token[:headerLen]...)
	binary.BigEndian.PutUint16(header[6:], 0)
	if h.sealed {
		msg, err = p.unseal(body, header, int(h.ec))
	} else {
		msg, err = p.checkSigned(body, header, int(h.ec))
	}
	if err != nil {
		return nil, false, err
	}
	if err := p.receive.accept("unwrap", h.seq); err != nil {
		return nil, false, err
	}
	return msg, h.sealed, nil
}

func (p *protection) unseal(body, header []byte, ec int) ([]byte, error) {
	seal, _ := usages(!p.initiator)
	plain, err := p.key.AppendDecrypt(nil, seal, body)
	if err != nil {
		return nil, failure(gss.ErrBadMIC, "unwrap", "%w", err)
	}
	n := len(plain) - headerLen - ec
	if n < 0 || !bytes.Equal(plain[len(plain)-headerLen:], header) {
		return nil, failure(gss.ErrBadMIC, "unwrap", "the token's header was altered")
	}
	return plain[:n], nil
}

func (p *protection) checkSigned(body, header []byte, ec int) ([]byte, error) {
	if ec > len(body) {
		return nil, defective("unwrap", "the token is shorter than its checksum")
	}
	seal, _ := usages(!p.initiator)
	msg, sum := body[:len(body)-ec], body[len(body)-ec:]
	binary.BigEndian.PutUint16(header[4:], 0)
	if err := p.key.VerifyChecksum(seal, concat(msg, header), sum); err != nil {
		return nil, failure(gss.ErrBadMIC, "unwrap", "%w", err)
	}
	return bytes.Clone(msg), nil
}

// tokenHeader is what a token's first 16 octets say.
type tokenHeader struct {
	sealed  bool
	ec, rrc uint16
	seq     uint64
}

func (p *protection) parseHeader(op, id string, token []byte) (h tokenHeader, err error) {
	if len(token) < headerLen || string(token[:2]) != id || token[3] != 0xff {
		return h, defective(op, "no token of this kind")
	}
	flags := token[2]
	if (flags&flagFromAcceptor != 0) != p.initiator {
		return h, failure(gss.ErrBadMIC, op, "the token is of this side: it was sent back")
	}
	if (flags&flagAcceptorSubkey != 0) != p.acceptorSubkey {
		return h, failure(gss.ErrBadMIC, op, "the token is protected with another key than was agreed")
	}
	h.sealed = flags&flagSealed != 0
	h.ec = binary.BigEndian.Uint16(token[4:])
	h.rrc = binary.BigEndian.Uint16(token[6:])
	h.seq = binary.BigEndian.Uint64(token[8:])
	return h, nil
}

// unrotate undoes the rotation to the right by rrc octets.
func unrotate(b []byte, rrc int) []byte {
	if len(b) == 0 || rrc%len(b) == 0 {
		return b
	}
	rrc %= len(b)
	return concat(b[rrc:], b[:rrc])
}

func concat(a, b []byte) []byte {
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}
