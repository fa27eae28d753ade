package etype

import (
	"crypto/aes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
)

// sha2DeriveSeal derives Ke and Ki of RFC 8009, section 5. Ki is as long as the
// MAC.
func sha2DeriveSeal(k *Key, usage uint32, s *sealKey) (err error) {
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	w.base.init(w, k.raw())
	ke := kdf(w, usageConstant(usage, purposeEncrypt), 5, k.p.keySize)
	if s.block, err = aes.NewCipher(ke); err != nil {
		return err
	}
	s.mac.init(w, kdf(w, usageConstant(usage, purposeIntegrity), 5, k.p.tail))
	return nil
}

// sha2DeriveSum derives Kc of RFC 8009, section 5.
func sha2DeriveSum(k *Key, usage uint32, m *macKey) error {
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	w.base.init(w, k.raw())
	m.init(w, kdf(w, usageConstant(usage, purposeChecksum), 5, k.p.checksumSize))
	return nil
}

// kdf is KDF-HMAC-SHA2(w.base, label, 8*size) of RFC 8009, section 3, for a
// label of so many octets. The result lies in w until w's next use. One round
// of the hash is always enough.
func kdf(w *worker, label uint64, octets, size int) []byte {
	in := binary.BigEndian.AppendUint32(w.tmp[:0], 1)
	in = binary.BigEndian.AppendUint64(in, label<<(64-8*octets))[:4+octets]
	in = append(in, 0)
	in = binary.BigEndian.AppendUint32(in, uint32(8*size))
	return w.base.compute(w, in, nil)[:size]
}

// sha2Seal is encryption of RFC 8009, section 5: the MAC is of the IV, which is
// zero, and the ciphertext.
func sha2Seal(p *profile, s *sealKey, buf []byte) {
	w := p.hash.get()
	defer p.hash.put(w)
	end := len(buf) - p.tail
	rand.Read(buf[:p.head])
	ctsEncrypt(s.block, buf[:end])
	copy(buf[end:], s.mac.compute(w, zeroIV[:], buf[:end]))
}

func sha2Open(p *profile, s *sealKey, buf []byte) bool {
	w := p.hash.get()
	defer p.hash.put(w)
	end := len(buf) - p.tail
	mac := s.mac.compute(w, zeroIV[:], buf[:end])
	if subtle.ConstantTimeCompare(mac[:p.tail], buf[end:]) != 1 {
		return false
	}
	ctsDecrypt(s.block, buf[:end])
	return true
}

// zeroIV is read-only.
var zeroIV [aesBlock]byte

// sha2FromPassword is RFC 8009, section 4.
func sha2FromPassword(p *profile, password, salt string, count int) ([]byte, error) {
	tkey, err := pbkdf2.Key(p.hash.new, password, []byte(p.name+"\x00"+salt), count, p.keySize)
	if err != nil {
		return nil, err
	}
	w := p.hash.get()
	defer p.hash.put(w)
	w.base.init(w, tkey)
	copy(tkey, kdf(w, kerberos, 8, p.keySize))
	return tkey, nil
}
