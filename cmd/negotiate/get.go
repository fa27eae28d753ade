package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-negotiate/negotiate"
)

func getHelp() string {
	return `Usage: negotiate get [flags] URL

Fetches the URL and prints the body. If the server asks for authentication
(WWW-Authenticate: Negotiate), it gets a token: run kinit before. Flags are
curl's where curl has one; they may stand before or after the URL.
` + flagHelp(new(getOptions).groups()) + `
Exit status:
  0   a response was received, whatever it says
  22  with --fail: its status was 400 or above
  3   the server has not proved its identity, and --mutual demands it
  4   the server asked for authentication and there is no usable credential
  2   the command line is wrong
  1   anything else: no connection, a broken response, out of time

Examples:
  kinit alice && negotiate get https://intranet.example.com/
  negotiate get -v --mutual required https://intranet.example.com/
  negotiate get -d name=value -H 'Accept: text/csv' -o report.csv URL
  negotiate get --keytab /etc/job.keytab --principal job URL
  negotiate get --target intranet.example.com https://10.0.0.7/ -k
`
}

// exchange is one run of get.
type exchange struct {
	*getOptions
	stdio
	ctx context.Context
}

func runGet(ctx context.Context, args []string, s stdio) int {
	o, err := parseGet(args)
	if err != nil {
		return usageError(s, "get", err)
	}
	if o.silent && !o.errors {
		s.err = io.Discard
	}
	if o.maxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.maxTime, fmt.Errorf("no complete response within %v (--max-time)", o.maxTime))
		defer cancel()
	}
	x := &exchange{o, s, ctx}
	return x.run()
}

func (x *exchange) run() int {
	out := &output{name: x.output, stdout: x.out}
	tell := &teller{w: x.err, verbose: x.verbose}
	t, err := x.transport(tell.logger())
	if err != nil {
		return failed(x.stdio, errors.New(reason(err)))
	}
	defer t.CloseIdleConnections()
	req, err := x.request(x.ctx, x.in)
	if err != nil {
		return failed(x.stdio, err)
	}
	client := &http.Client{Transport: tell.around(t), CheckRedirect: x.checkRedirect}
	resp, err := client.Do(req)
	if err != nil {
		return x.lost(err, tell.lastTrouble())
	}
	defer resp.Body.Close()
	if err := errors.Join(x.print(out, resp), out.close()); err != nil {
		return x.lost(err, tell.lastTrouble())
	}
	tell.summary(resp)
	return x.outcome(resp, t)
}

// print writes what was received.
func (x *exchange) print(out *output, resp *http.Response) error {
	if x.include || x.head {
		if err := writeHead(out, resp); err != nil {
			return err
		}
	}
	if x.failing(resp) {
		return nil
	}
	if err := out.open(); err != nil {
		return err
	}
	_, err := io.Copy(out, resp.Body)
	return err
}

func (x *exchange) failing(resp *http.Response) bool {
	return x.fail && resp.StatusCode >= http.StatusBadRequest
}

// writeHead writes status and headers as they look in HTTP/1.1.
func writeHead(w io.Writer, resp *http.Response) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\r\n", protocol(resp), resp.Status)
	if len(resp.TransferEncoding) > 0 {
		fmt.Fprintf(&b, "Transfer-Encoding: %s\r\n", strings.Join(resp.TransferEncoding, ", "))
	}
	if err := resp.Header.Write(&b); err != nil {
		return err
	}
	b.WriteString("\r\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// protocol is HTTP/2 where net/http says HTTP/2.0.
func protocol(resp *http.Response) string {
	return strings.TrimSuffix(resp.Proto, ".0")
}

// outcome tells about the authentication, and how the command ends.
func (x *exchange) outcome(resp *http.Response, t *negotiate.Transport) int {
	ex, _ := negotiate.ExchangeFrom(resp)
	if ex == nil {
		ex = new(negotiate.Exchange)
	}
	if ex.Err != nil {
		complain(x.stdio, "%s", explain(ex.Err, targetOf(t, resp)))
	}
	if ex.Sanitized {
		complain(x.stdio, "nothing proves who sent this status %d, so its headers and body are left out; --keep-errors shows them", resp.StatusCode)
	}
	if x.auth.delegation == negotiate.DelegateAlways && ex.Mechanism != "" && !ex.Delegated {
		complain(x.stdio, "no credential was delegated to %s; kinit -f makes a ticket that can be", ex.Target)
	}
	switch {
	case lacksCredential(ex.Err):
		return exitNoCredential
	case x.failing(resp):
		complain(x.stdio, "%s answered %s", resp.Request.URL.Host, resp.Status)
		return exitHTTPError
	}
	return exitOK
}

// lost tells why there is no response, or no end of one. trouble is what the
// provider failed with last.
func (x *exchange) lost(err, trouble error) int {
	if _, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); ok {
		complain(x.stdio, "%s", reason(err))
		return exitMutual
	}
	if broken, ok := errors.AsType[*outputError](err); ok {
		return failed(x.stdio, broken)
	}
	if x.ctx.Err() != nil {
		err = x.ended(trouble)
	}
	return failed(x.stdio, fmt.Errorf("%s: %s", x.url.Redacted(), reason(err)))
}

// ended says why the context is at its end, and what was waited for if the
// provider has told.
func (x *exchange) ended(trouble error) error {
	cause := context.Cause(x.ctx)
	text := cause.Error()
	if errors.Is(cause, context.Canceled) {
		text = "interrupted"
	}
	if trouble == nil || !errors.Is(trouble, cause) {
		return errors.New(text)
	}
	return errors.New(text + ": " + strings.TrimSuffix(reason(trouble), ": "+cause.Error()))
}
