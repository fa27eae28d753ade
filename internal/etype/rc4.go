package etype

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 RFC 4757 makes the key with it
)

// rc4Usage translates a key usage to a message type of Microsoft's (RFC 4757,
// section 3). The RFC also has 9 become 8, as Windows 2000 did; its successors,
// MIT and Heimdal use 9.
func rc4Usage(usage uint32) uint32 {
	switch usage {
	case 3:
		return 8
	case 23:
		return 13
	}
	return usage
}

// rc4DeriveSeal makes K1 of RFC 4757, section 5, which is also K2, the HMAC key
// of the checksum.
func rc4DeriveSeal(k *Key, usage uint32, s *sealKey) error {
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	w.base.init(w, k.raw())
	t := binary.LittleEndian.AppendUint32(w.tmp[:0], rc4Usage(usage))
	s.mac.init(w, w.base.compute(w, t, nil))
	return nil
}

// rc4DeriveSum makes Ksign of RFC 4757, section 4. It does not depend on the
// usage, which goes into the sum.
func rc4DeriveSum(k *Key, _ uint32, m *macKey) error {
	w := k.p.hash.get()
	defer k.p.hash.put(w)
	w.base.init(w, k.raw())
	m.init(w, w.base.compute(w, []byte("signaturekey\x00"), nil))
	return nil
}

// rc4Sum is the checksum of RFC 4757, section 4: the MAC of an MD5 of the data.
func rc4Sum(m *macKey, w *worker, usage uint32, data []byte) []byte {
	t := binary.LittleEndian.AppendUint32(w.tmp[:0], rc4Usage(usage))
	w.h.Reset()
	w.h.Write(t)
	w.h.Write(data)
	return m.compute(w, w.h.Sum(w.tmp[:0]), nil)
}

// rc4Seal is encryption of RFC 4757, section 5. The message is the checksum,
// then confounder and plaintext encrypted under a key made from the checksum.
func rc4Seal(_ *profile, s *sealKey, buf []byte) {
	w := hashMD5.get()
	defer hashMD5.put(w)
	rand.Read(buf[md5.Size:24])
	copy(buf, s.mac.compute(w, buf[md5.Size:], nil))
	rc4Crypt(w, s, buf)
}

func rc4Open(_ *profile, s *sealKey, buf []byte) bool {
	w := hashMD5.get()
	defer hashMD5.put(w)
	rc4Crypt(w, s, buf)
	mac := s.mac.compute(w, buf[md5.Size:], nil)
	return subtle.ConstantTimeCompare(mac, buf[:md5.Size]) == 1
}

// rc4Crypt encrypts or decrypts what follows the checksum in buf.
func rc4Crypt(w *worker, s *sealKey, buf []byte) {
	c, err := rc4.NewCipher(s.mac.compute(w, buf[:md5.Size], nil))
	if err != nil {
		panic("etype: RC4 refuses a key of 16 octets: " + err.Error())
	}
	c.XORKeyStream(buf[md5.Size:], buf[md5.Size:])
}

// rc4FromPassword is RFC 4757, section 2: MD4 of the password in UTF-16.
func rc4FromPassword(_ *profile, password, _ string, _ int) ([]byte, error) {
	if !utf8.ValidString(password) {
		return nil, errors.New("the password is not valid UTF-8")
	}
	h := md4.New()
	var unit [2]byte
	for _, u := range utf16.Encode([]rune(password)) {
		binary.LittleEndian.PutUint16(unit[:], u)
		h.Write(unit[:])
	}
	return h.Sum(nil), nil
}
