package etype

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for id, names := range map[ID][]string{
		AES128SHA1: {"aes128-cts-hmac-sha1-96", "aes128-cts", "aes128-sha1"},
		AES256SHA1: {"aes256-cts-hmac-sha1-96", "aes256-cts", "aes256-sha1", "aes"},
		AES128SHA2: {"aes128-cts-hmac-sha256-128", "aes128-sha2"},
		AES256SHA2: {"aes256-cts-hmac-sha384-192", "aes256-sha2"},
		RC4HMAC:    {"arcfour-hmac", "rc4-hmac", "arcfour-hmac-md5", "rc4"},
	} {
		if id.String() != names[0] {
			t.Errorf("%d is called %q, want %q", id, id, names[0])
		}
		for _, name := range names {
			for _, s := range []string{name, strings.ToUpper(name)} {
				if got, ok := Parse(s); got != id || !ok {
					t.Errorf("Parse(%q) = %v, %v; want %v", s, got, ok, id)
				}
			}
		}
	}
	for _, s := range []string{"", "des3-cbc-sha1", "aes512-cts", "aes256-cts ", "18", "etype 18"} {
		if got, ok := Parse(s); ok {
			t.Errorf("Parse(%q) = %v, want no type", s, got)
		}
	}
}

// TestNumbers holds the numbers against the registries of IANA and the RFCs.
func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		id                      ID
		keySize                 int
		checksumType            int32
		checksumSize, overhead  int
		confounderSize, macSize int
	}{
		{17, 16, 15, 12, 28, 16, 12},
		{18, 32, 16, 12, 28, 16, 12},
		{19, 16, 19, 16, 32, 16, 16},
		{20, 32, 20, 24, 40, 16, 24},
		{23, 16, -138, 16, 24, 24, 0},
	} {
		if !tt.id.Supported() {
			t.Errorf("%v is not supported", tt.id)
		}
		if got := tt.id.KeySize(); got != tt.keySize {
			t.Errorf("%v: key size %d, want %d", tt.id, got, tt.keySize)
		}
		if got := tt.id.ChecksumType(); got != tt.checksumType {
			t.Errorf("%v: checksum type %d, want %d", tt.id, got, tt.checksumType)
		}
		if got := tt.id.ChecksumSize(); got != tt.checksumSize {
			t.Errorf("%v: checksum size %d, want %d", tt.id, got, tt.checksumSize)
		}
		if got := tt.id.CiphertextLen(100); got != 100+tt.overhead {
			t.Errorf("%v: 100 octets become %d, want %d", tt.id, got, 100+tt.overhead)
		}
		if c, m := tt.id.Confounder(), tt.id.MACSize(); c != tt.confounderSize || m != tt.macSize {
			t.Errorf("%v: %d octets before and %d after the plaintext, want %d and %d",
				tt.id, c, m, tt.confounderSize, tt.macSize)
		}
	}
}

func TestUnsupportedID(t *testing.T) {
	for id, want := range map[ID]string{0: "etype 0", 3: "etype 3", 99: "etype 99", -1: "etype -1"} {
		if got := id.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
		if id.Supported() || id.KeySize() != 0 || id.ChecksumType() != 0 || id.ChecksumSize() != 0 ||
			id.Confounder() != 0 || id.MACSize() != 0 {
			t.Errorf("%v seems to be supported", id)
		}
	}
}
