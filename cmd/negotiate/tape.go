package main

import (
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate"
)

// eventKind says what an event tells.
type eventKind uint8

const (
	eventRequest  eventKind = iota // headers were written
	eventResponse                  // the first octet of a response has come
	eventNote                      // something else, in text
	eventMessage                   // a message to or from a KDC
)

// event is something that happened during an exchange.
type event struct {
	kind eventKind
	at   time.Time

	request  *http.Request  // of the round trip that this belongs to
	fields   []field        // of a request, as written
	response *http.Response // set once the round trip is over
	text     string         // of a note
	message  []byte         // to or from a KDC
	incoming bool           // from it
	network  string         // "udp" or "tcp"
}

// field is one header field as it was written.
type field struct{ name, value string }

// tape records the events of HTTP round trips in their order. It is safe for
// concurrent use.
type tape struct {
	mu     sync.Mutex
	events []*event
	trip   *http.Request         // the round trip in progress
	open   *event                // a request whose headers are being written
	live   func(events []*event) // is told what can be told already; may be nil
	told   int
}

// add records an event that is complete.
func (t *tape) add(e *event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.at, e.request = time.Now(), t.trip
	t.events = append(t.events, e)
	t.tell()
}

// tell passes on all events up to the first response whose headers are not known
// yet.
func (t *tape) tell() {
	if t.live == nil {
		return
	}
	from := t.told
	for t.told < len(t.events) && !t.events[t.told].pending() && t.events[t.told] != t.open {
		t.told++
	}
	if from < t.told {
		t.live(t.events[from:t.told])
	}
}

func (e *event) pending() bool { return e.kind == eventResponse && e.response == nil }

// taped is a RoundTripper whose events are recorded.
type taped struct {
	tape *tape
	next http.RoundTripper
}

// RoundTrip records that of next.
func (t *taped) RoundTrip(req *http.Request) (*http.Response, error) {
	t.tape.begin(req)
	resp, err := t.next.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), t.tape.trace())))
	t.tape.end(resp)
	return resp, err
}

func (t *tape) begin(req *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trip = req
}

// trace records what net/http writes.
func (t *tape) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		WroteHeaderField:     t.wroteField,
		WroteHeaders:         t.wroteHeaders,
		GotFirstResponseByte: func() { t.add(&event{kind: eventResponse}) },
	}
}

func (t *tape) wroteField(name string, values []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = &event{kind: eventRequest, at: time.Now(), request: t.trip}
		t.events = append(t.events, t.open)
	}
	for _, v := range values {
		t.open.fields = append(t.open.fields, field{name, v})
	}
}

func (t *tape) wroteHeaders() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = nil
	t.tell()
}

// end fills in the responses of a round trip, of which net/http does not tell
// before. resp is nil if none was passed on.
func (t *tape) end(resp *http.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = nil
	var responses []*http.Response
	if ex, ok := negotiate.ExchangeFrom(resp); ok {
		responses = slices.Clone(ex.History)
	}
	if resp != nil {
		responses = append(responses, resp)
	}
	for _, e := range t.events {
		if !e.pending() {
			continue
		}
		if len(responses) == 0 {
			e.kind, e.text = eventNote, "a response came, and was not passed on"
			continue
		}
		e.response, responses = responses[0], responses[1:]
	}
	t.tell()
}

// take returns the events so far.
func (t *tape) take() []*event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events
}
