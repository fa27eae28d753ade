// Package etype implements the encryption types of Kerberos 5: the AES types
// of RFC 3962 and RFC 8009, and RC4-HMAC of RFC 4757, within the framework of
// RFC 3961.
//
// A [Key] derives the keys of each key usage once and keeps them, so that
// sealing a message under a key that has been used before costs the block
// cipher, the hash and nothing else: no allocation, no derivation.
//
// [Key.Seal] and [Key.Open] work inside one buffer of the caller's, laid out as
//
//	[ID.Confounder octets][plaintext][ID.MACSize octets]
//
// and [Key.AppendEncrypt], [Key.AppendDecrypt] are the convenient forms.
//
// Which types may be used is policy, and policy is elsewhere: this package
// computes RC4-HMAC for whoever asks.
package etype
