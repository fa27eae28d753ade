package etype

import (
	"fmt"
	"strings"
)

// ID is the number of an encryption type, as assigned by IANA and sent in
// EncryptedData and in KDC-REQ. Any value may come from the network; only the
// constants below are supported.
type ID int32

// The supported encryption types, with MIT's names.
const (
	// AES128SHA1 is aes128-cts-hmac-sha1-96 (RFC 3962).
	AES128SHA1 ID = 17
	// AES256SHA1 is aes256-cts-hmac-sha1-96 (RFC 3962).
	AES256SHA1 ID = 18
	// AES128SHA2 is aes128-cts-hmac-sha256-128 (RFC 8009).
	AES128SHA2 ID = 19
	// AES256SHA2 is aes256-cts-hmac-sha384-192 (RFC 8009).
	AES256SHA2 ID = 20
	// RC4HMAC is arcfour-hmac (RFC 4757): broken, for peers that know no better.
	RC4HMAC ID = 23
)

// String returns MIT's canonical name of the type, as in
// "aes256-cts-hmac-sha1-96", or "etype 99" for a type that is not supported.
func (id ID) String() string {
	if p := profileOf(id); p != nil {
		return p.name
	}
	return fmt.Sprintf("etype %d", int32(id))
}

// Parse reads a name of krb5.conf, in any case: the canonical names, and MIT's
// aliases such as "aes256-cts", "aes256-sha2" or "rc4-hmac". The name of a
// family gives its first member: AES256SHA1 for "aes", RC4HMAC for "rc4". It
// returns false for every other name.
func Parse(name string) (ID, bool) {
	name = strings.ToLower(name)
	switch name {
	case "aes":
		return AES256SHA1, true
	case "rc4":
		return RC4HMAC, true
	}
	for _, p := range profiles {
		if name == p.name {
			return p.id, true
		}
		for _, alias := range p.aliases {
			if name == alias {
				return p.id, true
			}
		}
	}
	return 0, false
}

// Supported reports whether this package implements the type.
func (id ID) Supported() bool { return profileOf(id) != nil }

// KeySize returns the length of the type's keys in octets, 0 if the type is
// not supported.
func (id ID) KeySize() int {
	if p := profileOf(id); p != nil {
		return p.keySize
	}
	return 0
}

// ChecksumType returns the number of the checksum that the type requires
// (15, 16, 19, 20 or -138), 0 if the type is not supported.
func (id ID) ChecksumType() int32 {
	if p := profileOf(id); p != nil {
		return p.checksumType
	}
	return 0
}

// ChecksumSize returns the length of the type's checksum in octets, 0 if the
// type is not supported.
func (id ID) ChecksumSize() int {
	if p := profileOf(id); p != nil {
		return p.checksumSize
	}
	return 0
}

// Confounder returns how many octets precede the plaintext in the buffer of
// [Key.Seal]: the random confounder, and for RC4-HMAC the checksum before it.
// It is 0 if the type is not supported.
func (id ID) Confounder() int {
	if p := profileOf(id); p != nil {
		return p.head
	}
	return 0
}

// MACSize returns how many octets follow the plaintext in the buffer of
// [Key.Seal]. It is 0 for RC4-HMAC, whose checksum comes first, and if the type
// is not supported.
func (id ID) MACSize() int {
	if p := profileOf(id); p != nil {
		return p.tail
	}
	return 0
}

// CiphertextLen returns the exact length in octets of the ciphertext of n
// octets of plaintext. No type pads.
func (id ID) CiphertextLen(n int) int { return id.Confounder() + n + id.MACSize() }
