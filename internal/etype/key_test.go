package etype

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNewKeyCopies(t *testing.T) {
	value := bytes.Repeat([]byte{7}, 32)
	k := mustKey(t, AES256SHA1, value)
	value[0] = 8
	k.Bytes()[1] = 9
	if got, want := k.Bytes(), bytes.Repeat([]byte{7}, 32); !bytes.Equal(got, want) {
		t.Errorf("the key became %x after its copies were changed, want %x", got, want)
	}
	if k.Type() != AES256SHA1 {
		t.Errorf("type %v", k.Type())
	}
}

func TestNewKeyRefuses(t *testing.T) {
	for _, id := range allIDs {
		for _, n := range []int{0, id.KeySize() - 1, id.KeySize() + 1} {
			if _, err := NewKey(id, make([]byte, n)); !errors.Is(err, ErrKeySize) {
				t.Errorf("%v with %d octets: error %v, want ErrKeySize", id, n, err)
			}
		}
	}
	if _, err := NewKey(1, make([]byte, 8)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("NewKey: error %v, want ErrUnsupported", err)
	}
	if _, err := RandomKey(1); !errors.Is(err, ErrUnsupported) {
		t.Errorf("RandomKey: error %v, want ErrUnsupported", err)
	}
	if _, err := StringToKey(1, "password", "salt", nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("StringToKey: error %v, want ErrUnsupported", err)
	}
}

func TestRandomKeysDiffer(t *testing.T) {
	for _, id := range allIDs {
		a, b := mustRandomKey(t, id), mustRandomKey(t, id)
		if a.Equal(b) {
			t.Errorf("%v: two random keys are both %x", id, a.Bytes())
		}
		if last := a.Bytes()[id.KeySize()-4:]; bytes.Equal(last, make([]byte, 4)) {
			t.Errorf("%v: the random key %x ends in noughts", id, a.Bytes())
		}
	}
}

func TestEqual(t *testing.T) {
	value := bytes.Repeat([]byte{7}, 16)
	k := mustKey(t, AES128SHA1, value)
	if !k.Equal(mustKey(t, AES128SHA1, value)) {
		t.Error("a key does not equal another of the same type and value")
	}
	if k.Equal(mustKey(t, AES128SHA2, value)) {
		t.Error("keys of different types are equal")
	}
	for i := range value {
		other := bytes.Clone(value)
		other[i] ^= 1
		if k.Equal(mustKey(t, AES128SHA1, other)) {
			t.Errorf("keys that differ in octet %d are equal", i)
		}
	}
	if k.Equal(nil) || (*Key)(nil).Equal(k) || !(*Key)(nil).Equal(nil) {
		t.Error("nil equals something else than nil, or not nil")
	}
}

// TestKeyIsRedacted formats a key in every way that a log might.
func TestKeyIsRedacted(t *testing.T) {
	value := []byte("sixteen octets!!")
	k := mustKey(t, AES128SHA1, value)
	if err := k.Seal(1, make([]byte, 64)); err != nil { // so that it holds derived keys
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "key", k)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "key", k)
	text := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%p", "%08b"} {
		text += fmt.Sprintf(verb+"\n", k) + fmt.Sprintf(verb+"\n", struct{ Key *Key }{k})
	}
	marshaled, err := json.Marshal(struct{ Key *Key }{k})
	if err != nil {
		t.Fatal(err)
	}
	text += string(marshaled)
	for _, secret := range []string{
		string(value), hex.EncodeToString(value), strings.ToUpper(hex.EncodeToString(value)),
		strings.Trim(fmt.Sprint(value), "[]"), "115, 105", "0x73, 0x69", "163 151", "1110011",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows in:\n%s", secret, text)
		}
	}
	if got, want := fmt.Sprint(k), "aes128-cts-hmac-sha1-96 key"; got != want {
		t.Errorf("a key is printed as %q, want %q", got, want)
	}
	for line := range strings.Lines(log.String()) {
		if !strings.Contains(line, "aes128-cts-hmac-sha1-96 key") {
			t.Errorf("a log line does not name the key's type: %s", line)
		}
	}
}

func TestZeroKey(t *testing.T) {
	var k Key
	_, encrypt := k.AppendEncrypt(nil, 1, []byte("hello"))
	_, decrypt := k.AppendDecrypt(nil, 1, make([]byte, 100))
	_, sum := k.AppendChecksum(nil, 1, []byte("hello"))
	_, open := k.Open(1, make([]byte, 100))
	for op, err := range map[string]error{
		"AppendEncrypt": encrypt, "AppendDecrypt": decrypt, "AppendChecksum": sum, "Open": open,
		"Seal":           k.Seal(1, make([]byte, 100)),
		"VerifyChecksum": k.VerifyChecksum(1, nil, nil),
	} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: error %v, want ErrUnsupported", op, err)
		}
	}
	if got := k.String(); got != "etype 0 key" {
		t.Errorf("String() = %q", got)
	}
}

func TestStringToKeyBounds(t *testing.T) {
	for _, tt := range []struct {
		id     ID
		params []byte
		want   string // part of the error, "" for none
	}{
		{AES256SHA1, []byte{0, 0, 0x10, 0}, ""},
		{AES256SHA1, []byte{}, ""},
		{AES256SHA1, []byte{0, 0, 0x0f, 0xff}, "4095 iterations, accepted are 4096 to 1048576"},
		{AES256SHA1, []byte{0, 0, 0, 1}, "1 iterations"},
		{AES256SHA1, []byte{0, 0, 0, 0}, "0 iterations"},
		{AES256SHA1, []byte{0, 0x10, 0, 1}, "1048577 iterations"},
		{AES256SHA1, []byte{0xff, 0xff, 0xff, 0xff}, "4294967295 iterations"},
		{AES128SHA2, []byte{0, 0, 0x7f, 0xff}, "32767 iterations, accepted are 32768 to 1048576"},
		{AES128SHA1, []byte{0x10, 0}, "2 octets, want 4"},
		{AES128SHA1, []byte{0, 0, 0x10, 0, 0}, "5 octets, want 4"},
	} {
		_, err := StringToKey(tt.id, "secret", "salt", tt.params)
		if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v, params %x: error %v, want %q", tt.id, tt.params, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the password shows in %q", err)
		}
	}
	if _, err := StringToKey(RC4HMAC, "secret\xff", "", nil); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("arcfour-hmac, password that is not UTF-8: error %v", err)
	}
}
