package negotiate

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	// The hashes that certificates are signed with.
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/go-negotiate/negotiate/gss"
)

// ChannelBindings says which property of the TLS channel a token is tied to, so
// that it is of no use on another channel (RFC 5056).
type ChannelBindings uint8

const (
	// BindNone ties it to nothing.
	BindNone ChannelBindings = iota
	// BindTLSServerEndPoint ties it to the server's certificate (RFC 5929,
	// section 4), which Windows calls Extended Protection. Plain HTTP has no
	// channel to bind to and is not bound. Over HTTPS a certificate that cannot
	// be had, or is signed with an algorithm without a hash such as Ed25519,
	// ends the exchange with an error of stage "binding".
	BindTLSServerEndPoint
)

// String returns "none" or "tls-server-end-point".
func (b ChannelBindings) String() string {
	switch b {
	case BindNone:
		return "none"
	case BindTLSServerEndPoint:
		return "tls-server-end-point"
	}
	return fmt.Sprintf("ChannelBindings(%d)", uint8(b))
}

var errNoCertificate = errors.New("the connection's certificate is not known; a DialTLSContext must return a *tls.Conn, " +
	"and a Base that is no *http.Transport must set Response.TLS")

// bindings are those of the channel in state, for a URL of the scheme.
func (b ChannelBindings) bindings(scheme string, state *tls.ConnectionState) (*gss.ChannelBindings, error) {
	if b == BindNone || scheme != "https" {
		return nil, nil
	}
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil, errNoCertificate
	}
	return TLSServerEndPoint(state.PeerCertificates[0])
}

// TLSServerEndPoint returns the channel bindings of type tls-server-end-point
// for the server's certificate: its hash with the hash function that it is
// signed with, but SHA-256 instead of MD5 and SHA-1 (RFC 5929, section 4.1).
//
// For an algorithm without a hash function of its own, Ed25519 for one, the RFC
// defines nothing and implementations differ; the error wraps [ErrNoBindingHash].
func TLSServerEndPoint(cert *x509.Certificate) (*gss.ChannelBindings, error) {
	hash, err := bindingHash(cert.SignatureAlgorithm)
	if err != nil {
		return nil, err
	}
	h := hash.New()
	h.Write(cert.Raw)
	return &gss.ChannelBindings{ApplicationData: h.Sum([]byte("tls-server-end-point:"))}, nil
}

func bindingHash(a x509.SignatureAlgorithm) (crypto.Hash, error) {
	switch a {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.DSAWithSHA256, x509.ECDSAWithSHA256:
		return crypto.SHA256, nil
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return crypto.SHA384, nil
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		return crypto.SHA512, nil
	}
	return 0, fmt.Errorf("tls-server-end-point: certificate signed with %s: %w", a, ErrNoBindingHash)
}
