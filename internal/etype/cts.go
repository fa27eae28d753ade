package etype

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

const aesBlock = aes.BlockSize

// ctsEncrypt encrypts buf in place by CBC with ciphertext stealing and an IV of
// zero (RFC 3962, section 5: the variant that always swaps the last two
// blocks, CBC-CS3). One block alone is plain CBC. buf has at least one block.
func ctsEncrypt(b cipher.Block, buf []byte) {
	if len(buf) == aesBlock {
		b.Encrypt(buf, buf)
		return
	}
	tail := (len(buf) - 1) / aesBlock * aesBlock // where the last block begins, full or not
	b.Encrypt(buf[:aesBlock], buf[:aesBlock])
	for i := aesBlock; i < tail; i += aesBlock {
		cur := buf[i : i+aesBlock]
		xorBlock(cur, buf[i-aesBlock:i])
		b.Encrypt(cur, cur)
	}
	// The last full block lends its end to pad the rest; the two then swap.
	prev, rest := buf[tail-aesBlock:tail], buf[tail:]
	for i := range rest {
		rest[i], prev[i] = prev[i], prev[i]^rest[i]
	}
	b.Encrypt(prev, prev)
}

// ctsDecrypt undoes ctsEncrypt.
func ctsDecrypt(b cipher.Block, buf []byte) {
	if len(buf) == aesBlock {
		b.Decrypt(buf, buf)
		return
	}
	tail := (len(buf) - 1) / aesBlock * aesBlock
	prev, rest := buf[tail-aesBlock:tail], buf[tail:]
	b.Decrypt(prev, prev)
	for i := range rest {
		rest[i], prev[i] = prev[i]^rest[i], rest[i]
	}
	// From the end on, so that each block is still encrypted when the next one
	// needs it.
	for i := tail - aesBlock; i > 0; i -= aesBlock {
		cur := buf[i : i+aesBlock]
		b.Decrypt(cur, cur)
		xorBlock(cur, buf[i-aesBlock:i])
	}
	b.Decrypt(buf[:aesBlock], buf[:aesBlock])
}

// xorBlock sets dst to dst ^ src.
func xorBlock(dst, src []byte) {
	d, s := (*[aesBlock]byte)(dst), (*[aesBlock]byte)(src)
	lo := binary.NativeEndian.Uint64(d[:8]) ^ binary.NativeEndian.Uint64(s[:8])
	hi := binary.NativeEndian.Uint64(d[8:]) ^ binary.NativeEndian.Uint64(s[8:])
	binary.NativeEndian.PutUint64(d[:8], lo)
	binary.NativeEndian.PutUint64(d[8:], hi)
}
