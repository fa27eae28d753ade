package keyring

import (
	"testing"

	"github.com/go-negotiate/negotiate/internal/ccache"
)

// FuzzPayloads has keys hold anything, where a cache is expected.
func FuzzPayloads(f *testing.F) {
	f.Add(encodePrimary("krb_ccache_abcd"), ccache.EncodePrincipal(alice), encodeOffset(-5), ccache.EncodeCredential(ticket(alice, "web")))
	f.Add([]byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, []byte{0xff}, []byte{1}, []byte{})
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 'x'}, []byte(nil), []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, primary, owner, offset, cred []byte) {
		k := &fake{}
		collection, _ := k.add(typeKeyring, "_krb_x", nil, userKeyring)
		k.add(typeUser, keyPrimary, primary, collection)
		name, err := parsePrimary(primary)
		if err != nil {
			name = "x"
		}
		ring, _ := k.add(typeKeyring, name, nil, collection)
		k.add(typeUser, keyPrincipal, owner, ring)
		k.add(typeUser, keyOffsets, offset, ring)
		k.add(typeUser, "HTTP/web@X.TEST", cred, ring)
		_, c, err := open(k, "user:x")
		if err != nil {
			t.Fatal(err)
		}
		if s, err := c.Primary(t.Context()); err == nil {
			s.Version(t.Context())
			if cache, _, err := s.Read(t.Context()); err == nil && len(cache.Creds) > 1 {
				t.Errorf("%d tickets of one key", len(cache.Creds))
			}
		}
		c.Stores(t.Context())
		parseMembers(cred)
	})
}
