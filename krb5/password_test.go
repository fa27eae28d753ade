package krb5

import (
	"errors"
	"testing"

	"github.com/go-negotiate/negotiate/internal/etype"
)

// Once the KDC has accepted a password its octets are gone, and the keys that
// came of it do.
func TestPasswordIsWiped(t *testing.T) {
	s := newPasswordSecret("correct horse battery staple", nil)
	octets := s.text
	first, err := s.key(etype.AES256SHA1, "salt", nil)
	if err != nil {
		t.Fatal(err)
	}
	if octets[0] != 'c' {
		t.Error("the password was wiped before the KDC accepted it")
	}
	s.accepted()
	for i, b := range octets {
		if b != 0 {
			t.Fatalf("octet %d of the password is still there", i)
		}
	}
	again, err := s.key(etype.AES256SHA1, "salt", nil)
	if err != nil || again != first {
		t.Errorf("the next login: %v, %v", again, err)
	}
	if _, err := s.key(etype.AES256SHA1, "other salt", nil); !errors.Is(err, errOtherSecret) {
		t.Errorf("a key that was not derived: %v", err)
	}
	s.wipe()
	if _, err := s.key(etype.AES256SHA1, "salt", nil); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Close wipes a password that the KDC never saw, too.
func TestClosedPassword(t *testing.T) {
	s := newPasswordSecret("secret", nil)
	octets := s.text
	s.wipe()
	s.wipe()
	if string(octets) != "\x00\x00\x00\x00\x00\x00" {
		t.Error("the password is still there")
	}
	if _, err := s.key(etype.AES256SHA1, "salt", nil); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}
