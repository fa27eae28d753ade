package profile

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// testEnvironment has fixed values, so that no test depends on who runs it.
func testEnvironment() Environment {
	return Environment{
		Getenv:   func(string) string { return "" },
		UID:      1000,
		EUID:     1001,
		Username: func() string { return "alice" },
	}
}

func configOf(t *testing.T, text string) *Config {
	t.Helper()
	p, err := Parse(strings.NewReader(text), "krb5.conf")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConfig(p, testEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfigDefaults(t *testing.T) {
	c, err := NewConfig(nil, testEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"no default realm":           c.DefaultRealm == "",
		"KDCs from the DNS":          c.DNSLookupKDC,
		"no realms from the DNS":     !c.DNSLookupRealm,
		"no canonicalisation":        c.DNSCanonicalizeHostname == CanonicalizeNever,
		"clock skew of 5 minutes":    c.Clockskew == 5*time.Minute,
		"tickets for 24 hours":       c.TicketLifetime == 24*time.Hour,
		"not renewable":              c.RenewLifetime == 0,
		"not forwardable":            !c.Forwardable && !c.Proxiable,
		"no addresses":               c.NoAddresses,
		"AES only":                   slices.Equal(c.PermittedEnctypes, []int32{18, 17, 20, 19}),
		"the same for both requests": slices.Equal(c.DefaultTktEnctypes, c.PermittedEnctypes) && slices.Equal(c.DefaultTGSEnctypes, c.PermittedEnctypes),
		"UDP up to 1465 octets":      c.UDPPreferenceLimit == 1465,
		"no warnings":                c.Warnings == nil,
		"no KDCs":                    c.Realm("X.TEST").KDCs == nil,
		"no path":                    c.CAPath("A", "B") == nil,
	} {
		if !ok {
			t.Errorf("an empty profile does not give: %s (%+v)", name, c)
		}
	}
}

func TestConfigLibdefaults(t *testing.T) {
	c := configOf(t, `
[libdefaults]
 default_realm = X.TEST
 dns_lookup_kdc = no
 dns_canonicalize_hostname = fallback
 default_ccache_name = DIR:/run/user/%{uid}/krb5cc
 default_keytab_name = FILE:%{TEMP}/%{username}.keytab
 default_client_keytab_name = FILE:/k/%{euid}%{null}/client.keytab
 clockskew = 120
 ticket_lifetime = 10h
 renew_lifetime = 7d
 forwardable = true
 udp_preference_limit = 1
 proxiable = perhaps
 X.TEST = {
   renew_lifetime = 14d
 }
 Y.TEST = {
   ticket_lifetime = 1h
 }
`)
	for name, ok := range map[string]bool{
		"default_realm":             c.DefaultRealm == "X.TEST",
		"dns_lookup_kdc":            !c.DNSLookupKDC,
		"dns_canonicalize_hostname": c.DNSCanonicalizeHostname == CanonicalizeFallback,
		"%{uid}":                    c.DefaultCCacheName == "DIR:/run/user/1000/krb5cc",
		"%{username}":               c.DefaultKeytabName == "FILE:/tmp/alice.keytab",
		"%{euid}":                   c.DefaultClientKeytabName == "FILE:/k/1001/client.keytab",
		"clockskew":                 c.Clockskew == 2*time.Minute,
		"ticket_lifetime":           c.TicketLifetime == 10*time.Hour,
		"renew_lifetime of X.TEST":  c.RenewLifetime == 14*24*time.Hour,
		"forwardable":               c.Forwardable,
		"proxiable":                 !c.Proxiable,
		"udp_preference_limit":      c.UDPPreferenceLimit == 1,
		"one warning":               len(c.Warnings) == 1 && strings.Contains(c.Warnings[0], "proxiable"),
	} {
		if !ok {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestTicketOptionsOf(t *testing.T) {
	c := configOf(t, `
[libdefaults]
 default_realm = X.TEST
 forwardable = true
 default_ccache_name = FILE:/all
 X.TEST = {
  forwardable = false
  default_ccache_name = FILE:/x
 }
 Y.TEST = {
  ticket_lifetime = 1h
 }
`)
	if c.Forwardable || c.TicketOptionsOf("X.TEST").Forwardable {
		t.Error("what X.TEST has of its own is not used")
	}
	if y := c.TicketOptionsOf("Y.TEST"); !y.Forwardable || y.TicketLifetime != time.Hour {
		t.Errorf("Y.TEST: %+v", y)
	}
	if z := c.TicketOptionsOf("Z.TEST"); !z.Forwardable || z.TicketLifetime != 24*time.Hour || !z.NoAddresses {
		t.Errorf("a realm without a subsection: %+v", z)
	}
	// As in MIT, only what concerns tickets can be set by realm.
	if c.DefaultCCacheName != "FILE:/all" {
		t.Errorf("the cache is %q", c.DefaultCCacheName)
	}
}

func TestConfigValues(t *testing.T) {
	for line, ok := range map[string]func(*Config) bool{
		"dns_canonicalize_hostname = true":     func(c *Config) bool { return c.DNSCanonicalizeHostname == CanonicalizeAlways },
		"dns_canonicalize_hostname = OFF":      func(c *Config) bool { return c.DNSCanonicalizeHostname == CanonicalizeNever },
		"rdns = nil":                           func(c *Config) bool { return !c.RDNS },
		"dns_fallback = no":                    func(c *Config) bool { return !c.DNSLookupKDC },
		"noaddresses = n":                      func(c *Config) bool { return !c.NoAddresses },
		"canonicalize = y":                     func(c *Config) bool { return c.Canonicalize },
		"enforce_ok_as_delegate = T":           func(c *Config) bool { return c.EnforceOKAsDelegate },
		"ignore_acceptor_hostname = on":        func(c *Config) bool { return c.IgnoreAcceptorHostname },
		"udp_preference_limit = 1000000":       func(c *Config) bool { return c.UDPPreferenceLimit == 32700 },
		"udp_preference_limit = 0":             func(c *Config) bool { return c.UDPPreferenceLimit == 0 },
		"kdc_timeout = 3":                      func(c *Config) bool { return c.KDCTimeout == 3*time.Second },
		"request_timeout = 1m":                 func(c *Config) bool { return c.RequestTimeout == time.Minute },
		"max_retries = 7":                      func(c *Config) bool { return c.MaxRetries == 7 },
		"qualify_shortname = x.test":           func(c *Config) bool { return c.QualifyShortname == "x.test" },
		"rdns = false\n rdns = true":           func(c *Config) bool { return !c.RDNS },
		"default_realm = A\ndefault_realm = B": func(c *Config) bool { return c.DefaultRealm == "A" },
	} {
		if c := configOf(t, "[libdefaults]\n "+line+"\n"); !ok(c) || c.Warnings != nil {
			t.Errorf("%s: got %+v", line, c)
		}
	}
}

// A value that is not understood leaves the default, and a warning names it.
func TestConfigWarnings(t *testing.T) {
	want, err := NewConfig(nil, testEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"forwardable = perhaps", "dns_canonicalize_hostname = 2", "udp_preference_limit = -1", "max_retries = 1.5",
		"clockskew = soon", "ticket_lifetime = 5w", "default_keytab_name = %{",
	} {
		c := configOf(t, "[libdefaults]\n "+line+"\n")
		name, _, _ := strings.Cut(line, " ")
		if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], name) {
			t.Errorf("%s: warnings %q", line, c.Warnings)
		}
		c.Warnings, c.profile = nil, nil
		if !reflect.DeepEqual(c, want) {
			t.Errorf("%s: got %+v, want the defaults %+v", line, c, want)
		}
	}
}
