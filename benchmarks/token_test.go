package benchmarks

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// BenchmarkFloor is the arithmetic that an initial token takes and that no code
// can do without: AES-CBC and HMAC of the authenticator, random bytes for its
// sub-key, confounder and sequence number, and base64 of the whole.
func BenchmarkFloor(b *testing.B) {
	key, iv := make([]byte, 32), make([]byte, aes.BlockSize)
	authenticator, token, random := make([]byte, 256), make([]byte, 1100), make([]byte, 48)
	block, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	text := make([]byte, base64.StdEncoding.EncodedLen(len(token)))
	for b.Loop() {
		rand.Read(random)
		mac.Reset()
		mac.Write(authenticator)
		mac.Sum(nil)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(authenticator, authenticator)
		base64.StdEncoding.Encode(text, token)
	}
}

// BenchmarkInitiate makes the token of an authenticated request as it stands in
// the header, with a ticket that is there already.
func BenchmarkInitiate(b *testing.B) {
	x := newBed(b)
	for name, flags := range map[string]gss.Flags{"negotiate": 0, "negotiate-mutual": gss.FlagMutual} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				base64.StdEncoding.EncodeToString(x.token(b, flags))
			}
		})
	}
	b.Run("gokrb5", func(b *testing.B) {
		cl := x.gokrb5(b)
		b.ReportAllocs()
		for b.Loop() {
			base64.StdEncoding.EncodeToString(gokrb5Token(b, cl))
		}
	})
}

// BenchmarkAccept verifies a token that was never seen before. "new" is of a
// client's first request, "mutual" of those that follow. Those prove the server's
// identity to the client; gokrb5 cannot, so "one-sided" is what compares.
func BenchmarkAccept(b *testing.B) {
	x := newBed(b)
	accept := func(token []byte) { x.accept(b, token) }
	b.Run("negotiate-mutual", func(b *testing.B) {
		each(b, func() []byte { return x.token(b, gss.FlagMutual) }, accept)
	})
	b.Run("negotiate-one-sided", func(b *testing.B) {
		each(b, func() []byte { return x.token(b, 0) }, accept)
	})
	b.Run("negotiate-new", func(b *testing.B) {
		each(b, func() []byte { return x.strangersToken(b, 0) }, accept)
	})
	b.Run("gokrb5", func(b *testing.B) {
		keytab := x.gokrb5Keytab(b)
		each(b, func() []byte { return x.token(b, 0) }, func(token []byte) {
			s := spnego.SPNEGOService(keytab, service.DecodePAC(false))
			var t spnego.SPNEGOToken
			if err := t.Unmarshal(token); err != nil {
				b.Fatal(err)
			}
			if ok, _, status := s.AcceptSecContext(&t); !ok {
				b.Fatal(status)
			}
		})
	})
}

// BenchmarkVerify is the client's part in mutual authentication.
func BenchmarkVerify(b *testing.B) {
	x := newBed(b)
	type waiting struct {
		sc    gss.SecContext
		reply []byte
	}
	b.Run("negotiate", func(b *testing.B) {
		prepare := func() waiting {
			sc, token := x.initiate(b, x.cred, gss.FlagMutual)
			return waiting{sc, x.accept(b, token)}
		}
		each(b, prepare, func(w waiting) {
			if _, done, err := w.sc.Step(b.Context(), w.reply); err != nil || !done {
				b.Fatal(done, err)
			}
		})
	})
}
