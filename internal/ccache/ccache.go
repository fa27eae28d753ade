// Package ccache reads and writes credential caches, in which a user's Kerberos
// tickets are kept, as MIT Kerberos does: single files (FILE), folders of them
// (DIR), and caches of the process itself (MEMORY). Other packages have the types
// that are kept elsewhere, behind the interface [Store].
package ccache

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// ErrFormat is what the errors of [Parse] wrap.
var ErrFormat = errors.New("not a credential cache")

// MaxSize bounds a cache's size in octets, wherever it is kept. A ticket with a large PAC takes some
// tens of kilobytes.
const MaxSize = 16 << 20

// Stamp identifies a version of a cache's file; see [filestamp.Stamp].
type Stamp = filestamp.Stamp

// Cache is the content of a credential cache. A cache that is no longer changed
// may be read by several goroutines at once.
type Cache struct {
	// Principal is whose tickets these are.
	Principal principal.Name
	// KDCOffset is how far the KDC's clock is ahead of this machine's.
	KDCOffset time.Duration
	// Creds are the tickets in the order of the file, without the entries that
	// hold configuration and those marked as removed.
	Creds []Credential

	config  []configEntry
	version Version // in a Memory
}

// WithCreds returns a cache with the settings of c and the given tickets.
func (c *Cache) WithCreds(creds ...Credential) *Cache {
	return &Cache{Principal: c.Principal, KDCOffset: c.KDCOffset, Creds: creds, config: slices.Clone(c.config)}
}

// configEntry is a setting about the cache, which MIT keeps disguised as a
// ticket for a service in the realm "X-CACHECONF:".
type configEntry struct {
	key    string
	server string // a principal's text that the setting is about; "": the cache
	value  []byte
}

const (
	configRealm   = "X-CACHECONF:"
	configService = "krb5_ccache_conf_data"
)

// Config returns a setting of the cache as a whole, such as "proxy_impersonator"
// or "start_realm". ok is false when the cache does not have it.
func (c *Cache) Config(key string) (value []byte, ok bool) { return c.ConfigFor(key, "") }

// ConfigFor returns a setting about one server principal, given in text form,
// such as "fast_avail" of krbtgt/REALM@REALM.
func (c *Cache) ConfigFor(key, server string) (value []byte, ok bool) {
	for _, e := range slices.Backward(c.config) {
		if e.key == key && e.server == server {
			return bytes.Clone(e.value), true
		}
	}
	return nil, false
}

// SetConfig sets or, with a nil value, removes a setting about a server
// principal, or about the cache itself if server is "".
func (c *Cache) SetConfig(key, server string, value []byte) {
	c.config = slices.DeleteFunc(c.config, func(e configEntry) bool {
		return e.key == key && e.server == server
	})
	if value != nil {
		c.config = append(c.config, configEntry{key, server, bytes.Clone(value)})
	}
}

// asConfig tells whether a credential of the file is a setting, and which.
func asConfig(c *Credential) (configEntry, bool) {
	s := c.Server
	if s.Realm != configRealm || len(s.Components) < 2 || s.Components[0] != configService {
		return configEntry{}, false
	}
	e := configEntry{key: s.Components[1], value: c.Ticket}
	if len(s.Components) > 2 {
		e.server = s.Components[2]
	}
	return e, true
}

// credential returns the form that e has in a file.
func (e configEntry) credential(client principal.Name) Credential {
	server := principal.Name{
		Type:       principal.TypePrincipal,
		Realm:      configRealm,
		Components: []string{configService, e.key},
	}
	if e.server != "" {
		server.Components = append(server.Components, e.server)
	}
	return Credential{Client: client, Server: server, Ticket: e.value}
}
