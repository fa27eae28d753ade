package krbtest

import (
	"errors"
	"path/filepath"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/keytab"
)

// ConfigPath returns the path of a krb5.conf for the realm, to be used as
// KRB5_CONFIG. It names the KDC and those of the realms that are trusted, and
// turns the DNS off.
func (k *KDC) ConfigPath() string {
	k.tb.Helper()
	k.mu.Lock()
	k.hasConf = true
	k.mu.Unlock()
	k.writeConfig()
	return k.configPath()
}

func (k *KDC) configPath() string { return filepath.Join(k.dir, "krb5.conf") }

func (k *KDC) writeConfig() {
	k.tb.Helper()
	ids := k.realm.Enctypes()
	var others []kdc.Site
	for _, other := range k.reachable() {
		others = append(others, other.server.Site())
	}
	text := kdc.ConfigText(ids, k.server.Site(), others...)
	k.check(filestamp.Replace(k.configPath(), []byte(text)))
}

// Keytab returns the path of a new keytab with the keys of the principals, one
// at least, and all versions of them.
func (k *KDC) Keytab(principals ...string) string {
	k.tb.Helper()
	path := k.newPath("keytab")
	k.WriteKeytab(path, principals...)
	return path
}

// WriteKeytab writes a keytab with the keys of the principals, all versions of
// them, in place of what is at path.
func (k *KDC) WriteKeytab(path string, principals ...string) {
	k.tb.Helper()
	if len(principals) == 0 {
		k.check(errors.New("a keytab of no principals: name those whose keys are wanted"))
	}
	t, err := k.realm.Keytab(principals...)
	k.check(err)
	k.check(keytab.WriteFile(path, t))
}

// CCache returns the path of a new credential cache with a ticket-granting
// ticket of the principal, to be used as KRB5CCNAME. Nobody is asked for it and
// no key is derived: the KDC counts no request. The ticket is forwardable,
// unless options tell otherwise.
func (k *KDC) CCache(principal string, o ...TicketOption) string {
	k.tb.Helper()
	path := k.newPath("ccache")
	k.WriteCCache(path, principal, o...)
	return path
}

// WriteCCache writes a credential cache as [KDC.CCache] makes it, in place of
// what is at path.
func (k *KDC) WriteCCache(path, principal string, o ...TicketOption) {
	k.tb.Helper()
	s := k.ticketSettings(o)
	var tickets []ccache.Credential
	for _, service := range s.services {
		t := s.options
		t.Server = service
		cred, err := k.realm.Ticket(principal, t)
		k.check(err)
		tickets = append(tickets, cred)
	}
	c, err := k.realm.CCache(principal, s.options, tickets...)
	k.check(err)
	k.check(ccache.WriteFile(path, c))
}
