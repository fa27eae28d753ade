package krb5_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

const service = "HTTP/web.krb.test"

var target = gss.HostBased("HTTP", "web.krb.test")

// realm is a KDC with alice and the service.
func realm(tb testing.TB, o ...krbtest.Option) *krbtest.KDC {
	kdc := krbtest.NewKDC(tb, o...)
	kdc.AddPrincipal("alice", "alice's password")
	kdc.AddService(service)
	return kdc
}

// provider returns a provider whose defaults are alice and the service.
func provider(tb testing.TB, kdc *krbtest.KDC, change ...func(*krb5.Options)) *krb5.Provider {
	tb.Helper()
	o := krb5.Options{Config: kdc.ConfigPath(), CCache: kdc.CCache("alice"), Keytab: kdc.Keytab(service)}
	for _, c := range change {
		c(&o)
	}
	p, err := krb5.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	for _, enctype := range []string{
		"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128",
	} {
		t.Run(enctype, func(t *testing.T) {
			kdc := realm(t, krbtest.WithEnctypes(enctype))
			gsstest.Run(t, gsstest.Suite{
				Provider:   provider(t, kdc),
				Target:     target,
				Principal:  "alice@KRB.TEST",
				Delegation: true,
			})
		})
	}
}
