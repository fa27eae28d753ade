package etype

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/types"
)

var allIDs = []ID{AES128SHA1, AES256SHA1, AES128SHA2, AES256SHA2, RC4HMAC}

// TestAgreesWithGokrb5 exchanges messages and checksums of each length with
// another implementation.
func TestAgreesWithGokrb5(t *testing.T) {
	for _, id := range allIDs {
		for _, usage := range []uint32{1, 2, 3, 7, 11, 12, 22, 23, 25} {
			t.Run(fmt.Sprintf("%v/usage %d", id, usage), func(t *testing.T) {
				k := mustRandomKey(t, id)
				theirs := types.EncryptionKey{KeyType: int32(id), KeyValue: k.Bytes()}
				et, err := crypto.GetEtype(int32(id))
				if err != nil {
					t.Fatal(err)
				}
				for n := range 101 {
					plain := make([]byte, n)
					rand.Read(plain)

					sealed, err := k.AppendEncrypt(nil, usage, plain)
					if err != nil {
						t.Fatal(err)
					}
					got, err := crypto.DecryptMessage(sealed, theirs, usage)
					if err != nil || !bytes.Equal(got, plain) {
						t.Fatalf("%d octets of ours: gokrb5 decrypts to %x, %v; want %x", n, got, err, plain)
					}

					_, sealed, err = et.EncryptMessage(theirs.KeyValue, plain, usage)
					if err != nil {
						t.Fatal(err)
					}
					got, err = k.AppendDecrypt(nil, usage, sealed)
					if err != nil || !bytes.Equal(got, plain) {
						t.Fatalf("%d octets of gokrb5's: decrypted to %x, %v; want %x", n, got, err, plain)
					}

					want, err := et.GetChecksumHash(theirs.KeyValue, plain, usage)
					if err != nil {
						t.Fatal(err)
					}
					sum, err := k.AppendChecksum(nil, usage, plain)
					if err != nil || !bytes.Equal(sum, want) {
						t.Fatalf("checksum of %d octets = %x, %v; gokrb5's is %x", n, sum, err, want)
					}
				}
			})
		}
	}
}

func mustRandomKey(t testing.TB, id ID) *Key {
	t.Helper()
	k, err := RandomKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
