//go:build interop

package interop

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Key types as kadmin calls them, for [PrincipalOptions].
const (
	AES256SHA1 = "aes256-cts-hmac-sha1-96"
	AES128SHA1 = "aes128-cts-hmac-sha1-96"
	AES256SHA2 = "aes256-cts-hmac-sha384-192"
	AES128SHA2 = "aes128-cts-hmac-sha256-128"
)

// MITOptions describe a realm. The zero value is BED.TEST.
type MITOptions struct {
	// Realm is the realm's name; empty is BED.TEST. Hosts below its name in
	// lower case belong to it.
	Realm string
	// LibDefaults are further lines of [libdefaults], such as
	// "permitted_enctypes = aes256-cts-hmac-sha384-192".
	LibDefaults []string
	// Sections are further sections of krb5.conf, such as "[capaths]" with lines.
	Sections string
}

// MIT is a running MIT krb5kdc with a realm of its own. Its methods are safe
// for concurrent use.
type MIT struct {
	// Realm is the realm's name.
	Realm string
	// Domain is the DNS domain that belongs to it: the name in lower case.
	Domain string
	// Config is the path of a krb5.conf that knows the realm.
	Config string
	// Addr is where the KDC listens for TCP and UDP, host:port.
	Addr string
	// LogFile is the KDC's log; see [MIT.Count].
	LogFile string

	dir         folder
	libDefaults []string
	sections    string
	proc        *process
	admin       sync.Mutex // the database takes one kadmin.local at a time
	mu          sync.Mutex // guards files and trusts
	files       int
	trusts      []*MIT
}

// NewMIT starts a realm for the duration of a test.
func NewMIT(tb testing.TB, o MITOptions) *MIT {
	tb.Helper()
	m, err := startMIT(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(m.close)
	logsOnFailure(tb, m.LogFile)
	return m
}

func startMIT(ctx context.Context, o MITOptions) (*MIT, error) {
	kdc, err := need("krb5kdc", "krb5-kdc")
	if err != nil {
		return nil, err
	}
	util, err := need("kdb5_util", "krb5-kdc")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("mit")
	if err != nil {
		return nil, err
	}
	realm := cmp.Or(o.Realm, "BED.TEST")
	m := &MIT{
		Realm: realm, Domain: strings.ToLower(realm), dir: dir, libDefaults: o.LibDefaults, sections: o.Sections,
		Config: dir.path("krb5.conf"), LogFile: dir.path("kdc.log"),
	}
	err = retryPorts("127.0.0.1", 1, func(ports []int) error {
		m.Addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
		if err := m.configure(); err != nil {
			return err
		}
		if _, err := os.Stat(dir.path("principal")); err != nil {
			create := command{path: util, args: []string{"create", "-s", "-P", "master", "-r", realm}, env: m.kdcEnv()}
			if _, err := create.run(ctx); err != nil {
				return err
			}
		}
		return m.start(kdc)
	})
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// configure writes krb5.conf and kdc.conf.
func (m *MIT) configure() error {
	if err := m.dir.write("krb5.conf", m.krb5Conf(nil)); err != nil {
		return err
	}
	return m.dir.write("kdc.conf", fmt.Sprintf(`[kdcdefaults]
  kdc_listen = %[1]s
  kdc_tcp_listen = %[1]s
[realms]
  %[2]s = {
    database_name = %[3]s/principal
    key_stash_file = %[3]s/stash
    acl_file = %[3]s/kadm5.acl
    max_life = 24h
    max_renewable_life = 7d
    default_principal_flags = +preauth
    supported_enctypes = %[4]s:normal %[5]s:normal
  }
`, m.Addr, m.Realm, m.dir, AES256SHA1, AES128SHA1))
}

// krb5Conf returns the text of a krb5.conf with further lines of [libdefaults].
func (m *MIT) krb5Conf(libDefaults []string) string {
	var b strings.Builder
	b.WriteString("[libdefaults]\n")
	// Of several values of one relation the first counts.
	for _, line := range append(m.libDefaults[:len(m.libDefaults):len(m.libDefaults)], libDefaults...) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	fmt.Fprintf(&b, `  default_realm = %s
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  default_ccache_name = FILE:%s/no-such-ccache
  default_keytab_name = FILE:%[2]s/no-such-keytab
`, m.Realm, m.dir)
	m.mu.Lock()
	realms := append([]*MIT{m}, m.trusts...)
	m.mu.Unlock()
	b.WriteString("[realms]\n")
	for _, r := range realms {
		fmt.Fprintf(&b, "  %s = {\n    kdc = %s\n  }\n", r.Realm, r.Addr)
	}
	b.WriteString("[domain_realm]\n")
	for _, r := range realms {
		fmt.Fprintf(&b, "  .%s = %s\n  %[1]s = %s\n", r.Domain, r.Realm)
	}
	b.WriteString(m.sections)
	fmt.Fprintf(&b, "[logging]\n  kdc = FILE:%s\n  default = FILE:%s\n", m.LogFile, m.dir.path("other.log"))
	return b.String()
}

func (m *MIT) start(kdc string) error {
	before := m.begun()
	proc, err := startProcess(processSpec{
		name: "krb5kdc", path: kdc, args: []string{"-n", "-P", m.dir.path("kdc.pid")},
		env: m.kdcEnv(), dir: string(m.dir),
	})
	if err != nil {
		return err
	}
	if err := proc.waitReady(func() bool { return m.begun() > before && listening(m.Addr) }); err != nil {
		proc.stop()
		return fmt.Errorf("%w\n%s", err, tail(m.LogFile))
	}
	m.proc = proc
	return nil
}

// begun is how often the KDC has begun to serve. Where somebody else has its port, it
// does not.
func (m *MIT) begun() int {
	log, err := os.ReadFile(m.LogFile)
	if err != nil {
		return 0 // it has logged nothing yet
	}
	return bytes.Count(log, []byte("commencing operation"))
}

// restart has the KDC read its configuration again.
func (m *MIT) restart() error {
	kdc, err := need("krb5kdc", "krb5-kdc")
	if err != nil {
		return err
	}
	m.proc.stop()
	return m.start(kdc)
}

func (m *MIT) close() {
	if m.proc != nil {
		m.proc.stop()
	}
	m.dir.remove()
}

func (m *MIT) kdcEnv() []string {
	return cleanEnv("KRB5_CONFIG="+m.Config, "KRB5_KDC_PROFILE="+m.dir.path("kdc.conf"))
}

// Env is the environment for a Kerberos program of this realm: the test's own
// without its KRB5 variables, with KRB5_CONFIG, and with KRB5CCNAME unless
// ccache is empty, which leaves the program without a ticket.
func (m *MIT) Env(ccache string) []string {
	env := cleanEnv("KRB5_CONFIG=" + m.Config)
	if ccache != "" {
		env = append(env, "KRB5CCNAME="+ccache)
	}
	return env
}

// ConfigWith writes a krb5.conf of the realm with further lines of
// [libdefaults] and returns its path.
func (m *MIT) ConfigWith(tb testing.TB, libDefaults ...string) string {
	tb.Helper()
	name := filepath.Base(m.newFile("krb5-", ".conf"))
	if err := m.dir.write(name, m.krb5Conf(libDefaults)); err != nil {
		tb.Fatal(err)
	}
	return m.dir.path(name)
}

// Trust has two realms trust each other, and both know the other's hosts. It
// restarts both KDCs, which refer clients to each other from then on.
func Trust(tb testing.TB, a, b *MIT) {
	tb.Helper()
	for _, m := range []*MIT{a, b} {
		for _, tgt := range []string{"krbtgt/" + a.Realm + "@" + b.Realm, "krbtgt/" + b.Realm + "@" + a.Realm} {
			m.AddPrincipal(tb, tgt, PrincipalOptions{Password: "trust-" + a.Realm + b.Realm})
		}
	}
	a.trust(tb, b)
	b.trust(tb, a)
}

func (m *MIT) trust(tb testing.TB, other *MIT) {
	tb.Helper()
	m.mu.Lock()
	m.trusts = append(m.trusts, other)
	m.mu.Unlock()
	if err := m.configure(); err != nil {
		tb.Fatal(err)
	}
	if err := m.restart(); err != nil {
		tb.Fatal(err)
	}
}

// Unique returns a name that no other call has returned, such as "u7": for
// principals, hosts and queries of one test in a realm that tests share.
func (m *MIT) Unique() string { return filepath.Base(m.newFile("u", "")) }

// newFile names a file that is not there yet.
func (m *MIT) newFile(prefix, suffix string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files++
	return m.dir.path(fmt.Sprintf("%s%d%s", prefix, m.files, suffix))
}
