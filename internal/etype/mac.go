package etype

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"hash"
	"sync"
)

const (
	maxBlock = sha512.BlockSize
	// maxState is the length of a SHA-512 state as crypto/sha512 marshals it.
	maxState = 204
)

// resumable is a hash that can be set back to a state it had before. All
// hashes of the standard library are.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// hashAlg is a hash function, with workers ready to compute it. No use of a
// worker depends on the one before.
type hashAlg struct {
	new  func() hash.Hash
	pool sync.Pool
}

var (
	hashMD5    = hashAlg{new: md5.New}
	hashSHA1   = hashAlg{new: sha1.New}
	hashSHA256 = hashAlg{new: sha256.New}
	hashSHA384 = hashAlg{new: sha512.New384}
)

// worker is the memory that an operation needs beside the caller's buffer.
// What goes through the interface of a hash or a cipher escapes to the heap,
// so the scratch space is kept with the hash.
type worker struct {
	h    resumable
	sum  [sha512.Size]byte // the latest MAC
	pad  [maxBlock]byte    // for macKey.init
	tmp  [64]byte          // for the steps of a derivation
	base macKey            // the key itself, while others are derived from it
}

func (a *hashAlg) get() *worker {
	if w, ok := a.pool.Get().(*worker); ok {
		return w
	}
	return &worker{h: a.new().(resumable)}
}

func (a *hashAlg) put(w *worker) { a.pool.Put(w) }

// macKey is a key of HMAC (RFC 2104), as the states of the hash after the
// inner and the outer padded key. Resuming them saves half of the compressions
// of a short message.
type macKey struct {
	n            int
	inner, outer [maxState]byte
}

// init sets the key, which is no longer than a block.
func (m *macKey) init(w *worker, key []byte) {
	pad := w.pad[:w.h.BlockSize()]
	clear(pad)
	copy(pad, key)
	for i := range pad {
		pad[i] ^= 0x36
	}
	m.n = padState(w.h, pad, &m.inner)
	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	padState(w.h, pad, &m.outer)
}

// padState stores the state of the hash after pad, and returns its length.
func padState(h resumable, pad []byte, state *[maxState]byte) int {
	h.Reset()
	h.Write(pad)
	b, err := h.AppendBinary(state[:0])
	if err != nil || len(b) > maxState {
		panic("etype: the hash cannot save its state")
	}
	return len(b)
}

// compute returns the MAC of a followed by b. It lies in w until w's next use.
func (m *macKey) compute(w *worker, a, b []byte) []byte {
	resume(w.h, m.inner[:m.n])
	w.h.Write(a)
	w.h.Write(b)
	sum := w.h.Sum(w.sum[:0])
	resume(w.h, m.outer[:m.n])
	w.h.Write(sum)
	return w.h.Sum(w.sum[:0])
}

func resume(h resumable, state []byte) {
	if err := h.UnmarshalBinary(state); err != nil {
		panic("etype: the hash refuses its own state")
	}
}

// plainSum is the checksum of RFC 3961, section 5.4: the MAC of the data.
func plainSum(m *macKey, w *worker, _ uint32, data []byte) []byte {
	return m.compute(w, data, nil)
}
