package kdc

import (
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/profile"
)

// heldFrom is a cache's credential as a client uses it.
func heldFrom(t *testing.T, c ccache.Credential) held {
	t.Helper()
	ticket, err := krbmsg.ParseTicket(c.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	key, err := etype.NewKey(etype.ID(c.KeyType), c.Key)
	if err != nil {
		t.Fatal(err)
	}
	return held{ticket: ticket, client: c.Client, key: key}
}

func TestTicketWithoutRequest(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "", func(p *Policy) { p.OKAsDelegate = true })
	cc, err := r.CCache("alice", TicketOptions{
		Flags: krbmsg.FlagForwardable, RenewTill: noon.Add(48 * time.Hour), Enctype: etype.AES128SHA2,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := cc.Creds[0]
	if want := krbmsg.FlagForwardable | krbmsg.FlagRenewable | krbmsg.FlagInitial | krbmsg.FlagPreAuth; c.Flags != want {
		t.Errorf("flags %#x, want %#x", c.Flags, want)
	}
	if c.KeyType != 19 || !c.EndTime.Equal(noon.Add(DefaultMaxLife)) || cc.Principal.String() != "alice@A.TEST" {
		t.Errorf("%v of %s", c, cc.Principal)
	}
	if _, e := get(t, r, heldFrom(t, c), "HTTP/web.a.test", krbmsg.OptForwardable); e != nil {
		t.Errorf("the KDC refuses its own ticket: %v", e)
	}
	service, err := r.Ticket("alice", TicketOptions{Server: "HTTP/web.a.test"})
	if err != nil {
		t.Fatal(err)
	}
	if service.Flags != krbmsg.FlagPreAuth|krbmsg.FlagOKAsDelegate || service.Server.String() != "HTTP/web.a.test@A.TEST" {
		t.Errorf("%v, flags %#x", service, service.Flags)
	}
	if sealed := inside(t, r, heldFrom(t, service).ticket); sealed.Client.String() != "alice@A.TEST" {
		t.Errorf("the ticket's client is %s", sealed.Client)
	}
	old, err := r.Ticket("alice", TicketOptions{Start: noon.Add(-2 * time.Hour), Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, e := get(t, r, heldFrom(t, old), "HTTP/web.a.test", 0)
	wantCode(t, e, krbmsg.ErrTktExpired)
	for _, names := range [][2]string{{"bob", ""}, {"alice", "HTTP/x"}} {
		if _, err := r.Ticket(names[0], TicketOptions{Server: names[1]}); err == nil {
			t.Errorf("a ticket of %s for %q was made", names[0], names[1])
		}
	}
}

func TestConfigText(t *testing.T) {
	text := ConfigText([]etype.ID{etype.AES256SHA2, etype.RC4HMAC},
		Site{Realm: "A.TEST", KDC: "127.0.0.1:1", Domains: []string{"a.test"}},
		Site{Realm: "B.TEST", KDC: "127.0.0.1:2", Domains: []string{"b.test"}})
	p, err := profile.Parse(strings.NewReader(text), "krb5.conf")
	if err != nil {
		t.Fatal(err)
	}
	c, err := profile.NewConfig(p, profile.Environment{})
	if err != nil || len(c.Warnings) > 0 {
		t.Fatal(err, c.Warnings)
	}
	if c.DefaultRealm != "A.TEST" || c.DNSLookupKDC || !c.AllowRC4 || len(c.PermittedEnctypes) != 2 {
		t.Errorf("default realm %q, DNS %v, RC4 %v, types %v", c.DefaultRealm, c.DNSLookupKDC, c.AllowRC4, c.PermittedEnctypes)
	}
	if realm, ok := c.RealmOfHost("web.a.test"); realm != "A.TEST" || !ok {
		t.Errorf("web.a.test is in %q", realm)
	}
	if realm, ok := c.RealmOfHost("web.b.test"); ok {
		t.Errorf("web.b.test is in %q, so no client is referred to it", realm)
	}
	if strings.Contains(ConfigText(DefaultEnctypes(), Site{Realm: "A"}), "rc4") {
		t.Error("RC4 is allowed without need")
	}
}

func TestCAPaths(t *testing.T) {
	site := func(realm string, trusts ...string) Site { return Site{Realm: realm, Trusts: trusts} }
	text := ConfigText(DefaultEnctypes(), site("A", "B"), site("B", "A", "C"), site("C", "B", "D"), site("D", "C"))
	_, got, _ := strings.Cut(text, "[capaths]\n")
	want := `	A = {
		C = B
		D = B
		D = C
	}
	B = {
		D = C
	}
	C = {
		A = B
	}
	D = {
		A = C
		A = B
		B = C
	}
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(ConfigText(DefaultEnctypes(), site("A", "B"), site("B", "A")), "capaths") {
		t.Error("there is a way between neighbours")
	}
}

func TestKeytabOfNobody(t *testing.T) {
	r := newRealm(t)
	if _, err := r.Keytab("HTTP/x"); err == nil {
		t.Error("there is a keytab of nobody")
	}
}
