package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// record is a record of slog with all attributes that belong to it.
type record struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// fromProvider reports whether the record is about the mechanism, not the HTTP.
func (r *record) fromProvider() bool { return r.value("logger").String() == "negotiate.gss" }

// value is that of an attribute; the zero Value if there is none.
func (r *record) value(key string) slog.Value {
	for _, a := range r.attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return slog.Value{}
}

// text is the record in one line.
func (r *record) text() string {
	if ticket := r.ticket(); ticket != "" {
		return fmt.Sprintf("%s for %s, of %s: %s", r.message, r.value("service"), r.value("client"), ticket)
	}
	var b strings.Builder
	b.WriteString(r.message)
	for _, a := range r.attrs {
		if a.Key != "logger" {
			fmt.Fprintf(&b, "; %s %s", strings.ReplaceAll(a.Key, "_", " "), a.Value)
		}
	}
	return b.String()
}

// ticket describes what only its holder can read of a ticket; empty if the record
// is about something else.
func (r *record) ticket() string {
	expires, flags := r.value("expires"), r.value("flags")
	if expires.Kind() != slog.KindTime || flags.Kind() != slog.KindString {
		return ""
	}
	text := fmt.Sprintf("session key %s; valid until %s", r.value("session_key"), expires.Time().UTC().Format(time.RFC3339))
	if words := flagWords(flags.String()); words != "" {
		text += "; " + words
	}
	return text
}

var flagWord = map[rune]string{
	'F': "forwardable", 'f': "forwarded", 'P': "proxiable", 'p': "proxy", 'R': "renewable", 'I': "initial",
	'i': "invalid", 'H': "hardware-authenticated", 'A': "pre-authenticated", 'T': "transit checked",
	'O': "ok as delegate", 'a': "anonymous",
}

// flagWords spells out the letters that klist -f shows.
func flagWords(letters string) string {
	var words []string
	for _, l := range letters {
		if w, ok := flagWord[l]; ok {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

// recorder is a slog.Handler that passes records on to a function, of every
// level. Groups are left out: nothing here uses them.
type recorder struct {
	take  func(*record)
	attrs []slog.Attr
}

func newRecorder(take func(*record)) *slog.Logger { return slog.New(&recorder{take: take}) }

func (h *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (h *recorder) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	h.take(&record{r.Level, r.Message, attrs})
	return nil
}

func (h *recorder) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &recorder{h.take, append(slices.Clip(h.attrs), attrs...)}
}

func (h *recorder) WithGroup(string) slog.Handler { return h }
