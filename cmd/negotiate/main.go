// Command negotiate is HTTP Negotiate authentication on the command line:
// negotiate get is a client with the flags of curl, and serve, kdc and demo are
// the server's side, a realm for tests, and all of it at once; providers tells what
// the machine offers.
//
// Run negotiate help for what it does.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses. They are part of the command's interface.
const (
	exitOK           = 0  // get: a response was received
	exitFailure      = 1  // anything that has no status of its own
	exitUsage        = 2  // the command line is wrong
	exitMutual       = 3  // get: the server has not proved its identity
	exitNoCredential = 4  // there is no usable credential, or serve has no keytab
	exitHTTPError    = 22 // get --fail: the status was 400 or above, as with curl
)

// stdio are the streams of a command.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// command is a subcommand.
type command struct {
	name, summary string
	help          func() string
	run           func(ctx context.Context, args []string, s stdio) int
}

func commands() []command {
	return []command{
		{"get", "fetch a URL, as curl does, and authenticate if the server asks", getHelp, runGet},
		{"serve", "serve files or another server to authenticated clients", serveHelp, runServe},
		{"kdc", "run a realm for tests", kdcHelp, runKDC},
		{"providers", "tell which GSS-API implementations and credentials are here", providersHelp, runProviders},
		{"demo", "show a whole exchange, with a realm and a server of its own", demoHelp, runDemo},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	status := run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(status)
}

// run carries out a command line and returns the exit status.
func run(ctx context.Context, args []string, s stdio) int {
	if len(args) == 0 {
		fmt.Fprint(s.err, overview())
		return exitUsage
	}
	switch args[0] {
	case "help", "--help", "-h":
		return runHelp(args[1:], s)
	case "version", "--version":
		fmt.Fprintln(s.out, "negotiate", version())
		return exitOK
	}
	c, ok := findCommand(args[0])
	if !ok {
		return usageError(s, "", fmt.Errorf("there is no command %q", args[0]))
	}
	if wantsHelp(args[1:]) {
		fmt.Fprint(s.out, c.help())
		return exitOK
	}
	return c.run(ctx, args[1:], s)
}

func findCommand(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// wantsHelp reports whether the only argument asks for help. Anywhere else
// it may be the value of a flag.
func wantsHelp(args []string) bool {
	return len(args) == 1 && (args[0] == "--help" || args[0] == "-h")
}

// usageError says what is wrong with a command line, and where to look.
func usageError(s stdio, name string, err error) int {
	if name == "" {
		fmt.Fprintf(s.err, "negotiate: %v; see: negotiate help\n", err)
	} else {
		fmt.Fprintf(s.err, "negotiate %s: %v; see: negotiate help %s\n", name, err, name)
	}
	return exitUsage
}

// failed reports an error that ends a command.
func failed(s stdio, err error) int {
	complain(s, "%v", err)
	return exitFailure
}

// complain writes one message for a person to standard error.
func complain(s stdio, format string, args ...any) {
	fmt.Fprintf(s.err, "negotiate: %s\n", printable(fmt.Sprintf(format, args...)))
}
