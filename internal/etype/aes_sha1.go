package etype

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
)

// The last octet of a usage's constant says what the derived key is for (RFC
// 3961, section 5.3; RFC 8009, section 5).
const (
	purposeChecksum  = 0x99
	purposeEncrypt   = 0xaa
	purposeIntegrity = 0x55
)

// usageConstant writes the constant of a derivation to dst[:5].
func usageConstant(dst []byte, usage uint32, purpose byte) []byte {
	binary.BigEndian.PutUint32(dst, usage)
	dst[4] = purpose
	return dst[:5]
}

// sha1DeriveSeal derives Ke and Ki of RFC 3961, section 5.3.
func sha1DeriveSeal(k *Key, usage uint32, s *sealKey) error {
	base, err := aes.NewCipher(k.raw())
	if err != nil {
		return err
	}
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	key := w.tmp[:k.p.keySize]
	defer clear(key)
	dk(key, base, usage, purposeEncrypt)
	if s.block, err = aes.NewCipher(key); err != nil {
		return err
	}
	dk(key, base, usage, purposeIntegrity)
	s.mac.init(w, key)
	return nil
}

// sha1DeriveSum derives Kc of RFC 3961, section 5.3.
func sha1DeriveSum(k *Key, usage uint32, m *macKey) error {
	base, err := aes.NewCipher(k.raw())
	if err != nil {
		return err
	}
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	key := w.tmp[:k.p.keySize]
	defer clear(key)
	dk(key, base, usage, purposeChecksum)
	m.init(w, key)
	return nil
}

// dk is DK(base, usage | purpose) of RFC 3961, section 5.1.
func dk(dst []byte, base cipher.Block, usage uint32, purpose byte) {
	var constant [5]byte
	nfold(dst[:aesBlock], usageConstant(constant[:], usage, purpose))
	dr(dst, base)
}

// dr is DR of RFC 3961, section 5.1. dst begins with the folded constant, and
// its length is that of one AES key or more blocks.
func dr(dst []byte, base cipher.Block) {
	base.Encrypt(dst[:aesBlock], dst[:aesBlock])
	for i := aesBlock; i < len(dst); i += aesBlock {
		base.Encrypt(dst[i:i+aesBlock], dst[i-aesBlock:i])
	}
}

// sha1Seal is encryption of RFC 3961, section 5.3: the MAC is of the plaintext.
func sha1Seal(p *profile, s *sealKey, buf []byte) {
	w := p.hash.get()
	defer p.hash.put(w)
	end := len(buf) - p.tail
	rand.Read(buf[:p.head])
	copy(buf[end:], s.mac.compute(w, buf[:end], nil))
	ctsEncrypt(s.block, buf[:end])
}

func sha1Open(p *profile, s *sealKey, buf []byte) bool {
	w := p.hash.get()
	defer p.hash.put(w)
	end := len(buf) - p.tail
	ctsDecrypt(s.block, buf[:end])
	mac := s.mac.compute(w, buf[:end], nil)
	return subtle.ConstantTimeCompare(mac[:p.tail], buf[end:]) == 1
}

// sha1StringToKey is RFC 3962, section 4.
func sha1StringToKey(p *profile, password, salt string, params []byte) ([]byte, error) {
	count, err := iterations(params, 4096)
	if err != nil {
		return nil, err
	}
	tkey, err := pbkdf2.Key(sha1.New, password, []byte(salt), count, p.keySize)
	if err != nil {
		return nil, err
	}
	base, err := aes.NewCipher(tkey)
	if err != nil {
		return nil, err
	}
	nfold(tkey[:aesBlock], []byte("kerberos"))
	dr(tkey, base)
	return tkey, nil
}
