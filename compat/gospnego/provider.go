package spnego

import (
	"net/http"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/compat/internal/deprecated"
	"github.com/go-negotiate/negotiate/compat/internal/outcome"
)

// Provider sets the header of a request. [New] returns the only one.
//
// Deprecated: use negotiate.Transport.
type Provider interface {
	// SetSPNEGOHeader sets Authorization of a request to a new token for the
	// server of its URL. The server's name is that of its address in the DNS,
	// unless canonicalize is given and false: releases of the original differ
	// in whether there is such a parameter.
	//
	// The token is good for one request. If the server wants another, for which
	// it asks with a 401, or proves its identity, nobody notices.
	SetSPNEGOHeader(req *http.Request, canonicalize ...bool) error
}

// New returns the Provider of the system: the user who is logged in. It is safe
// for concurrent use. Its first use logs the deprecation to slog.Default().
//
// Deprecated: use negotiate.Transport.
func New() Provider {
	return &provider{
		byAddress: negotiate.Transport{Base: recorder{}, Opportunistic: negotiate.OpportunisticAlways, Target: negotiate.CanonicalTarget(nil)},
		byURL:     negotiate.Transport{Base: recorder{}, Opportunistic: negotiate.OpportunisticAlways},
	}
}

// provider lets a Transport send a request to nobody and takes the token.
type provider struct {
	byAddress, byURL negotiate.Transport
	notice           deprecated.Notice
}

// SetSPNEGOHeader implements [Provider].
func (p *provider) SetSPNEGOHeader(req *http.Request, canonicalize ...bool) error {
	p.notice.Log(req.Context(), nil, "gospnego.New", "a negotiate.Transport as the client's Transport, see the documentation of compat/gospnego")
	t := &p.byAddress
	if len(canonicalize) > 0 && !canonicalize[0] {
		t = &p.byURL
	}
	probe := (&http.Request{Method: http.MethodGet, URL: req.URL, Header: http.Header{}}).WithContext(req.Context())
	resp, err := t.RoundTrip(probe)
	if err != nil {
		return err
	}
	if err := outcome.OwnFault(resp); err != nil {
		return err
	}
	req.Header.Set("Authorization", resp.Header.Get("Authorization"))
	return nil
}

// recorder is a server that tells the token that it was sent, and asks for one
// if it was sent none, so that the Transport says what is the matter.
type recorder struct{}

// RoundTrip implements [http.RoundTripper].
func (recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}
	if token := req.Header.Get("Authorization"); token != "" {
		resp.Header.Set("Authorization", token)
		return resp, nil
	}
	resp.StatusCode = http.StatusUnauthorized
	resp.Header.Set("WWW-Authenticate", "Negotiate")
	return resp, nil
}
