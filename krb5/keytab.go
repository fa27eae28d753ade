package krb5

import (
	"errors"
	"io/fs"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// AcceptorFromKeytab returns the credential of an acceptor: any principal of the
// keytab. An empty path is the default keytab (KRB5_KTNAME and so on). The
// keytab is read at each context if it has changed, so that a rekeyed service
// needs no restart; it must be readable now. Errors are *gss.Error.
func (p *Provider) AcceptorFromKeytab(path string) (gss.Credential, error) {
	return p.acceptorFor(path, gss.Name{})
}

// acceptorFor is AcceptorFromKeytab restricted to one service, unless the name
// is zero. The credential has its concrete type.
func (p *Provider) acceptorFor(path string, name gss.Name) (*acceptorCredential, error) {
	if path == "" {
		path = p.opts.Keytab
	}
	if path == "" {
		path = keytab.DefaultName(p.env.Getenv, p.conf.DefaultKeytabName)
	}
	file, err := keytab.ParseName(path)
	if err != nil {
		return nil, failure(gss.ErrNoCred, "acquire", "%w", err)
	}
	c := &acceptorCredential{p: p, path: file}
	if !name.IsZero() {
		if c.want, err = p.targetName(name); err != nil {
			return nil, err
		}
	}
	keys, err := p.keysOf(file)
	if err != nil {
		return nil, err
	}
	if !c.want.IsZero() && !keys.has(c.matches) {
		return nil, failure(gss.ErrNoCred, "acquire", "the keytab %s has no key of %s", file, c.want)
	}
	return c, nil
}

// acceptorCredential is a keytab, or one service of it.
type acceptorCredential struct {
	p    *Provider
	path string
	want principal.Name // zero: any; an empty realm: any realm
}

// Name is the service; zero if it is any of the keytab.
func (c *acceptorCredential) Name() gss.Name { return gssName(c.want) }

// Usage returns gss.UsageAccept.
func (c *acceptorCredential) Usage() gss.Usage { return gss.UsageAccept }

// Expires returns the zero time: keys do not expire by themselves.
func (c *acceptorCredential) Expires() time.Time { return time.Time{} }

// Close does nothing.
func (c *acceptorCredential) Close() error { return nil }

// String names the keytab.
func (c *acceptorCredential) String() string { return "krb5 keytab " + c.path }

func (c *acceptorCredential) matches(n principal.Name) bool {
	if c.want.IsZero() {
		return true
	}
	if c.want.Realm == "" {
		n.Realm = ""
	}
	return n.Equal(c.want)
}

// keytabFile is a keytab as it was read last, with its keys ready for use.
type keytabFile struct {
	stamp keytab.Stamp
	keys  keyTable
}

type keyTable []serviceKey

type serviceKey struct {
	principal principal.Name
	kvno      uint32
	key       *etype.Key
}

func (t keyTable) has(match func(principal.Name) bool) bool {
	for i := range t {
		if match(t[i].principal) {
			return true
		}
	}
	return false
}

// keysOf returns the keys of a keytab file, reading it if it has changed.
func (p *Provider) keysOf(path string) (keyTable, error) {
	stamp, err := filestamp.Stat(path)
	if err != nil {
		return nil, noKeytab(path, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.keytabs[path]; f != nil && f.stamp == stamp {
		return f.keys, nil
	}
	kt, stamp, err := keytab.ReadFile(path)
	if err != nil {
		return nil, noKeytab(path, err)
	}
	if stamp.Exposed() {
		p.log.Warn("the keytab can be read by every user of this machine", "keytab", path)
	}
	f := &keytabFile{stamp: stamp}
	for _, e := range kt.Entries {
		key, err := etype.NewKey(etype.ID(e.KeyType), e.Key)
		if err != nil || !p.permitted(e.KeyType) {
			continue // of an encryption type that is not wanted
		}
		f.keys = append(f.keys, serviceKey{e.Principal, e.KVNO, key})
	}
	if len(p.keytabs) >= maxCacheFiles {
		clear(p.keytabs)
	}
	p.keytabs[path] = f
	return f.keys, nil
}

func noKeytab(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return failure(gss.ErrNoCred, "accept", "there is no keytab %s: export the service's key to it (kadmin: ktadd -k %s HTTP/host), or set KRB5_KTNAME", path, path)
	}
	return failure(gss.ErrNoCred, "accept", "the keytab %s cannot be read: %w", path, err)
}

// open decrypts a ticket with the key that it names, or with another of the same
// service: a version number may be missing, cut to 8 bits or renumbered.
func (t keyTable) open(ticket *krbmsg.Ticket, match func(principal.Name) bool) (plain []byte, code krbmsg.ErrorCode) {
	code = krbmsg.ErrNotUs
	for _, exact := range [...]bool{true, false} {
		for i := range t {
			k := &t[i]
			if !match(k.principal) || !k.principal.Equal(ticket.Server) {
				continue
			}
			if int32(k.key.Type()) != ticket.Enc.EType || (k.kvno == ticket.Enc.KVNO) != exact {
				if code == krbmsg.ErrNotUs {
					code = krbmsg.ErrNoKey
				}
				continue
			}
			plain, err := k.key.AppendDecrypt(nil, krbmsg.UsageTicket, ticket.Enc.Cipher)
			if err == nil {
				return plain, 0
			}
			code = krbmsg.ErrModified
		}
	}
	return nil, code
}
