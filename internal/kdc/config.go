package kdc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/etype"
)

// Site is a realm as clients find it.
type Site struct {
	Realm   string
	KDC     string   // host:port
	Domains []string // DNS domains of its hosts
}

// Site returns where the server's realm is found.
func (s *Server) Site() Site {
	return Site{Realm: s.realm.Name(), KDC: s.addr, Domains: s.realm.Domains()}
}

// ConfigText returns a krb5.conf for clients of the first realm, which uses no
// DNS. Of the hosts of the others it does not tell the realm, so that a client
// is referred to them by its own KDC. The encryption types are preferred first.
func ConfigText(ids []etype.ID, home Site, others ...Site) string {
	var b strings.Builder
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	fmt.Fprintf(&b, `[libdefaults]
	default_realm = %s
	dns_lookup_kdc = false
	dns_lookup_realm = false
	dns_uri_lookup = false
	dns_canonicalize_hostname = false
	rdns = false
`, home.Realm)
	for _, relation := range []string{"permitted_enctypes", "default_tkt_enctypes", "default_tgs_enctypes"} {
		fmt.Fprintf(&b, "\t%s = %s\n", relation, strings.Join(names, " "))
	}
	if slices.Contains(ids, etype.RC4HMAC) {
		b.WriteString("\tallow_rc4 = true\n\tallow_weak_crypto = true\n")
	}
	b.WriteString("\n[realms]\n")
	for _, s := range append([]Site{home}, others...) {
		fmt.Fprintf(&b, "\t%s = {\n\t\tkdc = %s\n\t}\n", s.Realm, s.KDC)
	}
	b.WriteString("\n[domain_realm]\n")
	for _, d := range home.Domains {
		d = strings.Trim(strings.ToLower(d), ".")
		fmt.Fprintf(&b, "\t.%s = %s\n\t%s = %s\n", d, home.Realm, d, home.Realm)
	}
	return b.String()
}
