package etype

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
)

var (
	// ErrIntegrity is wrapped by errors of messages and checksums that do not
	// verify: the key is another one, the key usage is, or the message was
	// changed on its way.
	ErrIntegrity = errors.New("etype: integrity check failed")

	// ErrUnsupported is wrapped by errors of encryption types that this
	// package does not implement.
	ErrUnsupported = errors.New("etype: encryption type not supported")

	// ErrKeySize is wrapped by the error of a key of the wrong length.
	ErrKeySize = errors.New("etype: wrong key length")
)

const maxKeySize = 32

// Key is a key of some encryption type. It does not change, is safe for
// concurrent use, and must not be copied. Of the keys that it derives it
// remembers those of the first 32 key usages.
//
// Formatting a Key with any verb, or logging it, shows its type and never its
// value. A zero Key supports nothing: its methods return [ErrUnsupported].
type Key struct {
	p     *profile
	value [maxKeySize]byte
	once  sync.Once
	block cipher.Block // AES under value, made by once
	seals usages[sealKey]
	sums  usages[macKey]
}

// NewKey returns a key with a copy of value. The error wraps [ErrUnsupported]
// or [ErrKeySize].
func NewKey(id ID, value []byte) (*Key, error) {
	p := profileOf(id)
	if p == nil {
		return nil, unsupported(id)
	}
	if len(value) != p.keySize {
		return nil, fmt.Errorf("%w: %s wants %d octets, got %d", ErrKeySize, p.name, p.keySize, len(value))
	}
	k := &Key{p: p}
	copy(k.value[:], value)
	return k, nil
}

// RandomKey returns a new random key. The error wraps [ErrUnsupported].
func RandomKey(id ID) (*Key, error) {
	p := profileOf(id)
	if p == nil {
		return nil, unsupported(id)
	}
	k := &Key{p: p}
	rand.Read(k.value[:p.keySize])
	return k, nil
}

func unsupported(id ID) error {
	return fmt.Errorf("%w: %d", ErrUnsupported, int32(id))
}

// Type returns the key's encryption type, 0 for a zero or nil Key.
func (k *Key) Type() ID {
	if k == nil || k.p == nil {
		return 0
	}
	return k.p.id
}

// Bytes returns a copy of the key's value.
func (k *Key) Bytes() []byte { return slices.Clone(k.raw()) }

func (k *Key) raw() []byte {
	if k == nil || k.p == nil {
		return nil
	}
	return k.value[:k.p.keySize]
}

// cipher returns AES under the key itself. A key that derives nothing, as many
// a subkey, is spared it.
func (k *Key) cipher() cipher.Block {
	k.once.Do(func() {
		var err error
		if k.block, err = aes.NewCipher(k.raw()); err != nil {
			panic("etype: AES refuses a key of its length: " + err.Error())
		}
	})
	return k.block
}

// Equal reports whether both keys have the same type and value. How long it
// takes does not depend on the values. Two nil keys are equal.
func (k *Key) Equal(other *Key) bool {
	return k.Type() == other.Type() && subtle.ConstantTimeCompare(k.raw(), other.raw()) == 1
}

// String returns the type and not the value: "aes256-cts-hmac-sha1-96 key".
func (k *Key) String() string { return k.Type().String() + " key" }

// GoString returns what String returns.
func (k *Key) GoString() string { return k.String() }

// Format writes what String returns, for every verb: without it %d would print
// the value.
func (k *Key) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// LogValue logs what String returns.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
