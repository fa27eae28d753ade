package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/inspect"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// print tells what happened on the stage, step by step.
func (d *stage) print(w io.Writer) {
	fmt.Fprintln(w, "The parties, all in this process:")
	table(w, [][2]string{
		{"KDC", fmt.Sprintf("of realm %s, at %s", demoRealm, d.kdc.Addr())},
		{"server", fmt.Sprintf("%s, which is %s, at %s", d.url(), serviceName, d.listener.Addr())},
		{"client", fmt.Sprintf("%s@%s, with her password", demoUser, demoRealm)},
	})
	fmt.Fprintln(w)
	step := 0
	for _, e := range d.tape.take() {
		if e.kind == eventNote { // belongs to the step before
			writeBlock(w, e.text)
			continue
		}
		step++
		s := stepOf(e)
		if step > 1 {
			fmt.Fprintln(w)
		}
		title := fmt.Sprintf("%2d  %s", step, s.title)
		fmt.Fprintf(w, "%-*s%10s\n", helpWidth-10, title, milliseconds(e.at.Sub(d.began)))
		for _, line := range s.lines {
			writeBlock(w, line)
		}
	}
	fmt.Fprintln(w)
}

// writeBlock writes a line of a step, broken where it is too long.
func writeBlock(w io.Writer, line string) {
	text := strings.TrimLeft(line, " ")
	indent := 4 + len(line) - len(text)
	for i, part := range wrap(text, helpWidth-indent-2) {
		if i == 1 {
			indent += 2
		}
		fmt.Fprintf(w, "%*s%s\n", indent, "", printable(part))
	}
}

// step is one message of the exchange.
type step struct {
	title string
	lines []string
}

func stepOf(e *event) step {
	switch e.kind {
	case eventRequest:
		return requestStep(e)
	case eventResponse:
		return responseStep(e)
	}
	return kdcStep(e)
}

func requestStep(e *event) step {
	s := step{title: "client -> server: the page, please", lines: []string{e.request.Method + " " + e.request.URL.RequestURI() + " HTTP/1.1"}}
	for _, f := range e.fields {
		if tok := token(f.name, f.value); tok != nil {
			s.title = "client -> server: the page, please; here is who I am"
			s.lines = append(s.lines, f.name+": "+redacted(f.name, f.value))
			s.lines = append(s.lines, indented(inspect.Token(tok))...)
		}
	}
	return s
}

func responseStep(e *event) step {
	if e.response == nil {
		return step{title: "client <- server: " + e.text}
	}
	s := step{title: "client <- server: prove who you are", lines: []string{protocol(e.response) + " " + e.response.Status}}
	if e.response.StatusCode < 300 {
		s.title = "client <- server: welcome; and this is who I am"
	}
	for _, name := range slices.Sorted(maps.Keys(e.response.Header)) {
		for _, value := range e.response.Header[name] {
			if !secretFields[strings.ToLower(name)] {
				continue
			}
			s.lines = append(s.lines, name+": "+redacted(name, value))
			if tok := token(name, value); tok != nil {
				s.lines = append(s.lines, indented(inspect.Token(tok))...)
			}
		}
	}
	return s
}

func indented(n inspect.Node) []string {
	lines := n.Lines()
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return lines
}

func kdcStep(e *event) step {
	arrow := "client -> KDC: "
	if e.incoming {
		arrow = "client <- KDC: "
	}
	lines := inspect.Message(e.message).Lines()
	lines[0] += ", " + strings.ToUpper(e.network)
	return step{title: arrow + gist(e.message), lines: lines}
}

// gist says in a few words what a message to or from a KDC is about.
func gist(b []byte) string {
	if req, err := krbmsg.ParseKDCReq(b); err == nil {
		_, proved := krbmsg.FindPAData(req.PAData, krbmsg.PAEncTimestamp)
		switch {
		case req.Type == krbmsg.TypeTGSReq:
			return "a ticket for the server, please"
		case proved:
			return "the same; I know the password"
		}
		return "a ticket-granting ticket, please"
	}
	if e, err := krbmsg.ParseKRBError(b); err == nil {
		if e.Code == krbmsg.ErrPreauthRequired {
			return "prove that you know the password"
		}
		return "no"
	}
	return "here it is"
}
