package krb5

import (
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/closing"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// AcceptorFromKeytab returns the credential of an acceptor: any principal of the
// keytab. An empty path is the default keytab (KRB5_KTNAME and so on). The
// keytab is read at each context if it has changed, so that a rekeyed service
// needs no restart; it must have a usable key now. Errors are *gss.Error.
func (p *Provider) AcceptorFromKeytab(path string) (gss.Credential, error) {
	c, err := p.acceptorFor(path, gss.Name{})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// acceptorFor is AcceptorFromKeytab restricted to one service, unless the name
// is zero.
func (p *Provider) acceptorFor(path string, name gss.Name) (*acceptorCredential, error) {
	if path == "" {
		path = p.opts.Keytab
	}
	if path == "" {
		path = keytab.DefaultName(p.env.Getenv, p.conf.DefaultKeytabName)
	}
	file, err := keytab.ParseName(path)
	if err != nil {
		return nil, noCred("%w", err)
	}
	c := &acceptorCredential{p: p, path: file}
	if !name.IsZero() {
		if c.want, err = p.serviceName("acquire", name); err != nil {
			return nil, err
		}
		c.anyHost = p.conf.IgnoreAcceptorHostname && name.Type == gss.NameHostBased
	}
	keys, err := p.keysOf("acquire", file)
	if err != nil {
		return nil, err
	}
	switch {
	case len(keys.table) == 0 && !keys.weak.IsZero():
		return nil, noCred("the keytab %s has no key of a permitted encryption type, only %s: %s; then export the keytab again", file, etype.RC4HMAC, needsAES(keys.weak))
	case len(keys.table) == 0:
		return nil, noCred("the keytab %s has no key of a permitted encryption type: export the service's key to it (kadmin: ktadd -k %s HTTP/host)", file, file)
	case !keys.table.has(c.matches):
		return nil, noCred("the keytab %s has no key of %s (the first it has is of %s): export it, or accept as another name", file, c.want, keys.table[0].principal)
	}
	return c, nil
}

// acceptorCredential is a keytab, or one service of it.
type acceptorCredential struct {
	p       *Provider
	path    string
	given   *keytabFile    // nil: the keytab is the file at path
	want    principal.Name // zero: any; an empty realm: any realm
	anyHost bool           // only the service of want counts
	service gss.Credential // with which to go on for clients; nil: not at all
	notice  *closing.Notice
}

// Name is the service; zero if it is any of the keytab.
func (c *acceptorCredential) Name() gss.Name { return gssName(c.want) }

// Usage returns gss.UsageAccept, or gss.UsageBoth of a DelegatingAcceptor.
func (c *acceptorCredential) Usage() gss.Usage {
	if c.service != nil {
		return gss.UsageBoth
	}
	return gss.UsageAccept
}

// Expires returns the zero time: keys do not expire by themselves.
func (c *acceptorCredential) Expires() time.Time { return time.Time{} }

// Close only tells of itself.
func (c *acceptorCredential) Close() error {
	c.notice.Close()
	return nil
}

// OnClose implements [gss.CloseNotifier]. Only one that initiates, too, ends by
// Close.
func (c *acceptorCredential) OnClose(f func()) (stop func(), open bool) { return c.notice.OnClose(f) }

// String names the keytab and the service.
func (c *acceptorCredential) String() string {
	if c.want.IsZero() {
		return "krb5 acceptor credential from the keytab " + c.path
	}
	return "krb5 acceptor credential of " + c.want.String() + " from the keytab " + c.path
}

// GoString is String.
func (c *acceptorCredential) GoString() string { return c.String() }

// matches reports whether a key of the keytab may be used.
func (c *acceptorCredential) matches(n principal.Name) bool {
	switch {
	case c.want.IsZero():
		return true
	case c.anyHost:
		return len(n.Components) == 2 && n.Components[0] == c.want.Components[0]
	case c.want.Realm == "":
		n.Realm = ""
	}
	return n.Equal(c.want)
}

// keys returns the keytab as it is now.
func (c *acceptorCredential) keys(op string) (*keytabFile, error) {
	if c.given != nil {
		return c.given, nil
	}
	return c.p.keysOf(op, c.path)
}
