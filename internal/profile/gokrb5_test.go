package profile

import (
	"slices"
	"strings"
	"testing"

	gokrb5 "github.com/jcmturner/gokrb5/v8/config"
)

// gokrb5 understands this file, and reads it as we do.
func TestAgainstGokrb5(t *testing.T) {
	const text = `
[libdefaults]
 default_realm = X.TEST
 dns_lookup_kdc = false
 dns_lookup_realm = true
 forwardable = true
 ticket_lifetime = 10h
 renew_lifetime = 7d
 clockskew = 120
 udp_preference_limit = 1
 default_tkt_enctypes = aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96
 permitted_enctypes = aes256-cts-hmac-sha1-96
[realms]
 X.TEST = {
  kdc = kdc1.x.test:88
  kdc = kdc2.x.test:1088
  kpasswd_server = pw.x.test:464
 }
 Y.TEST = {
  kdc = y.test:88
 }
[domain_realm]
 .x.test = X.TEST
 one.y.test = Y.TEST
`
	ours := configOf(t, text)
	theirs, err := gokrb5.NewFromString(text)
	if err != nil {
		t.Fatal(err)
	}
	lib := theirs.LibDefaults
	for name, same := range map[string]bool{
		"default_realm":        ours.DefaultRealm == lib.DefaultRealm,
		"dns_lookup_kdc":       ours.DNSLookupKDC == lib.DNSLookupKDC,
		"dns_lookup_realm":     ours.DNSLookupRealm == lib.DNSLookupRealm,
		"forwardable":          ours.Forwardable == lib.Forwardable,
		"ticket_lifetime":      ours.TicketLifetime == lib.TicketLifetime,
		"renew_lifetime":       ours.RenewLifetime == lib.RenewLifetime,
		"clockskew":            ours.Clockskew == lib.Clockskew,
		"udp_preference_limit": ours.UDPPreferenceLimit == lib.UDPPreferenceLimit,
		"default_tkt_enctypes": slices.Equal(ours.DefaultTktEnctypes, lib.DefaultTktEnctypeIDs),
		"permitted_enctypes":   slices.Equal(ours.PermittedEnctypes, lib.PermittedEnctypeIDs),
	} {
		if !same {
			t.Errorf("%s differs: %+v and %+v", name, ours, lib)
		}
	}
	for _, r := range theirs.Realms {
		var kdcs []string
		for _, s := range ours.Realm(r.Realm).KDCs {
			kdcs = append(kdcs, s.String())
		}
		if !slices.Equal(kdcs, r.KDC) {
			t.Errorf("%s: our KDCs are %q, gokrb5's %q", r.Realm, kdcs, r.KDC)
		}
	}
	for _, host := range []string{"a.x.test", "one.y.test", "two.y.test", strings.ToUpper("a.x.test")} {
		got, _ := ours.RealmOfHost(host)
		if want := theirs.ResolveRealm(strings.ToLower(host)); got != want {
			t.Errorf("%s: our realm is %q, gokrb5's %q", host, got, want)
		}
	}
}
