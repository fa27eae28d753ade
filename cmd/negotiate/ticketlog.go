package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// ticketHandler puts the tickets that a krb5 provider tells of onto a tape, as
// notes.
type ticketHandler struct {
	tape  *tape
	attrs []slog.Attr
}

func (h *ticketHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *ticketHandler) Handle(_ context.Context, r slog.Record) error {
	attrs := make(map[string]slog.Value)
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value
		return true
	})
	if text := ticketText(attrs); text != "" {
		h.tape.add(&event{kind: eventNote, text: text})
	}
	return nil
}

func (h *ticketHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &ticketHandler{h.tape, append(slices.Clip(h.attrs), attrs...)}
}

// WithGroup leaves groups out: nothing here uses them.
func (h *ticketHandler) WithGroup(string) slog.Handler { return h }

// ticketText describes a ticket of a provider's record; empty if the record is of
// something else.
func ticketText(attrs map[string]slog.Value) string {
	expires, ok := attrs["expires"]
	flags, ok2 := attrs["flags"]
	if !ok || !ok2 || expires.Kind() != slog.KindTime {
		return ""
	}
	return "the client reads: session key " + attrs["session_key"].String() + "; valid until " +
		expires.Time().UTC().Format(time.RFC3339) + "; " + flagWords(flags.String())
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
