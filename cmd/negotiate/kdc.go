package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/go-negotiate/negotiate/internal/kdc"
)

// What kdc has unless flags say otherwise.
const (
	defaultRealm     = "KRB.TEST"
	defaultPrincipal = "alice:alice"
)

var defaultServices = [...]string{"HTTP/localhost", "HTTP/127.0.0.1"}

// kdcOptions is a command line of kdc.
type kdcOptions struct {
	realm      string
	principals []string
	services   []string
	domains    []string
	dir        string
	listen     string
	lifetime   time.Duration
	verbose    bool
	command    []string
}

func (o *kdcOptions) groups() []group {
	return []group{{"Flags", []*flag{
		{long: "realm", value: "NAME", help: "the realm's name; " + defaultRealm + " by default", set: setString(&o.realm)},
		{long: "principal", value: "NAME[:PASSWORD]", help: "a user; without a password the key is random. Repeat it for more; alice with the password alice by default", set: appendString(&o.principals)},
		{long: "service", value: "NAME", help: "a service such as HTTP/www.krb.test, with a random key. Repeat it for more; HTTP/localhost and HTTP/127.0.0.1 by default", set: appendString(&o.services)},
		{long: "domain", value: "NAME", help: "a DNS domain whose hosts are in the realm. Repeat it for more; the realm's name in lower case by default", set: appendString(&o.domains)},
		{long: "lifetime", value: "DURATION", help: "how long tickets are valid, as in 10m; 24h by default", set: setDuration(&o.lifetime)},
		{long: "listen", value: "HOST:PORT", help: "where to listen, on UDP and TCP; 127.0.0.1 and any port by default", set: setAddress(&o.listen)},
		{long: "dir", value: "DIR", help: "where to put the files, which then are kept; else a temporary folder", set: setString(&o.dir)},
		{short: "v", long: "verbose", help: "tell of each request on standard error", set: setBool(&o.verbose)},
	}}}
}

func kdcHelp() string {
	return `Usage: negotiate kdc [flags]
       negotiate kdc [flags] -- COMMAND [arguments]

Runs a realm for tests until it is interrupted. It prints what a shell must set:

  KRB5_CONFIG         a krb5.conf that names this KDC and nothing else
  KRB5_KTNAME         a keytab with the keys of the services
  KRB5_CLIENT_KTNAME  a keytab with the keys of the users
  KRB5CCNAME          a credential cache with a ticket of the first user

With a COMMAND it prints nothing, runs the command with these variables, and
ends when the command does, with its exit status. The tools of MIT Kerberos and
of Heimdal work with it: kinit, klist, kvno.

It is no KDC for people's passwords: everything is in memory, and nothing stops
those who guess.
` + flagHelp(new(kdcOptions).groups()) + `
Examples:
  negotiate kdc -- sh
  negotiate kdc --principal bob:secret --service HTTP/www.krb.test --dir realm
  negotiate kdc -- negotiate serve .
`
}

func parseKDC(args []string) (*kdcOptions, error) {
	o := &kdcOptions{realm: defaultRealm, listen: "127.0.0.1:0"}
	var err error
	if o.command, err = parseFlags(o.groups(), args); err != nil {
		return nil, err
	}
	if len(o.principals) == 0 {
		o.principals = []string{defaultPrincipal}
	}
	if len(o.services) == 0 {
		o.services = defaultServices[:]
	}
	return o, nil
}

func runKDC(ctx context.Context, args []string, s stdio) int {
	o, err := parseKDC(args)
	if err != nil {
		return usageError(s, "kdc", err)
	}
	realm, err := o.newRealm(s)
	if err != nil {
		return usageError(s, "kdc", err)
	}
	dir, remove, err := folder(o.dir)
	if err != nil {
		return failed(s, err)
	}
	defer remove()
	server, err := kdc.Listen(realm.Realm, o.listen)
	if err != nil {
		return failed(s, err)
	}
	defer server.Close()
	env, err := realm.write(dir, server)
	if err != nil {
		return failed(s, err)
	}
	if len(o.command) > 0 {
		return runIn(ctx, env, o.command, s)
	}
	realm.print(s, server.Addr(), env)
	<-ctx.Done()
	return exitOK
}

// folder is where the files go, and what removes it if it is a temporary one.
func folder(name string) (dir string, remove func(), err error) {
	if name == "" {
		dir, err = os.MkdirTemp("", "negotiate-kdc-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	return name, func() {}, os.MkdirAll(name, 0o700)
}

// newRealm makes the realm of the command line. Its errors are about that.
func (o *kdcOptions) newRealm(s stdio) (*testRealm, error) {
	options := kdc.Options{Realm: o.realm, Domains: o.domains, MaxLife: o.lifetime}
	if o.verbose {
		options.Logger = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return newTestRealm(options, o.principals, o.services)
}

// print tells how to use the realm: on standard output what a shell can evaluate.
func (r *testRealm) print(s stdio, addr string, env []variable) {
	for _, v := range env {
		fmt.Fprintln(s.out, v.export())
	}
	complain(s, "realm %s is up at %s; interrupt to end", r.Name(), addr)
}

// runIn runs a command with some variables of its environment set, and returns
// its exit status.
func runIn(ctx context.Context, env []variable, command []string, s stdio) int {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.in, s.out, s.err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = os.Environ()
	for _, v := range env {
		cmd.Env = append(cmd.Env, v.name+"="+v.value)
	}
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ok && exit.ExitCode() >= 0:
		return exit.ExitCode()
	case err != nil:
		return failed(s, err)
	}
	return exitOK
}
