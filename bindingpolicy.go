package negotiate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-negotiate/negotiate/gss"
)

// BindingPolicy says what a [Handler] does about channel bindings of type
// tls-server-end-point (RFC 5929, section 4), which IIS calls Extended
// Protection. They show that the client's TLS connection ends here and not at
// somebody who passes the client's token on.
type BindingPolicy uint8

const (
	// BindingIgnore, the zero value, does not look at them.
	BindingIgnore BindingPolicy = iota
	// BindingVerify refuses a client that presents bindings to another
	// certificate, and accepts one that presents none.
	BindingVerify
	// BindingRequire refuses a client that presents none, too, and so every
	// client on a connection without TLS.
	BindingRequire
)

// String returns "ignore", "verify" or "require".
func (p BindingPolicy) String() string {
	switch p {
	case BindingIgnore:
		return "ignore"
	case BindingVerify:
		return "verify"
	case BindingRequire:
		return "require"
	}
	return fmt.Sprintf("BindingPolicy(%d)", uint8(p))
}

// noTLS are the bindings of a connection without TLS. No client presents them: to
// pass nil to the provider instead would have it accept any, and a token that was
// bound to some TLS connection could be passed on to a port without TLS.
const noTLS = "negotiate: this connection has no TLS"

// bindings returns what the provider is to verify on the connection of r; nil for
// nothing.
func (h *Handler) bindings(r *http.Request) (*gss.ChannelBindings, error) {
	switch {
	case h.ChannelBindings == BindingIgnore:
		return nil, nil
	case h.ChannelBindings > BindingRequire:
		return nil, fmt.Errorf("Handler.ChannelBindings is %s", h.ChannelBindings)
	case h.Certificate == nil && r.TLS == nil:
		return &gss.ChannelBindings{ApplicationData: []byte(noTLS)}, nil
	}
	cert, err := h.certificate(r)
	if err != nil {
		return nil, err
	}
	return TLSServerEndPoint(cert)
}

func (h *Handler) certificate(r *http.Request) (*x509.Certificate, error) {
	if h.Certificate != nil {
		cert, err := h.Certificate(r)
		if err == nil && cert == nil {
			err = errors.New("it returned none")
		}
		if err != nil {
			return nil, fmt.Errorf("Handler.Certificate: %w", err)
		}
		return cert, nil
	}
	if cert := connFrom(r.Context()).certificate(); cert != nil {
		return cert, nil
	}
	return nil, fmt.Errorf("channel bindings (%s) need the certificate of the TLS connection, and it is not known: "+
		"set Server.TLSConfig with its certificates and call Handler.ConfigureServer before the server starts, or set Handler.Certificate", h.ChannelBindings)
}

// checkCertificates reports what ConfigureServer cannot work with.
func checkCertificates(cfg *tls.Config) error {
	if cfg == nil || len(cfg.Certificates) == 0 && cfg.GetCertificate == nil && cfg.GetConfigForClient == nil {
		return errors.New("negotiate: channel bindings need the server's certificate, and Server.TLSConfig has none: " +
			"load it there and call ListenAndServeTLS with empty file names, or set Handler.Certificate")
	}
	for i := range cfg.Certificates {
		if _, err := leaf(&cfg.Certificates[i]); err != nil {
			return fmt.Errorf("negotiate: Server.TLSConfig.Certificates[%d]: %w", i, err)
		}
	}
	return nil
}

// recording returns a copy of cfg that tells c which certificate each handshake
// uses. All go through GetCertificate, which alone knows the connection.
func (c *serverConns) recording(cfg *tls.Config) *tls.Config {
	rec := cfg.Clone()
	rec.Certificates = nil
	rec.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := selectCertificate(cfg, hello)
		if err != nil || cert == nil {
			return nil, err
		}
		parsed, err := leaf(cert)
		if err != nil {
			return nil, err
		}
		c.saw(hello.Conn, parsed)
		return cert, nil
	}
	rec.SessionTicketsDisabled = true
	if get := cfg.GetConfigForClient; get != nil {
		rec.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			other, err := get(hello)
			if err != nil || other == nil {
				return nil, err
			}
			return c.recording(other), nil
		}
	}
	return rec
}

// selectCertificate chooses as crypto/tls does: GetCertificate first, but only
// with a server name if there are Certificates as well; then the first that the
// client supports; then the first.
func selectCertificate(cfg *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cfg.GetCertificate != nil && (len(cfg.Certificates) == 0 || hello.ServerName != "") {
		cert, err := cfg.GetCertificate(hello)
		if cert != nil || err != nil {
			return cert, err
		}
	}
	for i := range cfg.Certificates {
		if hello.SupportsCertificate(&cfg.Certificates[i]) == nil {
			return &cfg.Certificates[i], nil
		}
	}
	if len(cfg.Certificates) == 0 {
		return nil, nil
	}
	return &cfg.Certificates[0], nil
}

func leaf(cert *tls.Certificate) (*x509.Certificate, error) {
	switch {
	case cert.Leaf != nil:
		return cert.Leaf, nil
	case len(cert.Certificate) == 0:
		return nil, errors.New("it has no certificate")
	}
	return x509.ParseCertificate(cert.Certificate[0])
}
