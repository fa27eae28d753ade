package ccache

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-negotiate/negotiate/internal/octets"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Caches that are no files keep principals and credentials one by one, each in
// the form that it has in a file of version 4.

// EncodeCredential returns that form of a credential.
func EncodeCredential(c Credential) []byte { return appendCredential(nil, 4, c) }

// DecodeCredential reads that form. The error wraps [ErrFormat]. The credential
// does not refer to b.
func DecodeCredential(b []byte) (Credential, error) {
	p, err := newParser(b)
	if err != nil {
		return Credential{}, err
	}
	c := p.credential()
	return c, p.check("credential")
}

// EncodePrincipal returns that form of a name.
func EncodePrincipal(n principal.Name) []byte { return appendName(nil, n) }

// DecodePrincipal reads that form. The error wraps [ErrFormat].
func DecodePrincipal(b []byte) (principal.Name, error) {
	p, err := newParser(b)
	if err != nil {
		return principal.Name{}, err
	}
	n := p.name()
	return n, p.check("principal")
}

func newParser(b []byte) (*parser, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d octets, at most %d are read", ErrFormat, len(b), MaxSize)
	}
	p := &parser{Reader: *octets.NewReader(b), version: 4}
	p.Order = binary.BigEndian
	return p, nil
}

// NewCache returns a cache with the entries of a store: tickets, and settings in
// the form of tickets.
func NewCache(client principal.Name, offset time.Duration, entries []Credential) *Cache {
	c := &Cache{Principal: client, KDCOffset: offset}
	for _, e := range entries {
		c.add(e)
	}
	return c
}

// Entries returns what NewCache takes: the settings, and then the tickets.
func (c *Cache) Entries() []Credential {
	var entries []Credential
	for _, e := range c.config {
		entries = append(entries, e.credential(c.Principal))
	}
	return append(entries, c.Creds...)
}
