package kdc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// maxPath bounds how many realms are looked through for a host.
const maxPath = 64

// Trust lets the clients of each realm have tickets for services of the other,
// and of those beyond it: the two share the keys of krbtgt/B@A and krbtgt/A@B,
// and refer clients to each other for the hosts of their domains.
func Trust(a, b *Realm) error {
	if a.o.Realm == b.o.Realm {
		return fmt.Errorf("kdc: realm %s cannot trust itself", a.o.Realm)
	}
	ids := slices.DeleteFunc(a.Enctypes(), func(id etype.ID) bool { return !slices.Contains(b.o.Enctypes, id) })
	if len(ids) == 0 {
		return fmt.Errorf("kdc: realms %s and %s have no encryption type in common", a.o.Realm, b.o.Realm)
	}
	for _, pair := range [][2]*Realm{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		c := &record{name: principal.TGS(from.o.Realm, to.o.Realm), versions: []*keyVersion{from.randomKeys(1, ids)}}
		from.put(c)
		to.put(c)
		from.addNeighbour(to)
	}
	return nil
}

func (r *Realm) addNeighbour(n *Realm) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.neighbours, n) {
		r.neighbours = append(r.neighbours, n)
	}
}

// MapDomain tells that the hosts of a DNS domain are in another realm, which
// need not be in this process. Add krbtgt/REALM with the password of the trust
// for tickets to be issued.
func (r *Realm) MapDomain(domain, realm string) error {
	if domain = strings.ToLower(strings.Trim(domain, ".")); domain == "" || realm == "" {
		return errors.New("kdc: mapping a domain to a realm needs both names")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.domains[domain] = realm
	return nil
}

// refer finds the ticket-granting service to which a client is sent that asks
// for a service which is not here: that of a realm on the way to it (RFC 6806,
// section 8; RFC 4120, section 3.3.1). It returns nil if none is known.
func (q *request) refer(server principal.Name) *record {
	realm := ""
	switch {
	case server.IsTGS() && server.Realm == q.realm.o.Realm:
		realm = server.Components[1]
	case len(server.Components) >= 2 && q.has(krbmsg.OptCanonicalize):
		realm = q.realm.realmOf(server.Components[1])
	}
	if realm == "" || realm == q.realm.o.Realm {
		return nil
	}
	return q.realm.lookup(principal.TGS(q.realm.o.Realm, q.realm.nextTo(realm)))
}

// realmOf returns the realm of a host or domain, "" if it is not known.
func (r *Realm) realmOf(host string) string {
	host = strings.ToLower(strings.Trim(host, "."))
	realm, longest := "", -1
	consider := func(domain, of string) {
		if len(domain) > longest && inDomain(host, domain) {
			realm, longest = of, len(domain)
		}
	}
	r.mu.RLock()
	for domain, of := range r.domains {
		consider(domain, of)
	}
	r.mu.RUnlock()
	for n := range r.reachable() {
		for _, domain := range n.o.Domains {
			consider(strings.ToLower(domain), n.o.Realm)
		}
	}
	return realm
}

func inDomain(host, domain string) bool {
	rest, ok := strings.CutSuffix(host, domain)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// reachable maps the realms that can be reached, this one included, to the
// neighbour over which the way is shortest.
func (r *Realm) reachable() map[*Realm]*Realm {
	via := map[*Realm]*Realm{r: r}
	queue := []*Realm{r}
	for len(queue) > 0 && len(via) < maxPath {
		at := queue[0]
		queue = queue[1:]
		for _, n := range at.adjacent() {
			if via[n] != nil {
				continue
			}
			if via[n] = via[at]; at == r {
				via[n] = n
			}
			queue = append(queue, n)
		}
	}
	return via
}

// adjacent returns the realms that are trusted directly.
func (r *Realm) adjacent() []*Realm {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.neighbours)
}

// nextTo returns the realm over which the way to another leads.
func (r *Realm) nextTo(realm string) string {
	for n, via := range r.reachable() {
		if n.o.Realm == realm {
			return via.o.Realm
		}
	}
	return realm
}

// knows tells whether another realm is trusted.
func (r *Realm) knows(realm string) bool {
	return r.lookup(principal.TGS(r.o.Realm, r.nextTo(realm))) != nil
}
