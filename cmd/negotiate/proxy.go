package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/go-negotiate/negotiate"
)

// reservedHeaders mean something to HTTP itself, so that they cannot carry a
// name.
var reservedHeaders = []string{
	"authorization", "connection", "content-length", "cookie", "expect", "host", "keep-alive", "proxy-authorization",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

func (o *serveOptions) setUserHeader(v string) error {
	switch {
	case !httpguts.ValidHeaderFieldName(v) || plainName(v) != strings.ToLower(v):
		return errors.New("a header's name has letters, digits and dashes")
	case slices.Contains(reservedHeaders, strings.ToLower(v)) || strings.HasPrefix(strings.ToLower(v), "x-forwarded-"):
		return errors.New("this header has a meaning of its own")
	}
	o.userHeader = http.CanonicalHeaderKey(v)
	return nil
}

// relay passes requests on to another server, with the client's name in a header.
type relay struct {
	proxy      *httputil.ReverseProxy
	upstream   *url.URL
	userHeader string
	logger     *slog.Logger
}

func newProxy(upstream *url.URL, userHeader string, logger *slog.Logger) *backend {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	p := &relay{upstream: upstream, userHeader: userHeader, logger: logger}
	p.proxy = &httputil.ReverseProxy{
		Transport:      transport,
		Rewrite:        p.rewrite,
		ModifyResponse: setProof,
		ErrorHandler:   p.unavailable,
		ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	return &backend{p, upstream.Redacted(), transport.CloseIdleConnections}
}

type proofKey struct{}

// climbs reports whether a path goes up somewhere. The server behind could follow
// it out of the folder that the URL of --upstream names; clients resolve such paths
// before they ask.
func climbs(path string) bool {
	return slices.Contains(strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }), "..")
}

// ServeHTTP passes a request on if the client's name can be in a header. It takes
// the proof of this server's identity out of the response, to put it back when
// that is complete: the proxy would lose it to an informational response.
func (p *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, ok := negotiate.IdentityFrom(r.Context())
	if !ok || !httpguts.ValidHeaderFieldValue(id.Principal) || strings.TrimSpace(id.Principal) != id.Principal {
		p.logger.Warn("refused: the name of the client cannot be in a header", "remote", r.RemoteAddr)
		http.Error(w, "403 Your name cannot be passed on.", http.StatusForbidden)
		return
	}
	if climbs(r.URL.Path) {
		http.Error(w, "400 The path has a .. in it.", http.StatusBadRequest)
		return
	}
	proof := w.Header()["Www-Authenticate"]
	w.Header().Del("WWW-Authenticate")
	p.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), proofKey{}, proof)))
}

// rewrite makes the request to the server behind. The client's name takes the
// place of all that the server might take for it: headers that a CGI program
// cannot tell from it, and trailers. Those that the client's Connection lists are
// gone already, so that it cannot list this one.
func (p *relay) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(p.upstream)
	r.SetXForwarded()
	for name := range r.Out.Header {
		if plainName(name) == plainName(p.userHeader) {
			delete(r.Out.Header, name)
		}
	}
	r.Out.Trailer = nil
	r.Out.Header.Del("Authorization")
	if id, ok := negotiate.IdentityFrom(r.In.Context()); ok {
		r.Out.Header.Set(p.userHeader, id.Principal)
	}
}

// plainName is a header's name as a CGI program may see it: servers turn dashes,
// and some of them all that is neither letter nor digit, into underscores.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// setProof puts this server's proof of identity in place of what the server
// behind says about authentication, which no client could answer: credentials are
// not passed on.
func setProof(resp *http.Response) error {
	resp.Header.Del("WWW-Authenticate")
	if proof, ok := resp.Request.Context().Value(proofKey{}).([]string); ok && len(proof) > 0 {
		resp.Header["Www-Authenticate"] = proof
	}
	return nil
}

// unavailable answers where the server behind does not.
func (p *relay) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.logger.Warn("no answer from the server behind", "upstream", p.upstream.Redacted(), "err", err)
	}
	if proof, ok := r.Context().Value(proofKey{}).([]string); ok && len(proof) > 0 {
		w.Header()["Www-Authenticate"] = proof
	}
	http.Error(w, "502 The server behind this one does not answer.", http.StatusBadGateway)
}
