package kdc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/principal"
)

var (
	// ErrExists is wrapped by the error of adding a principal twice.
	ErrExists = errors.New("the principal exists already")
	// ErrNoPrincipal is wrapped by the errors of naming one that does not exist.
	ErrNoPrincipal = errors.New("no such principal")
)

// maxVersions bounds how many keys of a principal are kept, the current one
// included.
const maxVersions = 8

// Entry describes a principal to add.
type Entry struct {
	// Name is in text form, "alice" or "HTTP/web.example.test"; without "@" it
	// is in the realm.
	Name string
	// Password is what the keys are derived from; empty makes random keys.
	Password string
	// Enctypes are those of the keys, preferred first; nil takes the realm's.
	Enctypes []etype.ID
	// Policy is what the principal may do.
	Policy Policy
}

// record is a principal in the database. It does not change: a change puts
// another record in its place.
type record struct {
	name     principal.Name
	policy   Policy
	versions []*keyVersion // newest first, never empty
	rid      uint32        // its number in the domain
}

// current returns the newest keys.
func (c *record) current() *keyVersion { return c.versions[0] }

// version returns the keys with the given number, the newest for 0, or nil.
func (c *record) version(kvno uint32) *keyVersion {
	if kvno == 0 {
		return c.current()
	}
	for _, v := range c.versions {
		if v.kvno == kvno {
			return v
		}
	}
	return nil
}

// Add adds a principal. The error wraps [ErrExists], principal.ErrBadName or
// etype.ErrUnsupported.
func (r *Realm) Add(e Entry) error {
	name, err := r.parse(e.Name)
	if err != nil {
		return err
	}
	if err := checkEnctypes(e.Enctypes); err != nil {
		return fmt.Errorf("kdc: adding %s: %w", name, err)
	}
	policy, err := r.resolve(e.Policy)
	if err != nil {
		return err
	}
	keys, err := r.newKeys(name, 1, e.Password, e.Enctypes)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := name.Key()
	if r.records[key] != nil {
		return fmt.Errorf("kdc: adding %s: %w", name, ErrExists)
	}
	r.records[key] = &record{name: name, policy: policy, versions: []*keyVersion{keys}, rid: r.nextRID()}
	return nil
}

// Rekey gives a principal new keys with the next version number: random ones,
// or those of a new password. Tickets under the old keys stay valid.
func (r *Realm) Rekey(name, password string) error {
	return r.change(name, func(c *record) error {
		v, err := r.newKeys(c.name, c.current().kvno+1, password, c.current().enctypes)
		if err != nil {
			return err
		}
		c.versions = slices.Insert(slices.Clone(c.versions), 0, v)
		c.versions = c.versions[:min(len(c.versions), maxVersions)]
		return nil
	})
}

// Forget drops all keys of a principal but the newest.
func (r *Realm) Forget(name string) error {
	return r.change(name, func(c *record) error {
		c.versions = c.versions[:1:1]
		return nil
	})
}

// SetPolicy changes what a principal may do.
func (r *Realm) SetPolicy(name string, p Policy) error {
	p, err := r.resolve(p)
	if err != nil {
		return err
	}
	return r.change(name, func(c *record) error {
		c.policy = p
		return nil
	})
}

// Policy returns what a principal may do.
func (r *Realm) Policy(name string) (Policy, error) {
	c, err := r.find(name)
	if err != nil {
		return Policy{}, err
	}
	return c.policy, nil
}

// Remove removes a principal.
func (r *Realm) Remove(name string) error {
	c, err := r.find(name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.records, c.name.Key())
	return nil
}

// change replaces a record by what edit makes of a copy.
func (r *Realm) change(name string, edit func(*record) error) error {
	n, err := r.parse(name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.records[n.Key()]
	if old == nil {
		return noPrincipal(n)
	}
	c := *old
	if err := edit(&c); err != nil {
		return err
	}
	r.records[n.Key()] = &c
	return nil
}

func noPrincipal(n principal.Name) error {
	return fmt.Errorf("kdc: %s: %w: add it first", n, ErrNoPrincipal)
}

func (r *Realm) parse(name string) (principal.Name, error) {
	n, err := principal.Parse(name, r.o.Realm)
	if err != nil {
		return n, fmt.Errorf("kdc: %w", err)
	}
	return n, nil
}

// find is lookup by the text form.
func (r *Realm) find(name string) (*record, error) {
	n, err := r.parse(name)
	if err != nil {
		return nil, err
	}
	if c := r.lookup(n); c != nil {
		return c, nil
	}
	return nil, noPrincipal(n)
}

// lookup returns the record of a principal, or nil.
func (r *Realm) lookup(n principal.Name) *record {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.records[n.Key()]
}

// alias returns what a name stands for.
func (r *Realm) alias(n principal.Name) (principal.Name, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	target, ok := r.aliases[n.Key()]
	return target, ok
}

func (r *Realm) put(c *record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records[c.name.Key()] = c
}

// AddAlias lets a name stand for a principal. A service is then found under the
// alias too; a client that asks for canonicalization gets a ticket for the
// principal (RFC 6806, section 6). If the principal is of another realm, such a
// client is sent there (section 7).
func (r *Realm) AddAlias(alias, target string) error {
	from, err := r.parse(alias)
	if err != nil {
		return err
	}
	to, err := r.parse(target)
	if err != nil {
		return err
	}
	if to.Realm == r.o.Realm && r.lookup(to) == nil {
		return noPrincipal(to)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records[from.Key()] != nil {
		return fmt.Errorf("kdc: alias %s: %w", from, ErrExists)
	}
	r.aliases[from.Key()] = to
	return nil
}

// newKeys returns the keys of a password, or random ones if it is empty.
func (r *Realm) newKeys(name principal.Name, kvno uint32, password string, ids []etype.ID) (*keyVersion, error) {
	if len(ids) == 0 {
		ids = r.o.Enctypes
	}
	if password == "" {
		return r.randomKeys(kvno, ids), nil
	}
	if !utf8.ValidString(password) {
		return nil, fmt.Errorf("kdc: the password of %s is not valid UTF-8", name)
	}
	return &keyVersion{
		kvno: kvno, enctypes: slices.Clone(ids), keys: make([]*etype.Key, len(ids)),
		password: password, salt: salt(name),
	}, nil
}

func (r *Realm) randomKeys(kvno uint32, ids []etype.ID) *keyVersion {
	return &keyVersion{kvno: kvno, enctypes: slices.Clone(ids), keys: make([]*etype.Key, len(ids))}
}

// salt is the default one (RFC 4120, section 4).
func salt(n principal.Name) string { return n.Realm + strings.Join(n.Components, "") }
