package main

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

// explain says in one line why a server that asked for authentication did not
// get it. target is the server's name; empty if it is not known.
func explain(err error, target string) string {
	ex, ok := errors.AsType[*negotiate.ExchangeError](err)
	if !ok {
		return reason(err)
	}
	cause := reason(ex.Err)
	switch {
	case target == "" || strings.HasPrefix(cause, "no ticket for"):
		return cause
	case lacksCredential(ex):
		return "no ticket for " + target + ": " + cause
	}
	return "not authenticated to " + target + ": " + cause
}

// targetOf is the name of the server that asked for authentication, as the
// Transport sees it.
func targetOf(t *negotiate.Transport, resp *http.Response) string {
	if resp.StatusCode == http.StatusProxyAuthRequired {
		return "the proxy"
	}
	target := t.Target
	if target == nil {
		target = negotiate.ServiceTarget("HTTP")
	}
	name, err := target(resp.Request)
	if err != nil {
		return ""
	}
	return name.String()
}

// reason is an error's text without what only a programmer wants to know: the
// layers that it went through.
func reason(err error) string {
	err = innermost(err)
	text := strings.TrimPrefix(err.Error(), "negotiate: ")
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		text += "; trust its authority with --cacert FILE, or anybody with -k"
	}
	return text
}

// innermost takes off the wrappings whose message only repeats that of what is
// within.
func innermost(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // only the outermost may go
		case *url.Error:
			err = e.Err
		case *negotiate.ExchangeError:
			err = e.Err
		case *gss.Error:
			if e.Err == nil {
				return e.Major
			}
			err = e.Err
		default:
			return err
		}
	}
}

// lacksCredential reports whether the client has nothing to authenticate with.
func lacksCredential(err error) bool {
	ex, ok := errors.AsType[*negotiate.ExchangeError](err)
	if !ok {
		return false
	}
	return ex.Stage == negotiate.StageCredential || errors.Is(err, gss.ErrNoCred) ||
		errors.Is(err, gss.ErrDefectiveCredential) || errors.Is(err, gss.ErrCredentialsExpired)
}
