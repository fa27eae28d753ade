package profile

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestRealm(t *testing.T) {
	c := configOf(t, `
[realms]
 X.TEST = {
  kdc = kdc1.x.test
  kdc = kdc2.x.test:1088
  kdc = [2001:db8::1]:2088
  kdc = [2001:db8::2]
  kdc = 2001:db8::3
  kdc = tcp/kdc3.x.test
  kdc = UDP/kdc4.x.test:99
  kdc = https://proxy.x.test/KdcProxy
  kdc = https://proxy.x.test:8443/KdcProxy
  kdc = kdc5.x.test , rest
  admin_server = admin.x.test:1749
  master_kdc = kdc1.x.test
  auth_to_local = RULE:[1:$1]
  auth_to_local = DEFAULT
  auth_to_local_names = {
   alice = al
  }
 }
 Y.TEST = {
  kdc = k
  kpasswd_server = p
  admin_server = a
  primary_kdc = one
  master_kdc = two
 }
`)
	x := c.Realm("X.TEST")
	want := []Server{
		{Host: "kdc1.x.test", Port: 88},
		{Host: "kdc2.x.test", Port: 1088},
		{Host: "2001:db8::1", Port: 2088},
		{Host: "2001:db8::2", Port: 88},
		{Host: "2001:db8::3", Port: 88},
		{Host: "kdc3.x.test", Port: 88, Proto: "tcp"},
		{Host: "kdc4.x.test", Port: 99, Proto: "udp"},
		{Host: "proxy.x.test", Port: 443, Proto: "https", URL: "https://proxy.x.test/KdcProxy"},
		{Host: "proxy.x.test", Port: 8443, Proto: "https", URL: "https://proxy.x.test:8443/KdcProxy"},
		{Host: "kdc5.x.test", Port: 88},
	}
	if !reflect.DeepEqual(x.KDCs, want) {
		t.Errorf("KDCs are %+v, want %+v", x.KDCs, want)
	}
	if got := x.KDCs[2].String() + " " + x.KDCs[5].String() + " " + x.KDCs[7].String(); got != "[2001:db8::1]:2088 tcp/kdc3.x.test:88 https://proxy.x.test/KdcProxy" {
		t.Errorf("as text: %s", got)
	}
	if !slices.Equal(x.KpasswdServers, []Server{{Host: "admin.x.test", Port: 464}}) {
		t.Errorf("password servers: %v", x.KpasswdServers)
	}
	if !slices.Equal(x.AdminServers, []Server{{Host: "admin.x.test", Port: 1749}}) || !slices.Equal(x.PrimaryKDCs, []Server{{Host: "kdc1.x.test", Port: 88}}) {
		t.Errorf("admin %v, primary %v", x.AdminServers, x.PrimaryKDCs)
	}
	if !slices.Equal(x.AuthToLocal, []string{"RULE:[1:$1]", "DEFAULT"}) || x.LocalNames["alice"] != "al" {
		t.Errorf("local names: %v, %v", x.AuthToLocal, x.LocalNames)
	}
	y := c.Realm("Y.TEST")
	if !slices.Equal(y.KpasswdServers, []Server{{Host: "p", Port: 464}}) || !slices.Equal(y.PrimaryKDCs, []Server{{Host: "one", Port: 88}}) {
		t.Errorf("Y.TEST: %+v", y)
	}
	if n := c.Realm("x.test"); n.KDCs != nil || n.Name != "x.test" {
		t.Errorf("the realm's name is taken without regard to case: %+v", n)
	}
	if c.Warnings != nil {
		t.Errorf("warnings: %q", c.Warnings)
	}
}

func TestServerRefused(t *testing.T) {
	for _, text := range []string{
		"", ":88", "host:0", "host:65536", "host:x", "http/host", "[::1", "[::1]88", "2001:db8::zz", "a:b:c", "https://", "https:///x", "https://p:0/", "https://p:x/", "/run/kdc.sock", "tcp/",
	} {
		c := configOf(t, "[realms]\nX = {\nkdc = \""+text+"\"\nkdc = good\n}\n")
		if got := c.Realm("X").KDCs; len(got) != 1 || got[0].Host != "good" {
			t.Errorf("%q: KDCs are %v", text, got)
		}
		if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "[realms] X: kdc") {
			t.Errorf("%q: warnings are %q", text, c.Warnings)
		}
	}
}

// The realms are those of MIT's krb5_get_host_realm, save for names in upper
// case in the file, which MIT never finds.
func TestRealmOfHost(t *testing.T) {
	c := configOf(t, `
[domain_realm]
 foo.bar.com = EXACT
 .bar.com = DOT
 baz.com = NODOT
 com = TOP
 Mixed.Org = MIX
 mixed.org = SECOND
 10.0.0.1 = ADDRESS
`)
	for host, want := range map[string]string{
		"foo.bar.com": "EXACT", "FOO.BAR.COM": "EXACT", "foo.bar.com.": "EXACT",
		"x.bar.com": "DOT", "x.foo.bar.com": "EXACT", "bar.com": "TOP",
		"baz.com": "NODOT", "a.b.baz.com": "NODOT", "bazz.com": "TOP", "com": "TOP",
		"x.mixed.org": "MIX", "org": "", "localhost": "", "": "", ".": "", "10.0.0.1": "", "::1": "",
	} {
		if got, ok := c.RealmOfHost(host); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", host, got, ok, want)
		}
	}
}

func TestCAPath(t *testing.T) {
	c := configOf(t, `
[capaths]
 A = {
  B = .
  C = B1
  C = B2
 }
`)
	if p := c.CAPath("A", "B"); p == nil || len(p) != 0 {
		t.Errorf("a direct path is %#v, want empty and not nil", p)
	}
	if p := c.CAPath("A", "C"); !slices.Equal(p, []string{"B1", "B2"}) {
		t.Errorf("from A to C by %q", p)
	}
	if p := c.CAPath("C", "A"); p != nil {
		t.Errorf("the way back, which is not configured, is by %q", p)
	}
}
