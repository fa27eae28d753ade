package etype

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
)

// nfold is n-fold as RFC 3961, section 5.1, words it, for any lengths.
func nfold(size int, src []byte) []byte {
	var laid []byte
	for rot := src; len(laid) == 0 || len(laid)%size != 0; rot = rotateRight13(rot) {
		laid = append(laid, rot...)
	}
	sum := new(big.Int)
	for block := range slices.Chunk(laid, size) {
		sum.Add(sum, new(big.Int).SetBytes(block))
	}
	limit := new(big.Int).Lsh(big.NewInt(1), uint(8*size))
	for sum.Cmp(limit) >= 0 { // end-around carry
		high, low := new(big.Int).DivMod(sum, limit, new(big.Int))
		sum.Add(high, low)
	}
	return sum.FillBytes(make([]byte, size))
}

func rotateRight13(b []byte) []byte {
	width := uint(8 * len(b))
	x := new(big.Int).SetBytes(b)
	y := new(big.Int).Lsh(x, (width*13-13)%width)
	low := new(big.Int).And(y, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), width), big.NewInt(1)))
	return low.Or(low, y.Rsh(y, width)).FillBytes(make([]byte, len(b)))
}

// TestNfoldVectors holds the reference against RFC 3961, appendix A.1.
func TestNfoldVectors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"012345", "be072631276b1955"},
		{"password", "78a07b6caf85fa"},
		{"Rough Consensus, and Running Code", "bb6ed30870b7f0e0"},
		{"password", "59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e"},
		{"MASSACHVSETTS INSTITVTE OF TECHNOLOGY", "db3b0d8f0b061e603282b308a50841229ad798fab9540c1b"},
		{"Q", "518a54a215a8452a518a54a215a8452a518a54a215"},
		{"ba", "fb25d531ae8974499f52fd92ea9857c4ba24cf297e"},
		{"kerberos", "6b65726265726f73"},
		{"kerberos", "6b65726265726f737b9b5b2b93132b93"},
		{"kerberos", "8372c236344e5f1550cd0747e15d62ca7a5a3bcea4"},
		{"kerberos", "6b65726265726f737b9b5b2b93132b935c9bdcdad95c9899c4cae4dee6d6cae4"},
	} {
		if got := hex.EncodeToString(nfold(len(tt.want)/2, []byte(tt.in))); got != tt.want {
			t.Errorf("%d-fold(%q) = %s, want %s", 4*len(tt.want), tt.in, got, tt.want)
		}
	}
}

func TestNfold128(t *testing.T) {
	got := make([]byte, 16)
	nfold128(got, binary.BigEndian.Uint64([]byte("kerberos")), 8)
	if want := nfold(16, []byte("kerberos")); !bytes.Equal(got, want) {
		t.Errorf("kerberos: %x, want %x", got, want)
	}
	usages := []uint32{1 << 31, 1<<32 - 1, 1024, 0xdeadbeef}
	for u := range uint32(300) {
		usages = append(usages, u)
	}
	for _, u := range usages {
		for _, purpose := range []byte{purposeChecksum, purposeEncrypt, purposeIntegrity} {
			nfold128(got, usageConstant(u, purpose), 5)
			src := append(binary.BigEndian.AppendUint32(nil, u), purpose)
			if want := nfold(16, src); !bytes.Equal(got, want) {
				t.Errorf("%x: %x, want %x", src, got, want)
			}
		}
	}
	for octets := 2; octets <= 8; octets++ {
		src := bytes.Repeat([]byte{0xf7}, octets)
		nfold128(got, binary.BigEndian.Uint64(append(make([]byte, 8-octets), src...)), octets)
		if want := nfold(16, src); !bytes.Equal(got, want) {
			t.Errorf("%x: %x, want %x", src, got, want)
		}
	}
}

func TestAddOnes(t *testing.T) {
	const ones = 1<<64 - 1
	for _, tt := range []struct{ hi, lo, h, l, wantHi, wantLo uint64 }{
		{1, 2, 3, 4, 4, 6},
		{0, ones, 0, 1, 1, 0},
		{ones, ones, 0, 1, 0, 1},
		{ones, 0, 1, ones, 1, 0},
		{ones, ones, ones, ones, ones, ones},
	} {
		if hi, lo := addOnes(tt.hi, tt.lo, tt.h, tt.l); hi != tt.wantHi || lo != tt.wantLo {
			t.Errorf("%x:%x + %x:%x = %x:%x, want %x:%x", tt.hi, tt.lo, tt.h, tt.l, hi, lo, tt.wantHi, tt.wantLo)
		}
	}
}
