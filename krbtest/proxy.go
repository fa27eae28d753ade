package krbtest

import (
	"net/http"

	"github.com/go-negotiate/negotiate/internal/kdc"
)

// Proxy returns a KDC proxy (MS-KKDCP) for the realm and those that it trusts,
// for clients that reach KDCs over HTTPS only:
//
//	proxy := httptest.NewTLSServer(kdc.Proxy())
//
// In krb5.conf such a client has kdc = https://HOST:PORT/KdcProxy, and
// http_anchors = FILE:PATH with the certificate. Faults apply, and requests are
// counted as TCP's.
func (k *KDC) Proxy() http.Handler {
	return kdc.Proxy{Find: func(realm string) *kdc.Server {
		for _, one := range append(k.reachable(), k) {
			if one.Realm() == realm || realm == "" && one == k {
				return one.server
			}
		}
		return nil
	}}
}
