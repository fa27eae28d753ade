package krb5

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// clientKeytabName is the name of the default client keytab as it is now.
func (p *Provider) clientKeytabName() string {
	if p.opts.ClientKeytab != "" {
		return p.opts.ClientKeytab
	}
	return keytab.DefaultClientName(p.env.Getenv, p.conf.DefaultClientKeytabName, p.env.EUID)
}

// clientKeytabFile is the file of the default client keytab if it serves for a
// cache: the default one. It is "" if not.
func (p *Provider) clientKeytabFile(label string) string {
	if label != p.defaultCCache() {
		return ""
	}
	file, err := keytab.ParseName(p.clientKeytabName())
	if err != nil {
		p.log.Warn("the client keytab cannot be used", "error", err)
		return ""
	}
	return file
}

// clientKeytabFor returns the keys with which the owner of a cache logs in when
// that is empty or has expired: those of the client keytab, if the cache is the
// default one. A zero client is the keytab's first. It is nil if there are none.
func (p *Provider) clientKeytabFor(label string, client principal.Name) *keytabSecret {
	file := p.clientKeytabFile(label)
	if file == "" {
		return nil
	}
	kt, _, err := keytab.ReadFile(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.log.Warn("the client keytab cannot be used", "error", err)
		}
		return nil
	}
	s := &keytabSecret{file: file, permitted: p.conf.DefaultTktEnctypes}
	names := kt.Principals()
	switch {
	case client.IsZero() && len(names) > 0:
		s.client = names[0]
	case slices.ContainsFunc(names, client.Equal):
		s.client = client
	default:
		return nil
	}
	return s
}

// keytabLogin is a login with the client keytab, and the version of that when it
// was looked into.
type keytabLogin struct {
	stamp keytab.Stamp
	login *login
}

// clientKeytabLogin returns a login with the client keytab in place of a default
// cache that cannot be read, the same one until the keytab has another principal;
// nil if there is none.
func (p *Provider) clientKeytabLogin(label string, client principal.Name) *login {
	file := p.clientKeytabFile(label)
	if file == "" {
		return nil
	}
	stamp, err := filestamp.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	key := client.String() + " " + label + " " + file
	if k := p.keytabLogins.Get(key); k != nil && err == nil && k.stamp == stamp {
		return k.login
	}
	s := p.clientKeytabFor(label, client)
	if s == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := &keytabLogin{stamp: stamp}
	if k := p.keytabLogins.Get(key); k != nil && k.login.client.Equal(s.client) {
		next.login = k.login
	} else {
		next.login = p.loginWithSecret(s.client, s)
		next.login.homeName = label
	}
	p.keytabLogins.MakeRoom(maxFiles)
	p.keytabLogins.Set(key, next)
	return next.login
}

// loginWithSecret makes a login that gets its tickets with a secret.
func (p *Provider) loginWithSecret(client principal.Name, s secret) *login {
	l := newLogin(p, client, s.String())
	l.logsIn = true
	l.wipe = s.wipe
	l.relogin = func(ctx context.Context, _ *kdcclient.Ticket) (*kdcclient.Ticket, error) {
		return l.logIn(ctx, s)
	}
	return l
}
