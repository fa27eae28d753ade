package krb5_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/pac"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// authorizationOf is what an accepted context says of its initiator.
func authorizationOf(t *testing.T, sc gss.SecContext) gss.Authorization {
	t.Helper()
	a, ok := sc.(gss.Authorizer)
	if !ok {
		t.Fatalf("%T is no gss.Authorizer", sc)
	}
	return a.Authorization()
}

func TestPACFrom(t *testing.T) {
	for _, mech := range []gss.OID{gss.MechKRB5, gss.MechSPNEGO} {
		for _, enctype := range []string{"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128"} {
			kdc := krbtest.NewKDC(t)
			kdc.AddPrincipal("alice", "alice's password", krbtest.Groups(1200, 512))
			kdc.AddService(service, krbtest.Enctypes(enctype))
			_, a := establish(t, provider(t, kdc), kdc.Acceptor(service), gss.InitiateOptions{Mechanism: mech}, gss.AcceptOptions{})
			auth := authorizationOf(t, a)
			if auth.Mechanism() != gss.MechKRB5 || fmt.Sprintf("%v %+v %#v", auth, auth, auth) != strings.Repeat("authorization data of alice@KRB.TEST ", 3)[:3*len("authorization data of alice@KRB.TEST ")-1] {
				t.Errorf("it is of %s and reads %v", auth.Mechanism().Describe(), auth)
			}
			a.Close()
			for range 2 {
				got, err := krb5.PACFrom(auth)
				if err != nil {
					t.Fatalf("%s: %v", enctype, err)
				}
				domain := kdc.DomainSID()
				if got.SID != kdc.SID("alice") || got.LogonName != "alice" || got.Domain != "KRB" || got.DNSDomain != "KRB.TEST" || got.UPN != "alice@krb.test" || time.Since(got.LogonTime).Abs() > time.Hour {
					t.Errorf("it is of %+v", got)
				}
				if want := []string{domain + "-513", domain + "-1200", domain + "-512"}; !slices.Equal(got.Groups, want) {
					t.Errorf("the groups are %q, want %q", got.Groups, want)
				}
				if !got.InGroup(domain+"-1200") || got.InGroup(domain+"-1201") {
					t.Error("InGroup does not go by the groups")
				}
			}
		}
	}
}

// A user impersonated has a PAC of his own, and what goes on carries it.
func TestPACOfAnImpersonatedUser(t *testing.T) {
	kdc := threeTiers(t, krbtest.ProtocolTransition(), krbtest.DelegateTo(back), krbtest.Groups(516))
	kdc.Change("bob", krbtest.Groups(1300))
	p, s := frontEnd(t, kdc)
	_, a := establish(t, p, kdc.Acceptor(back), gss.InitiateOptions{Credential: impersonate(t, p, s, "bob"), Target: backTarget}, gss.AcceptOptions{})
	got, err := krb5.PACFrom(authorizationOf(t, a))
	if err != nil || got.SID != kdc.SID("bob") || !got.InGroup(kdc.DomainSID()+"-1300") || got.InGroup(kdc.DomainSID()+"-516") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestManyGroups(t *testing.T) {
	var rids []uint32
	for n := range uint32(400) {
		rids = append(rids, 2000+n)
	}
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "alice's password", krbtest.Groups(rids...))
	kdc.AddService(service)
	p := provider(t, kdc)
	token, _ := firstToken(t, p, gss.InitiateOptions{})
	if len(token) < 4000 || len(token) > 7000 {
		t.Errorf("the token has %d octets", len(token))
	}
	_, a, err := accept(t, p, gss.AcceptOptions{}, token)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := krb5.PACFrom(authorizationOf(t, a)); err != nil || len(got.Groups) != 401 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A PAC that must not be believed is an error for who asks, and for the login
// nothing at all.
func TestPACRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(tb testing.TB, f *forgery) []krbmsg.TypedData
		kind   error
	}{
		{"none", func(testing.TB, *forgery) []krbmsg.TypedData { return nil }, krb5.ErrNoPAC},
		{"another kind of data", func(testing.TB, *forgery) []krbmsg.TypedData {
			return []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: krbmsg.ADAPOptions, Data: []byte{1}}})}, {Type: 4711, Data: []byte("x")}}
		}, krb5.ErrNoPAC},
		{"garbage around it", func(testing.TB, *forgery) []krbmsg.TypedData {
			return []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: []byte("garbage")}}
		}, krbmsg.ErrMalformed},
		{"garbage", func(testing.TB, *forgery) []krbmsg.TypedData { return pacData([]byte("garbage")) }, pac.ErrMalformed},
		{"two", func(tb testing.TB, f *forgery) []krbmsg.TypedData {
			b := f.pac(tb, f.logon(), f.pacClient())
			return append(pacData(b), pacData(b)...)
		}, pac.ErrMalformed},
		{"another key", func(tb testing.TB, f *forgery) []krbmsg.TypedData {
			f.pacKey = fixedKey(tb, f.key.Type(), 9)
			return pacData(f.pac(tb, f.logon(), f.pacClient()))
		}, pac.ErrSignature},
		{"a changed group", func(tb testing.TB, f *forgery) []krbmsg.TypedData {
			b := f.pac(tb, f.logon(), f.pacClient())
			at := strings.Index(string(b), string(binary.LittleEndian.AppendUint32(nil, 1200)))
			b[at] ^= 1
			return pacData(b)
		}, pac.ErrSignature},
		{"another client", func(tb testing.TB, f *forgery) []krbmsg.TypedData {
			c := f.pacClient()
			c.Name = "bob"
			return pacData(f.pac(tb, f.logon(), c))
		}, pac.ErrMalformed},
		{"another login", func(tb testing.TB, f *forgery) []krbmsg.TypedData {
			c := f.pacClient()
			c.AuthTime = c.AuthTime.Add(-time.Hour)
			return pacData(f.pac(tb, f.logon(), c))
		}, pac.ErrMalformed},
		{"no client", func(tb testing.TB, f *forgery) []krbmsg.TypedData { return pacData(f.pac(tb, f.logon(), nil)) }, pac.ErrMalformed},
		{"no logon information", func(tb testing.TB, f *forgery) []krbmsg.TypedData { return pacData(f.pac(tb, nil, f.pacClient())) }, krb5.ErrNoPAC},
	} {
		t.Run(test.name, func(t *testing.T) {
			kdc := realm(t)
			f := forge(t, kdc)
			f.part.AuthData = test.change(t, f)
			_, a, err := accept(t, kdc.Acceptor(service), gss.AcceptOptions{}, f.token())
			if err != nil {
				t.Fatalf("the login fails: %v", err)
			}
			got, err := krb5.PACFrom(authorizationOf(t, a))
			if !errors.Is(err, test.kind) || got != nil {
				t.Errorf("got %+v, %v; want %q", got, err, test.kind)
			}
			if isNone := errors.Is(err, krb5.ErrNoPAC); isNone != (test.kind == krb5.ErrNoPAC) {
				t.Errorf("no PAC: %t, in %v", isNone, err)
			}
		})
	}
	if _, err := krb5.PACFrom(nil); !errors.Is(err, krb5.ErrNoPAC) {
		t.Errorf("of nothing: %v", err)
	}
}

// Groups of all kinds are told once, without those that only deny.
func TestPACGroups(t *testing.T) {
	kdc := realm(t)
	f := forge(t, kdc)
	l := f.logon()
	other, err := pac.ParseSID("S-1-5-21-9-8-7")
	if err != nil {
		t.Fatal(err)
	}
	l.Groups = append(l.Groups, pac.Group{RID: 1201, Attributes: 7 | pac.DenyOnly}, pac.Group{RID: 1200, Attributes: 7})
	l.Extra = []pac.SIDGroup{{SID: other.With(5), Attributes: 7}, {SID: l.Domain.With(1200), Attributes: 7}, {SID: other.With(6), Attributes: pac.DenyOnly}}
	l.ResourceDomain, l.Resource = other, []pac.Group{{RID: 7, Attributes: 7}, {RID: 5, Attributes: 7}}
	f.part.AuthData = pacData(f.pac(t, l, f.pacClient()))
	_, a, err := accept(t, kdc.Acceptor(service), gss.AcceptOptions{}, f.token())
	if err != nil {
		t.Fatal(err)
	}
	got, err := krb5.PACFrom(authorizationOf(t, a))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1200", "S-1-5-21-9-8-7-5", "S-1-5-21-9-8-7-7"}
	if got.SID != "S-1-5-21-1-2-3-1105" || !slices.Equal(got.Groups, want) {
		t.Errorf("%s is in %q, want %q", got.SID, got.Groups, want)
	}
}

func TestNoAuthorizationBeforeTheEnd(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	_, a, err := accept(t, p, gss.AcceptOptions{}, []byte("garbage"))
	if err == nil || authorizationOf(t, a) != nil {
		t.Errorf("after %v there is %v", err, authorizationOf(t, a))
	}
	f := forge(t, kdc)
	f.part.EndTime = time.Now().Add(-time.Hour)
	if _, a, err = accept(t, p, gss.AcceptOptions{}, f.token()); err == nil || authorizationOf(t, a) != nil {
		t.Errorf("after %v there is %v", err, authorizationOf(t, a))
	}
	i, _ := establish(t, p, p, gss.InitiateOptions{Mechanism: gss.MechSPNEGO}, gss.AcceptOptions{})
	if a, ok := i.(gss.Authorizer); ok && a.Authorization() != nil {
		t.Error("the initiator has authorization data")
	}
}

func pacData(b []byte) []krbmsg.TypedData {
	inner := krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: krbmsg.ADWin2KPAC, Data: b}})
	return []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: inner}}
}

func (f *forgery) logon() *pac.Logon {
	return &pac.Logon{
		EffectiveName: "alice", Domain: pac.SID{Authority: 5, Sub: []uint32{21, 1, 2, 3}}, UserID: 1105, PrimaryGroup: 513,
		Groups: []pac.Group{{RID: 1200, Attributes: 7}, {RID: 513, Attributes: 7}},
	}
}

func (f *forgery) pacClient() *pac.Client {
	return &pac.Client{Name: "alice", AuthTime: f.part.AuthTime}
}

// pac makes a PAC, without what is nil.
func (f *forgery) pac(tb testing.TB, l *pac.Logon, c *pac.Client) []byte {
	tb.Helper()
	var parts []pac.Buffer
	if l != nil {
		parts = append(parts, pac.Buffer{Type: pac.TypeLogon, Data: l.Append()})
	}
	if c != nil {
		parts = append(parts, pac.Buffer{Type: pac.TypeClient, Data: c.Append()})
	}
	key := f.key
	if f.pacKey != nil {
		key = f.pacKey
	}
	b, err := pac.Marshal(parts, key, key)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
