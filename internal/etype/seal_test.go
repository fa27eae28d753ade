package etype

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func forEachType(t *testing.T, f func(t *testing.T, id ID)) {
	for _, id := range allIDs {
		t.Run(id.String(), func(t *testing.T) { f(t, id) })
	}
}

// message returns n octets that are all different as long as n allows.
func message(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestSealAndOpenInPlace(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		for n := range 101 {
			plain := message(n)
			buf := make([]byte, id.CiphertextLen(n), id.CiphertextLen(n)+1)
			copy(buf[id.Confounder():], plain)
			if err := k.Seal(7, buf); err != nil {
				t.Fatal(err)
			}
			if n >= 8 && bytes.Contains(buf, plain) {
				t.Fatalf("%d octets are not encrypted", n)
			}
			got, err := k.Open(7, buf)
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d octets: opened to %x, %v", n, got, err)
			}
			if n > 0 && &got[0] != &buf[id.Confounder()] {
				t.Fatalf("%d octets: the plaintext is not in the buffer", n)
			}
			if cap(got) != n {
				t.Fatalf("%d octets: the plaintext has room for %d", n, cap(got))
			}
		}
	})
}

// TestConfounder seals one plaintext many times: nobody may see that it is the
// same, and each octet of the confounder is random.
func TestConfounder(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		begin := id.Confounder() - confounderSizes[id]
		seen := make([]map[byte]bool, confounderSizes[id])
		var last []byte
		for range 40 {
			buf, err := k.AppendEncrypt(nil, 7, message(64))
			if err != nil {
				t.Fatal(err)
			}
			for i := range max(0, len(last)-8) {
				if bytes.Equal(buf[i:i+8], last[i:i+8]) {
					t.Fatalf("octets %d to %d of two messages are %x", i, i+8, buf[i:i+8])
				}
			}
			last = slices.Clone(buf)
			if _, err := k.Open(7, buf); err != nil {
				t.Fatal(err)
			}
			for i := range seen {
				if seen[i] == nil {
					seen[i] = map[byte]bool{}
				}
				seen[i][buf[begin+i]] = true
			}
		}
		for i, values := range seen {
			if len(values) < 4 {
				t.Errorf("octet %d of the confounder takes %d values in 40 messages", i, len(values))
			}
		}
	})
}

// confounderSizes are the lengths of the random octets that begin a message.
var confounderSizes = map[ID]int{AES128SHA1: 16, AES256SHA1: 16, AES128SHA2: 16, AES256SHA2: 16, RC4HMAC: 8}

func TestAppendKeepsDst(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		for _, room := range []int{0, 500} {
			dst := append(make([]byte, 0, 6+room), "header"...)
			sealed, err := k.AppendEncrypt(dst, 7, message(33))
			if err != nil || !bytes.HasPrefix(sealed, dst) || len(sealed) != len(dst)+id.CiphertextLen(33) {
				t.Fatalf("AppendEncrypt: %q, %v", sealed, err)
			}
			got, err := k.AppendDecrypt(dst, 7, slices.Clone(sealed[6:]))
			if err != nil || string(got) != "header"+string(message(33)) {
				t.Fatalf("AppendDecrypt: %q, %v", got, err)
			}
			sum, err := k.AppendChecksum(dst, 7, message(33))
			if err != nil || !bytes.HasPrefix(sum, dst) || len(sum) != len(dst)+id.ChecksumSize() {
				t.Fatalf("AppendChecksum: %q, %v", sum, err)
			}
		}
	})
}

// TestAppendOverlap has the input at every offset near the place of the output.
func TestAppendOverlap(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		sealed, err := k.AppendEncrypt(nil, 7, message(33))
		if err != nil {
			t.Fatal(err)
		}
		for at := range 80 {
			dst := make([]byte, 40, 300)
			input := dst[at : at+33]
			copy(input, message(33))
			before := slices.Clone(dst)
			out, err := k.AppendEncrypt(dst, 7, input)
			if err != nil || !bytes.Equal(out[:40], before) {
				t.Fatalf("plaintext at %d: %x, %v", at, out, err)
			}
			if got, err := k.AppendDecrypt(nil, 7, out[40:]); err != nil || !bytes.Equal(got, message(33)) {
				t.Fatalf("plaintext at %d: encrypted to what opens to %x, %v", at, got, err)
			}

			dst = make([]byte, 40, 300)
			input = dst[at : at+len(sealed)]
			copy(input, sealed)
			if out, err = k.AppendDecrypt(dst, 7, input); err != nil || !bytes.Equal(out[40:], message(33)) {
				t.Fatalf("ciphertext at %d: %x, %v", at, out, err)
			}
		}
	})
}

// TestEveryBitCounts flips each bit of a message, cuts it and lengthens it.
func TestEveryBitCounts(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		for _, n := range []int{0, 1, 16, 33} {
			sealed, err := k.AppendEncrypt(nil, 7, message(n))
			if err != nil {
				t.Fatal(err)
			}
			for bit := range 8 * len(sealed) {
				bad := slices.Clone(sealed)
				bad[bit/8] ^= 1 << (bit % 8)
				mustRefuse(t, k, 7, bad, fmt.Sprintf("%d octets, bit %d flipped", n, bit))
			}
			for end := range len(sealed) {
				mustRefuse(t, k, 7, slices.Clone(sealed[:end]), fmt.Sprintf("%d octets, cut to %d", n, end))
				mustRefuse(t, k, 7, slices.Clone(sealed[end+1:]), fmt.Sprintf("%d octets, beginning at %d", n, end+1))
			}
			mustRefuse(t, k, 7, append(slices.Clone(sealed), 0), fmt.Sprintf("%d octets, and one more", n))
			mustRefuse(t, k, 8, slices.Clone(sealed), "another key usage")
			mustRefuse(t, mustRandomKey(t, id), 7, slices.Clone(sealed), "another key")
			for _, other := range allIDs {
				if other != id && other.KeySize() == id.KeySize() {
					mustRefuse(t, mustKey(t, other, k.Bytes()), 7, slices.Clone(sealed), other.String())
				}
			}
		}
	})
}

// mustRefuse opens buf in both ways, and expects an error and no plaintext.
func mustRefuse(t *testing.T, k *Key, usage uint32, buf []byte, what string) {
	t.Helper()
	dst := make([]byte, 4, 4+len(buf))
	if got, err := k.AppendDecrypt(dst, usage, buf); !errors.Is(err, ErrIntegrity) || got != nil {
		t.Fatalf("%s: AppendDecrypt returns %x, %v; want ErrIntegrity", what, got, err)
	}
	if left := dst[4:cap(dst)]; !bytes.Equal(left, make([]byte, len(left))) {
		t.Fatalf("%s: AppendDecrypt leaves %x behind dst", what, left)
	}
	got, err := k.Open(usage, buf)
	if !errors.Is(err, ErrIntegrity) || got != nil {
		t.Fatalf("%s: Open returns %x, %v; want ErrIntegrity", what, got, err)
	}
	if !bytes.Equal(buf, make([]byte, len(buf))) {
		t.Fatalf("%s: Open leaves %x in the buffer", what, buf)
	}
}

func TestSealRefusesShortBuffer(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		for n := range id.CiphertextLen(0) {
			buf := bytes.Repeat([]byte{1}, n)
			if err := k.Seal(7, buf); err == nil || !strings.Contains(err.Error(), "cannot be sealed") {
				t.Errorf("%d octets: error %v", n, err)
			}
			if !bytes.Equal(buf, bytes.Repeat([]byte{1}, n)) {
				t.Errorf("%d octets: the buffer changed to %x", n, buf)
			}
		}
	})
}

func TestVerifyChecksum(t *testing.T) {
	forEachType(t, func(t *testing.T, id ID) {
		k := mustRandomKey(t, id)
		data := message(50)
		sum, err := k.AppendChecksum(nil, 7, data)
		if err != nil || len(sum) != id.ChecksumSize() {
			t.Fatalf("%x, %v; want %d octets", sum, err, id.ChecksumSize())
		}
		if err := k.VerifyChecksum(7, data, sum); err != nil {
			t.Error(err)
		}
		refuse := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, ErrIntegrity) {
				t.Errorf("%s: error %v, want ErrIntegrity", what, err)
			}
		}
		for bit := range 8 * len(sum) {
			bad := slices.Clone(sum)
			bad[bit/8] ^= 1 << (bit % 8)
			refuse(fmt.Sprintf("bit %d of the sum", bit), k.VerifyChecksum(7, data, bad))
		}
		refuse("no sum", k.VerifyChecksum(7, data, nil))
		refuse("short sum", k.VerifyChecksum(7, data, sum[:len(sum)-1]))
		refuse("long sum", k.VerifyChecksum(7, data, append(slices.Clone(sum), 0)))
		refuse("short data", k.VerifyChecksum(7, data[1:], sum))
		refuse("another usage", k.VerifyChecksum(8, data, sum))
		refuse("another key", mustRandomKey(t, id).VerifyChecksum(7, data, sum))
	})
}

// TestNoAllocation has a warm key seal, open and sum.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("a sync.Pool forgets at random under the race detector")
	}
	for _, id := range []ID{AES128SHA1, AES256SHA1, AES128SHA2, AES256SHA2} {
		k := mustRandomKey(t, id)
		buf := make([]byte, id.CiphertextLen(250))
		sum := make([]byte, 0, id.ChecksumSize())
		if n := testing.AllocsPerRun(100, func() {
			if err := k.Seal(7, buf); err != nil {
				t.Fatal(err)
			}
			if _, err := k.Open(7, buf); err != nil {
				t.Fatal(err)
			}
			var err error
			if sum, err = k.AppendChecksum(sum[:0], 7, buf); err != nil {
				t.Fatal(err)
			}
			if err := k.VerifyChecksum(7, buf, sum); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations, want none", id, n)
		}
	}
}
