package krbmsg

import (
	"encoding/hex"
	"testing"
)

// Both forms in which Active Directory says more, and what must not be taken
// for them.
func TestStatus(t *testing.T) {
	for _, test := range []struct {
		name, data string
		want       NTStatus
	}{
		{"KERB-ERROR-DATA", "3015" + "a103020103" + "a20e040c" + "720000c00000000001000000", StatusAccountDisabled},
		{"METHOD-DATA", "3017" + "3015" + "a103020103" + "a20e040c" + "240200c00000000001000000", StatusMustChange},
		{"after other elements", "3022" + "3009" + "a103020113" + "a2020400" + "3015" + "a103020103" + "a20e040c" + "710000c00000000000000000", StatusPasswordExpired},
		{"another type", "3015" + "a103020102" + "a20e040c" + "720000c00000000001000000", 0},
		{"a salt", "300e" + "300c" + "a103020103" + "a2050403" + "616263", 0},
		{"nothing", "", 0},
		{"noise", "0102030405", 0},
	} {
		data, err := hex.DecodeString(test.data)
		if err != nil {
			t.Fatal(err)
		}
		e := &KRBError{Code: ErrClientRevoked, Data: data}
		if got := e.Status(); got != test.want {
			t.Errorf("%s: got %#x, want %#x", test.name, uint32(got), uint32(test.want))
		}
	}
}

// What e-data there may ever be, it is read without panic, and only known
// statuses have words.
func FuzzStatus(f *testing.F) {
	for _, text := range []string{
		"3015a103020103a20e040c720000c00000000001000000",
		"30173015a103020103a20e040c240200c00000000001000000",
	} {
		data, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e := &KRBError{Code: ErrClientRevoked, Data: data}
		if s := e.Status(); s == 0 && s.String() != "" {
			t.Errorf("no status, in words: %s", s)
		}
	})
}
