package etype

import (
	"fmt"
	"slices"
)

// Seal encrypts in place. buf holds [ID.Confounder] octets of any content, the
// plaintext, and [ID.MACSize] octets of any content; afterwards it holds the
// ciphertext. It allocates nothing when the key has met the usage before
// (RC4-HMAC excepted). The error wraps [ErrUnsupported] for a zero Key, and
// tells of a buffer that is too short; buf is then unchanged.
func (k *Key) Seal(usage uint32, buf []byte) error {
	s, err := k.sealKey(usage)
	if err != nil {
		return err
	}
	if least := k.p.head + k.p.tail; len(buf) < least {
		return fmt.Errorf("etype: a buffer of %d octets cannot be sealed: %s wants %d beside the plaintext",
			len(buf), k.p.name, least)
	}
	k.p.seal(k.p, s, buf)
	return nil
}

// Open decrypts in place and returns the plaintext, a part of buf. If the
// message does not verify, it wipes buf and returns an error that wraps
// [ErrIntegrity]: nobody gets to see what was not authentic.
func (k *Key) Open(usage uint32, buf []byte) (plaintext []byte, err error) {
	s, err := k.sealKey(usage)
	if err != nil {
		return nil, err
	}
	end := len(buf) - k.p.tail
	if end < k.p.head || !k.p.open(k.p, s, buf) {
		clear(buf)
		return nil, fmt.Errorf("%w: message of %d octets, key usage %d, %s: wrong key or altered message",
			ErrIntegrity, len(buf), usage, k.p.name)
	}
	return buf[k.p.head:end:end], nil
}

// AppendEncrypt appends the ciphertext of plaintext to dst. They may overlap in
// any way; plaintext that lies behind the end of dst is overwritten.
func (k *Key) AppendEncrypt(dst []byte, usage uint32, plaintext []byte) ([]byte, error) {
	out, buf := grow(dst, k.Type().CiphertextLen(len(plaintext)))
	copy(buf[k.Type().Confounder():], plaintext)
	if err := k.Seal(usage, buf); err != nil {
		return nil, err
	}
	return out, nil
}

// AppendDecrypt appends the plaintext of ciphertext to dst. They may overlap in
// any way; ciphertext that lies behind the end of dst is overwritten. The error
// wraps [ErrIntegrity] if the message does not verify; nothing of it is then
// returned, nor left behind the end of dst.
func (k *Key) AppendDecrypt(dst []byte, usage uint32, ciphertext []byte) ([]byte, error) {
	out, buf := grow(dst, len(ciphertext))
	copy(buf, ciphertext)
	plaintext, err := k.Open(usage, buf)
	if err != nil {
		return nil, err
	}
	n := copy(buf, plaintext)
	return out[:len(dst)+n], nil
}

// grow lengthens dst by n octets and returns it, and the new part alone.
func grow(dst []byte, n int) (all, added []byte) {
	all = slices.Grow(dst, n)[:len(dst)+n]
	return all, all[len(dst):]
}

// sealKey returns the keys of the usage, derived now or before.
func (k *Key) sealKey(usage uint32) (*sealKey, error) {
	if s := k.seals.find(usage); s != nil {
		return s, nil
	}
	if k.p == nil {
		return nil, unsupported(0)
	}
	n := &usageNode[sealKey]{usage: usage}
	if err := k.p.deriveSeal(k, usage, &n.key); err != nil {
		return nil, err
	}
	k.seals.add(n)
	return &n.key, nil
}
