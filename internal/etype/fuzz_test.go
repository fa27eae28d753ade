package etype

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzOpen opens arbitrary octets, which nobody has sealed: each must be
// refused. It then seals the same octets and lays the difference between two
// messages, change, over the result: if that alters anything, it must be
// refused too.
func FuzzOpen(f *testing.F) {
	f.Add(uint8(0), uint32(2), []byte(nil), []byte{1})
	f.Add(uint8(1), uint32(11), message(28), []byte{0, 0, 0, 0x80})
	f.Add(uint8(2), uint32(12), message(33), bytes.Repeat([]byte{0xff}, 65))
	f.Add(uint8(3), uint32(7), message(56), append(make([]byte, 95), 1))
	f.Add(uint8(4), uint32(3), message(40), append(make([]byte, 16), 1))
	keys := make([]*Key, len(allIDs))
	for i, id := range allIDs {
		keys[i] = mustRandomKey(f, id)
	}
	f.Fuzz(func(t *testing.T, which uint8, usage uint32, octets, change []byte) {
		k := keys[int(which)%len(keys)]
		if got, err := k.AppendDecrypt(nil, usage, octets); err == nil {
			t.Fatalf("%v opens %x, to %x", k.Type(), octets, got)
		}
		sealed, err := k.AppendEncrypt(nil, usage, octets)
		if err != nil {
			t.Fatal(err)
		}
		altered := slices.Clone(sealed)
		for i := range min(len(altered), len(change)) {
			altered[i] ^= change[i]
		}
		got, err := k.AppendDecrypt(nil, usage, altered)
		switch intact := bytes.Equal(altered, sealed); {
		case intact && (err != nil || !bytes.Equal(got, octets)):
			t.Fatalf("%v opens its own message to %x, %v; want %x", k.Type(), got, err, octets)
		case !intact && err == nil:
			t.Fatalf("%v opens %x, which is altered from %x", k.Type(), altered, sealed)
		}
	})
}
