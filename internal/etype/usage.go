package etype

import (
	"crypto/cipher"
	"sync/atomic"
)

// maxUsages bounds how many usages a key remembers. Kerberos defines some
// fifty; one key meets about five of them.
const maxUsages = 32

// sealKey is what encryption under one key usage needs.
type sealKey struct {
	block cipher.Block // AES under Ke; nil for RC4
	mac   macKey       // HMAC under Ki; under K1 for RC4
}

// usages maps key usages to derived keys of one kind. It is a list that only
// grows, at its head, so that readers need no lock.
type usages[T any] struct {
	head atomic.Pointer[usageNode[T]]
}

type usageNode[T any] struct {
	usage uint32
	depth int
	next  *usageNode[T]
	key   T
}

func (u *usages[T]) find(usage uint32) *T {
	for n := u.head.Load(); n != nil; n = n.next {
		if n.usage == usage {
			return &n.key
		}
	}
	return nil
}

// add puts n in the list unless the list is full. Two goroutines may add the
// same usage: both keys are right, and the later one is found.
func (u *usages[T]) add(n *usageNode[T]) {
	for {
		head := u.head.Load()
		n.next, n.depth = head, 1
		if head != nil {
			n.depth = head.depth + 1
		}
		if n.depth > maxUsages || u.head.CompareAndSwap(head, n) {
			return
		}
	}
}

// The last octet of a derivation's constant says what the key is for (RFC
// 3961, section 5.3; RFC 8009, section 5).
const (
	purposeChecksum  = 0x99
	purposeEncrypt   = 0xaa
	purposeIntegrity = 0x55
)

// usageConstant is the constant of a usage's keys, of five octets.
func usageConstant(usage uint32, purpose byte) uint64 {
	return uint64(usage)<<8 | uint64(purpose)
}

// kerberos is the constant of string-to-key, the eight octets "kerberos".
const kerberos = 0x6b65726265726f73
