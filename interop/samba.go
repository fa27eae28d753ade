//go:build interop

package interop

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

var (
	//go:embed samba_setup.py
	sambaSetup string
	//go:embed samba_accept.py
	sambaAccept string
	//go:embed samba_trust.py
	sambaTrust string
)

// sambaHost is where the domain controller listens. It does not take 127.0.0.1.
const sambaHost = "127.0.0.10"

// SambaAccount is a user or a service in the directory.
type SambaAccount struct {
	// Name is the account's name.
	Name string
	// Password must satisfy the directory's policy: seven characters, of
	// three kinds.
	Password string
	// SPNs make it a service: "HTTP/web.ad.test". A service logs in by the
	// account's name, since an SPN is no name of a user.
	SPNs []string
	// Groups is the number of groups that it is put into. Each makes its
	// tickets larger.
	Groups int
	// EncTypes is msDS-SupportedEncryptionTypes; zero is 24, both types of AES.
	// It counts for services.
	EncTypes int
	// RC4Only leaves the account no key but RC4's, as one has whose password is
	// older than the domain's AES keys.
	RC4Only bool
	// UPN is its userPrincipalName, "alice@upn.test"; empty leaves the default.
	UPN string
	// Sensitive forbids that anybody acts for it.
	Sensitive bool
	// DelegateTo are SPNs to which the service may go in users' names, AnyProtocol
	// lets it say who its user is, and Trusted sets OK-AS-DELEGATE.
	DelegateTo           []string
	AnyProtocol, Trusted bool
	// ActFor are accounts of services that may act for others towards this one:
	// resource-based constrained delegation.
	ActFor []string
}

// SambaOptions describe a domain. The zero value is AD.TEST.
type SambaOptions struct {
	// Realm is the realm's name; empty is AD.TEST.
	Realm string
	// Accounts are added to the directory.
	Accounts []SambaAccount
}

// Samba is a running Samba as an Active Directory domain controller, of which
// the KDC alone serves. Its tickets carry a PAC.
type Samba struct {
	// Realm is the realm's name.
	Realm string
	// Domain is the DNS domain that belongs to it: the name in lower case.
	Domain string
	// Config is the path of a krb5.conf that knows the realm.
	Config string
	// Addr is where the KDC listens for TCP and UDP, host:port.
	Addr string
	// KpasswdAddr is where passwords are changed.
	KpasswdAddr string
	// LogFile is Samba's log.
	LogFile string

	dir   folder
	smb   string // path of smb.conf
	proc  *process
	files int
}

// NewSamba provisions and starts a domain for the duration of a test. It takes
// some seconds and needs root, which Samba wants for the files' attributes.
func NewSamba(tb testing.TB, o SambaOptions) *Samba {
	tb.Helper()
	s, err := startSamba(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.close)
	logsOnFailure(tb, s.LogFile)
	return s
}

func startSamba(ctx context.Context, o SambaOptions) (*Samba, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("interop: Samba needs root: run the tests as root")
	}
	samba, err := need("samba", "samba-ad-dc")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("samba")
	if err != nil {
		return nil, err
	}
	realm := cmp.Or(o.Realm, "AD.TEST")
	s := &Samba{
		Realm: realm, Domain: strings.ToLower(realm), dir: dir, smb: dir.path("etc", "smb.conf"),
		Config: dir.path("krb5.conf"), LogFile: dir.path("samba.out"),
	}
	if err := s.provision(ctx, o); err != nil {
		s.close()
		return nil, err
	}
	if err := retryPorts(sambaHost, 2, func(ports []int) error { return s.start(samba, ports) }); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// provision makes the directory and fills it.
func (s *Samba) provision(ctx context.Context, o SambaOptions) error {
	if err := needFile("/usr/share/samba/setup/provision.ldif", "samba-ad-provision"); err != nil {
		return err
	}
	if err := s.dir.write("empty.conf", ""); err != nil {
		return err
	}
	workgroup, _, _ := strings.Cut(strings.ToUpper(s.Realm), ".")
	args := []string{
		"domain", "provision", "--configfile=" + s.dir.path("empty.conf"), "--targetdir=" + string(s.dir),
		"--realm=" + s.Realm, "--domain=" + workgroup + "DOM", "--server-role=dc", "--dns-backend=NONE",
		"--adminpass=Adm1n.password", "--host-name=dc1", "--host-ip=" + sambaHost,
		"--option=interfaces=" + sambaHost + "/8", "--option=bind interfaces only=yes", "--option=server services=kdc",
	}
	for option, name := range map[string]string{
		"pid directory": "run", "ncalrpc dir": "ncalrpc", "ntp signd socket directory": "ntp",
		"winbindd socket directory": "winbindd", "log file": "log",
	} {
		if name != "log" {
			if err := os.Mkdir(s.dir.path(name), 0o755); err != nil {
				return fmt.Errorf("interop: %w", err)
			}
		}
		args = append(args, "--option="+option+"="+s.dir.path(name))
	}
	if _, err := s.tool(ctx, args...); err != nil {
		return err
	}
	accounts, err := json.Marshal(o.Accounts)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	setup := command{path: debianPython, args: []string{"-c", sambaSetup, s.smb}, env: cleanEnv(), stdin: string(accounts)}
	if _, err := setup.run(ctx); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return nil
}

func (s *Samba) start(samba string, ports []int) error {
	s.Addr = fmt.Sprintf("%s:%d", sambaHost, ports[0])
	s.KpasswdAddr = fmt.Sprintf("%s:%d", sambaHost, ports[1])
	err := s.dir.write("krb5.conf", fmt.Sprintf(`[libdefaults]
  default_realm = %[1]s
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  %[1]s = {
    kdc = %[2]s
    kpasswd_server = %[3]s
  }
[domain_realm]
  .%[4]s = %[1]s
  %[4]s = %[1]s
`, s.Realm, s.Addr, s.KpasswdAddr, s.Domain))
	if err != nil {
		return err
	}
	proc, err := startProcess(processSpec{
		name: "samba", path: samba, env: cleanEnv("KRB5_CONFIG=" + s.Config), dir: string(s.dir), outFile: s.LogFile,
		args: []string{
			"--interactive", "--debug-stdout", "--configfile=" + s.smb,
			fmt.Sprintf("--option=krb5 port=%d", ports[0]), fmt.Sprintf("--option=kpasswd port=%d", ports[1]),
		},
	})
	if err != nil {
		return err
	}
	if err := proc.waitReady(func() bool { return listening(s.Addr) && listening(s.KpasswdAddr) }); err != nil {
		proc.stop()
		return err
	}
	s.proc = proc
	return nil
}

func (s *Samba) close() {
	if s.proc != nil {
		s.proc.stop()
	}
	s.dir.remove()
}

// Accept has the domain controller itself accept a SPNEGO token, by Samba's own
// library and with its machine account, whose services are those of [Samba.Host].
// It returns the client's account.
func (s *Samba) Accept(tb testing.TB, token []byte) (account string, err error) {
	tb.Helper()
	out, err := PythonE(tb, s.Env(""), sambaAccept, s.smb, hex.EncodeToString(token))
	return strings.TrimSpace(out), err
}

// Host is the name of the domain controller.
func (s *Samba) Host() string { return "dc1." + s.Domain }

// Env is the environment for a Kerberos program of this realm; see [MIT.Env].
func (s *Samba) Env(ccache string) []string {
	env := cleanEnv("KRB5_CONFIG=" + s.Config)
	if ccache != "" {
		env = append(env, "KRB5CCNAME="+ccache)
	}
	return env
}

// Keytab writes the keys of principals, an SPN or an account's name, to a new
// keytab and returns its path.
func (s *Samba) Keytab(tb testing.TB, principals ...string) string {
	tb.Helper()
	s.files++
	keytab := s.dir.path(fmt.Sprintf("keytab-%d", s.files))
	for _, p := range principals {
		s.Tool(tb, "domain", "exportkeytab", keytab, "--principal="+p, "--configfile="+s.smb)
	}
	return keytab
}

// Delegation lets a service act for others, as samba-tool's delegation command
// says: "add-service", "svc-web", "HTTP/other.ad.test"; "for-any-protocol",
// "svc-web", "on"; "for-any-service", "svc-web", "on", which sets
// OK-AS-DELEGATE.
func (s *Samba) Delegation(tb testing.TB, args ...string) {
	tb.Helper()
	s.Tool(tb, append(append([]string{"delegation"}, args...), "--configfile="+s.smb)...)
}

// User changes a user, as samba-tool's user command says: "disable", "alice".
func (s *Samba) User(tb testing.TB, args ...string) {
	tb.Helper()
	s.Tool(tb, append(append([]string{"user"}, args...), "--configfile="+s.smb)...)
}

// TrustedBy has a realm of MIT's trust the domain, whose KDC refers clients to
// that realm for all hosts below its domain. The reverse cannot be had: Samba 4.17
// refuses tickets of MIT's KDC, whose PAC says nothing of a user's groups.
func (s *Samba) TrustedBy(tb testing.TB, realm *MIT) {
	tb.Helper()
	password := "trust-" + s.Realm + realm.Realm
	realm.AddPrincipal(tb, "krbtgt/"+realm.Realm+"@"+s.Realm, PrincipalOptions{Password: password})
	trust := command{path: debianPython, args: []string{"-c", sambaTrust, s.smb, realm.Realm}, env: cleanEnv(), stdin: password}
	if _, err := trust.run(tb.Context()); err != nil {
		tb.Fatalf("interop: %v", err)
	}
}

// Tool runs samba-tool and returns what it printed.
func (s *Samba) Tool(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := s.tool(tb.Context(), args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func (s *Samba) tool(ctx context.Context, args ...string) (string, error) {
	tool, err := need("samba-tool", "samba")
	if err != nil {
		return "", err
	}
	// samba-tool is a script for "env python3"; Debian's has the modules.
	out, err := command{path: debianPython, args: append([]string{tool}, args...), env: cleanEnv()}.run(ctx)
	if err != nil {
		return "", fmt.Errorf("interop: %w", err)
	}
	return out, nil
}

// Kinit logs in with MIT's kinit and returns the credential cache's name, as
// "FILE:/path". The ticket can be forwarded.
func (s *Samba) Kinit(tb testing.TB, principal, password string) (ccache string) {
	tb.Helper()
	kinit, err := need("kinit", "krb5-user")
	if err != nil {
		tb.Fatal(err)
	}
	s.files++
	ccache = "FILE:" + s.dir.path(fmt.Sprintf("ccache-%d", s.files))
	_, err = command{
		path: kinit, args: []string{"-f", "-c", ccache, principal}, stdin: password + "\n", env: s.Env(ccache),
	}.run(tb.Context())
	if err != nil {
		tb.Fatalf("interop: %v", err)
	}
	return ccache
}
