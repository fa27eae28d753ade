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
	Trusts  []string // realms that it trusts and that trust it
}

// Site returns where the server's realm is found.
func (s *Server) Site() Site {
	site := Site{Realm: s.realm.Name(), KDC: s.addr, Domains: s.realm.Domains()}
	for _, n := range s.realm.adjacent() {
		site.Trusts = append(site.Trusts, n.Name())
	}
	return site
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
	sites := append([]Site{home}, others...)
	b.WriteString("\n[realms]\n")
	for _, s := range sites {
		fmt.Fprintf(&b, "\t%s = {\n\t\tkdc = %s\n\t}\n", s.Realm, s.KDC)
	}
	b.WriteString("\n[domain_realm]\n")
	for _, d := range home.Domains {
		d = strings.Trim(strings.ToLower(d), ".")
		fmt.Fprintf(&b, "\t.%s = %s\n\t%s = %s\n", d, home.Realm, d, home.Realm)
	}
	writeCAPaths(&b, sites)
	return b.String()
}

// writeCAPaths tells over which realms tickets come, which a service has to know
// that checks the way by itself (RFC 4120, section 2.7).
func writeCAPaths(b *strings.Builder, sites []Site) {
	header := "\n[capaths]\n"
	for _, from := range sites {
		var lines strings.Builder
		for _, to := range sites {
			for _, between := range path(sites, from.Realm, to.Realm) {
				fmt.Fprintf(&lines, "\t\t%s = %s\n", to.Realm, between)
			}
		}
		if lines.Len() > 0 {
			fmt.Fprintf(b, "%s\t%s = {\n%s\t}\n", header, from.Realm, &lines)
			header = ""
		}
	}
}

// path returns the realms between two on the shortest way.
func path(sites []Site, from, to string) []string {
	came := map[string]string{from: ""}
	queue := []string{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		i := slices.IndexFunc(sites, func(s Site) bool { return s.Realm == at })
		if i < 0 {
			continue
		}
		for _, next := range sites[i].Trusts {
			if _, seen := came[next]; !seen {
				came[next] = at
				queue = append(queue, next)
			}
		}
	}
	var between []string
	for at := came[to]; at != "" && at != from; at = came[at] {
		between = append(between, at)
	}
	slices.Reverse(between)
	return between
}
