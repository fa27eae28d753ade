package profile

import (
	"slices"
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
// here.
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

	Clockskew   time.Duration // default 5 minutes
	KDCTimesync bool          // go by the KDC's clock where ours is wrong; default true

	TicketOptions // for clients of DefaultRealm

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
	if missing := p.Missing(); len(missing) > 0 {
		c.warn("KRB5_CONFIG names %s, which does not exist: the defaults are used", strings.Join(missing, ", "))
	}
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
	c.KDCTimesync = d.boolean("kdc_timesync", true)
	c.TicketOptions = d.ticketOptions(c.DefaultRealm)

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
	c.domainRealm = p.firstValues(strings.ToLower, "domain_realm")
	return c, nil
}

// Profile returns the profile that c was made from, for relations that c has no
// field for. It is nil for an empty one.
func (c *Config) Profile() *Profile { return c.profile }

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
