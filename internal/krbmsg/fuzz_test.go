package krbmsg

import "testing"

// FuzzParse gives its input to each parser: the tag decides which of them go
// further, so that no selector is needed.
func FuzzParse(f *testing.F) {
	codecs := testCodecs()
	for _, c := range codecs {
		f.Add(c.encode(c.full))
	}
	for name := range goldenMessages {
		f.Add(golden(f, name))
	}
	for _, v := range testVectors() {
		f.Add(v.bytes(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range codecs {
			checkStable(t, c, b)
		}
	})
}
