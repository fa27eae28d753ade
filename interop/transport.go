//go:build interop

package interop

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// Transport returns a new transport that trusts a certificate's issuer, speaks
// HTTP/2 where the server does and takes every host for 127.0.0.1: Go looks at
// /etc/hosts again after some seconds only. Whoever makes it closes its idle
// connections.
func Transport(cert *Certificate) *http.Transport {
	return &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: cert.Pool},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
}
