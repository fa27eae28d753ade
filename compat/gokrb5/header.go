package spnego

import (
	"encoding/base64"
	"net/http"

	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

// SetSPNEGOHeader sets Authorization of a request to a new token for spn, or for
// HTTP/ the URL's host if spn is empty. The token is good for one request, and
// a proof of the server's identity is not looked at. Errors are those of
// gokrb5's client, wrapped.
//
// A program's first call logs the deprecation to slog.Default().
//
// Deprecated: use negotiate.Transport.
func SetSPNEGOHeader(cl *client.Client, r *http.Request, spn string) error {
	logFunction(r.Context(), &notices.setSPNEGOHeader, "SetSPNEGOHeader", "an http.Client with a negotiate.Transport")
	target, err := targetOf(spn)(r)
	if err != nil {
		return err
	}
	token, err := newInitiators(cl).token(r.Context(), target)
	if err != nil {
		return err
	}
	r.Header.Set(HTTPHeaderAuthRequest, HTTPHeaderAuthResponseValueKey+" "+base64.StdEncoding.EncodeToString(token))
	return nil
}

// targetOf is the target of an SPN; an empty one is HTTP/ the URL's host.
func targetOf(spn string) negotiate.TargetFunc {
	if spn == "" {
		return negotiate.ServiceTarget("HTTP")
	}
	return negotiate.FixedTarget(gss.Principal(spn))
}
