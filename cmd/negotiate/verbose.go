package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/internal/inspect"
)

// teller tells a person what happens: with --verbose all of it, else only the
// provider's warnings.
type teller struct {
	w       io.Writer
	verbose bool
	tape    tape

	mu      sync.Mutex
	trouble error // what the provider failed with last
}

// lastTrouble is what the provider failed with last.
func (t *teller) lastTrouble() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.trouble
}

func (t *teller) setTrouble(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trouble = err
}

// around records what goes through t.
func (t *teller) around(next http.RoundTripper) http.RoundTripper {
	if !t.verbose {
		return next
	}
	t.tape.live = t.events
	return &taped{tape: &t.tape, next: next}
}

// events writes events as curl does.
func (t *teller) events(events []*event) {
	for _, e := range events {
		switch e.kind {
		case eventRequest:
			writeRequest(t.w, e)
		case eventResponse:
			writeResponse(t.w, e.response)
		case eventNote:
			t.note(e.text)
		}
	}
}

func (t *teller) note(text string) { fmt.Fprintf(t.w, "* %s\n", printable(text)) }

// writeRequest writes the headers as they went out. In HTTP/2 the request line
// is in fields of its own, whose names begin with a colon.
func writeRequest(w io.Writer, e *event) {
	version := "HTTP/1.1"
	if len(e.fields) > 0 && e.fields[0].name[0] == ':' {
		version = "HTTP/2"
	}
	fmt.Fprintf(w, "> %s %s %s\n", e.request.Method, e.request.URL.RequestURI(), version)
	for _, f := range e.fields {
		writeField(w, '>', f.name, f.value)
	}
	fmt.Fprintln(w, ">")
}

func writeResponse(w io.Writer, resp *http.Response) {
	fmt.Fprintf(w, "< %s %s\n", protocol(resp), printable(resp.Status))
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			writeField(w, '<', name, value)
		}
	}
	fmt.Fprintln(w, "<")
}

// writeField writes a field, and below a token what it is.
func writeField(w io.Writer, direction byte, name, value string) {
	fmt.Fprintf(w, "%c %s: %s\n", direction, printable(name), redacted(name, value))
	if tok := token(name, value); tok != nil {
		for _, line := range inspect.Token(tok).Lines() {
			fmt.Fprintf(w, "*   %s\n", printable(line))
		}
	}
}

// summary tells how the response came about.
func (t *teller) summary(resp *http.Response) {
	ex, ok := negotiate.ExchangeFrom(resp)
	if !ok || !t.verbose {
		return
	}
	if ex.Mechanism == "" {
		t.note(fmt.Sprintf("nobody was authenticated; %s", t.times(ex.Legs)))
		return
	}
	who := "the client"
	if !ex.Initiator.IsZero() {
		who = ex.Initiator.String()
	}
	t.note(fmt.Sprintf("authenticated %s to %s by %s", who, ex.Target, ex.Mechanism.Describe()))
	if ex.Flags != 0 {
		t.note("  flags: " + strings.ReplaceAll(ex.Flags.String(), "|", ", "))
	}
	if !ex.Expires.IsZero() {
		t.note("  ticket valid until " + ex.Expires.UTC().Format(time.RFC3339))
	}
	t.note(fmt.Sprintf("  server verified: %s; credential delegated: %s; bound to the TLS channel: %s",
		yesNo(ex.MutualVerified), yesNo(ex.Delegated), yesNo(ex.ChannelBound)))
	t.note("  " + t.times(ex.Legs))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// times tells how long the requests of the last round trip took, and the client
// between them.
func (t *teller) times(legs int) string {
	var exchanges []*event
	for _, e := range t.tape.take() {
		if e.kind == eventRequest || e.kind == eventResponse {
			exchanges = append(exchanges, e)
		}
	}
	exchanges = exchanges[max(0, len(exchanges)-2*legs):]
	var server, client time.Duration
	for i := 1; i < len(exchanges); i++ {
		d := exchanges[i].at.Sub(exchanges[i-1].at)
		if exchanges[i].kind == eventResponse {
			server += d
		} else {
			client += d
		}
	}
	noun := "requests"
	if legs == 1 {
		noun = "request"
	}
	return fmt.Sprintf("%d %s: %s for the server to answer, %s for the client to make a token",
		legs, noun, milliseconds(server), milliseconds(client))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// logs returns a handler that takes what the Transport and its provider log.
func (t *teller) logs() slog.Handler {
	return &noteHandler{teller: t}
}

// noteHandler writes the records of the provider as notes. Those of the Transport
// itself are left out: the events say the same.
type noteHandler struct {
	teller *teller
	attrs  []slog.Attr
}

// Enabled takes all, for what a provider fails with is told even if nothing else
// is.
func (h *noteHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *noteHandler) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	if value(attrs, "logger").String() != "negotiate.gss" {
		return nil
	}
	if err, ok := value(attrs, "error").Any().(error); ok {
		h.teller.setTrouble(err)
	}
	switch {
	case r.Message == "step" || r.Message == "no context": // the Transport's
	case h.teller.verbose:
		h.teller.tape.add(&event{kind: eventNote, text: recordText(r.Message, attrs)})
	case r.Level >= slog.LevelWarn:
		fmt.Fprintf(h.teller.w, "negotiate: %s\n", printable(recordText(r.Message, attrs)))
	}
	return nil
}

func value(attrs []slog.Attr, key string) slog.Value {
	for _, a := range attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return slog.Value{}
}

// recordText is a record in one line.
func recordText(message string, attrs []slog.Attr) string {
	var text strings.Builder
	text.WriteString(message)
	for _, a := range attrs {
		if a.Key != "logger" {
			fmt.Fprintf(&text, "; %s %s", strings.ReplaceAll(a.Key, "_", " "), a.Value)
		}
	}
	return text.String()
}

func (h *noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &noteHandler{h.teller, append(slices.Clip(h.attrs), attrs...)}
}

// WithGroup leaves groups out: nothing here uses them.
func (h *noteHandler) WithGroup(string) slog.Handler { return h }
