package kerberos

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/compat/internal/deprecated"
	"github.com/go-negotiate/negotiate/gss"
)

// MutualAuthentication says whether the server has to prove its identity too.
//
// Deprecated: use negotiate.Mutual.
type MutualAuthentication uint8

const (
	// Disabled, the zero value, does not look at a proof. It is DISABLED.
	Disabled MutualAuthentication = iota
	// Optional refuses a wrong proof and accepts none. It is OPTIONAL.
	Optional
	// Required insists on a proof. It is REQUIRED.
	Required
)

// String returns "DISABLED", "OPTIONAL" or "REQUIRED".
func (m MutualAuthentication) String() string {
	switch m {
	case Disabled:
		return "DISABLED"
	case Optional:
		return "OPTIONAL"
	case Required:
		return "REQUIRED"
	}
	return fmt.Sprintf("MutualAuthentication(%d)", uint8(m))
}

// HTTPKerberosAuth is an http.RoundTripper with the options of the Python class,
// each with its default as the zero value. It is safe for concurrent use; its
// fields must not change, and it must not be copied, after the first request.
//
// It sends requests as a [negotiate.Transport] does, whose errors it returns:
// MutualAuthenticationError is [*negotiate.MutualAuthenticationError]. A failed
// authentication is the server's 401 and no error, as in Python, and
// [negotiate.ExchangeFrom] tells why.
//
// Deprecated: use negotiate.Transport. The package's documentation tells how.
type HTTPKerberosAuth struct {
	// MutualAuthentication says whether the server has to prove its identity.
	MutualAuthentication MutualAuthentication
	// Service is the service part of the server's name; empty is "HTTP".
	Service string
	// Delegate hands every server that asks for authentication the credential
	// itself.
	Delegate bool
	// ForcePreemptive sends a token with each request, asked or not.
	ForcePreemptive bool
	// Principal selects the credential cache of that name in the collection of
	// the user. Empty takes the default cache. It is looked for at each request;
	// where there is none, the server's 401 is the response.
	Principal string
	// HostnameOverride is the host part of the server's name; empty takes the
	// URL's host.
	HostnameOverride string
	// SanitizeMutualErrorResponse, with Required, empties responses of status 400
	// and above that nothing proves. Nil is true; write new(false) to have them
	// as they came.
	SanitizeMutualErrorResponse *bool

	// Base makes the connections; nil is http.DefaultTransport. See
	// [negotiate.Transport].
	Base http.RoundTripper
	// Provider is the implementation of the GSS-API. Nil is the default of
	// negotiate.Transport, or package krb5 where Principal is set.
	Provider gss.Provider
	// Logger gets what negotiate.Transport logs. The deprecation is logged to it
	// once, at the first request, or to slog.Default() if it is nil.
	Logger *slog.Logger

	notice    deprecated.Notice
	once      sync.Once
	transport *negotiate.Transport
}

// RoundTrip implements [http.RoundTripper].
func (a *HTTPKerberosAuth) RoundTrip(req *http.Request) (*http.Response, error) {
	a.notice.Log(req.Context(), a.Logger, "kerberos.HTTPKerberosAuth", "negotiate.Transport, see the documentation of compat/kerberos")
	return a.Transport().RoundTrip(req)
}

// CloseIdleConnections closes the connections that no request uses.
func (a *HTTPKerberosAuth) CloseIdleConnections() { a.Transport().CloseIdleConnections() }

// Transport returns the Transport that sends the requests, always the same one:
// a step between the old options and the new. Its fields may be changed before
// the first request, to those that there is no old option for.
func (a *HTTPKerberosAuth) Transport() *negotiate.Transport {
	a.once.Do(func() {
		a.transport = &negotiate.Transport{
			Base:                 a.Base,
			Provider:             a.provider(),
			Target:               a.target(),
			Mutual:               a.mutual(),
			KeepUnverifiedErrors: a.SanitizeMutualErrorResponse != nil && !*a.SanitizeMutualErrorResponse,
			Logger:               a.Logger,
		}
		if a.Delegate {
			a.transport.Delegation = negotiate.DelegateAlways
		}
		if a.ForcePreemptive {
			a.transport.Opportunistic = negotiate.OpportunisticAlways
		}
	})
	return a.transport
}

func (a *HTTPKerberosAuth) mutual() negotiate.Mutual {
	switch a.MutualAuthentication {
	case Disabled:
		return negotiate.MutualDisabled
	case Optional:
		return negotiate.MutualOptional
	}
	return negotiate.MutualRequired
}

func (a *HTTPKerberosAuth) provider() gss.Provider {
	if a.Principal == "" {
		return a.Provider
	}
	return &namedProvider{name: gss.User(a.Principal), given: a.Provider, log: a.Logger}
}

// target is SERVICE@HOST, either of which may be the default.
func (a *HTTPKerberosAuth) target() negotiate.TargetFunc {
	service := a.Service
	if service == "" {
		service = "HTTP"
	}
	if a.HostnameOverride == "" {
		return negotiate.ServiceTarget(service)
	}
	overridden := negotiate.HostTarget(a.HostnameOverride)
	return func(req *http.Request) (gss.Name, error) {
		n, err := overridden(req)
		if err != nil {
			return gss.Name{}, err
		}
		_, host, _ := strings.Cut(n.Value, "@")
		return gss.HostBased(service, host), nil
	}
}
