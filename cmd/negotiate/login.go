package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// login says who the client is, and by which provider.
type login struct {
	provider  string
	principal string
	ccache    string
	keytab    string
}

func (l *login) flags() []*flag {
	return []*flag{
		{long: "principal", value: "NAME", help: "the client, as in alice or alice@REALM: whose cache or key to use", set: setString(&l.principal)},
		{long: "ccache", value: "NAME", help: "the credential cache, as in FILE:/tmp/krb5cc_0 or KCM:; else KRB5CCNAME and krb5.conf tell", set: setString(&l.ccache)},
		{long: "keytab", value: "FILE", help: "log in with a key of this file", set: setString(&l.keytab)},
		{long: "provider", value: "NAME", help: providerHelp(), set: setProvider(&l.provider)},
	}
}

func (l *login) check() error {
	if l.ccache != "" && l.keytab != "" {
		return errors.New("--ccache and --keytab exclude each other")
	}
	return nil
}

func (l *login) newProvider(logger *slog.Logger) (gss.Provider, error) {
	return newProvider(l.provider, logger)
}

// credential is the one that the flags choose; nil for the provider's default.
func (l *login) credential(p gss.Provider, mech gss.OID) gss.Credential {
	if l.principal == "" && l.ccache == "" && l.keytab == "" {
		return nil
	}
	o := gss.CredentialOptions{CCache: l.ccache, Keytab: l.keytab, Mechanism: mech}
	if l.principal != "" {
		o.Name = gss.User(l.principal)
	}
	return &lateCredential{provider: p, options: o}
}

// lateCredential is acquired when it is first needed, so that a page which asks
// for no authentication needs none.
type lateCredential struct {
	provider gss.Provider
	options  gss.CredentialOptions

	mu       sync.Mutex
	acquired gss.Credential
}

// Resolve implements gss.Resolver.
func (c *lateCredential) Resolve(ctx context.Context) (gss.Credential, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acquired != nil {
		return c.acquired, nil
	}
	var err error
	c.acquired, err = c.provider.Acquire(ctx, c.options)
	return c.acquired, err
}

func (c *lateCredential) Name() gss.Name     { return c.options.Name }
func (c *lateCredential) Usage() gss.Usage   { return c.options.Usage }
func (c *lateCredential) Expires() time.Time { return time.Time{} }

func (c *lateCredential) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acquired == nil {
		return nil
	}
	return c.acquired.Close()
}
