package main

import (
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
	trouble error  // what the provider failed with last
	ticket  string // the one that it told of last
}

// told reports whether the provider has just told of the record's ticket.
func (t *teller) told(r *record) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.ticket
	t.ticket = r.value("service").String() + r.ticket()
	return r.message == "using a ticket" && t.ticket == last
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

// logger takes what the Transport and its provider log.
func (t *teller) logger() *slog.Logger { return newRecorder(t.log) }

// log notes what the provider tells. What the Transport says of its own work is
// left out: the events say the same.
func (t *teller) log(r *record) {
	if !r.fromProvider() {
		return
	}
	if err, ok := r.value("error").Any().(error); ok {
		t.setTrouble(err)
	}
	switch {
	case r.message == "context" || r.message == "no context" || r.message == "step": // the Transport's
	case r.ticket() != "" && t.told(r):
	case t.verbose:
		t.tape.add(&event{kind: eventNote, text: r.text()})
	case r.level >= slog.LevelWarn:
		fmt.Fprintf(t.w, "negotiate: %s\n", printable(r.text()))
	}
}
