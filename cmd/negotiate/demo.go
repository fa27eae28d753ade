package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate"
)

func demoHelp() string {
	return `Usage: negotiate demo

Shows one exchange of HTTP Negotiate from the first request to the page: a KDC,
a web server and a client run in this process and talk over the loopback
interface, and what they say is printed. Nothing has to be set up, and nothing
is left.

Exit status: 0 if the client got the page, else 1.
`
}

func runDemo(ctx context.Context, args []string, s stdio) int {
	if _, err := parseOnlyFlags(nil, args); err != nil {
		return usageError(s, "demo", err)
	}
	dir, err := os.MkdirTemp("", "negotiate-demo-")
	if err != nil {
		return failed(s, err)
	}
	defer os.RemoveAll(dir)
	stage, err := newStage(dir)
	if err != nil {
		return failed(s, err)
	}
	defer stage.close()
	result, err := stage.play(ctx)
	stage.print(s.out)
	if err != nil {
		return failed(s, err)
	}
	result.print(s.out)
	return exitOK
}

// demoResult is what an exchange has led to.
type demoResult struct {
	exchange *negotiate.Exchange
	identity *negotiate.Identity
	page     string
	took     time.Duration
}

// play makes the one request of the demonstration.
func (d *stage) play(ctx context.Context) (*demoResult, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	t, err := d.transport()
	if err != nil {
		return nil, err
	}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url(), nil)
	if err != nil {
		return nil, err
	}
	d.began = time.Now()
	resp, err := (&taped{tape: &d.tape, next: t}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	took := time.Since(d.began)
	ex, _ := negotiate.ExchangeFrom(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s: %s", resp.Status, explain(ex.Err, serviceName))
	}
	return &demoResult{ex, d.identity(), strings.TrimSpace(string(page)), took}, nil
}

// print tells the end of the story.
func (r *demoResult) print(w io.Writer) {
	fmt.Fprintf(w, "The client has its page: %q\n", r.page)
	table(w, [][2]string{
		{"client", r.identity.Principal + ", as the server knows by " + r.identity.Mechanism.Describe()},
		{"server", r.exchange.Target.String() + ", as the client knows: the AP-REP was verified"},
		{"flags", strings.ReplaceAll(r.exchange.Flags.String(), "|", ", ")},
		{"valid", "until " + r.exchange.Expires.UTC().Format(time.RFC3339)},
		{"took", fmt.Sprintf("%d HTTP requests, %s in all", r.exchange.Legs, milliseconds(r.took))},
	})
}

// table prints pairs in two columns.
func table(w io.Writer, rows [][2]string) {
	for _, row := range rows {
		fmt.Fprintf(w, "  %-8s%s\n", row[0], row[1])
	}
}

// log notes the tickets that the client gets: their flags and lifetime are for
// its eyes only, and not on the wire.
func (d *stage) log(r *record) {
	if ticket := r.ticket(); ticket != "" && r.message == "got a ticket" {
		d.tape.add(&event{kind: eventNote, text: "the client reads: " + ticket})
	}
}
