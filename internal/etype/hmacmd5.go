package etype

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
)

// HMACMD5 is the checksum HMAC-MD5 (RFC 4757, section 4) under a key of any
// type: MS-SFU has PA-FOR-USER carry it whatever the key is. For the checksum
// that belongs to the key see [Key.AppendChecksum].
func HMACMD5(k *Key, usage uint32, data []byte) []byte {
	m := hmac.New(md5.New, k.raw())
	m.Write([]byte("signaturekey\x00"))
	sign := m.Sum(nil)
	h := md5.New()
	h.Write(binary.LittleEndian.AppendUint32(nil, usage))
	h.Write(data)
	m = hmac.New(md5.New, sign)
	m.Write(h.Sum(nil))
	return m.Sum(nil)
}
