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
