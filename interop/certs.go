//go:build interop

package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CertKind is a server certificate's kind. The kinds differ in the hash that
// RFC 5929, section 4.1, takes for tls-server-end-point.
type CertKind int

const (
	// CertECDSA has a P-256 key and is signed with ecdsa-with-SHA256.
	CertECDSA CertKind = iota
	// CertRSA has an RSA key and is signed with sha256WithRSAEncryption.
	CertRSA
	// CertSHA384 has a P-384 key and is signed with ecdsa-with-SHA384.
	CertSHA384
)

// Certificate names the files of a server certificate, in PEM.
type Certificate struct {
	// CA is the file for curl's --cacert: the issuer.
	CA string
	// Cert and Key are the server's.
	Cert, Key string
	// Leaf is the server's certificate.
	Leaf *x509.Certificate
	// Pool trusts the issuer.
	Pool *x509.CertPool
}

// NewCertificate makes an authority and a certificate of host issued by it,
// also for the address 127.0.0.1, and writes both below dir.
func NewCertificate(dir, host string, kind CertKind) (*Certificate, error) {
	c, err := newCertificate(dir, host, kind)
	if err != nil {
		return nil, fmt.Errorf("interop: no certificate for %s: %w", host, err)
	}
	return c, nil
}

func newCertificate(dir, host string, kind CertKind) (*Certificate, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := &Certificate{
		CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"),
		Pool: x509.NewCertPool(),
	}
	caKey, err := newKey(kind)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "interop CA for " + host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca, err := writeCertificate(c.CA, template, template, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	c.Pool.AddCert(ca)
	key, err := newKey(kind)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	c.Leaf, err = writeCertificate(c.Cert, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host},
		DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: template.NotBefore, NotAfter: template.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, key.Public(), caKey)
	return c, err
}

// newKey makes a key whose size decides the hash that Go signs with.
func newKey(kind CertKind) (crypto.Signer, error) {
	switch kind {
	case CertRSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case CertSHA384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func writeCertificate(path string, template, issuer *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, pub, key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
