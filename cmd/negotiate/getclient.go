package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/go-negotiate/negotiate"
)

// maxRedirects is curl's default.
const maxRedirects = 50

// transport makes the Transport. Its connections are its own.
func (o *getOptions) transport(logger *slog.Logger) (*negotiate.Transport, error) {
	base, err := o.base()
	if err != nil {
		return nil, err
	}
	provider, err := o.login.newProvider(logger)
	if err != nil {
		provider = brokenProvider{err}
	}
	return &negotiate.Transport{
		Base:                 base,
		Provider:             provider,
		Credential:           o.login.credential(provider, o.auth.mechanism),
		Mechanism:            o.auth.mechanism,
		Target:               o.target,
		Mutual:               o.auth.mutual,
		KeepUnverifiedErrors: o.auth.keepErrors,
		Opportunistic:        o.auth.opportunistic,
		Delegation:           o.auth.delegation,
		ChannelBindings:      o.auth.bindings,
		ProxyNegotiate:       o.auth.proxy,
		Logger:               logger,
	}, nil
}

// base makes connections as the flags say. Compression is off, so that headers
// and body are what the server sent.
func (o *getOptions) base() (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(!o.http1)
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: o.insecure}
	if o.cacert != "" {
		pool, err := readAuthorities(o.cacert)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if o.proxy != nil {
		u, err := proxyURL(*o.proxy)
		if err != nil {
			return nil, err
		}
		t.Proxy = http.ProxyURL(u)
	}
	return t, nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return pool, nil
}

// proxyURL reads the value of --proxy; nil for no proxy.
func proxyURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("the proxy's URL cannot be read: %w", errors.Unwrap(err))
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, fmt.Errorf("the proxy's scheme is %q, want http, https or socks5", u.Scheme)
}

// checkRedirect follows redirects if the flags say so.
func (o *getOptions) checkRedirect(_ *http.Request, via []*http.Request) error {
	switch {
	case !o.location:
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}
