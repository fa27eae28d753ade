package negotiate_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// secretWindow is how many octets of a secret in a row are a leak.
const secretWindow = 12

// secrets are what must be in no text that the module makes, and the text that
// it has made. It finds octets of a secret in whatever form fmt, slog and the
// usual encodings give them.
type secrets struct {
	mu      sync.Mutex
	windows map[[secretWindow]byte]bool
	words   []string
	text    bytes.Buffer
}

func newSecrets() *secrets { return &secrets{windows: make(map[[secretWindow]byte]bool)} }

// add takes a token or a key. Windows that are printable throughout are names
// and host names of its clear part.
func (s *secrets) add(secret []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range windows(secret) {
		if bytes.ContainsFunc(w[:], func(r rune) bool { return r < ' ' || r > '~' }) {
			s.windows[w] = true
		}
	}
}

// addWord takes a password.
func (s *secrets) addWord(word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = append(s.words, word, hex.EncodeToString([]byte(word)), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(word)), "="))
}

// note takes a value in all the forms in which a program may print it.
func (s *secrets) note(values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		fmt.Fprintf(&s.text, "%v\n%+v\n%#v\n", v, v, v)
		if err, ok := v.(error); ok && err != nil {
			fmt.Fprintln(&s.text, err.Error())
		}
	}
}

// Write takes a log.
func (s *secrets) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// written is the text so far.
func (s *secrets) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// logger writes all levels, as text and as JSON.
func (s *secrets) logger() *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelDebug - 4}
	return slog.New(bothHandlers{slog.NewTextHandler(s, o), slog.NewJSONHandler(s, o)})
}

// bothHandlers hands each record to two handlers.
type bothHandlers [2]slog.Handler

func (b bothHandlers) Enabled(ctx context.Context, l slog.Level) bool { return b[0].Enabled(ctx, l) }

func (b bothHandlers) Handle(ctx context.Context, r slog.Record) error {
	if err := b[0].Handle(ctx, r.Clone()); err != nil {
		return err
	}
	return b[1].Handle(ctx, r.Clone())
}

func (b bothHandlers) WithAttrs(a []slog.Attr) slog.Handler {
	return bothHandlers{b[0].WithAttrs(a), b[1].WithAttrs(a)}
}

func (b bothHandlers) WithGroup(name string) slog.Handler {
	return bothHandlers{b[0].WithGroup(name), b[1].WithGroup(name)}
}

// found returns the text around the first secret in the text, "" for none.
func (s *secrets) found() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.text.String()
	for _, word := range s.words {
		if i := strings.Index(text, word); i >= 0 {
			return around(text, i)
		}
	}
	for _, form := range forms {
		at := 0
		for run := range strings.FieldsFuncSeq(text, func(r rune) bool { return !form.chars(r) }) {
			at += strings.Index(text[at:], run)
			if len(run) >= form.least && s.isSecret(form.decode(run)) {
				return around(text, at)
			}
		}
	}
	return ""
}

func (s *secrets) isSecret(decoded [][]byte) bool {
	for _, b := range decoded {
		for w := range windows(b) {
			if s.windows[w] {
				return true
			}
		}
	}
	return false
}

func around(text string, i int) string {
	return text[max(0, i-100):min(len(text), i+200)]
}

func windows(b []byte) func(yield func([secretWindow]byte) bool) {
	return func(yield func([secretWindow]byte) bool) {
		for i := 0; i+secretWindow <= len(b); i++ {
			if !yield([secretWindow]byte(b[i:])) {
				return
			}
		}
	}
}

// forms are the ways in which octets become text: of which characters, how many
// of them there are at least, and what a run of them may stand for.
var forms = []struct {
	chars  func(rune) bool
	least  int
	decode func(string) [][]byte
}{
	{func(rune) bool { return true }, secretWindow, func(s string) [][]byte { return [][]byte{[]byte(s)} }},
	{func(r rune) bool { return r != '\n' }, secretWindow, func(s string) [][]byte { return [][]byte{unquote(s)} }},
	{isOneOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"), secretWindow * 4 / 3, decodeBase64},
	{isOneOf("0123456789abcdefABCDEFxX :,"), secretWindow * 2, decodeHex},
	{isOneOf("0123456789 ,"), secretWindow * 2, decodeList},
}

func isOneOf(chars string) func(rune) bool {
	var set [128]bool
	for _, c := range chars {
		set[c] = true
	}
	return func(r rune) bool { return r < 128 && set[r] }
}

// unquote undoes the escapes of Go and JSON, piece by piece.
func unquote(s string) []byte {
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
	return out
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
	for f := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' || r == ',' }) {
		n, _ := strconv.ParseUint(f, 10, 8)
		b = append(b, byte(n))
	}
	return [][]byte{b}
}

// TestSecretsAreFound shows that none of the ways to print a secret escapes.
func TestSecretsAreFound(t *testing.T) {
	token := make([]byte, 40)
	for i := range token {
		token[i] = byte(i*37 + 129)
	}
	part := token[7 : 7+secretWindow+4]
	for name, leak := range map[string]func(*secrets){
		"raw":            func(s *secrets) { s.Write(part) },
		"%v":             func(s *secrets) { fmt.Fprintf(s, "a %v b", part) },
		"%#v":            func(s *secrets) { fmt.Fprintf(s, "%#v", part) },
		"%q":             func(s *secrets) { fmt.Fprintf(s, "x%q", part) },
		"%x":             func(s *secrets) { fmt.Fprintf(s, "key=%x", part) },
		"% X":            func(s *secrets) { fmt.Fprintf(s, "% X", part) },
		"odd hex":        func(s *secrets) { fmt.Fprintf(s, "a%x", part) },
		"base64":         func(s *secrets) { s.note("Negotiate " + base64.StdEncoding.EncodeToString(part)) },
		"base64url":      func(s *secrets) { s.note("x/" + base64.RawURLEncoding.EncodeToString(part)) },
		"slog bytes":     func(s *secrets) { s.logger().Debug("m", "a", part) },
		"slog string":    func(s *secrets) { s.logger().With("a", string(part)).Debug("m") },
		"slog any":       func(s *secrets) { s.logger().Debug("m", "a", struct{ B []byte }{part}) },
		"field":          func(s *secrets) { s.note(struct{ b []byte }{part}) },
		"error":          func(s *secrets) { s.note(fmt.Errorf("token %s", part)) },
		"password":       func(s *secrets) { s.note("the password hunter2!") },
		"password, %x":   func(s *secrets) { fmt.Fprintf(s, "%x", "hunter2!") },
		"password, %q b": func(s *secrets) { fmt.Fprintf(s, "%q", []byte("hunter2!")) },
	} {
		s := newSecrets()
		s.add(token)
		s.addWord("hunter2!")
		s.note("an ordinary text about HTTP/www.example.org and 1 2 3 4 5 6 7 8 9 10 11 12 13")
		if got := s.found(); got != "" {
			t.Fatalf("%s: found in an ordinary text: %q", name, got)
		}
		leak(s)
		if s.found() == "" {
			t.Errorf("%s: not found in %q", name, s.written())
		}
	}
}
