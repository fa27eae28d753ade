package spnego

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/jcmturner/goidentity/v6"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/compat/internal/deprecated"
)

// SPNEGOKRB5Authenticate returns a handler that lets authenticated requests
// through to inner, where goidentity.FromHTTPRequestContext returns the client's
// *credentials.Credentials, and answers others with status 401.
//
// Keys are those that the keytab has at the time of each request. Of the settings
// all have their effect: Logger (nil is slog.Default()), KeytabPrincipal,
// MaxClockSkew, RequireHostAddr, ClientAddress, DecodePAC and SessionManager;
// SName has none here, as in the original. A session is no longer good for
// authentication when the ticket that began it has ended.
//
// Deprecated: use negotiate.Handler.
func SPNEGOKRB5Authenticate(inner http.Handler, kt *keytab.Keytab, settings ...func(*service.Settings)) http.Handler {
	s := service.NewSettings(kt, settings...)
	h := &handler{inner: inner, settings: s, log: loggerOf(s)}
	h.authenticator = &negotiate.Handler{
		Next:         http.HandlerFunc(h.authenticated),
		Provider:     newAcceptors(s),
		Unauthorized: http.HandlerFunc(unauthorized),
		Logger:       h.log,
	}
	return h
}

type handler struct {
	inner         http.Handler
	settings      *service.Settings
	log           *slog.Logger // nil: slog.Default()
	authenticator *negotiate.Handler
	notice        deprecated.Notice
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.notice.Log(r.Context(), h.log, "compat/gokrb5 SPNEGOKRB5Authenticate", "negotiate.Handler, see the documentation of compat/gokrb5")
	if creds := h.session(r); creds != nil {
		h.inner.ServeHTTP(w, goidentity.AddToHTTPRequestContext(creds, r))
		return
	}
	v := &visit{}
	if from, err := types.GetHostAddress(r.RemoteAddr); err == nil {
		v.from = from
	}
	h.authenticator.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
}

// authenticated is called for requests of known clients.
func (h *handler) authenticated(w http.ResponseWriter, r *http.Request) {
	v, ok := r.Context().Value(visitKey{}).(*visit)
	if !ok || v.creds == nil {
		h.fail(w, r, "the request is authenticated, and by nobody")
		return
	}
	if err := h.begin(w, r, v.creds); err != nil {
		h.fail(w, r, "no session could be made", "err", err)
		return
	}
	h.inner.ServeHTTP(w, goidentity.AddToHTTPRequestContext(v.creds, r))
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, msg string, args ...any) {
	l := h.log
	if l == nil {
		l = slog.Default()
	}
	l.ErrorContext(r.Context(), msg, append(args, "logger", "negotiate", "remote", r.RemoteAddr)...)
	http.Error(w, "Internal Server Error", http.StatusInternalServerError)
}

func unauthorized(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	io.WriteString(w, UnauthorizedMsg)
}
