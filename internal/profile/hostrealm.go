package profile

import (
	"net/netip"
	"strings"
)

// RealmOfHost returns the realm to which [domain_realm] assigns a host. The
// host itself is looked for first, then its parents from the nearest up, each
// as ".parent" and then as "parent", as MIT does. Case and a final dot do not
// matter. ok is false for a host without an entry and for an address.
func (c *Config) RealmOfHost(host string) (realm string, ok bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return "", false
	}
	for host != "" {
		if realm, ok := c.domainRealm[host]; ok {
			return realm, true
		}
		if parent, ok := strings.CutPrefix(host, "."); ok {
			host = parent
			continue
		}
		i := strings.IndexByte(host, '.')
		if i < 0 {
			break
		}
		host = host[i:]
	}
	return "", false
}
