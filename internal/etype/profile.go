package etype

// profile is what tells one encryption type from another.
type profile struct {
	id           ID
	name         string
	aliases      []string
	keySize      int
	head, tail   int // octets of ciphertext before and after the plaintext
	checksumType int32
	checksumSize int
	hash         *hashAlg

	// deriveSeal and deriveSum fill in the keys of one usage.
	deriveSeal func(k *Key, usage uint32, s *sealKey) error
	deriveSum  func(k *Key, usage uint32, m *macKey) error

	// seal and open work in place on head | plaintext | tail. open reports
	// whether the message is intact; if not, it leaves buf to be wiped.
	seal func(p *profile, s *sealKey, buf []byte)
	open func(p *profile, s *sealKey, buf []byte) bool

	// sum computes the whole MAC, of which a checksum is the beginning. The
	// result lies in w.
	sum func(m *macKey, w *worker, usage uint32, data []byte) []byte

	// fromPassword is string-to-key with so many iterations, of which leastCount
	// is the fewest to accept and the default. RC4 has none.
	fromPassword func(p *profile, password, salt string, count int) ([]byte, error)
	leastCount   int
}

// profiles is read-only.
var profiles = [...]*profile{
	{
		id: AES256SHA1, name: "aes256-cts-hmac-sha1-96",
		aliases: []string{"aes256-cts", "aes256-sha1"},
		keySize: 32, head: 16, tail: 12, checksumType: 16, checksumSize: 12, hash: &hashSHA1,
		deriveSeal: sha1DeriveSeal, deriveSum: sha1DeriveSum,
		seal: sha1Seal, open: sha1Open, sum: plainSum,
		fromPassword: sha1FromPassword, leastCount: 4096,
	},
	{
		id: AES128SHA1, name: "aes128-cts-hmac-sha1-96",
		aliases: []string{"aes128-cts", "aes128-sha1"},
		keySize: 16, head: 16, tail: 12, checksumType: 15, checksumSize: 12, hash: &hashSHA1,
		deriveSeal: sha1DeriveSeal, deriveSum: sha1DeriveSum,
		seal: sha1Seal, open: sha1Open, sum: plainSum,
		fromPassword: sha1FromPassword, leastCount: 4096,
	},
	{
		id: AES256SHA2, name: "aes256-cts-hmac-sha384-192",
		aliases: []string{"aes256-sha2"},
		keySize: 32, head: 16, tail: 24, checksumType: 20, checksumSize: 24, hash: &hashSHA384,
		deriveSeal: sha2DeriveSeal, deriveSum: sha2DeriveSum,
		seal: sha2Seal, open: sha2Open, sum: plainSum,
		fromPassword: sha2FromPassword, leastCount: 32768,
	},
	{
		id: AES128SHA2, name: "aes128-cts-hmac-sha256-128",
		aliases: []string{"aes128-sha2"},
		keySize: 16, head: 16, tail: 16, checksumType: 19, checksumSize: 16, hash: &hashSHA256,
		deriveSeal: sha2DeriveSeal, deriveSum: sha2DeriveSum,
		seal: sha2Seal, open: sha2Open, sum: plainSum,
		fromPassword: sha2FromPassword, leastCount: 32768,
	},
	{
		id: RC4HMAC, name: "arcfour-hmac",
		aliases: []string{"rc4-hmac", "arcfour-hmac-md5"},
		keySize: 16, head: 24, tail: 0, checksumType: -138, checksumSize: 16, hash: &hashMD5,
		deriveSeal: rc4DeriveSeal, deriveSum: rc4DeriveSum,
		seal: rc4Seal, open: rc4Open, sum: rc4Sum,
		fromPassword: rc4FromPassword,
	},
}

// profileOf returns nil for a type that is not supported.
func profileOf(id ID) *profile {
	for _, p := range profiles {
		if p.id == id {
			return p
		}
	}
	return nil
}
