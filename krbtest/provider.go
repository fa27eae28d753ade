package krbtest

import "github.com/go-negotiate/negotiate/krb5"

// Provider returns a provider whose default credential is the principal's, made
// by [KDC.CCache] with the given options. It has the realm's krb5.conf and the
// KDC's clock, and ignores the environment:
//
//	client := &http.Client{Transport: &negotiate.Transport{Provider: kdc.Provider("alice")}}
//
// The tests of one that logs in by itself use FromPassword or FromKeytab of the
// provider.
func (k *KDC) Provider(principal string, o ...TicketOption) *krb5.Provider {
	k.tb.Helper()
	return k.provider(krb5.Options{CCache: "FILE:" + k.CCache(principal, o...)})
}

// Acceptor returns a provider that accepts as any of the services, of which it
// has a keytab as [KDC.Keytab] writes it. Name one at least:
//
//	server := httptest.NewServer(&negotiate.Handler{Provider: kdc.Acceptor("HTTP/127.0.0.1"), Next: app})
func (k *KDC) Acceptor(services ...string) *krb5.Provider {
	k.tb.Helper()
	return k.provider(krb5.Options{
		Keytab: "FILE:" + k.Keytab(services...),
		CCache: "FILE:" + k.newPath("none"), // not the environment's
	})
}

func (k *KDC) provider(o krb5.Options) *krb5.Provider {
	k.tb.Helper()
	o.Config, o.Now = k.ConfigPath(), k.realm.Now
	o.ClientKeytab = "FILE:" + k.newPath("none")
	if o.Keytab == "" {
		o.Keytab = "FILE:" + k.newPath("none")
	}
	p, err := krb5.New(o)
	k.check(err)
	return p
}
