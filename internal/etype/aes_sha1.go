package etype

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
)

// sha1DeriveSeal derives Ke and Ki of RFC 3961, section 5.3.
func sha1DeriveSeal(k *Key, usage uint32, s *sealKey) (err error) {
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	base := k.cipher()
	key := w.tmp[:k.p.keySize]
	dk(key, base, usageConstant(usage, purposeEncrypt), 5)
	if s.block, err = aes.NewCipher(key); err != nil {
		return err
	}
	dk(key, base, usageConstant(usage, purposeIntegrity), 5)
	s.mac.init(w, key)
	return nil
}

// sha1DeriveSum derives Kc of RFC 3961, section 5.3.
func sha1DeriveSum(k *Key, usage uint32, m *macKey) error {
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	key := w.tmp[:k.p.keySize]
	dk(key, k.cipher(), usageConstant(usage, purposeChecksum), 5)
	m.init(w, key)
	return nil
}

// dk is DK(base, constant) of RFC 3961, section 5.1: the folded constant is
// encrypted over and over until there are octets enough.
func dk(dst []byte, base cipher.Block, constant uint64, octets int) {
	nfold128(dst, constant, octets)
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

// sha1FromPassword is RFC 3962, section 4.
func sha1FromPassword(p *profile, password, salt string, count int) ([]byte, error) {
	tkey, err := pbkdf2.Key(sha1.New, password, []byte(salt), count, p.keySize)
	if err != nil {
		return nil, err
	}
	base, err := aes.NewCipher(tkey)
	if err != nil {
		return nil, err
	}
	dk(tkey, base, kerberos, 8)
	return tkey, nil
}
