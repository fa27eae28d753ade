package negotiate

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// tlsServerEndPoint stands in for TLSServerEndPoint of binding.go.
func tlsServerEndPoint(cert *x509.Certificate) (*gss.ChannelBindings, error) {
	var sum []byte
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h := sha512.Sum384(cert.Raw)
		sum = h[:]
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h := sha512.Sum512(cert.Raw)
		sum = h[:]
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		h := sha256.Sum256(cert.Raw)
		sum = h[:]
	default:
		return nil, fmt.Errorf("negotiate: no tls-server-end-point for signature algorithm %s", cert.SignatureAlgorithm)
	}
	return &gss.ChannelBindings{ApplicationData: append([]byte("tls-server-end-point:"), sum...)}, nil
}
