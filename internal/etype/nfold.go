package etype

// nfold is n-fold of RFC 3961, section 5.1: it stretches or folds src to the
// length of dst. Copies of src, each rotated to the right by 13 bits more than
// the one before, are laid end to end up to the least common multiple of both
// lengths; that is cut into pieces of the length of dst, and these are added in
// ones' complement. src and dst are not empty and do not overlap.
func nfold(dst, src []byte) {
	clear(dst)
	inBits := 8 * len(src)
	total := lcm(len(src), len(dst))
	carry := 0
	for i := total - 1; i >= 0; i-- {
		carry += int(dst[i%len(dst)]) + int(foldedByte(src, inBits, i))
		dst[i%len(dst)] = byte(carry)
		carry >>= 8
	}
	for i := len(dst) - 1; carry != 0; i-- { // end-around carry
		if i < 0 {
			i = len(dst) - 1
		}
		carry += int(dst[i])
		dst[i] = byte(carry)
		carry >>= 8
	}
}

// foldedByte is octet i of the rotated copies of src.
func foldedByte(src []byte, inBits, i int) byte {
	rotation := 13 * (i / len(src)) % inBits
	bit := (8*(i%len(src)) - rotation + inBits) % inBits
	first := int(src[bit/8]) << 8
	return byte((first | int(src[(bit/8+1)%len(src)])) << (bit % 8) >> 8)
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
