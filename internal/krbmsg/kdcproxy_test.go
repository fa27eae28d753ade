package krbmsg

import (
	"encoding/hex"
	"errors"
	"testing"
)

// What MIT Kerberos sends to a KDC proxy: the message behind its length in four
// octets, in an OCTET STRING, then the realm.
func TestProxyMessage(t *testing.T) {
	const want = "3013" + "a009" + "0407" + "00000003" + "616263" + "a106" + "1b04" + "52454c4d"
	m := ProxyMessage{Message: []byte("abc"), Realm: "RELM"}
	if got := hex.EncodeToString(m.Append(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestProxyMessageRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no length":        "3005a003" + "0401" + "61",
		"too long inside":  "300ba009" + "0407" + "00000004" + "616263",
		"too short inside": "300ba009" + "0407" + "00000002" + "616263",
		"huge length":      "300ba009" + "0407" + "ffffffff" + "616263",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := ParseProxyMessage(b); !errors.Is(err, ErrMalformed) || m.Message != nil {
			t.Errorf("%s: got %v, %v", name, m, err)
		}
	}
}
