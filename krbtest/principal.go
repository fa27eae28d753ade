package krbtest

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdc"
)

// PrincipalOption is a property of a principal.
type PrincipalOption func(*principalSettings)

type principalSettings struct {
	policy   kdc.Policy
	enctypes []etype.ID
	err      error
}

// AddPrincipal adds a user with a password, such as "alice". A name without "@"
// is in the KDC's realm. An empty password makes random keys, which are had by
// [KDC.Keytab].
func (k *KDC) AddPrincipal(name, password string, o ...PrincipalOption) {
	k.tb.Helper()
	s, err := collect(o)
	k.check(err)
	k.check(k.realm.Add(kdc.Entry{Name: name, Password: password, Enctypes: s.enctypes, Policy: s.policy}))
}

// AddService adds a service with random keys, such as "HTTP/www.krb.test".
func (k *KDC) AddService(name string, o ...PrincipalOption) {
	k.tb.Helper()
	k.AddPrincipal(name, "", o...)
}

// AddAlias lets a name stand for a principal. A service is found by it too. A
// client that asks for canonicalization logs in by it, and is referred to the
// other realm if target is in one, as in AddAlias("bob", "bob@OTHER.TEST").
func (k *KDC) AddAlias(alias, target string) {
	k.tb.Helper()
	k.check(k.realm.AddAlias(alias, target))
}

// Rekey gives a principal new keys with the next version number: those of a
// password, or random ones if it is empty. Keytabs written before lack them;
// write another one with [KDC.WriteKeytab] as an administrator would.
func (k *KDC) Rekey(name, password string) {
	k.tb.Helper()
	k.check(k.realm.Rekey(name, password))
}

// ForgetOldKeys drops all keys of a principal but the newest. What is encrypted
// with the others, such as tickets in caches, cannot be read any more.
func (k *KDC) ForgetOldKeys(name string) {
	k.tb.Helper()
	k.check(k.realm.Forget(name))
}

// Change replaces the properties of a principal. Without options they are those
// of an ordinary one. Encryption types cannot be changed.
func (k *KDC) Change(name string, o ...PrincipalOption) {
	k.tb.Helper()
	s, err := collect(o)
	k.check(err)
	k.check(k.realm.SetPolicy(name, s.policy))
}

// Remove removes a principal.
func (k *KDC) Remove(name string) {
	k.tb.Helper()
	k.check(k.realm.Remove(name))
}

// DomainSID returns the identifier of the realm's domain, such as
// "S-1-5-21-1-2-3". It depends on the realm's name only.
func (k *KDC) DomainSID() string { return k.realm.DomainSID() }

// SID returns the identifier of a principal, which the PAC of one in [Groups]
// has.
func (k *KDC) SID(name string) string {
	k.tb.Helper()
	sid, err := k.realm.SID(name)
	k.check(err)
	return sid
}

func collect(o []PrincipalOption) (s principalSettings, err error) {
	for _, option := range o {
		option(&s)
	}
	return s, s.err
}

func policy(set func(*kdc.Policy)) PrincipalOption {
	return func(s *principalSettings) { set(&s.policy) }
}

// Enctypes tells the encryption types of a principal's keys by their names in
// krb5.conf, preferred first. A service that has no AES keys is made by
// Enctypes("arcfour-hmac").
func Enctypes(names ...string) PrincipalOption {
	return func(s *principalSettings) { s.enctypes, s.err = enctypes(names) }
}

// NoPreauth lets a user have a ticket without pre-authentication.
func NoPreauth() PrincipalOption {
	return policy(func(p *kdc.Policy) { p.NoPreauth = true })
}

// NotForwardable makes a user's tickets, or those for a service, unfit for
// delegation.
func NotForwardable() PrincipalOption {
	return policy(func(p *kdc.Policy) { p.NoForwardable = true })
}

// Locked refuses every ticket to the user or for the service.
func Locked() PrincipalOption {
	return policy(func(p *kdc.Policy) { p.Locked = true })
}

// PasswordExpired makes the user's logins fail until the password is changed.
func PasswordExpired() PrincipalOption {
	return policy(func(p *kdc.Policy) { p.PasswordExpired = true })
}

// ExpiresAt is when the principal itself ends.
func ExpiresAt(t time.Time) PrincipalOption {
	return policy(func(p *kdc.Policy) { p.Expires = t })
}

// OKAsDelegate marks tickets for a service as fit for delegation, which clients
// that delegate to trusted services only look for.
func OKAsDelegate() PrincipalOption {
	return policy(func(p *kdc.Policy) { p.OKAsDelegate = true })
}

// DelegateTo lets a service have tickets for other services in the name of
// users (S4U2Proxy, "constrained delegation").
func DelegateTo(services ...string) PrincipalOption {
	return policy(func(p *kdc.Policy) { p.DelegateTo = append(p.DelegateTo, services...) })
}

// DelegateFrom lets other services have tickets for this service in the name of
// users ("resource-based constrained delegation").
func DelegateFrom(services ...string) PrincipalOption {
	return policy(func(p *kdc.Policy) { p.DelegateFrom = append(p.DelegateFrom, services...) })
}

// ProtocolTransition makes the tickets that a service gets in the name of users
// who did not authenticate to it (S4U2Self) forwardable, so that [DelegateTo]
// applies to them too.
func ProtocolTransition() PrincipalOption {
	return policy(func(p *kdc.Policy) { p.OKToAuthAsDelegate = true })
}

// Groups puts a user into groups, by their numbers (RIDs) in the realm's domain,
// whose identifier is [KDC.DomainSID]. Tickets of the user then carry a PAC as
// those of Active Directory do, with the primary group 513 besides. 400 groups
// make a token of some 6 kB.
func Groups(rids ...uint32) PrincipalOption {
	return policy(func(p *kdc.Policy) { p.Groups = append(p.Groups, rids...) })
}

// MaxLifetime bounds the lifetime of a user's tickets, or of those for a service.
func MaxLifetime(d time.Duration) PrincipalOption {
	return policy(func(p *kdc.Policy) { p.MaxLife = d })
}
