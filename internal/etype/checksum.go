package etype

import (
	"crypto/subtle"
	"fmt"
)

// AppendChecksum appends the keyed checksum of data, of the type
// [ID.ChecksumType], to dst. The error wraps [ErrUnsupported] for a zero Key.
func (k *Key) AppendChecksum(dst []byte, usage uint32, data []byte) ([]byte, error) {
	m, err := k.sumKey(usage)
	if err != nil {
		return nil, err
	}
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	return append(dst, k.p.sum(m, w, usage, data)[:k.p.checksumSize]...), nil
}

// VerifyChecksum returns nil if sum is the keyed checksum of data, and an error
// that wraps [ErrIntegrity] if it is not. How long it takes does not depend on
// where the two differ.
func (k *Key) VerifyChecksum(usage uint32, data, sum []byte) error {
	m, err := k.sumKey(usage)
	if err != nil {
		return err
	}
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	want := k.p.sum(m, w, usage, data)[:k.p.checksumSize]
	if subtle.ConstantTimeCompare(want, sum) != 1 {
		return fmt.Errorf("%w: checksum of %d octets over %d, key usage %d, %s: wrong key or altered data",
			ErrIntegrity, len(sum), len(data), usage, k.p.name)
	}
	return nil
}

// sumKey returns the checksum key of the usage, derived now or before.
func (k *Key) sumKey(usage uint32) (*macKey, error) {
	if m := k.sums.find(usage); m != nil {
		return m, nil
	}
	if k.p == nil {
		return nil, unsupported(0)
	}
	n := &usageNode[macKey]{usage: usage}
	if err := k.p.deriveSum(k, usage, &n.key); err != nil {
		return nil, err
	}
	k.sums.add(n)
	return &n.key, nil
}
