//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

var suiteNames = []string{"web", "trusted", "second"}

// newMITSuite starts a realm of users and one of services, which may be the same.
func newMITSuite(t *testing.T, users, services string) (kdc *interop.MIT, r *suiteRealm) {
	t.Helper()
	kdc = interop.NewMIT(t, interop.MITOptions{Realm: users})
	kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: suitePassword})
	away := kdc
	if services != users {
		away = interop.NewMIT(t, interop.MITOptions{Realm: services})
		interop.Trust(t, kdc, away)
		kdc.Admin(t, "modprinc", "+ok_as_delegate", "krbtgt/"+services+"@"+users)
	}
	r = &suiteRealm{
		realm: kdc.Realm, hosts: away.Domain, config: kdc.Config, addr: kdc.Addr,
		kinit: func(t *testing.T, user, password string) string {
			return kdc.Kinit(t, interop.KinitOptions{Principal: user, Password: password, Forwardable: true})
		},
		keytab: func(t *testing.T, principal string) string {
			if strings.HasPrefix(principal, "HTTP/") {
				return away.Keytab(t, principal)
			}
			return kdc.Keytab(t, principal)
		},
		enctypes: map[string]string{},
	}
	for _, name := range suiteNames {
		away.AddPrincipal(t, r.spn(name), interop.PrincipalOptions{})
	}
	away.Admin(t, "modprinc", "+ok_as_delegate", r.spn("trusted"))
	for _, enctype := range []string{interop.AES256SHA1, interop.AES128SHA1, interop.AES256SHA2, interop.AES128SHA2} {
		r.enctypes[enctype] = kdc.Unique()
		away.AddPrincipal(t, r.spn(r.enctypes[enctype]), interop.PrincipalOptions{Enctypes: []string{enctype}})
	}
	return kdc, r
}

func TestSuiteMIT(t *testing.T) {
	leavesNothing(t)
	kdc, r := newMITSuite(t, "MIT.TEST", "MIT.TEST")
	clientSuite(t, r)
	t.Run("impersonation", func(t *testing.T) { mitImpersonation(t, kdc, r) })
}

// TestSuiteTwoRealms has the users in one realm and the services in another.
func TestSuiteTwoRealms(t *testing.T) {
	leavesNothing(t)
	_, r := newMITSuite(t, "USERS.TEST", "SERVICES.TEST")
	clientSuite(t, r)
}

// TestSuiteCaches has the tickets of kinit where daemons and the kernel keep them.
func TestSuiteCaches(t *testing.T) {
	leavesNothing(t)
	kdc, r := newMITSuite(t, "MIT.TEST", "MIT.TEST")
	suite := func(ccache string, settings func(*testing.T) []string) func(*testing.T) {
		return func(t *testing.T) {
			t.Setenv("KRB5CCNAME", "")
			in := *r
			in.config = kdc.ConfigWith(t, append(settings(t), "default_ccache_name = "+ccache)...)
			in.kinit = func(t *testing.T, user, password string) string {
				kdc.Kinit(t, interop.KinitOptions{Principal: user, Password: password, Forwardable: true, Config: in.config, Default: true})
				return ccache
			}
			defer kdc.Tool(t, in.config, "kdestroy", "-A")
			clientSuite(t, &in)
		}
	}
	for _, daemon := range daemons {
		t.Run("KCM of "+daemon.name, suite("KCM:", func(t *testing.T) []string { return []string{"kcm_socket = " + daemon.start(t).Socket} }))
	}
	for _, keyring := range []string{"user", "session"} {
		t.Run("KEYRING of the "+keyring, suite(fmt.Sprintf("KEYRING:%s:negotiate-suite-%d", keyring, os.Getpid()), func(*testing.T) []string { return nil }))
	}
}

func TestSuiteHeimdal(t *testing.T) {
	leavesNothing(t)
	kdc := interop.NewHeimdal(t, interop.HeimdalOptions{
		Realm:       "HEIM.TEST",
		DefaultKeys: interop.AES256SHA1 + ":pw-salt " + interop.AES128SHA1 + ":pw-salt " + interop.AES256SHA2 + ":pw-salt " + interop.AES128SHA2 + ":pw-salt",
	})
	kdc.AddUser(t, "alice", suitePassword)
	for _, name := range suiteNames {
		kdc.AddUser(t, "HTTP/"+name+".heim.test", suitePassword)
	}
	kdc.Admin(t, "modify", "--attributes=+ok-as-delegate", "HTTP/trusted.heim.test")
	r := &suiteRealm{
		realm: kdc.Realm, config: kdc.Config, addr: kdc.Addr, kinit: func(t *testing.T, user, password string) string { return kdc.Kinit(t, user, password) },
		keytab: func(t *testing.T, principal string) string {
			path := filepath.Join(t.TempDir(), "keytab")
			kdc.Admin(t, "ext_keytab", "--keytab=FILE:"+path, principal)
			return path
		},
		enctypes: map[string]string{interop.AES256SHA1: "a", interop.AES128SHA1: "b", interop.AES256SHA2: "c", interop.AES128SHA2: "d"},
	}
	for enctype, name := range r.enctypes {
		kdc.AddUser(t, r.spn(name), suitePassword)
		for other := range r.enctypes {
			if other != enctype {
				kdc.Admin(t, "del_enctype", r.spn(name), other)
			}
		}
	}
	clientSuite(t, r)
	t.Run("impersonation", func(t *testing.T) { heimdalImpersonation(t, kdc, r) })
}

func TestSuiteSamba(t *testing.T) {
	leavesNothing(t)
	kdc := interop.NewSamba(t, interop.SambaOptions{Realm: "AD.TEST", Accounts: []interop.SambaAccount{
		{Name: "alice", Password: suitePassword, UPN: "alice.a@upn.test"},
		{Name: "eve", Password: suitePassword, Sensitive: true},
		{Name: "many", Password: suitePassword, Groups: 400},
		{Name: "old", Password: suitePassword, RC4Only: true},
		{Name: "svc-web", Password: suitePassword, SPNs: []string{"HTTP/web.ad.test"}},
		{Name: "svc-trusted", Password: suitePassword, SPNs: []string{"HTTP/trusted.ad.test"}, Trusted: true},
		{Name: "svc-second", Password: suitePassword, SPNs: []string{"HTTP/second.ad.test"}},
		{Name: "svc-128", Password: suitePassword, SPNs: []string{"HTTP/aes128.ad.test"}, EncTypes: 8},
		{Name: "svc-256", Password: suitePassword, SPNs: []string{"HTTP/aes256.ad.test"}, EncTypes: 16},
		{Name: "svc-old", Password: suitePassword, SPNs: []string{"HTTP/old.ad.test"}, EncTypes: 4},
		{Name: "svc-front", Password: suitePassword, SPNs: []string{"HTTP/front.ad.test"}, DelegateTo: []string{"HTTP/second.ad.test"}, AnyProtocol: true},
		{Name: "svc-plain", Password: suitePassword, SPNs: []string{"HTTP/plain.ad.test"}, DelegateTo: []string{"HTTP/second.ad.test"}},
		{Name: "svc-resource", Password: suitePassword, SPNs: []string{"HTTP/resource.ad.test"}, ActFor: []string{"svc-front"}},
	}})
	keytabs := map[string]string{} // exporting takes a second
	r := &suiteRealm{
		realm: kdc.Realm, config: kdc.Config, addr: kdc.Addr, kinit: func(t *testing.T, user, password string) string { return kdc.Kinit(t, user, password) },
		keytab: func(t *testing.T, principal string) string {
			if keytabs[principal] == "" {
				keytabs[principal] = kdc.Keytab(t, principal)
			}
			return keytabs[principal]
		},
		enctypes: map[string]string{interop.AES256SHA1: "aes256", interop.AES128SHA1: "aes128"},
	}
	clientSuite(t, r)
	t.Run("directory", func(t *testing.T) { sambaDirectory(t, r) })
	t.Run("referral", func(t *testing.T) { sambaReferral(t, kdc, r) })
	t.Run("impersonation", func(t *testing.T) { sambaImpersonation(t, r) })
}
