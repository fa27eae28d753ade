package profile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Canonicalization says whether the host of a service's name is looked up in
// the DNS for its canonical name.
type Canonicalization int

const (
	// CanonicalizeNever uses hosts as they are written. It is the default here,
	// unlike in MIT, since whoever answers for the DNS could otherwise choose
	// the service that is authenticated.
	CanonicalizeNever Canonicalization = iota
	// CanonicalizeAlways asks the DNS first.
	CanonicalizeAlways
	// CanonicalizeFallback asks it when the KDC does not know the host as written.
	CanonicalizeFallback
)

// Config is the typed view of a [Profile]. It is made once by [NewConfig] and
// does not change; several goroutines may use it. Each field has the value of
// the relation of the same name in [libdefaults], or the default that is given
// here. Relations for one realm ([libdefaults] REALM = { ... }) override the
// others for DefaultRealm.
type Config struct {
	DefaultRealm   string // "": none configured
	DNSLookupKDC   bool   // find KDCs by SRV records; default true
	DNSLookupRealm bool   // find realms by TXT records; default false
	DNSURILookup   bool   // try URI records before SRV ones; default true

	DNSCanonicalizeHostname Canonicalization
	RDNS                    bool   // after that, also ask for the address's name; default true
	QualifyShortname        string // domain that is added to a host without dots; "" adds none

	// Names with %{...} expanded; "" if not configured.
	DefaultCCacheName       string
	DefaultKeytabName       string
	DefaultClientKeytabName string

	Clockskew      time.Duration // default 5 minutes
	TicketLifetime time.Duration // lifetime to ask for; default 24 hours
	RenewLifetime  time.Duration // renewable lifetime to ask for; default 0, none

	Forwardable  bool // ask for forwardable tickets; default false
	Proxiable    bool // ask for proxiable tickets; default false
	Canonicalize bool // let the KDC replace the client's name; default false
	NoAddresses  bool // ask for tickets without addresses; default true

	// Encryption types (RFC 3961 numbers), preferred first. The default is
	// [DefaultEnctypes]. DefaultTktEnctypes and DefaultTGSEnctypes default to
	// PermittedEnctypes.
	PermittedEnctypes  []int32
	DefaultTktEnctypes []int32
	DefaultTGSEnctypes []int32
	AllowWeakCrypto    bool // default false
	AllowRC4           bool // allow_rc4 or AllowWeakCrypto

	UDPPreferenceLimit int           // messages of more octets go by TCP first; default 1465
	KDCTimeout         time.Duration // wait for one KDC's answer; 0: the caller's choice
	RequestTimeout     time.Duration // wait for a whole exchange; 0: the caller's choice
	MaxRetries         int           // rounds over all KDCs; default 3

	EnforceOKAsDelegate    bool // delegate only to services that the KDC approves; default false
	IgnoreAcceptorHostname bool // accept for any host's key; default false

	// Warnings tell of values that were not understood, for which the default
	// stands, each with the relation's name.
	Warnings []string

	profile     *Profile
	realms      map[string]Realm
	domainRealm map[string]string
}

const (
	defaultUDPLimit = 1465
	maxUDPLimit     = 32700 // MIT's: larger datagrams do not arrive
)

// NewConfig builds the view of p, where nil is an empty profile. The only error
// is a list of encryption types of which none is supported: the default would
// then use what an administrator has excluded.
func NewConfig(p *Profile, env Environment) (*Config, error) {
	c := &Config{profile: p}
	c.DefaultRealm, _ = p.Value("libdefaults", "default_realm")
	d := &defaults{config: c, env: env}

	fallback := d.boolean("dns_fallback", true)
	c.DNSLookupKDC = d.boolean("dns_lookup_kdc", fallback)
	c.DNSLookupRealm = d.boolean("dns_lookup_realm", false)
	c.DNSURILookup = d.boolean("dns_uri_lookup", true)
	c.DNSCanonicalizeHostname = d.canonicalization("dns_canonicalize_hostname")
	c.RDNS = d.boolean("rdns", true)
	c.QualifyShortname, _ = d.value("qualify_shortname")

	c.DefaultCCacheName = d.expanded("default_ccache_name")
	c.DefaultKeytabName = d.expanded("default_keytab_name")
	c.DefaultClientKeytabName = d.expanded("default_client_keytab_name")

	c.Clockskew = d.duration("clockskew", 5*time.Minute)
	c.TicketLifetime = d.duration("ticket_lifetime", 24*time.Hour)
	c.RenewLifetime = d.duration("renew_lifetime", 0)

	c.Forwardable = d.boolean("forwardable", false)
	c.Proxiable = d.boolean("proxiable", false)
	c.Canonicalize = d.boolean("canonicalize", false)
	c.NoAddresses = d.boolean("noaddresses", true)

	c.UDPPreferenceLimit = min(d.integer("udp_preference_limit", defaultUDPLimit), maxUDPLimit)
	c.KDCTimeout = d.duration("kdc_timeout", 0)
	c.RequestTimeout = d.duration("request_timeout", 0)
	c.MaxRetries = d.integer("max_retries", 3)

	c.EnforceOKAsDelegate = d.boolean("enforce_ok_as_delegate", false)
	c.IgnoreAcceptorHostname = d.boolean("ignore_acceptor_hostname", false)

	if err := d.enctypes(); err != nil {
		return nil, err
	}
	c.readRealms()
	c.readDomainRealm()
	return c, nil
}

// Profile returns the profile that c was made from, for relations that c has no
// field for. It is nil for an empty one.
func (c *Config) Profile() *Profile { return c.profile }

func (c *Config) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

// defaults reads [libdefaults].
type defaults struct {
	config *Config
	env    Environment
}

func (d *defaults) value(name string) (string, bool) {
	if realm := d.config.DefaultRealm; realm != "" {
		if v, ok := d.config.profile.Value("libdefaults", realm, name); ok {
			return v, true
		}
	}
	return d.config.profile.Value("libdefaults", name)
}

func (d *defaults) boolean(name string, def bool) bool {
	v, ok := d.value(name)
	if !ok {
		return def
	}
	b, ok := parseBool(v)
	if !ok {
		d.config.warn("%s = %q: want true or false; %t is used", name, v, def)
		return def
	}
	return b
}

// parseBool knows MIT's words.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "y", "yes", "true", "t", "1", "on":
		return true, true
	case "n", "no", "false", "nil", "0", "off":
		return false, true
	}
	return false, false
}

func (d *defaults) canonicalization(name string) Canonicalization {
	v, ok := d.value(name)
	if !ok {
		return CanonicalizeNever
	}
	if strings.EqualFold(v, "fallback") {
		return CanonicalizeFallback
	}
	b, ok := parseBool(v)
	switch {
	case !ok:
		d.config.warn("%s = %q: want true, false or fallback; false is used", name, v)
	case b:
		return CanonicalizeAlways
	}
	return CanonicalizeNever
}

func (d *defaults) integer(name string, def int) int {
	v, ok := d.value(name)
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		d.config.warn("%s = %q: want a whole number, not negative; %d is used", name, v, def)
		return def
	}
	return int(n)
}

func (d *defaults) duration(name string, def time.Duration) time.Duration {
	v, ok := d.value(name)
	if !ok {
		return def
	}
	t, err := ParseDuration(v)
	if err != nil {
		d.config.warn("%s: %v; %v is used", name, err, def)
		return def
	}
	return t
}

func (d *defaults) expanded(name string) string {
	v, ok := d.value(name)
	if !ok {
		return ""
	}
	s, err := d.env.Expand(v)
	if err != nil {
		d.config.warn("%s: %v; the setting is not used", name, err)
		return ""
	}
	return s
}

// CAPath returns the realms between the client's and the server's that [capaths]
// names, in order from the client's. It is nil if nothing is configured, and
// empty but not nil if the two trust each other directly (".").
func (c *Config) CAPath(client, server string) []string {
	path := c.profile.Values("capaths", client, server)
	if len(path) == 0 {
		return nil
	}
	return slices.DeleteFunc(path, func(realm string) bool { return realm == "." })
}
