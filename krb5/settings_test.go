package krb5_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// These tests show what settings of krb5.conf do, not how they are read. What is
// not here is shown where the matter is: the DNS and other realms in
// realm_test.go, and transports and time-outs in kdc_test.go.

// withSettings has a provider with more relations of [libdefaults], before those
// that it has anyway.
func withSettings(t *testing.T, kdc *krbtest.KDC, relations string, change ...func(*krb5.Options)) *krb5.Provider {
	t.Helper()
	conf := writeFile(t, "[libdefaults]\n"+relations+"\n") + ":" + config(t, []string{overTCP(kdc)}, "", "")
	return provider(t, kdc, append([]func(*krb5.Options){func(o *krb5.Options) { o.Config = conf }}, change...)...)
}

// login logs in with alice's password and returns what the ticket is like.
func login(t *testing.T, p *krb5.Provider) (gss.Credential, gss.ContextInfo) {
	t.Helper()
	c, err := p.FromPassword("alice@KRB.TEST", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	_, sc := firstToken(t, p, gss.InitiateOptions{Credential: c, Flags: gss.FlagDelegate})
	return c, sc.Info()
}

func TestDefaultRealm(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "bob's password")
	p := withSettings(t, kdc, "default_realm = NONE.TEST")
	c, err := p.FromPassword("bob", "bob's password")
	if err != nil || c.Name().Value != "bob@NONE.TEST" {
		t.Errorf("a short name stands for %v, %v", c.Name(), err)
	}
	p = provider(t, kdc, func(o *krb5.Options) {
		o.Config = writeFile(t, "[realms]\n KRB.TEST = {\n kdc = "+kdc.Addr()+"\n }\n")
	})
	_, err = p.FromPassword("bob", "bob's password")
	wantError(t, err, []error{gss.ErrInvalidName}, "krb5.conf no default_realm: add @REALM")
	firstToken(t, p, gss.InitiateOptions{}) // a cache tells its realm
}

// How long tickets last, and what they can be used for.
func TestTicketSettings(t *testing.T) {
	kdc := realm(t)
	c, info := login(t, withSettings(t, kdc, ""))
	if left := time.Until(c.Expires()); left < 23*time.Hour || left > 25*time.Hour || info.Flags.Has(gss.FlagDelegate) {
		t.Errorf("by default: %v, %v", left, info.Flags)
	}
	c, info = login(t, withSettings(t, kdc, "ticket_lifetime = 2h\n forwardable = true"))
	if left := time.Until(c.Expires()); left < time.Hour || left > 3*time.Hour || !info.Flags.Has(gss.FlagDelegate) {
		t.Errorf("ticket_lifetime = 2h, forwardable: %v, %v", left, info.Flags)
	}
	// What a realm's own section says goes before.
	c, _ = login(t, withSettings(t, kdc, "ticket_lifetime = 2h\n KRB.TEST = {\n ticket_lifetime = 4h\n }"))
	if left := time.Until(c.Expires()); left < 3*time.Hour || left > 5*time.Hour {
		t.Errorf("ticket_lifetime = 4h of the realm: %v", left)
	}
}

// A ticket is renewable where that is wanted, as the log tells by its flag R.
func TestRenewLifetime(t *testing.T) {
	kdc := realm(t)
	for setting, want := range map[string]bool{"": false, "renew_lifetime = 7d": true} {
		records := new(logs)
		login(t, withSettings(t, kdc, setting, func(o *krb5.Options) { o.Logger = records.logger() }))
		if got := strings.Contains(records.String(), "service=krbtgt/KRB.TEST@KRB.TEST") && strings.Contains(records.String(), "flags=RIA"); got != want {
			t.Errorf("%q: renewable is %t in\n%s", setting, got, records)
		}
	}
}

// A name that is an alias in the KDC logs in only if the KDC may replace it.
func TestCanonicalize(t *testing.T) {
	kdc := realm(t)
	kdc.AddAlias("al", "alice")
	for setting, want := range map[string]string{"": "", "canonicalize = true": "alice@KRB.TEST"} {
		p := withSettings(t, kdc, setting)
		c, err := p.FromPassword("al", "alice's password")
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
			wantError(t, err, []error{krbmsg.ErrCPrincipalUnknown})
			continue
		}
		if got := seen(t, p, c); got != want {
			t.Errorf("the acceptor sees %s, want %s", got, want)
		}
	}
}

// Encryption types: which the client's key, the session key and the keys of the
// service may be of.
func TestEnctypeSettings(t *testing.T) {
	const sha1, sha2 = "aes256-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192"
	kdc := realm(t, krbtest.WithEnctypes(sha1, sha2))
	kdc.AddPrincipal("one", "secret", krbtest.Enctypes(sha1))
	for _, test := range []struct {
		settings     string
		login, token bool // get through
		key          string
	}{
		{"", true, true, sha1},
		{"permitted_enctypes = " + sha2, false, false, ""},
		{"default_tkt_enctypes = " + sha2, false, true, sha1},
		{"default_tgs_enctypes = " + sha2, true, true, sha2},
		{"default_tgs_enctypes = " + sha2 + "\n default_tkt_enctypes = " + sha1, true, true, sha2},
		{"default_tgs_enctypes = aes128-sha2", true, false, ""},
		{"permitted_enctypes = -DEFAULT aes128-sha2 aes256-sha1", true, true, sha1},
	} {
		records := new(logs)
		p := withSettings(t, kdc, test.settings, func(o *krb5.Options) { o.Logger = records.logger() })
		c, err := p.FromPassword("one", "secret")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
		if loggedIn := err == nil || !strings.Contains(err.Error(), "cannot log in"); loggedIn != test.login {
			t.Errorf("%q: logging in: %v", test.settings, err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{})
		if (err == nil) != test.token {
			t.Errorf("%q: a token of the cache's credential: %v", test.settings, err)
		}
		if want := "service=" + service + "@KRB.TEST session_key=" + test.key; test.key != "" && !strings.Contains(records.String(), want) {
			t.Errorf("%q: no %q in\n%s", test.settings, want, records)
		}
	}
}

// RC4 is for those who ask for it.
func TestWeakCrypto(t *testing.T) {
	kdc := realm(t, krbtest.WithRC4())
	kdc.AddPrincipal("old", "secret", krbtest.Enctypes("arcfour-hmac"))
	for setting, works := range map[string]bool{
		"": false, "allow_weak_crypto = true": true, "allow_rc4 = true": true, "allow_weak_crypto = false": false,
		"permitted_enctypes = arcfour-hmac aes256-sha1": false, "allow_rc4 = true\npermitted_enctypes = arcfour-hmac aes256-sha1": true,
	} {
		p := withSettings(t, kdc, setting)
		c, err := p.FromPassword("old", "secret")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
		if !works {
			wantError(t, err, []error{krbmsg.ErrETypeNoSupp}, "permitted_enctypes", "arcfour-hmac", "give the account of old@KRB.TEST AES keys", "msDS-SupportedEncryptionTypes")
		} else if err != nil {
			t.Errorf("%q: %v", setting, err)
		}
		if c, err = p.FromKeytab("old", kdc.Keytab("old")); err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
		if !works {
			wantError(t, err, []error{gss.ErrNoCred}, "the keytab", "only arcfour-hmac", "give the account of old@KRB.TEST AES keys", "allow_weak_crypto = true")
		} else if err != nil {
			t.Errorf("by a keytab, %q: %v", setting, err)
		}
	}
}

// A ticket that is encrypted with RC4 is not used, however its session key is
// made, and whether the KDC sends it or a cache has it. The error says whose
// account to mend.
func TestServiceWithRC4(t *testing.T) {
	for name, enctypes := range map[string][]string{"RC4 alone": {"arcfour-hmac"}, "RC4 preferred": {"arcfour-hmac", "aes256-cts-hmac-sha1-96"}} {
		for _, cached := range []bool{false, true} {
			kdc := krbtest.NewKDC(t, krbtest.WithRC4())
			kdc.AddPrincipal("alice", "")
			kdc.AddService(service, krbtest.Enctypes(enctypes...))
			options := []krbtest.TicketOption{krbtest.SessionEnctype("aes256-cts-hmac-sha1-96")}
			if cached {
				options = append(options, krbtest.WithTicket(service))
			}
			cache := kdc.CCache("alice", options...)
			for setting, works := range map[string]bool{"": false, "allow_weak_crypto = true": true} {
				p := withSettings(t, kdc, setting, func(o *krb5.Options) { o.CCache = cache })
				_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
				if !works {
					wantError(t, err, []error{krbmsg.ErrETypeNoSupp}, "arcfour-hmac", "give the account of "+service+"@KRB.TEST AES keys", "msDS-SupportedEncryptionTypes = 24", "allow_weak_crypto = true")
				} else if err != nil {
					t.Errorf("%s, %q: %v", name, setting, err)
				}
			}
		}
	}
}

// How far clocks of clients may be off, for an acceptor.
func TestClockskewSetting(t *testing.T) {
	kdc := realm(t)
	client := provider(t, kdc)
	for setting, fits := range map[string]bool{"": false, "clockskew = 900": true, "clockskew = 1m": false} {
		server := withSettings(t, kdc, setting, func(o *krb5.Options) {
			o.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
		})
		token, _ := firstToken(t, client, gss.InitiateOptions{})
		if _, _, err := accept(t, server, gss.AcceptOptions{}, token); (err == nil) != fits {
			t.Errorf("%q, clocks 10 minutes apart: %v", setting, err)
		}
	}
}

// A client whose clock is wrong goes by the KDC's, for its logins, for tickets
// and for what it shows to services, unless kdc_timesync is off.
func TestTimesync(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		kdc := realm(t)
		wrong := func(o *krb5.Options) { o.Now = func() time.Time { return time.Now().Add(off) } }
		server := provider(t, kdc)
		p := withSettings(t, kdc, "", wrong)
		c, err := p.FromPassword("alice", "alice's password")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			establish(t, p, server, gss.InitiateOptions{Credential: c, Flags: gss.FlagMutual}, gss.AcceptOptions{})
		}
		if got := kdc.Requests(); got.AS != 2 || got.TGS != 1 {
			t.Errorf("off by %v: %d AS-REQs and %d TGS-REQs, want 2 and 1", off, got.AS, got.TGS)
		}

		p = withSettings(t, kdc, "kdc_timesync = 0", wrong)
		if c, err = p.FromPassword("alice", "alice's password"); err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
		wantError(t, err, []error{gss.ErrFailure, krbmsg.ErrSkew}, "set this machine's clock, which says 20", "where the KDC's says 20")
	}
}

// The same with a ticket that kinit got while the clock was right. A clock that
// is behind by more than clocks may differ sees a ticket of the future.
func TestTimesyncOfACache(t *testing.T) {
	kdc := realm(t)
	server := provider(t, kdc)
	wrong := func(o *krb5.Options) { o.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } }
	p := withSettings(t, kdc, "", wrong)
	for range 2 {
		establish(t, p, server, gss.InitiateOptions{Flags: gss.FlagMutual}, gss.AcceptOptions{})
	}
	if got := kdc.Requests().TGS; got != 2 {
		t.Errorf("%d TGS-REQs, want one more than needed", got)
	}
	_, _, err := initiate(t.Context(), t, withSettings(t, kdc, "kdc_timesync = false", wrong), gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrFailure, krbmsg.ErrSkew}, "set this machine's clock")

	// The cache may tell the difference, as kinit has found it.
	path := kdc.CCache("alice")
	c, _, err := ccache.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c.KDCOffset = -10 * time.Minute
	if err := ccache.WriteFile(path, c); err != nil {
		t.Fatal(err)
	}
	ofCache := func(o *krb5.Options) { o.CCache = path }
	kdc.ResetRequests()
	establish(t, withSettings(t, kdc, "", wrong, ofCache), server, gss.InitiateOptions{Flags: gss.FlagMutual}, gss.AcceptOptions{})
	if got := kdc.Requests().TGS; got != 1 {
		t.Errorf("with the difference in the cache: %d TGS-REQs, want 1", got)
	}
	_, _, err = initiate(t.Context(), t, withSettings(t, kdc, "kdc_timesync = false", wrong, ofCache), gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrFailure, krbmsg.ErrSkew}, "set this machine's clock")
}

// A service that is known by another name than its clients use.
func TestIgnoreAcceptorHostname(t *testing.T) {
	kdc := realm(t)
	token := func() []byte {
		token, _ := firstToken(t, provider(t, kdc), gss.InitiateOptions{})
		return token
	}
	for setting, works := range map[string]bool{"": false, "ignore_acceptor_hostname = true": true} {
		p := withSettings(t, kdc, setting)
		c, err := p.Acquire(t.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Name: gss.HostBased("HTTP", "alias.krb.test")})
		if !works {
			wantError(t, err, []error{gss.ErrNoCred}, "no key of HTTP/alias.krb.test")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := accept(t, p, gss.AcceptOptions{Credential: c}, token()); err != nil {
			t.Errorf("%q: %v", setting, err)
		}
	}
}

// Where credentials are, if neither a program nor its environment says so.
func TestDefaultNames(t *testing.T) {
	kdc := realm(t)
	for _, v := range []string{"KRB5CCNAME", "KRB5_KTNAME", "KRB5_CLIENT_KTNAME"} {
		t.Setenv(v, "")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	cache := filepath.Join(dir, "cc_"+uid())
	kdc.WriteCCache(cache, "alice")
	kdc.WriteKeytab(filepath.Join(dir, "kt_"+uid()), service)
	kdc.WriteKeytab(filepath.Join(dir, "client_"+uid()), "alice")
	p := withSettings(t, kdc, "default_ccache_name = FILE:%{TEMP}/cc_%{uid}%{null}\n"+
		" default_keytab_name = FILE:%{TEMP}/kt_%{euid}\n default_client_keytab_name = %{TEMP}/client_%{USERID}",
		func(o *krb5.Options) { o.CCache, o.Keytab = "", "" })
	establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{})
	c, err := p.FromKeytab("", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := seen(t, p, c); got != "alice@KRB.TEST" {
		t.Errorf("the client keytab logs in as %s", got)
	}
	// A name that cannot be expanded is passed over, with a warning.
	records := new(logs)
	withSettings(t, kdc, "default_ccache_name = FILE:/tmp/%{no_such_thing}", func(o *krb5.Options) { o.Logger = records.logger() })
	if !strings.Contains(records.String(), "no_such_thing") {
		t.Errorf("no warning: %s", records)
	}
}

// What nobody knows does no harm, and says nothing.
func TestUnknownSettings(t *testing.T) {
	kdc := realm(t)
	records := new(logs)
	p := withSettings(t, kdc, "no_such_setting = 7\n[no such section]\n a = {\n  b = c\n }\n[libdefaults]\n", func(o *krb5.Options) { o.Logger = records.logger() })
	if records.String() != "" {
		t.Errorf("a record: %s", records)
	}
	firstToken(t, p, gss.InitiateOptions{})
}

// Without any krb5.conf, KDCs are found by the DNS; and where that knows none
// either, the error says so.
func TestNoConfiguration(t *testing.T) {
	kdc := realm(t)
	_, port, err := net.SplitHostPort(kdc.Addr())
	if err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none.conf")
	t.Setenv("KRB5_CONFIG", none)
	z := &zone{records: map[string][]string{"SRV _kerberos._tcp.krb.test": {"kdc.krb.test:" + port}}}
	records := new(logs)
	p := provider(t, kdc, func(o *krb5.Options) {
		o.Config, o.Resolver, o.Logger = "", z.resolver(t), records.logger()
		o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, kdc.Addr())
		}
	})
	if !strings.Contains(records.String(), none) {
		t.Errorf("no warning: %s", records)
	}
	firstToken(t, p, gss.InitiateOptions{})
	_, err = p.FromPassword("alice", "secret")
	wantError(t, err, []error{gss.ErrInvalidName}, "there is no "+none, "no default_realm: add @REALM")
	z.records = nil
	kdc.AddService("HTTP/other.krb.test")
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "other.krb.test")})
	wantError(t, err, []error{kdcclient.ErrUnreachable}, "krb5.conf (there is no "+none+") names no KDC of realm KRB.TEST and the DNS knows none")
	// A file that the program itself names must be there.
	_, err = krb5.New(krb5.Options{Config: none})
	wantError(t, err, []error{gss.ErrFailure, os.ErrNotExist}, none)
	if strings.Count(err.Error(), none) != 1 {
		t.Errorf("it says it twice: %v", err)
	}
}

// A password that was changed a moment ago is known to the primary KDC first.
func TestPrimaryKDC(t *testing.T) {
	for _, relation := range []string{"primary_kdc", "master_kdc", ""} {
		kdc, behind := realm(t), realm(t)
		behind.SetFault(krbtest.Fail(int(krbmsg.ErrPreauthFailed)))
		p := provider(t, kdc, func(o *krb5.Options) {
			conf := "[libdefaults]\n default_realm = KRB.TEST\n[realms]\n KRB.TEST = {\n  kdc = tcp/192.0.2.1\n"
			if relation != "" {
				conf += "  " + relation + " = tcp/192.0.2.2\n"
			}
			o.Config = writeFile(t, conf+" }\n")
			first := true
			o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				to := kdc.Addr()
				if first { // it has caught up by the second time
					to = behind.Addr()
				}
				if want := map[bool]string{true: "192.0.2.1:88", false: "192.0.2.2:88"}[first]; relation != "" && address != want && kdc.Requests().TGS+kdc.Requests().AS < 2 {
					t.Errorf("dialed %s, want %s", address, want)
				}
				first = false
				return new(net.Dialer).DialContext(ctx, network, to)
			}
		})
		c, err := p.FromPassword("alice", "alice's password")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
		if relation == "" {
			wantError(t, err, []error{krbmsg.ErrPreauthFailed})
		} else if err != nil {
			t.Errorf("%s: %v", relation, err)
		}
	}
}

// Two KDCs refuse a password where the primary does: it is asked once, and not
// for what another KDC would not know better.
func TestPrimaryKDCRefuses(t *testing.T) {
	replica, primary := realm(t), realm(t)
	replica.AddPrincipal("locked", "secret", krbtest.Locked())
	p := provider(t, replica, func(o *krb5.Options) {
		o.Config = config(t, []string{overTCP(replica)}, "", "[realms]\n KRB.TEST = {\n  primary_kdc = "+overTCP(primary)+"\n }\n")
	})
	for _, test := range []struct {
		user, password string
		want           error
		asked          int
	}{
		{"alice", "wrong", krbmsg.ErrPreauthFailed, 2},
		{"locked", "secret", krbmsg.ErrClientRevoked, 0},
		{"nobody", "secret", krbmsg.ErrCPrincipalUnknown, 1},
	} {
		primary.ResetRequests()
		c, err := p.FromPassword(test.user, test.password)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
		wantError(t, err, []error{test.want})
		if got := primary.Requests().AS; got != test.asked {
			t.Errorf("%s: the primary KDC got %d requests, want %d", test.user, got, test.asked)
		}
	}
	// The one that has refused is the primary one.
	same := provider(t, primary, func(o *krb5.Options) {
		o.Config = config(t, []string{overTCP(primary)}, "", "[realms]\n KRB.TEST = {\n  primary_kdc = "+overTCP(primary)+"\n }\n")
	})
	primary.ResetRequests()
	c, err := same.FromPassword("alice", "wrong")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = initiate(t.Context(), t, same, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{krbmsg.ErrPreauthFailed})
	if got := primary.Requests().AS; got != 2 {
		t.Errorf("the only KDC got %d requests, want 2", got)
	}
	// One that does not answer is no reason to say something else.
	primary.SetFault(krbtest.Refuse())
	if c, err = p.FromPassword("alice", "wrong"); err != nil {
		t.Fatal(err)
	}
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{krbmsg.ErrPreauthFailed}, "check the password")
}

// anchor writes the certificate of a server as http_anchors wants it.
func anchor(t *testing.T, server *httptest.Server) string {
	t.Helper()
	return writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
}

// proxied is the configuration of a realm whose KDC is reached by HTTPS.
func proxied(t *testing.T, server *httptest.Server, anchors string) string {
	t.Helper()
	sections := ""
	if anchors != "" {
		sections = "[realms]\n KRB.TEST = {\n  http_anchors = " + anchors + "\n }\n"
	}
	return config(t, []string{server.URL + "/KdcProxy"}, "", sections)
}

// A KDC proxy is used for logins and tickets, if its certificate is trusted.
func TestKDCProxy(t *testing.T) {
	kdc := realm(t)
	server := httptest.NewTLSServer(kdc.Proxy())
	defer server.Close()
	server.Config.ErrorLog = quiet()
	file := anchor(t, server)
	t.Setenv("PROXY_CA", "FILE:"+file)
	noGoroutines(t)
	for _, anchors := range []string{"FILE:" + file, "DIR:" + filepath.Dir(file), "ENV:PROXY_CA"} {
		kdc.ResetRequests()
		p := provider(t, kdc, func(o *krb5.Options) { o.Config = proxied(t, server, anchors) })
		c, err := p.FromPassword("alice", "alice's password")
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(t, p, c); got != "alice@KRB.TEST" {
			t.Errorf("%s: the acceptor sees %s", anchors, got)
		}
		if got := kdc.Requests(); got.AS != 2 || got.TGS != 1 {
			t.Errorf("%s: the KDC got %+v", anchors, got)
		}
	}
	for anchors, part := range map[string]string{
		"":                               "certificate",
		"FILE:" + file + ".none":         "no such file",
		"FILE:" + writeFile(t, "a text"): "no certificate in PEM",
		"DIR:" + t.TempDir():             "no certificate in PEM",
		"ENV:NO_SUCH_VARIABLE":           "the variable is not set",
		"PKCS11:x":                       "want FILE:path",
	} {
		p := provider(t, kdc, func(o *krb5.Options) { o.Config = proxied(t, server, anchors) })
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
		wantError(t, err, []error{kdcclient.ErrUnreachable}, server.URL+"/KdcProxy", part)
	}
}

// What is wrong with a proxy, or behind it, is told; a second KDC is asked.
func TestKDCProxyFaults(t *testing.T) {
	kdc := realm(t)
	var handler atomic.Pointer[http.Handler]
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*handler.Load()).ServeHTTP(w, r)
	}))
	defer server.Close()
	file := anchor(t, server)
	answers := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			w.Write([]byte(body))
		})
	}
	for _, test := range []struct {
		name    string
		handler http.Handler
		fault   krbtest.Fault
		part    string
	}{
		{"not found", http.NotFoundHandler(), krbtest.Fault{}, "the KDC proxy answered 404"},
		{"redirection", answers(http.StatusTemporaryRedirect, ""), krbtest.Fault{}, "the KDC proxy answered 307"},
		{"web page", answers(200, "<html>"), krbtest.Fault{}, "6 octets that are no KDC-PROXY-MESSAGE"},
		{"huge", answers(200, strings.Repeat("x", 11<<20)), krbtest.Fault{}, "more than the 10485760 octets"},
		{"nothing behind it", kdc.Proxy(), krbtest.Refuse(), "the KDC proxy answered 503"},
		{"garbage behind it", kdc.Proxy(), krbtest.Garbage(), "no message of Kerberos"},
		{"hangs up", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), krbtest.Fault{}, "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			handler.Store(&test.handler)
			kdc.SetFault(test.fault)
			p := provider(t, kdc, func(o *krb5.Options) { o.Config = proxied(t, server, "FILE:"+file) })
			_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
			wantError(t, err, []error{kdcclient.ErrUnreachable}, server.URL+"/KdcProxy: ", test.part)
			if n := strings.Count(err.Error(), server.URL); n != 1 {
				t.Errorf("it names the proxy %d times: %v", n, err)
			}
			kdc.SetFault(krbtest.Fault{})
			p = provider(t, kdc, func(o *krb5.Options) {
				o.Config = config(t, []string{server.URL + "/KdcProxy", overTCP(kdc)}, "", "[realms]\n KRB.TEST = {\n http_anchors = FILE:"+file+"\n }\n")
			})
			firstToken(t, p, gss.InitiateOptions{})
		})
	}
}

// An answer without end is not read to its end.
func TestKDCProxyEndless(t *testing.T) {
	kdc := realm(t)
	var sent atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 1<<16); ; {
			n, err := w.Write(block)
			if err != nil {
				return
			}
			sent.Add(int64(n))
		}
	}))
	p := provider(t, kdc, func(o *krb5.Options) { o.Config = proxied(t, server, "FILE:"+anchor(t, server)) })
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
	wantError(t, err, []error{kdcclient.ErrUnreachable}, "more than the 10485760 octets")
	server.Close() // waits for the handler
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d octets were taken", n)
	}
}

// A caller that gives up does not wait for a proxy.
func TestKDCProxyCancelled(t *testing.T) {
	kdc := realm(t)
	server := httptest.NewTLSServer(kdc.Proxy())
	defer server.Close()
	kdc.SetFault(krbtest.Silent())
	dialed := make(chan struct{}, 1)
	p := provider(t, kdc, func(o *krb5.Options) {
		o.Config = proxied(t, server, "FILE:"+anchor(t, server))
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed <- struct{}{}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	})
	cause := errors.New("the user has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-dialed
		cancel(cause)
	}()
	_, _, err := initiate(ctx, t, p, gss.InitiateOptions{})
	wantError(t, err, []error{cause})
}

// logs are records as text.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// quiet keeps failed handshakes out of the test's output.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func uid() string { return strconv.Itoa(os.Getuid()) }
