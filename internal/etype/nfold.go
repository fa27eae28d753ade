package etype

import (
	"encoding/binary"
	"math/bits"
)

// nfold128 is 128-fold of RFC 3961, section 5.1, of a constant of two to eight
// octets: all that AES needs. The RFC lays copies of the constant end to end,
// each rotated to the right by 13 bits more than the one before, until they fill
// a whole number of blocks, and adds these blocks in ones' complement. That
// makes the sum of all copies, shifted to their places, modulo 1<<128 - 1; and a
// shift under that modulus is a rotation.
func nfold128(dst []byte, constant uint64, octets int) {
	width := 8 * octets
	mask := ^uint64(0) >> (64 - width)
	copies := aesBlock / gcd(aesBlock, octets)
	var hi, lo uint64
	for i := range copies {
		h, l := rotate128(constant, (copies-1-i)*width)
		hi, lo = addOnes(hi, lo, h, l)
		constant = (constant>>13 | constant<<(width-13)) & mask
	}
	binary.BigEndian.PutUint64(dst, hi)
	binary.BigEndian.PutUint64(dst[8:], lo)
}

// addOnes adds two numbers of 128 bits in ones' complement: what is carried out
// at the top comes in at the bottom.
func addOnes(hi, lo, h, l uint64) (uint64, uint64) {
	lo, carry := bits.Add64(lo, l, 0)
	hi, carry = bits.Add64(hi, h, carry)
	lo, carry = bits.Add64(lo, carry, 0)
	return hi + carry, lo
}

// rotate128 rotates x, seen as 128 bits, to the left by n.
func rotate128(x uint64, n int) (hi, lo uint64) {
	n %= 128
	hi, lo = x>>(64-n%64), x<<(n%64)
	if n >= 64 {
		return lo, hi
	}
	return hi, lo
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
