// Package secretscan finds secrets in text. Only tests import it.
package secretscan

import (
	"encoding/base64"
	"encoding/hex"
	"iter"
	"strconv"
	"strings"
)

// Window is how many octets of a secret in a row are a leak.
const Window = 12

// Finder finds octets of secrets in text, in whatever form fmt, slog and the
// usual encodings give them. The zero Finder knows no secret. It is not safe for
// concurrent use.
type Finder struct {
	// Stride is the distance of the windows that are kept of a secret, in
	// octets. A leak of Window+Stride-1 octets is sure to be found. Zero is 1.
	Stride int

	windows map[[Window]byte]bool
	words   map[string]bool
}

// Secret adds a token or a key. Windows that are mostly printable are names and
// host names of its clear part, and those of few different octets are in any text.
func (f *Finder) Secret(secret []byte) {
	if f.windows == nil {
		f.windows = make(map[[Window]byte]bool)
	}
	for i := 0; i+Window <= len(secret); i += max(1, f.Stride) {
		f.add([Window]byte(secret[i:]))
	}
	if n := len(secret) - Window; n >= 0 {
		f.add([Window]byte(secret[n:]))
	}
}

func (f *Finder) add(w [Window]byte) {
	var seen [256]bool
	different, strange := 0, 0
	for _, b := range w {
		if !seen[b] {
			seen[b] = true
			different++
		}
		if b < ' ' || b > '~' {
			strange++
		}
	}
	if different > Window/2 && strange > Window/4 {
		f.windows[w] = true
	}
}

// Word adds a password.
func (f *Finder) Word(word string) {
	if f.words == nil {
		f.words = make(map[string]bool)
	}
	f.words[word] = true
	f.words[hex.EncodeToString([]byte(word))] = true
	f.words[strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(word)), "=")] = true
}

// Find returns the text around the first secret in text, "" for none.
func (f *Finder) Find(text string) string {
	for word := range f.words {
		if i := strings.Index(text, word); i >= 0 {
			return around(text, i)
		}
	}
	for _, form := range forms {
		for at, run := range runs(text, form.chars) {
			if len(run) >= form.least && f.isSecret(form.decode(run)) {
				return around(text, at)
			}
		}
	}
	return ""
}

func (f *Finder) isSecret(decoded [][]byte) bool {
	for _, b := range decoded {
		for i := 0; i+Window <= len(b); i++ {
			if f.windows[[Window]byte(b[i:])] {
				return true
			}
		}
	}
	return false
}

func around(text string, i int) string {
	return text[max(0, i-100):min(len(text), i+200)]
}

// runs are the longest pieces of text that are made of the characters, and where
// they begin.
func runs(text string, chars func(byte) bool) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for at := 0; at < len(text); {
			end := at
			for end < len(text) && chars(text[end]) {
				end++
			}
			if end > at && !yield(at, text[at:end]) {
				return
			}
			at = end + 1
		}
	}
}

// forms are the ways in which octets become text: of which characters, how many
// of them there are at least, and what a run of them may stand for.
var forms = []struct {
	chars  func(byte) bool
	least  int
	decode func(string) [][]byte
}{
	{func(byte) bool { return true }, Window, func(s string) [][]byte { return [][]byte{[]byte(s)} }},
	{func(b byte) bool { return b != '\n' }, Window, decodeQuoted},
	{isOneOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"), Window * 4 / 3, decodeBase64},
	{isOneOf("0123456789abcdefABCDEFxX :,"), Window * 2, decodeHex},
	{isOneOf("0123456789 ,"), Window * 2, decodeList},
}

func isOneOf(chars string) func(byte) bool {
	var set [256]bool
	for _, c := range []byte(chars) {
		set[c] = true
	}
	return func(b byte) bool { return set[b] }
}

// decodeQuoted undoes the escapes of Go and JSON, piece by piece.
func decodeQuoted(s string) [][]byte {
	if !strings.Contains(s, `\`) {
		return nil // it is what it is
	}
	var out []byte
	for len(s) > 0 {
		r, multibyte, rest, err := strconv.UnquoteChar(s, '"')
		switch {
		case err != nil:
			out, s = append(out, s[0]), s[1:]
			continue
		case multibyte:
			out = append(out, string(r)...)
		default:
			out = append(out, byte(r))
		}
		s = rest
	}
	return [][]byte{out}
}

func decodeBase64(s string) (out [][]byte) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	for i := range min(4, len(s)) {
		part := s[i:]
		b, _ := base64.RawStdEncoding.DecodeString(part[:len(part)/4*4])
		out = append(out, b)
	}
	return out
}

func decodeHex(s string) (out [][]byte) {
	s = strings.NewReplacer("0x", "", "0X", "", " ", "", ":", "", ",", "", "x", "", "X", "").Replace(s)
	for i := range min(2, len(s)) {
		part := s[i:]
		b, _ := hex.DecodeString(part[:len(part)/2*2])
		out = append(out, b)
	}
	return out
}

func decodeList(s string) [][]byte {
	var b []byte
	for field := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' || r == ',' }) {
		n, _ := strconv.ParseUint(field, 10, 8)
		b = append(b, byte(n))
	}
	return [][]byte{b}
}
