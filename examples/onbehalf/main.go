// Command onbehalf is a web service that calls a back end on behalf of its users:
// each user logs in to the service with Kerberos and delegates his ticket, and
// the back end sees the user, not the service.
//
//	export KRB5_KTNAME=/etc/onbehalf.keytab
//	onbehalf -listen :8443 -cert tls.crt -key tls.key -backend https://reports.example.com
//
// A user needs a forwardable ticket and a client that delegates:
//
//	kinit -f
//	curl --negotiate -u : --delegation always https://front.example.com:8443/
//	negotiate get --delegate always https://front.example.com:8443/
//
// With constrained delegation the user's client does nothing of that, and the
// realm's administrator says to which back end the service may go in its users'
// names. The service needs a name to log in by, in Active Directory its account's:
//
//	export KRB5_CLIENT_KTNAME=/etc/onbehalf.keytab
//	onbehalf -constrained svc-front@EXAMPLE.COM -backend https://reports.example.com
//
// The service passes each request on. One that acts differently towards the back
// end starts from forUser, and sends requests of its own with the same context.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "onbehalf:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: onbehalf -backend URL [-listen ADDRESS] [-cert FILE -key FILE] [-constrained PRINCIPAL]")

// run serves until ctx ends.
func run(ctx context.Context, args []string, logs io.Writer) error {
	flags := flag.NewFlagSet("onbehalf", flag.ContinueOnError)
	listen := flags.String("listen", "localhost:8080", "where to listen")
	backend := flags.String("backend", "", "the URL of the back end")
	cert := flags.String("cert", "", "the certificate for TLS, in PEM form; none for http, behind something that ends TLS")
	key := flags.String("key", "", "the key of the certificate")
	constrained := flags.String("constrained", "", "go on by constrained delegation for users who delegate nothing, as the service that is this principal of the client keytab")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || (*cert == "") != (*key == "") {
		return errUsage
	}
	target, err := url.Parse(*backend)
	if err != nil || target.Host == "" {
		return fmt.Errorf("%w: the URL %q has no host", errUsage, *backend)
	}
	logger := slog.New(slog.NewTextHandler(logs, nil))
	provider, err := krb5.New(krb5.Options{Logger: logger})
	if err != nil {
		return err
	}
	// To find a keytab missing now is better than at the first request.
	acceptor, err := provider.AcceptorFromKeytab("")
	if err != nil {
		return err
	}
	if *constrained != "" {
		if acceptor, err = goingOn(provider, acceptor, *constrained, ""); err != nil {
			return err
		}
	}
	s := newService(provider, target, logger)
	s.handler.Credential = acceptor
	defer s.onward.CloseIdleConnections()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	logger.Info("listening", "address", l.Addr().String())
	return serve(ctx, &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second}, l, *cert, *key)
}

// goingOn gives an acceptor the power to go on for users who delegate nothing.
func goingOn(provider *krb5.Provider, acceptor gss.Credential, principal, keytab string) (gss.Credential, error) {
	service, err := provider.FromKeytab(principal, keytab)
	if err != nil {
		return nil, err
	}
	return provider.DelegatingAcceptor(acceptor, service)
}

func serve(ctx context.Context, srv *http.Server, l net.Listener, cert, key string) error {
	ended := make(chan error, 1)
	go func() {
		if cert != "" {
			ended <- srv.ServeTLS(l, cert, key)
		} else {
			ended <- srv.Serve(l)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return srv.Shutdown(grace)
}

// service is the front end.
type service struct {
	handler *negotiate.Handler
	onward  *negotiate.Transport
	proxy   *httputil.ReverseProxy
	log     *slog.Logger
}

// newService has one provider on both sides: a credential can be used only with
// the provider that it came from.
func newService(provider gss.Provider, backend *url.URL, log *slog.Logger) *service {
	s := &service{log: log}
	s.onward = &negotiate.Transport{
		Provider: provider,
		Mutual:   negotiate.MutualRequired,
		// The back end wants a token with each request. One that is sent at once
		// also spares the body of an upload from being sent twice.
		Opportunistic: negotiate.OpportunisticAlways,
		Allow:         func(r *http.Request) bool { return r.URL.Scheme == backend.Scheme && r.URL.Host == backend.Host },
		Logger:        log,
	}
	s.proxy = &httputil.ReverseProxy{
		Transport: s.onward,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.SetXForwarded()
		},
		ModifyResponse: checkBackEnd,
		ErrorHandler:   s.fail,
	}
	s.handler = &negotiate.Handler{Provider: provider, Next: http.HandlerFunc(s.forUser), Logger: log}
	return s
}

// forUser answers an authenticated user.
func (s *service) forUser(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	// This check matters: without a credential in the context, the request would
	// be made with the service's own.
	if id.Delegated == nil {
		http.Error(w, "This service acts on your behalf: log in with kinit -f, and let your client delegate the ticket to it.", http.StatusForbidden)
		return
	}
	ctx := negotiate.WithCredential(r.Context(), id.Delegated)
	s.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// checkBackEnd keeps what the back end says about authentication from the user's
// client, which would take it for ours.
func checkBackEnd(resp *http.Response) error {
	resp.Header.Del("WWW-Authenticate")
	if resp.StatusCode != http.StatusUnauthorized {
		return nil
	}
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return x.Err
	}
	return errors.New("the back end answered 401")
}

// fail answers a request that the back end could not.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	user := ""
	if id, ok := negotiate.IdentityFrom(r.Context()); ok {
		user = id.Principal
	}
	s.log.Error("the back end failed", "user", user, "err", err)
	http.Error(w, "The service behind this one cannot be reached on your behalf.", http.StatusBadGateway)
}
