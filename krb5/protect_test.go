package krb5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

var aesTypes = []etype.ID{etype.AES256SHA1, etype.AES128SHA1, etype.AES256SHA2, etype.AES128SHA2}

// protections are both ends of a context, with or without a sub-key of the
// acceptor.
func protections(id etype.ID, acceptorSubkey bool) (initiator, acceptor *protection) {
	end := func(initiator bool) *protection {
		key := make([]byte, id.KeySize())
		for i := range key {
			key[i] = byte(i)
		}
		p := &protection{established: true, initiator: initiator, acceptorSubkey: acceptorSubkey, secret: new(contextKey), send: 1000}
		p.secret.set(id, key)
		p.receive.next = 1000
		return p
	}
	return end(true), end(false)
}

func TestProtectionBothWays(t *testing.T) {
	for _, id := range aesTypes {
		for _, subkey := range []bool{false, true} {
			i, a := protections(id, subkey)
			for _, pair := range [][2]*protection{{i, a}, {a, i}} {
				from, to := pair[0], pair[1]
				for _, msg := range [][]byte{nil, []byte("m"), bytes.Repeat([]byte("message "), 5000)} {
					for _, conf := range []bool{true, false} {
						token, err := from.Wrap(conf, msg)
						if err != nil {
							t.Fatal(err)
						}
						if len(msg) > 1 && bytes.Contains(token, msg) == conf {
							t.Errorf("%s: confidential is %t, and the message is in the token: %t", id, conf, !conf)
						}
						got, gotConf, err := to.Unwrap(token)
						if err != nil || !bytes.Equal(got, msg) || gotConf != conf {
							t.Errorf("%s: %d octets, %t, %v; want %d, %t", id, len(got), gotConf, err, len(msg), conf)
						}
					}
					mic, err := from.GetMIC(msg)
					if err != nil {
						t.Fatal(err)
					}
					if err := to.VerifyMIC(msg, mic); err != nil {
						t.Errorf("%s: %v", id, err)
					}
				}
			}
		}
	}
}

// rotate does to a token what a sender may do: it rotates what follows the
// header to the right by rrc octets (RFC 4121, section 4.2.5). Windows does so by
// 28.
func rotate(token []byte, rrc int) []byte {
	token = bytes.Clone(token)
	binary.BigEndian.PutUint16(token[6:], uint16(rrc))
	body := token[headerLen:]
	n := len(body) - rrc%len(body)
	copy(body, slices.Concat(body[n:], body[:n]))
	return token
}

func TestUnwrapRotated(t *testing.T) {
	for _, id := range aesTypes {
		for _, conf := range []bool{true, false} {
			for _, rrc := range []int{0, 1, 12, 16, 28, 40, 100, 1000, 65535} {
				i, a := protections(id, true)
				token, err := a.Wrap(conf, []byte("rotated message"))
				if err != nil {
					t.Fatal(err)
				}
				msg, _, err := i.Unwrap(rotate(token, rrc))
				if err != nil || string(msg) != "rotated message" {
					t.Errorf("%s, conf %t, rotated by %d: %q, %v", id, conf, rrc, msg, err)
				}
			}
		}
	}
}

// A sender may fill up what it encrypts, and says by how much (RFC 4121, section
// 4.2.4).
func TestUnwrapFilled(t *testing.T) {
	for _, filler := range []int{0, 1, 16, 300} {
		i, a := protections(etype.AES256SHA1, true)
		header := a.header(idWrap, true, uint16(filler), 0)
		key, err := etype.NewKey(a.secret.id, a.secret.bytes())
		if err != nil {
			t.Fatal(err)
		}
		plain := slices.Concat([]byte("message"), make([]byte, filler), header)
		token, err := key.AppendEncrypt(header, krbmsg.UsageAcceptorSeal, plain)
		if err != nil {
			t.Fatal(err)
		}
		msg, conf, err := i.Unwrap(rotate(token, 28))
		if err != nil || string(msg) != "message" || !conf {
			t.Errorf("filled by %d: %q, %t, %v", filler, msg, conf, err)
		}
		// A filler that is longer than all there is.
		binary.BigEndian.PutUint16(header[4:], 400)
		plain = slices.Concat([]byte("message"), header)
		if token, err = key.AppendEncrypt(header, krbmsg.UsageAcceptorSeal, plain); err != nil {
			t.Fatal(err)
		}
		if _, _, err := i.Unwrap(token); !errors.Is(err, gss.ErrBadMIC) {
			t.Errorf("got %v, want ErrBadMIC", err)
		}
	}
}

// Every bit of a token counts, but for how it is rotated.
func TestMangledMessages(t *testing.T) {
	for _, conf := range []bool{true, false} {
		i, a := protections(etype.AES256SHA1, true)
		token, err := i.Wrap(conf, []byte("message"))
		if err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(token) {
			mangled := bytes.Clone(token)
			mangled[bit/8] ^= 1 << (bit % 8)
			if msg, _, err := a.Unwrap(mangled); err == nil {
				t.Errorf("conf %t: with bit %d flipped it is %q", conf, bit, msg)
			}
		}
		for n := range token {
			if _, _, err := a.Unwrap(token[:n]); err == nil {
				t.Errorf("conf %t: the first %d octets were taken", conf, n)
			}
		}
		if msg, _, err := a.Unwrap(token); err != nil || string(msg) != "message" {
			t.Errorf("conf %t: after all that the whole is %q, %v", conf, msg, err)
		}
	}
	i, a := protections(etype.AES256SHA1, true)
	mic, err := i.GetMIC([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(mic) {
		mangled := bytes.Clone(mic)
		mangled[bit/8] ^= 1 << (bit % 8)
		if a.VerifyMIC([]byte("message"), mangled) == nil {
			t.Errorf("a MIC with bit %d flipped was taken", bit)
		}
	}
	if a.VerifyMIC([]byte("massage"), mic) == nil {
		t.Error("the MIC of another message was taken")
	}
	if err := a.VerifyMIC([]byte("message"), mic); err != nil {
		t.Error(err)
	}
}

func TestProtectionRefuses(t *testing.T) {
	i, a := protections(etype.AES256SHA1, true)
	wrap := func(p *protection) []byte {
		t.Helper()
		token, err := p.Wrap(true, []byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	unwrap := func(p *protection, token []byte) error {
		_, _, err := p.Unwrap(token)
		return err
	}
	other, _ := protections(etype.AES256SHA1, true)
	other.secret.value[0]++
	plain, _ := protections(etype.AES256SHA1, false)
	mic, err := i.GetMIC([]byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	_, rc4 := protections(etype.RC4HMAC, false)
	_, strange := protections(etype.AES256SHA1, false)
	strange.secret.id = 1
	for name, test := range map[string]struct {
		err  error
		want error
	}{
		"sent back":           {unwrap(i, wrap(i)), gss.ErrBadMIC},
		"under another key":   {unwrap(a, wrap(other)), gss.ErrBadMIC},
		"under the wrong key": {unwrap(a, wrap(plain)), gss.ErrBadMIC},
		"a MIC":               {unwrap(a, mic), gss.ErrDefectiveToken},
		"nothing":             {unwrap(a, nil), gss.ErrDefectiveToken},
		"a header":            {unwrap(a, wrap(i)[:headerLen]), gss.ErrBadMIC},
		"a wrap as MIC":       {a.VerifyMIC([]byte("m"), wrap(i)), gss.ErrDefectiveToken},
		"no context":          {unwrap(new(protection), wrap(i)), gss.ErrNoContext},
		"RC4":                 {unwrap(rc4, wrap(i)), gss.ErrUnavailable},
		"no type":             {unwrap(strange, wrap(i)), gss.ErrFailure},
	} {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%s: got %v, want %v", name, test.err, test.want)
		}
		if _, ok := errors.AsType[*gss.Error](test.err); !ok {
			t.Errorf("%s: the error is a %T", name, test.err)
		}
	}
}

// Messages come in any order, and none twice.
func TestMessageOrder(t *testing.T) {
	i, a := protections(etype.AES128SHA1, true)
	var tokens [][]byte
	for n := range 200 {
		token, err := i.Wrap(false, fmt.Append(nil, n))
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	try := func(n int, want error) {
		t.Helper()
		msg, _, err := a.Unwrap(tokens[n])
		if want == nil && (err != nil || string(msg) != fmt.Sprint(n)) || want != nil && !errors.Is(err, want) {
			t.Errorf("message %d: %q, %v, want %v", n, msg, err, want)
		}
	}
	try(0, nil)
	try(0, gss.ErrDuplicateToken)
	try(2, nil)
	try(1, nil)
	try(1, gss.ErrDuplicateToken)
	try(2, gss.ErrDuplicateToken)
	try(100, nil)
	try(37, nil)
	try(36, gss.ErrOldToken)
	try(99, nil)
	try(199, nil)
	try(100, gss.ErrOldToken)
	try(199, gss.ErrDuplicateToken)
}

// A MIC and a wrapped message use up one sequence.
func TestOneSequence(t *testing.T) {
	i, a := protections(etype.AES128SHA1, true)
	mic, err := i.GetMIC(nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := i.Wrap(true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if seq := binary.BigEndian.Uint64(token[8:]); seq != 1001 {
		t.Errorf("the second token has number %d, want 1001", seq)
	}
	if _, _, err := a.Unwrap(token); err != nil {
		t.Error(err)
	}
	if err := a.VerifyMIC(nil, mic); err != nil {
		t.Error(err)
	}
}

// Closing wipes the key where it was kept.
func TestWipe(t *testing.T) {
	i, _ := protections(etype.AES256SHA1, true)
	if _, err := i.GetMIC(nil); err != nil {
		t.Fatal(err)
	}
	i.wipe()
	if *i.secret != (contextKey{}) || i.key != nil {
		t.Errorf("after wipe the key is % x", i.secret.value)
	}
}

// FuzzUnwrap takes anything from the peer. Nobody without the key makes a
// message of it.
func FuzzUnwrap(f *testing.F) {
	i, _ := protections(etype.AES256SHA1, true)
	for _, conf := range []bool{true, false} {
		token, err := i.Wrap(conf, []byte("message"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
		f.Add(rotate(token, 28))
		f.Add(token[:headerLen])
	}
	mic, err := i.GetMIC([]byte("message"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mic)
	f.Fuzz(func(t *testing.T, token []byte) {
		_, a := protections(etype.AES256SHA1, true)
		a.secret.value[5] ^= 1 // so that the seeds do not pass either
		if msg, _, err := a.Unwrap(token); err == nil {
			t.Errorf("it is %q", msg)
		}
		if err := a.VerifyMIC([]byte("message"), token); err == nil {
			t.Error("it is a MIC")
		}
	})
}
