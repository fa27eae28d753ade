package krb5

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of the certificates by which a KDC proxy is trusted.
const (
	maxAnchorFiles = 1024 // of a folder
	maxAnchorSize  = 4 << 20
)

// proxyTLS trusts the KDC proxies of a realm by http_anchors of krb5.conf, or
// else as the system trusts web servers.
func (p *Provider) proxyTLS(realm string) (*tls.Config, error) {
	anchors := p.conf.Realm(realm).HTTPAnchors
	if len(anchors) == 0 {
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	pool := x509.NewCertPool()
	for _, a := range anchors {
		if err := p.addAnchor(pool, a, true); err != nil {
			return nil, fmt.Errorf("http_anchors = %s: %w", a, err)
		}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// addAnchor adds the certificates of FILE:path, of all files of DIR:path, or of
// what the variable of ENV:name says.
func (p *Provider) addAnchor(pool *x509.CertPool, anchor string, mayIndirect bool) error {
	kind, rest, _ := strings.Cut(anchor, ":")
	switch {
	case kind == "FILE":
		added, err := addCertificates(pool, rest)
		if err == nil && !added {
			return errors.New("it has no certificate in PEM")
		}
		return err
	case kind == "DIR":
		return addFolder(pool, rest)
	case kind == "ENV" && mayIndirect:
		value := p.env.Getenv(rest)
		if value == "" {
			return errors.New("the variable is not set")
		}
		return p.addAnchor(pool, value, false)
	}
	return errors.New("want FILE:path, DIR:path or ENV:variable")
}

func addFolder(pool *x509.CertPool, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries[:min(len(entries), maxAnchorFiles)] {
		if e.IsDir() {
			continue
		}
		added, err := addCertificates(pool, filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		found = found || added
	}
	if !found {
		return errors.New("it has no certificate in PEM")
	}
	return nil
}

func addCertificates(pool *x509.CertPool, path string) (added bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxAnchorSize))
	if err != nil {
		return false, err
	}
	return pool.AppendCertsFromPEM(pem), nil
}
