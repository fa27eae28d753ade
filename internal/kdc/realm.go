package kdc

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Defaults of [Options].
const (
	DefaultMaxLife     = 24 * time.Hour
	DefaultMaxRenew    = 7 * 24 * time.Hour
	DefaultSkew        = 5 * time.Minute
	DefaultMaxUDPReply = 4096
)

// maxRealmName bounds the length of the realm's name, in octets.
const maxRealmName = 255

// Options describe a realm. The zero value of each field but Realm is usable.
type Options struct {
	// Realm is the realm's name, in upper case by custom.
	Realm string
	// Enctypes are what keys and tickets are made of, preferred first. Nil is
	// [DefaultEnctypes]; RC4 is in use only if it is named here.
	Enctypes []etype.ID
	// MaxLife bounds the lifetime of tickets; zero is DefaultMaxLife.
	MaxLife time.Duration
	// MaxRenew bounds how long they can be renewed; zero is DefaultMaxRenew,
	// negative means that no ticket is renewable.
	MaxRenew time.Duration
	// Skew is how far clocks may differ; zero is DefaultSkew.
	Skew time.Duration
	// MaxUDPReply is the size in octets up to which a reply goes into a
	// datagram; zero is DefaultMaxUDPReply.
	MaxUDPReply int
	// Domains are the DNS domains whose hosts are in the realm, such as
	// "example.test". Nil is the realm's name in lower case.
	Domains []string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger is told of each request at level Debug; nil is nobody. Keys and
	// passwords are never logged.
	Logger *slog.Logger
}

// DefaultEnctypes returns what a realm uses unless told otherwise, preferred
// first: AES with SHA-1, then with SHA-2, as MIT does.
func DefaultEnctypes() []etype.ID {
	return []etype.ID{etype.AES256SHA1, etype.AES128SHA1, etype.AES256SHA2, etype.AES128SHA2}
}

// Realm is a realm: its principals and the answers to its clients. It is safe
// for concurrent use.
type Realm struct {
	o   Options
	tgs principal.Name

	mu         sync.RWMutex
	records    map[string]*record
	aliases    map[string]principal.Name
	domains    map[string]string // domain to realm, of others
	neighbours []*Realm
}

// New returns a realm with no principal but its ticket-granting service.
func New(o Options) (*Realm, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("kdc: %w", err)
	}
	o.setDefaults()
	r := &Realm{
		o:       o,
		tgs:     principal.TGS(o.Realm, o.Realm),
		records: make(map[string]*record),
		aliases: make(map[string]principal.Name),
		domains: make(map[string]string),
	}
	r.put(&record{name: r.tgs, versions: []*keyVersion{r.randomKeys(1, o.Enctypes)}})
	return r, nil
}

func (o *Options) check() error {
	switch {
	case o.Realm == "" || len(o.Realm) > maxRealmName:
		return fmt.Errorf("the realm's name has %d octets, want 1 to %d", len(o.Realm), maxRealmName)
	case strings.ContainsAny(o.Realm, "\x00@/\\ \t\n") || o.Realm[0] == ':':
		return fmt.Errorf("%q cannot be the name of a realm", o.Realm)
	case o.MaxLife < 0 || o.Skew < 0 || o.MaxUDPReply < 0:
		return errors.New("lifetimes, skew and sizes must not be negative")
	}
	return checkEnctypes(o.Enctypes)
}

func checkEnctypes(ids []etype.ID) error {
	for _, id := range ids {
		if !id.Supported() {
			return fmt.Errorf("%w: %s", etype.ErrUnsupported, id)
		}
	}
	return nil
}

func (o *Options) setDefaults() {
	o.Enctypes = slices.Clone(o.Enctypes)
	if len(o.Enctypes) == 0 {
		o.Enctypes = DefaultEnctypes()
	}
	setDefault(&o.MaxLife, DefaultMaxLife)
	setDefault(&o.MaxRenew, DefaultMaxRenew)
	setDefault(&o.Skew, DefaultSkew)
	setDefault(&o.MaxUDPReply, DefaultMaxUDPReply)
	if o.Domains == nil {
		o.Domains = []string{strings.ToLower(o.Realm)}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](v *T, byDefault T) {
	var zero T
	if *v == zero {
		*v = byDefault
	}
}

// Name returns the realm's name.
func (r *Realm) Name() string { return r.o.Realm }

// Domains returns the DNS domains of the realm's hosts.
func (r *Realm) Domains() []string { return slices.Clone(r.o.Domains) }

// Enctypes returns the realm's encryption types, preferred first.
func (r *Realm) Enctypes() []etype.ID { return slices.Clone(r.o.Enctypes) }

// Now returns the time by the realm's clock.
func (r *Realm) Now() time.Time { return r.o.Now() }
