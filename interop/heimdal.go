//go:build interop

package interop

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// HeimdalOptions describe a realm. The zero value is HEIM.TEST.
type HeimdalOptions struct {
	// Realm is the realm's name; empty is HEIM.TEST. Hosts below its name in
	// lower case belong to it.
	Realm string
	// DefaultKeys are the key types of new principals as kadmin writes them,
	// such as "aes256-cts-hmac-sha384-192:pw-salt"; empty takes Heimdal's.
	DefaultKeys string
}

// Heimdal is a running Heimdal KDC with a realm of its own.
type Heimdal struct {
	// Realm is the realm's name.
	Realm string
	// Domain is the DNS domain that belongs to it: the name in lower case.
	Domain string
	// Config is the path of a krb5.conf that knows the realm. MIT's programs
	// read it too.
	Config string
	// Addr is where the KDC listens for TCP and UDP, host:port.
	Addr string
	// LogFile is the KDC's log.
	LogFile string

	dir   folder
	root  unpacked
	proc  *process
	mu    sync.Mutex // the database takes one kadmin at a time; guards files
	files int
}

// NewHeimdal starts a realm for the duration of a test.
func NewHeimdal(tb testing.TB, o HeimdalOptions) *Heimdal {
	tb.Helper()
	h, err := startHeimdal(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(h.close)
	logsOnFailure(tb, h.LogFile)
	return h
}

func startHeimdal(ctx context.Context, o HeimdalOptions) (*Heimdal, error) {
	root, err := needUnpacked("heimdal")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("heimdal")
	if err != nil {
		return nil, err
	}
	realm := cmp.Or(o.Realm, "HEIM.TEST")
	h := &Heimdal{
		Realm: realm, Domain: strings.ToLower(realm), dir: dir, root: root,
		Config: dir.path("krb5.conf"), LogFile: dir.path("kdc.log"),
	}
	if err := h.create(ctx, o); err != nil {
		h.close()
		return nil, err
	}
	if err := retryPorts("127.0.0.1", 1, func(ports []int) error { return h.start(o, ports[0]) }); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// create makes the database.
func (h *Heimdal) create(ctx context.Context, o HeimdalOptions) error {
	if err := h.configure(o); err != nil {
		return err
	}
	stash := command{
		path: h.root.path("usr/sbin/kstash"), args: []string{"--random-key", "--key-file=" + h.dir.path("m-key")}, env: h.Env(""),
	}
	if _, err := stash.run(ctx); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	_, err := h.runAdmin(ctx, "init", "--realm-max-ticket-life=1day", "--realm-max-renewable-life=1week", h.Realm)
	return err
}

func (h *Heimdal) configure(o HeimdalOptions) error {
	keys := ""
	if o.DefaultKeys != "" {
		keys = "[kadmin]\n  default_keys = " + o.DefaultKeys + "\n"
	}
	if err := h.dir.write("kadmind.acl", ""); err != nil {
		return err
	}
	kdcConf := fmt.Sprintf(`[kdc]
  database = {
    dbname = %[1]s/heimdal
    realm = %[2]s
    mkey_file = %[1]s/m-key
    acl_file = %[1]s/kadmind.acl
    log_file = %[1]s/kdb.log
  }
%[3]s[logging]
  kdc = 0-/FILE:%[4]s
  default = 0-/FILE:%[1]s/other.log
`, h.dir, h.Realm, keys, h.LogFile)
	if err := h.dir.write("kdc.conf", kdcConf); err != nil {
		return err
	}
	return h.dir.write("krb5.conf", fmt.Sprintf(`[libdefaults]
  default_realm = %[1]s
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  %[1]s = {
    kdc = %[2]s
  }
[domain_realm]
  .%[3]s = %[1]s
  %[3]s = %[1]s
`, h.Realm, cmp.Or(h.Addr, "127.0.0.1:0"), h.Domain))
}

func (h *Heimdal) start(o HeimdalOptions, port int) error {
	h.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	if err := h.configure(o); err != nil {
		return err
	}
	proc, err := startProcess(processSpec{
		name: "kdc", path: h.root.path("usr/lib/heimdal-servers/kdc"),
		args: []string{"--config-file=" + h.dir.path("kdc.conf"), "--addresses=127.0.0.1", fmt.Sprintf("--ports=%d", port)},
		env:  h.Env(""), dir: string(h.dir),
	})
	if err != nil {
		return err
	}
	if err := proc.waitReady(func() bool { return listening(h.Addr) }); err != nil {
		proc.stop()
		return fmt.Errorf("%w\n%s", err, tail(h.LogFile))
	}
	h.proc = proc
	return nil
}

func (h *Heimdal) close() {
	if h.proc != nil {
		h.proc.stop()
	}
	h.dir.remove()
}

// Env is the environment for a program of Heimdal, with its own libraries; see
// [MIT.Env].
func (h *Heimdal) Env(ccache string) []string {
	return append(h.MITEnv(ccache), "LD_LIBRARY_PATH="+h.root.libraryPath())
}

// MITEnv is the environment for a program that uses MIT's library, such as
// Debian's curl, in this realm.
func (h *Heimdal) MITEnv(ccache string) []string {
	env := cleanEnv("KRB5_CONFIG=" + h.Config)
	if ccache != "" {
		env = append(env, "KRB5CCNAME="+ccache)
	}
	return env
}

// LibraryDir is the folder with Heimdal's libgssapi.so.3 and what that needs.
func (h *Heimdal) LibraryDir() string {
	dir, _, _ := strings.Cut(h.root.libraryPath(), ":")
	return dir
}

// AddUser adds a principal with a password.
func (h *Heimdal) AddUser(tb testing.TB, name, password string) {
	tb.Helper()
	h.Admin(tb, "add", "--use-defaults", "--password="+password, name)
}

// AddService adds a service with random keys, such as "HTTP/web.heim.test",
// and returns the path of a keytab with them. Attributes are kadmin's, such as
// "+ok-as-delegate".
func (h *Heimdal) AddService(tb testing.TB, spn string, attributes ...string) string {
	tb.Helper()
	h.Admin(tb, "add", "--use-defaults", "--random-key", spn)
	if len(attributes) > 0 {
		h.Admin(tb, "modify", "--attributes="+strings.Join(attributes, ","), spn)
	}
	keytab := h.newFile("keytab-")
	h.Admin(tb, "ext_keytab", "--keytab=FILE:"+keytab, spn)
	return keytab
}

// Admin runs one command of Heimdal's kadmin, word by word, on the database
// itself, and returns what it printed.
func (h *Heimdal) Admin(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := h.runAdmin(tb.Context(), args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func (h *Heimdal) runAdmin(ctx context.Context, args ...string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out, err := command{
		path: h.root.path("usr/bin/kadmin.heimdal"),
		args: append([]string{"-l", "-c", h.dir.path("kdc.conf"), "-r", h.Realm}, args...),
		env:  h.Env(""),
	}.run(ctx)
	if err != nil {
		return "", fmt.Errorf("interop: %w", err)
	}
	return out, nil
}

// Kinit logs in with Heimdal's kinit and returns the credential cache's name,
// as "FILE:/path". The ticket can be forwarded.
func (h *Heimdal) Kinit(tb testing.TB, principal, password string) (ccache string) {
	tb.Helper()
	ccache = "FILE:" + h.newFile("ccache-")
	passwordFile := h.newFile("password-")
	if err := h.dir.write(strings.TrimPrefix(passwordFile, string(h.dir)+"/"), password+"\n"); err != nil {
		tb.Fatal(err)
	}
	kinit := command{
		path: h.root.path("usr/bin/kinit.heimdal"), env: h.Env(ccache),
		args: []string{"--forwardable", "--cache=" + ccache, "--password-file=" + passwordFile, principal},
	}
	if _, err := kinit.run(tb.Context()); err != nil {
		tb.Fatalf("interop: %v", err)
	}
	return ccache
}

// newFile names a file that is not there yet.
func (h *Heimdal) newFile(prefix string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files++
	return h.dir.path(fmt.Sprintf("%s%d", prefix, h.files))
}

// HeimdalLibraryPath is the value of LD_LIBRARY_PATH with which a process can
// load Heimdal's libgssapi.so.3. It has to be set before the process starts.
func HeimdalLibraryPath(tb testing.TB) string {
	tb.Helper()
	root, err := needUnpacked("heimdal")
	if err != nil {
		tb.Fatal(err)
	}
	return root.libraryPath()
}
