package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

// serveOptions is a command line of serve.
type serveOptions struct {
	dir      string
	upstream *url.URL

	listen     string
	keytab     string
	provider   string
	userHeader string
	cert, key  string
	bindings   negotiate.BindingPolicy
	verbose    bool
}

func (o *serveOptions) groups() []group {
	return []group{{"Flags", []*flag{
		{long: "upstream", value: "URL", help: "pass requests on to this server instead of serving files", set: o.setUpstream},
		{long: "user-header", value: "NAME", help: "with --upstream: the header that tells it who the client is; X-Remote-User by default. What a client sends under this name is dropped", set: o.setUserHeader},
		{long: "listen", value: "HOST:PORT", help: "where to listen; 127.0.0.1:8080 by default", set: setAddress(&o.listen)},
		{long: "keytab", value: "FILE", help: "the server's keys; else KRB5_KTNAME and krb5.conf tell", set: setString(&o.keytab)},
		{long: "provider", value: "NAME", help: providerHelp(), set: setProvider(&o.provider)},
		{long: "tls-cert", value: "FILE", help: "serve HTTPS with the certificates in this PEM file", set: setString(&o.cert)},
		{long: "tls-key", value: "FILE", help: "the key of --tls-cert, in PEM", set: setString(&o.key)},
		{long: "channel-bindings", value: "WHEN", help: "ignore (the default), verify those that a client presents, or require them; both want HTTPS", set: setChoice(&o.bindings, negotiate.BindingIgnore, negotiate.BindingVerify, negotiate.BindingRequire)},
		{short: "v", long: "verbose", help: "tell of each request on standard error", set: setBool(&o.verbose)},
	}}}
}

func serveHelp() string {
	return `Usage: negotiate serve [flags] DIR
       negotiate serve [flags] --upstream URL

Serves the files of a folder, or passes requests on to another server, for
clients that authenticate with HTTP Negotiate (Kerberos); all others get status
401. It needs the key of HTTP/HOST in a keytab, where HOST is what clients call
this machine.

Every client of the realm is let in, and of every realm that it trusts. Nothing
outside of DIR is served, not even by a symbolic link. The server behind
--upstream must listen where only this one can reach it.

It ends, after the requests in progress, when it is interrupted.
` + flagHelp(new(serveOptions).groups()) + `
Examples:
  negotiate serve --keytab /etc/http.keytab public
  negotiate serve --listen :443 --tls-cert cert.pem --tls-key key.pem \
      --channel-bindings verify --upstream http://127.0.0.1:3000
  negotiate kdc -- negotiate serve .     # with a realm of its own, for a trial
`
}

func parseServe(args []string) (*serveOptions, error) {
	o := &serveOptions{listen: "127.0.0.1:8080"}
	rest, err := parseFlags(o.groups(), args)
	if err != nil {
		return nil, err
	}
	switch {
	case o.upstream == nil && len(rest) == 0:
		return nil, errors.New("there is nothing to serve: name a folder, or a server with --upstream")
	case o.upstream != nil && len(rest) > 0:
		return nil, fmt.Errorf("%q and --upstream exclude each other", rest[0])
	case len(rest) > 1:
		return nil, fmt.Errorf("one folder is wanted, got %d", len(rest))
	case (o.cert == "") != (o.key == ""):
		return nil, errors.New("--tls-cert and --tls-key go together")
	case o.bindings != negotiate.BindingIgnore && o.cert == "":
		return nil, errors.New("--channel-bindings needs --tls-cert: there is no channel to bind to without TLS")
	case len(rest) == 1 && o.userHeader != "":
		return nil, errors.New("--user-header is for --upstream: files have no use for it")
	case len(rest) == 1:
		o.dir = rest[0]
	}
	o.userHeader = cmp.Or(o.userHeader, "X-Remote-User")
	return o, nil
}

func (o *serveOptions) setUpstream(v string) (err error) {
	o.upstream, err = parseURL(v)
	return err
}

func runServe(ctx context.Context, args []string, s stdio) int {
	o, err := parseServe(args)
	if err != nil {
		return usageError(s, "serve", err)
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
	backend, err := o.backend(logger)
	if err != nil {
		return failed(s, err)
	}
	defer backend.close()
	handler, err := o.handler(ctx, logger)
	if err != nil {
		complain(s, "%s", reason(err))
		if errors.Is(err, gss.ErrNoCred) {
			return exitNoCredential
		}
		return exitFailure
	}
	handler.Next = logged(backend, logger)
	srv, err := o.server(handler, logger)
	if err != nil {
		return failed(s, errors.New(reason(err)))
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return failed(s, err)
	}
	if o.cert == "" && !isLoopback(listener.Addr()) {
		complain(s, "without TLS, whoever can listen on the network can read the pages: see --tls-cert")
	}
	fmt.Fprintf(s.out, "serving %s at %s, with the %s\n", backend, o.url(listener.Addr()), handler.Credential)
	if err := serve(ctx, srv, listener); err != nil {
		return failed(s, err)
	}
	return exitOK
}

// handler is the Handler, without what it protects.
func (o *serveOptions) handler(ctx context.Context, logger *slog.Logger) (*negotiate.Handler, error) {
	provider, err := newProvider(o.provider, logger)
	if err != nil {
		return nil, err
	}
	cred, err := provider.Acquire(ctx, gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: o.keytab})
	if err != nil {
		return nil, err
	}
	return &negotiate.Handler{Provider: provider, Credential: cred, ChannelBindings: o.bindings, Logger: logger}, nil
}

// server serves handler.
func (o *serveOptions) server(handler *negotiate.Handler, logger *slog.Logger) (*http.Server, error) {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelInfo),
	}
	if o.cert != "" {
		cert, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert: %w", err)
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	return srv, handler.ConfigureServer(srv)
}

func (o *serveOptions) url(addr net.Addr) string {
	scheme := "http"
	if o.cert != "" {
		scheme = "https"
	}
	return scheme + "://" + addr.String() + "/"
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// graceTime is how long requests in progress may take when the server is told to
// end.
const graceTime = 10 * time.Second

// serve serves until ctx ends, and then waits for the requests in progress.
func serve(ctx context.Context, srv *http.Server, listener net.Listener) error {
	ended := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			ended <- srv.ServeTLS(listener, "", "")
		} else {
			ended <- srv.Serve(listener)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were cut off after %v", graceTime), srv.Close())
	}
	<-ended
	return err
}

// logged logs each request that next has answered.
func logged(next http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		next.ServeHTTP(w, r)
		id, _ := negotiate.IdentityFrom(r.Context())
		logger.Info("served", "remote", r.RemoteAddr, "user", id.Principal, "method", r.Method,
			"path", r.URL.Path, "took", time.Since(began))
	})
}

// backend is what is behind the authentication.
type backend struct {
	http.Handler
	name  string
	close func()
}

func (b *backend) String() string { return b.name }

func (o *serveOptions) backend(logger *slog.Logger) (*backend, error) {
	if o.upstream != nil {
		return newProxy(o.upstream, o.userHeader, logger), nil
	}
	return newFiles(o.dir)
}

// newFiles serves the files below a folder. An os.Root keeps it there, whatever
// symbolic links say.
func newFiles(dir string) (*backend, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(inside{root.FS()}))
	return &backend{mux, dir, func() { root.Close() }}, nil
}
