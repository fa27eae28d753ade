package etype

import "testing"

// benchLen is about the length of an Authenticator or of the encrypted part of
// a ticket without authorization data.
const benchLen = 250

func BenchmarkSeal(b *testing.B) {
	forEachID(b, func(b *testing.B, id ID) {
		k := mustRandomKey(b, id)
		buf := make([]byte, id.CiphertextLen(benchLen))
		b.SetBytes(benchLen)
		b.ReportAllocs()
		for b.Loop() {
			if err := k.Seal(11, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	forEachID(b, func(b *testing.B, id ID) {
		k := mustRandomKey(b, id)
		sealed, err := k.AppendEncrypt(nil, 11, make([]byte, benchLen))
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, len(sealed))
		b.SetBytes(benchLen)
		b.ReportAllocs()
		for b.Loop() {
			copy(buf, sealed)
			if _, err := k.Open(11, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkFreshKey is what an acceptor does with each new session key: it
// opens the authenticator (usage 11) and seals the AP-REP (usage 12).
func BenchmarkFreshKey(b *testing.B) {
	forEachID(b, func(b *testing.B, id ID) {
		value := mustRandomKey(b, id).Bytes()
		b.ReportAllocs()
		for b.Loop() {
			k, err := NewKey(id, value)
			if err != nil {
				b.Fatal(err)
			}
			for _, usage := range []uint32{11, 12} {
				if _, err := k.sealKey(usage); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkChecksum(b *testing.B) {
	forEachID(b, func(b *testing.B, id ID) {
		k := mustRandomKey(b, id)
		data := make([]byte, benchLen)
		var sum []byte
		b.SetBytes(benchLen)
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if sum, err = k.AppendChecksum(sum[:0], 25, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNfold(b *testing.B) {
	dst := make([]byte, 16)
	for b.Loop() {
		nfold128(dst, usageConstant(11, purposeEncrypt), 5)
	}
}

func forEachID(b *testing.B, f func(b *testing.B, id ID)) {
	for _, id := range allIDs {
		b.Run(id.String(), func(b *testing.B) { f(b, id) })
	}
}
