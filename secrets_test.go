package negotiate_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/internal/secretscan"
)

// secrets are what must be in no text that the module makes, and the text that
// it has made.
type secrets struct {
	mu     sync.Mutex
	finder secretscan.Finder
	text   bytes.Buffer
}

func newSecrets() *secrets { return new(secrets) }

// add takes a token or a key.
func (s *secrets) add(secret []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finder.Secret(secret)
}

// addWord takes a password.
func (s *secrets) addWord(word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finder.Word(word)
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
	return s.finder.Find(s.text.String())
}

// TestSecretsAreFound shows that none of the ways to print a secret escapes.
func TestSecretsAreFound(t *testing.T) {
	token := make([]byte, 40)
	for i := range token {
		token[i] = byte(i*37 + 129)
	}
	part := token[7 : 7+secretscan.Window+4]
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
