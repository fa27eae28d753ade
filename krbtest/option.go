package krbtest

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdc"
)

// Option sets up a KDC.
type Option func(*settings)

type settings struct {
	options kdc.Options
	fault   Fault
	err     error
}

// WithRealm names the realm; [DefaultRealm] is the default. Its hosts are those
// of the domain of the same name in lower case, unless [WithDomains] tells
// others.
func WithRealm(name string) Option {
	return func(s *settings) { s.options.Realm = name }
}

// WithDomains tells the DNS domains of the realm's hosts.
func WithDomains(domains ...string) Option {
	return func(s *settings) { s.options.Domains = domains }
}

// WithEnctypes tells the encryption types of keys and tickets by their names in
// krb5.conf, preferred first. The default is "aes256-cts-hmac-sha1-96",
// "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192" and
// "aes128-cts-hmac-sha256-128". "arcfour-hmac" is supported too.
func WithEnctypes(names ...string) Option {
	return func(s *settings) { s.options.Enctypes, s.err = enctypes(names) }
}

// WithRC4 adds RC4-HMAC to the encryption types, preferred last. Give it after
// [WithEnctypes].
func WithRC4() Option {
	return func(s *settings) {
		if len(s.options.Enctypes) == 0 {
			s.options.Enctypes = kdc.DefaultEnctypes()
		}
		s.options.Enctypes = append(s.options.Enctypes, etype.RC4HMAC)
	}
}

func enctypes(names []string) ([]etype.ID, error) {
	var ids []etype.ID
	for _, name := range names {
		id, ok := etype.Parse(name)
		if !ok {
			return nil, fmt.Errorf("%q is not a supported encryption type", name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// WithLifetime bounds the lifetime of tickets; the default is 24 hours.
func WithLifetime(d time.Duration) Option {
	return func(s *settings) { s.options.MaxLife = d }
}

// WithRenewLifetime bounds for how long a ticket can be renewed; the default is
// 7 days, and a negative one makes no ticket renewable.
func WithRenewLifetime(d time.Duration) Option {
	return func(s *settings) { s.options.MaxRenew = d }
}

// WithClock makes now the KDC's clock, for tickets that are issued in the past
// or a test that moves time. It is called by several goroutines. The default is
// time.Now.
func WithClock(now func() time.Time) Option {
	return func(s *settings) { s.options.Now = now }
}

// WithSkew is how far the clocks of clients may differ; the default is 5
// minutes.
func WithSkew(d time.Duration) Option {
	return func(s *settings) { s.options.Skew = d }
}

// WithUDPLimit is how many octets of a reply go into a datagram; for more, the
// client is told to use TCP. The default is 4096. With 1, everything goes over
// TCP in the end.
func WithUDPLimit(octets int) Option {
	return func(s *settings) { s.options.MaxUDPReply = octets }
}

// WithLogger is told of each request at level Debug. The default is nobody.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) { s.options.Logger = l }
}

// WithFault makes the KDC fail from the start; see [KDC.SetFault].
func WithFault(f Fault) Option {
	return func(s *settings) { s.fault = f }
}
