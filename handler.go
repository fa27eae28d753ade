package negotiate

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-negotiate/negotiate/gss"
)

// defaultMaxToken holds the ticket of a user in thousands of groups.
const defaultMaxToken = 64 << 10

// Handler lets requests through to Next that authenticate with HTTP Negotiate
// (RFC 4559), and answers all others with status 401. Next finds the client with
// [IdentityFrom]:
//
//	http.ListenAndServe(":80", &negotiate.Handler{Next: app})
//
// Each request authenticates on its own; an identity is never kept for the
// connection that it came on. Wherever the security context of a request is not
// finished and in order, Next is not called.
//
// A Next that passes another server's responses on, such as a ReverseProxy, has
// to drop that server's WWW-Authenticate fields: they are for the proxy.
//
// Next does not see the request's Authorization field, so that no token reaches
// a log or another server through it. The reply that proves the server to the
// client is in the response's header before Next is called.
//
// A Handler is safe for concurrent use. Its fields must not change once it
// serves, and it must not be copied then.
type Handler struct {
	// Next is called for authenticated requests. It must not be nil.
	Next http.Handler
	// Provider accepts the contexts. Nil is a provider of the Handler's own: krb5
	// (see krb5.Options), on Windows sspi.
	Provider gss.Provider
	// Credential is the server's own. Nil is the provider's default: for krb5
	// every key of the default keytab, for sspi the account of the process.
	Credential gss.Credential
	// ChannelBindings says what is required of the TLS connection. The zero
	// value, BindingIgnore, requires nothing, and lets whoever can make a client
	// connect to him use that client's token here.
	ChannelBindings BindingPolicy
	// Certificate returns the certificate that the client saw on the connection
	// of r, for ChannelBindings. Nil takes what ConfigureServer records. Set it
	// where TLS ends in front of this process: there r.TLS is nil and the
	// certificate is the front's. An error, or no certificate, refuses the
	// request.
	Certificate func(r *http.Request) (*x509.Certificate, error)
	// MaxTokenBytes bounds the token of a request, in bytes; zero is 64 KiB.
	// http.Server.MaxHeaderBytes, one megabyte unless set, bounds it too.
	MaxTokenBytes int
	// Unauthorized writes the response to a refused request: a page of the
	// site's own, or further WWW-Authenticate fields for other schemes. The
	// challenge is in the header already and the status is 401 whatever it
	// writes. It does not see Authorization either: where other schemes are
	// accepted too, choose by scheme in front of the Handler. Nil writes one
	// line of text.
	Unauthorized http.Handler
	// Logger gets refusals at level Info and up, and successes at level Debug,
	// under the attribute logger=negotiate. Nil is slog.Default(). It never gets
	// a token.
	Logger *slog.Logger

	own ownProvider
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := h.attempt(r)
	if err != nil {
		h.log(r, slog.LevelError, "misconfigured: every request fails", "err", err)
		http.Error(w, "500 The server's authentication is misconfigured; its log says how.", http.StatusInternalServerError)
		return
	}
	a.token, err = parseAuthorization(r.Header.Values("Authorization"), cmp.Or(h.MaxTokenBytes, defaultMaxToken))
	switch {
	case errors.Is(err, errNoCredentials):
		h.challenge(w, r, nil)
		return
	case err != nil:
		h.log(r, slog.LevelInfo, "refused", "err", err)
		h.challenge(w, r, nil)
		return
	}
	id, reply, err := a.authenticate()
	switch {
	case errors.Is(err, errContinue):
		h.challenge(w, r, reply)
	case err != nil:
		h.logRefusal(r, a.token, err)
		h.challenge(w, r, reply)
	default:
		h.pass(w, r, id, reply)
	}
}

// attempt prepares the authentication of r. Its errors are the server's fault.
func (h *Handler) attempt(r *http.Request) (*attempt, error) {
	if h.Next == nil {
		return nil, errors.New("Handler.Next is nil")
	}
	provider, err := h.gssProvider()
	if err != nil {
		return nil, fmt.Errorf("Handler.Provider is nil, and the default provider fails: %w", err)
	}
	bindings, err := h.bindings(r)
	if err != nil {
		return nil, err
	}
	return &attempt{h: h, r: r, provider: provider, bindings: bindings}, nil
}

func (h *Handler) gssProvider() (gss.Provider, error) {
	if h.Provider != nil {
		return h.Provider, nil
	}
	return h.own.get(h.Logger)
}

// pass calls Next.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request, id *Identity, reply []byte) {
	defer id.close()
	h.logSuccess(r, id)
	if len(reply) > 0 {
		addChallenge(w, reply)
	}
	h.Next.ServeHTTP(w, withoutToken(context.WithValue(r.Context(), identityKey{}, id), r))
}

// withoutToken returns a copy of r that has no Authorization. The handlers outside
// keep theirs.
func withoutToken(ctx context.Context, r *http.Request) *http.Request {
	r = r.WithContext(ctx)
	r.Header = r.Header.Clone()
	r.Header.Del("Authorization")
	return r
}

func (id *Identity) close() {
	if id.sc != nil {
		id.sc.Close()
	}
	if id.Delegated != nil {
		id.Delegated.Close()
	}
}

// challenge writes the 401, with a token for the client if there is one.
func (h *Handler) challenge(w http.ResponseWriter, r *http.Request, token []byte) {
	addChallenge(w, token)
	if h.Unauthorized == nil {
		http.Error(w, "401 This server requires HTTP Negotiate (Kerberos) authentication.", http.StatusUnauthorized)
		return
	}
	forced := &unauthorizedWriter{ResponseWriter: w}
	h.Unauthorized.ServeHTTP(forced, withoutToken(r.Context(), r))
	forced.WriteHeader(http.StatusUnauthorized)
}

func addChallenge(w http.ResponseWriter, token []byte) {
	value := schemeNegotiate
	if len(token) > 0 {
		value = encodeToken(token)
	}
	w.Header().Add("WWW-Authenticate", value)
}

// unauthorizedWriter makes the status of a response 401.
type unauthorizedWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *unauthorizedWriter) WriteHeader(code int) {
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	if !w.wrote {
		w.wrote = true
		w.ResponseWriter.WriteHeader(http.StatusUnauthorized)
	}
}

func (w *unauthorizedWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusUnauthorized)
	return w.ResponseWriter.Write(b)
}
