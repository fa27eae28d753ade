//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Access is one request as Apache has logged it.
type Access struct {
	// ClientPort tells connections apart: it is the client's end.
	ClientPort int
	// ServerPort is the one of HTTP or HTTPS.
	ServerPort int
	// Keepalive is the number of requests before it on the same connection,
	// for HTTP/1.1 only.
	Keepalive int
	Status    int
	// Proto is "HTTP/1.1" or "HTTP/2.0".
	Proto, Method string
	// URI is path and query.
	URI string
	// User is the authenticated name, "-" for none.
	User string
	// Token tells whether the request had an Authorization header.
	Token bool

	began int64 // in microseconds
}

// logTimeout is how long a server may take to log a request that is answered. It is
// only reached when something is broken.
const logTimeout = time.Minute

// Accesses waits until the server has logged n requests whose path and query
// contain what, and returns all there are by then, in the order in which they came.
// Apache logs a request after its answer has gone out, so the log is late, and
// requests that other threads served are not in order. A what that no other test uses,
// such as a query with the test's name, makes the count reliable.
func (a *Apache) Accesses(tb testing.TB, what string, n int) []Access {
	tb.Helper()
	timeout := time.NewTimer(logTimeout)
	defer timeout.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		found, err := a.accesses(what)
		if err != nil {
			tb.Fatal(err)
		}
		if len(found) >= n {
			return found
		}
		select {
		case <-poll.C:
		case <-timeout.C:
			tb.Fatalf("interop: %s has %d requests with %q after %v, want %d", a.AccessLog, len(found), what, logTimeout, n)
		}
	}
}

func (a *Apache) accesses(what string) ([]Access, error) {
	log, err := os.ReadFile(a.AccessLog)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	var found []Access
	for line := range strings.Lines(string(log)) {
		line, complete := strings.CutSuffix(line, "\n")
		if !complete || !strings.Contains(line, what) {
			continue
		}
		entry, err := parseAccess(line)
		if err != nil {
			return nil, fmt.Errorf("interop: %s: %w", a.AccessLog, err)
		}
		if strings.Contains(entry.URI, what) {
			found = append(found, entry)
		}
	}
	slices.SortStableFunc(found, func(a, b Access) int { return cmp.Compare(a.began, b.began) })
	return found, nil
}

// parseAccess reads the LogFormat of httpd.conf.tmpl.
func parseAccess(line string) (Access, error) {
	f := strings.Split(line, "\t")
	if len(f) != 10 {
		return Access{}, fmt.Errorf("%q has %d fields, want 10", line, len(f))
	}
	var numbers [4]int
	for i := range numbers {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			return Access{}, fmt.Errorf("%q: %w", line, err)
		}
		numbers[i] = n
	}
	began, err := strconv.ParseInt(f[9], 10, 64)
	if err != nil {
		return Access{}, fmt.Errorf("%q: %w", line, err)
	}
	return Access{
		ClientPort: numbers[0], ServerPort: numbers[1], Keepalive: numbers[2], Status: numbers[3],
		Proto: f[4], Method: f[5], URI: f[6], User: f[7], Token: f[8] != "-",
		began: began,
	}, nil
}
