//go:build interop

package krbtest_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krbtest"
)

// These tests let real clients use the KDC. They fail where one is missing; see
// interop/peers.sh.

// runTimeout bounds one program; it is only reached when something is broken.
const runTimeout = 5 * time.Minute

// peer runs the programs of a Kerberos implementation with a credential cache
// of their own.
type peer struct {
	t      *testing.T
	kdc    *krbtest.KDC
	env    []string
	bin    string // folder of the programs; "": in PATH
	ccache string
}

func mit(t *testing.T, k *krbtest.KDC) *peer {
	t.Helper()
	return &peer{t: t, kdc: k, ccache: filepath.Join(t.TempDir(), "ccache")}
}

func heimdal(t *testing.T, k *krbtest.KDC) *peer {
	t.Helper()
	root := filepath.Join(cmp.Or(os.Getenv("INTEROP_PEERS"), "/var/cache/negotiate-interop"), "heimdal")
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if err != nil || len(libraries) == 0 {
		t.Fatalf("Heimdal's programs are not below %s: run interop/peers.sh heimdal", root)
	}
	c := mit(t, k)
	c.env = []string{"LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
	c.bin = filepath.Join(root, "usr/bin")
	return c
}

// run runs a program and returns all that it printed.
func (c *peer) run(stdin, program string, args ...string) (string, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, program), args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "KRB5") || strings.HasPrefix(kv, "LC_") || strings.Contains(kv, "_proxy=")
	}), "LC_ALL=C.UTF-8", "KRB5_CONFIG="+c.kdc.ConfigPath(), "KRB5CCNAME=FILE:"+c.ccache)
	cmd.Env = append(cmd.Env, c.env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// must is run for programs that succeed.
func (c *peer) must(stdin, program string, args ...string) string {
	c.t.Helper()
	out, err := c.run(stdin, program, args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return out
}

// fails is run for programs that fail and say why.
func (c *peer) fails(why, stdin, program string, args ...string) {
	c.t.Helper()
	out, err := c.run(stdin, program, args...)
	if err == nil || !strings.Contains(out, why) {
		c.t.Errorf("%s %s: %v, want it to fail and say %q\n%s", program, strings.Join(args, " "), err, why, out)
	}
}

// wants looks for words in what a program printed.
func wants(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("%q is missing in\n%s", w, out)
		}
	}
}

var allEnctypes = []string{
	"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128",
}

func TestMITLogin(t *testing.T) {
	for _, enctype := range append(slices.Clone(allEnctypes), "arcfour-hmac") {
		t.Run(enctype, func(t *testing.T) {
			k := newRealm(t, krbtest.WithEnctypes(enctype))
			c := mit(t, k)
			c.once()
			c.must("secret\n", "kinit", "-f", "-r", "3d", "-l", "2h", "alice")
			wants(t, c.must("", "klist", "-e", "-f"), "alice@KRB.TEST", "Flags: FRIA", enctype+", ", "renew until")
			c.must("", "kvno", "-k", k.Keytab("HTTP/www.krb.test"), "HTTP/www.krb.test") // decrypts it
			c.must("", "kinit", "-R")
			wants(t, c.must("", "klist", "-f"), "Flags: FRA")
			if got, want := k.Requests(), (krbtest.Requests{AS: 2, TGS: 2, Service: 1, Renew: 1, UDP: 4}); got != want {
				t.Errorf("the KDC got %+v, want %+v", got, want)
			}
			c.must("", "kinit", "-k", "-t", k.Keytab("alice"), "alice")
			wants(t, c.must("", "klist", "-f"), "Flags: IA")
			c.must("secret\n", "kinit", "-S", "HTTP/www.krb.test", "alice")
			wants(t, c.must("", "klist"), "HTTP/www.krb.test@KRB.TEST")
		})
	}
}

func TestMITIsRefused(t *testing.T) {
	k := newRealm(t)
	k.AddPrincipal("locked", "secret", krbtest.Locked())
	k.AddPrincipal("stale", "secret", krbtest.PasswordExpired())
	k.AddPrincipal("gone", "secret", krbtest.ExpiresAt(time.Now().Add(-time.Hour)))
	k.AddPrincipal("old", "secret", krbtest.Enctypes("arcfour-hmac"))
	c := mit(t, k)
	c.fails("Password incorrect", "Secret\n", "kinit", "alice")
	c.fails("not found in Kerberos database", "secret\n", "kinit", "bob")
	c.fails("credentials have been revoked", "secret\n", "kinit", "locked")
	// kinit goes on to change the password, for which there is no server here.
	c.fails("Server not found", "secret\n", "kinit", "stale")
	c.fails("has expired", "secret\n", "kinit", "gone")
	c.fails("no support for encryption type", "secret\n", "kinit", "old")
	c.must("secret\n", "kinit", "alice")
	c.fails("not found in Kerberos database", "", "kvno", "HTTP/nowhere.krb.test")
	c.fails("can't fulfill requested option", "", "kinit", "-R")
	c.ccache = k.CCache("alice", krbtest.ExpiresIn(-time.Minute))
	c.fails("expired", "", "kvno", "HTTP/www.krb.test")
}

func TestMITReadsFiles(t *testing.T) {
	k := newRealm(t)
	c := mit(t, k)
	c.ccache = k.CCache("alice", krbtest.RenewableFor(48*time.Hour), krbtest.WithTicket("HTTP/www.krb.test"))
	out := c.must("", "klist", "-e", "-f")
	wants(t, out, "Default principal: alice@KRB.TEST", "krbtgt/KRB.TEST@KRB.TEST", "HTTP/www.krb.test@KRB.TEST", "Flags: FRIA")
	c.must("", "kinit", "-R")
	k.Rekey("HTTP/www.krb.test", "")
	out = c.must("", "klist", "-k", "-e", k.Keytab("HTTP/www.krb.test"))
	for _, enctype := range allEnctypes {
		for kvno := range 2 {
			wants(t, out, fmt.Sprintf("   %d HTTP/www.krb.test@KRB.TEST (%s)", kvno+1, enctype))
		}
	}
	wants(t, c.must("", "kvno", "-k", k.Keytab("HTTP/www.krb.test"), "HTTP/www.krb.test"), "kvno = 2, keytab entry valid")
}

func TestMITOverTCP(t *testing.T) {
	k := newRealm(t, krbtest.WithUDPLimit(1))
	c := mit(t, k)
	c.must("secret\n", "kinit", "alice")
	if got := k.Requests(); got.TCP == 0 || got.Errors != 0 {
		t.Errorf("the KDC got %+v, want requests over TCP and no error", got)
	}
}

func TestMITWithSkewedClock(t *testing.T) {
	k := newRealm(t, krbtest.WithFault(krbtest.SkewedClock(time.Hour)))
	c := mit(t, k)
	c.must("secret\n", "kinit", "alice") // it goes by the KDC's clock
	c.must("", "kvno", "HTTP/www.krb.test")
	c.ccache = k.CCache("alice")
	c.fails("Clock skew too great", "", "kvno", "HTTP/www.krb.test")
}

func TestMITFollowsReferrals(t *testing.T) {
	k := newRealm(t)
	b := krbtest.NewKDC(t, krbtest.WithRealm("B.TEST"))
	far := krbtest.NewKDC(t, krbtest.WithRealm("FAR.TEST"))
	k.Trust(b)
	b.Trust(far)
	b.AddService("HTTP/www.b.test")
	far.AddService("HTTP/www.far.test")
	k.AddAlias("bob", "bob@B.TEST")
	b.AddPrincipal("bob", "secret")
	c := mit(t, k)
	c.must("secret\n", "kinit", "alice")
	c.must("", "kvno", "-k", b.Keytab("HTTP/www.b.test"), "HTTP/www.b.test@")
	c.must("", "kvno", "-k", far.Keytab("HTTP/www.far.test"), "HTTP/www.far.test@")
	wants(t, c.must("", "klist", "-f"), "HTTP/www.far.test@FAR.TEST", "Flags: AT")
	// With the realm given, the client finds the way by itself.
	c.must("secret\n", "kinit", "alice")
	c.must("", "kvno", "HTTP/www.b.test@B.TEST")
	// A user of the other realm logs in by way of this one.
	c.must("secret\n", "kinit", "-C", "bob")
	wants(t, c.must("", "klist"), "bob@B.TEST")
	c.must("secret\n", "kinit", "-E", "bob@b.test")
	wants(t, c.must("", "klist"), "bob@B.TEST")
}

// A realm of this package and one of MIT's krb5kdc take each other's users.
func TestTrustWithMITKDC(t *testing.T) {
	k := newRealm(t)
	other := interop.NewMIT(t, interop.MITOptions{Realm: "MIT.TEST"})
	for _, tgs := range []string{"krbtgt/MIT.TEST@KRB.TEST", "krbtgt/KRB.TEST@MIT.TEST"} {
		k.AddPrincipal(tgs, "shared")
		other.AddPrincipal(t, tgs, interop.PrincipalOptions{Password: "shared"})
	}
	k.MapDomain("mit.test", "MIT.TEST")
	keytab := other.AddService(t, "HTTP/www.mit.test", interop.PrincipalOptions{})
	other.AddPrincipal(t, "bob", interop.PrincipalOptions{Password: "secret"})
	c := mit(t, k)
	c.env = []string{"KRB5_CONFIG=" + k.ConfigPath() + ":" + other.Config}
	c.must("secret\n", "kinit", "alice")
	c.must("", "kvno", "-k", keytab, "HTTP/www.mit.test@MIT.TEST")
	// MIT's file says where the host is, so the client is not referred.
	c.env = []string{"KRB5_CONFIG=" + k.ConfigPath() + ":" + withoutDomains(t, other.Config)}
	c.must("secret\n", "kinit", "alice")
	c.must("", "kvno", "-k", keytab, "HTTP/www.mit.test@")
	c.must("secret\n", "kinit", "bob@MIT.TEST")
	c.must("", "kvno", "-k", k.Keytab("HTTP/www.krb.test"), "HTTP/www.krb.test@KRB.TEST")
}

// withoutDomains copies a krb5.conf without its [domain_realm].
func withoutDomains(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), "[domain_realm]")
	if _, after, more := strings.Cut(rest, "\n["); more {
		before += "[" + after
	}
	copied := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(copied, []byte(before), 0o600); err != nil || !found {
		t.Fatal(err, found)
	}
	return copied
}

func TestMITDelegatesInUsersNames(t *testing.T) {
	for _, o := range [][]krbtest.Option{nil, {krbtest.WithEnctypes("aes256-sha2")}, {krbtest.WithEnctypes("arcfour-hmac")}} {
		k := newRealm(t, o...)
		k.AddService("HTTP/db.krb.test")
		k.AddService("HTTP/other.krb.test")
		k.AddService("HTTP/open.krb.test", krbtest.DelegateFrom("HTTP/front.krb.test"))
		k.AddService("HTTP/front.krb.test", krbtest.ProtocolTransition(), krbtest.DelegateTo("HTTP/db.krb.test"))
		front := k.Keytab("HTTP/front.krb.test")
		c := mit(t, k)
		c.must("", "kinit", "-f", "-k", "-t", front, "HTTP/front.krb.test")
		c.must("", "kvno", "-k", front, "-U", "alice", "HTTP/front.krb.test")
		c.must("", "kvno", "-k", front, "-I", "alice", "HTTP/front.krb.test")
		c.fails("not found", "", "kvno", "-U", "bob", "HTTP/front.krb.test")
		c.must("", "kvno", "-k", k.Keytab("HTTP/front.krb.test", "HTTP/db.krb.test"), "-U", "alice", "-P", "HTTP/db.krb.test")
		c.must("", "kvno", "-U", "alice", "-P", "HTTP/open.krb.test")
		wants(t, c.must("", "klist", "-f"), "for client alice@KRB.TEST")
		c.fails("can't fulfill requested option", "", "kvno", "-U", "alice", "-P", "HTTP/other.krb.test")
		if got := k.Requests(); got.S4U2Self == 0 || got.S4U2Proxy == 0 {
			t.Errorf("the KDC got %+v, want S4U2Self and S4U2Proxy", got)
		}
	}
}

func TestMITUserToUser(t *testing.T) {
	k := newRealm(t)
	k.AddPrincipal("bob", "secret")
	c := mit(t, k)
	c.once()
	c.must("secret\n", "kinit", "alice")
	c.must("", "kvno", "--u2u", "FILE:"+k.CCache("bob"), "bob")
	if got := k.Requests().UserToUser; got != 1 {
		t.Errorf("%d requests for user-to-user, want 1", got)
	}
}

func TestHeimdalLogin(t *testing.T) {
	// Heimdal 7 has neither all of the types nor their names.
	for _, enctype := range []string{allEnctypes[0], allEnctypes[1], allEnctypes[2]} {
		t.Run(enctype, func(t *testing.T) {
			k := newRealm(t, krbtest.WithEnctypes(enctype))
			c := heimdal(t, k)
			c.once()
			c.must("secret\n", "kinit.heimdal", "--password-file=STDIN", "--forwardable", "--renewable", "alice")
			wants(t, c.must("", "heimtools", "klist", "-v"), "alice@KRB.TEST", enctype, "forwardable", "renewable", "initial", "pre-authent")
			c.must("", "kgetcred", "HTTP/www.krb.test")
			c.must("", "kinit.heimdal", "--renew")
			c.must("", "kgetcred", "--forwardable", "HTTP/www.krb.test")
			c.must("", "kinit.heimdal", "--keytab="+k.Keytab("alice"), "--use-keytab", "alice")
			if got := k.Requests(); got.Renew != 1 || got.Service != 2 || got.Errors != 0 {
				t.Errorf("the KDC got %+v, want a renewal, two service tickets and no error", got)
			}
			c.fails("Password incorrect", "Secret\n", "kinit.heimdal", "--password-file=STDIN", "alice")
			c.fails("unknown", "secret\n", "kinit.heimdal", "--password-file=STDIN", "bob")
		})
	}
}

func TestHeimdalReadsFiles(t *testing.T) {
	k := newRealm(t)
	c := heimdal(t, k)
	c.ccache = k.CCache("alice")
	wants(t, c.must("", "heimtools", "klist", "-v"), "alice@KRB.TEST", "krbtgt/KRB.TEST@KRB.TEST")
	c.must("", "kgetcred", "HTTP/www.krb.test")
}

func TestHeimdalFollowsReferrals(t *testing.T) {
	k := newRealm(t)
	b := krbtest.NewKDC(t, krbtest.WithRealm("B.TEST"))
	k.Trust(b)
	b.AddService("HTTP/www.b.test")
	c := heimdal(t, k)
	c.ccache = k.CCache("alice")
	c.must("", "kgetcred", "HTTP/www.b.test@B.TEST")
	c.must("", "kgetcred", "--canonicalize", "--name-type=SRV_HST", "HTTP/www.b.test")
}

// curl authenticates to the Handler with a ticket of the KDC, and delegates.
func TestCurl(t *testing.T) {
	k := newRealm(t)
	k.AddService("HTTP/127.0.0.1", krbtest.OKAsDelegate())
	server := httptest.NewServer(&negotiate.Handler{
		Provider: k.Acceptor("HTTP/127.0.0.1"),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			fmt.Fprintf(w, "%s %v", id.Principal, id.Delegated != nil)
		}),
	})
	defer server.Close()
	c := mit(t, k)
	c.once()
	c.must("secret\n", "kinit", "-f", "alice")
	curl := []string{"--disable", "--silent", "--show-error", "--fail", "--negotiate", "--user", ":"}
	for _, s := range []struct{ delegation, want string }{
		{"none", "alice@KRB.TEST false"}, {"policy", "alice@KRB.TEST true"}, {"always", "alice@KRB.TEST true"},
	} {
		if got := c.must("", "curl", append(curl, "--delegation", s.delegation, server.URL)...); got != s.want {
			t.Errorf("delegation %s: the server saw %q, want %q", s.delegation, got, s.want)
		}
	}
	if got := k.Requests(); got.Forward != 2 || got.Service != 1 {
		t.Errorf("the KDC got %+v, want one service ticket and two forwarded ones", got)
	}
}
