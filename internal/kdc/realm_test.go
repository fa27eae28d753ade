package kdc

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/principal"
)

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"no name":            {},
		"name with a slash":  {Realm: "A/B"},
		"name with an at":    {Realm: "A@B"},
		"long name":          {Realm: strings.Repeat("A", 256)},
		"negative lifetime":  {Realm: "A", MaxLife: -1},
		"unknown enctype":    {Realm: "A", Enctypes: []etype.ID{1}},
		"negative UDP limit": {Realm: "A", MaxUDPReply: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: a realm was made", name)
		}
	}
}

func TestDatabase(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"add twice":            {r.Add(Entry{Name: "alice@A.TEST"}), ErrExists},
		"bad name":             {r.Add(Entry{Name: "a@b@c"}), principal.ErrBadName},
		"unknown enctype":      {r.Add(Entry{Name: "x", Enctypes: []etype.ID{99}}), etype.ErrUnsupported},
		"bad target":           {r.Add(Entry{Name: "x", Policy: Policy{DelegateTo: []string{"@"}}}), principal.ErrBadName},
		"rekey nobody":         {r.Rekey("bob", ""), ErrNoPrincipal},
		"policy of nobody":     {r.SetPolicy("bob", Policy{}), ErrNoPrincipal},
		"remove nobody":        {r.Remove("bob"), ErrNoPrincipal},
		"alias of nobody":      {r.AddAlias("x", "bob"), ErrNoPrincipal},
		"alias of a principal": {r.AddAlias("alice", "krbtgt/A.TEST"), ErrExists},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
	if err := r.Add(Entry{Name: "x", Password: "\xff"}); err == nil {
		t.Error("a password that is not UTF-8 was accepted")
	}
	if err := r.Remove("alice"); err != nil {
		t.Error(err)
	}
	if _, err := r.Policy("alice"); !errors.Is(err, ErrNoPrincipal) {
		t.Errorf("after removal: %v", err)
	}
}

// The names of a policy are those of the realm, however they were written.
func TestPolicyNamesAreResolved(t *testing.T) {
	r := newRealm(t)
	to := []string{"HTTP/db"}
	add(t, r, "HTTP/web", "", func(p *Policy) { p.DelegateTo = to })
	p, err := r.Policy("HTTP/web@A.TEST")
	if err != nil || p.DelegateTo[0] != "HTTP/db@A.TEST" || to[0] != "HTTP/db" {
		t.Errorf("%v, %v; the caller's is %v", p.DelegateTo, err, to)
	}
}

// A key is the same whenever it is asked for, and none is made before.
func TestKeysAreLazy(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	c, err := r.find("alice")
	if err != nil {
		t.Fatal(err)
	}
	v := c.current()
	for _, k := range v.keys {
		if k != nil {
			t.Fatal("a key was derived without need")
		}
	}
	first := v.key(etype.AES256SHA1)
	if again := v.key(etype.AES256SHA1); again != first || first == nil || v.key(etype.RC4HMAC) != nil {
		t.Error("keys are derived anew, or without being wanted")
	}
}

func TestTrustNeedsCommonEnctype(t *testing.T) {
	a := newRealm(t, func(o *Options) { o.Enctypes = []etype.ID{etype.AES256SHA1} })
	b := newRealm(t, func(o *Options) { o.Realm, o.Enctypes = "B.TEST", []etype.ID{etype.AES256SHA2} })
	if err := Trust(a, b); err == nil {
		t.Error("realms without a common encryption type trust each other")
	}
	if err := Trust(a, a); err == nil {
		t.Error("a realm trusts itself")
	}
}
