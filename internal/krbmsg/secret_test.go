package krbmsg

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// However a key or what holds one is printed or logged, its octets do not show.
func TestKeysAreNotShown(t *testing.T) {
	const secret = "very secret key!"
	key := EncryptionKey{Type: 18, Value: []byte(secret)}
	traces := []string{
		secret, hex.EncodeToString([]byte(secret)), fmt.Sprint([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))), "dmVyeSBzZWNyZXQga2V5",
	}
	for name, v := range map[string]any{
		"key":            key,
		"pointer to key": &key,
		"Authenticator":  Authenticator{Client: testClient, Subkey: key},
		"EncTicketPart":  &EncTicketPart{Key: key},
		"EncKDCRepPart":  EncKDCRepPart{Key: key},
		"EncAPRepPart":   EncAPRepPart{Subkey: key},
		"EncCredPart":    EncCredPart{Info: []CredInfo{{Key: key}}},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "v", v)
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("%v %+v %#v %s %q %x %X %d %v %s", v, v, v, v, v, v, v, v, []any{v}, j) + log.String()
		for _, trace := range traces {
			if strings.Contains(out, trace) {
				t.Errorf("%s shows the key: %s", name, out)
				break
			}
		}
	}
}
