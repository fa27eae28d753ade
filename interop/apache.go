//go:build interop

package interop

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"text/template"
)

// The pages of an Apache: each is a path prefix, so that tests may add a path
// and a query of their own and find them in the log. The page says
// "You are alice@BED.TEST." and the header X-Remote-User has the bare name.
const (
	// PathPlain authenticates each request.
	PathPlain = "/"
	// PathBound keeps the context with the connection: GssapiConnectionBound.
	PathBound = "/bound"
	// PathSession sets a session cookie: GssapiUseSessions.
	PathSession = "/session"
	// PathDelegated stores a delegated credential; the header
	// X-Delegated-Ccache has the cache's name: one for each user, so that tests
	// at the same time take users of their own.
	PathDelegated = "/deleg"
	// PathUpload reads the body and answers "USER METHOD SHA256" in one line.
	PathUpload = "/upload"
	// PathAnonymous asks nobody who he is.
	PathAnonymous = "/anon"
	// PathForbidden authenticates and then refuses everybody, with 401.
	PathForbidden = "/forbidden"
	// PathMissing authenticates and then answers 404.
	PathMissing = "/missing"
)

var (
	//go:embed httpd.conf.tmpl
	httpdConf string
	//go:embed upload.cgi
	uploadScript string
	//go:embed whoami.shtml
	whoamiPage string
)

const apacheModules = "/usr/lib/apache2/modules"

// ApacheOptions describe a server.
type ApacheOptions struct {
	// KDC is the server's realm; it must be set.
	KDC *MIT
	// Host is its name; empty is "web." and the realm's domain.
	Host string
	// Keytab is a path; empty adds the service HTTP/Host to the realm, with
	// Service saying how.
	Keytab  string
	Service PrincipalOptions
	// Cert is the kind of its certificate.
	Cert CertKind
	// NoReplayCache turns the replay cache off. That is for measuring only.
	NoReplayCache bool
}

// Apache is a running Apache with mod_auth_gssapi, HTTP/2 on its TLS port.
type Apache struct {
	// Host is the name that its tickets are for. It resolves to 127.0.0.1.
	Host string
	// HTTP and HTTPS are its URLs, without a slash at the end.
	HTTP, HTTPS string
	// Certificate is that of HTTPS.
	Certificate *Certificate
	// Keytab is a file with the service's keys.
	Keytab string
	// AccessLog and ErrorLog are files; see [Apache.Accesses].
	AccessLog, ErrorLog string

	dir  folder
	proc *process
}

// NewApache starts a server for the duration of a test.
func NewApache(tb testing.TB, o ApacheOptions) *Apache {
	tb.Helper()
	a, err := startApache(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.close)
	logsOnFailure(tb, a.ErrorLog, a.AccessLog)
	return a
}

// Transport is a new transport for the server; see [Transport].
func (a *Apache) Transport() *http.Transport { return Transport(a.Certificate) }

func startApache(ctx context.Context, o ApacheOptions) (*Apache, error) {
	httpd, err := need("apache2", "apache2")
	if err != nil {
		return nil, err
	}
	if err := needFile(apacheModules+"/mod_auth_gssapi.so", "libapache2-mod-auth-gssapi"); err != nil {
		return nil, err
	}
	host := cmp.Or(o.Host, "web."+o.KDC.Domain)
	if err := ensureHost(host); err != nil {
		return nil, err
	}
	if o.Keytab == "" {
		if o.Keytab, err = o.KDC.addService(ctx, "HTTP/"+host, o.Service); err != nil {
			return nil, err
		}
	}
	drop, err := dropTo("www-data")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("apache")
	if err != nil {
		return nil, err
	}
	a := &Apache{
		Host: host, Keytab: o.Keytab, dir: dir,
		AccessLog: dir.path("access.log"), ErrorLog: dir.path("error.log"),
	}
	if err := a.fill(o, drop); err != nil {
		a.close()
		return nil, err
	}
	err = retryPorts("127.0.0.1", 2, func(ports []int) error { return a.start(ctx, httpd, o, drop, ports) })
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// fill writes all files but the configuration, which needs the ports.
func (a *Apache) fill(o ApacheOptions, drop *account) (err error) {
	for _, name := range []string{"run", "run/delegated"} {
		if err := a.dir.mkdir(name, drop); err != nil {
			return err
		}
	}
	if err := a.dir.write("www/whoami.shtml", whoamiPage); err != nil {
		return err
	}
	if err := a.dir.write("www/upload.cgi", uploadScript); err != nil {
		return err
	}
	if err := os.Chmod(a.dir.path("www/upload.cgi"), 0o755); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if err := copyFile(a.dir.path("keytab"), o.Keytab, drop); err != nil {
		return err
	}
	a.Certificate, err = NewCertificate(a.dir.path("tls"), a.Host, o.Cert)
	return err
}

func (a *Apache) configure(drop *account, ports []int) error {
	tmpl, err := template.New("httpd.conf").Parse(httpdConf)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	modules := "mpm_event authn_core authz_core authz_user auth_gssapi alias cgid dir env headers http2 include mime session session_cookie setenvif ssl"
	var b strings.Builder
	err = tmpl.Execute(&b, map[string]any{
		"Dir": a.dir, "Host": a.Host, "Drop": drop != nil,
		"HTTPPort": ports[0], "HTTPSPort": ports[1],
		"Modules": strings.Fields(modules), "ModuleDir": apacheModules,
		"ErrorLog": a.ErrorLog, "AccessLog": a.AccessLog,
		"Keytab": a.dir.path("keytab"), "Cert": a.Certificate.Cert, "Key": a.Certificate.Key,
	})
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return a.dir.write("httpd.conf", b.String())
}

func (a *Apache) start(ctx context.Context, httpd string, o ApacheOptions, drop *account, ports []int) error {
	if err := a.configure(drop, ports); err != nil {
		return err
	}
	rcache := "file2:" + a.dir.path("run/rcache")
	if o.NoReplayCache {
		rcache = "none:"
	}
	env := append(o.KDC.Env(""), "KRB5RCACHENAME="+rcache)
	conf := a.dir.path("httpd.conf")
	if _, err := (command{path: httpd, args: []string{"-t", "-f", conf}, env: env}).run(ctx); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	proc, err := startProcess(processSpec{
		name: "apache2", path: httpd, args: []string{"-DFOREGROUND", "-f", conf}, env: env, dir: string(a.dir),
	})
	if err != nil {
		return err
	}
	err = proc.waitReady(func() bool {
		return listening(fmt.Sprintf("127.0.0.1:%d", ports[0])) && listening(fmt.Sprintf("127.0.0.1:%d", ports[1]))
	})
	if err != nil {
		proc.stop()
		return fmt.Errorf("%w\n%s", err, tail(a.ErrorLog))
	}
	a.proc = proc
	a.HTTP = fmt.Sprintf("http://%s:%d", a.Host, ports[0])
	a.HTTPS = fmt.Sprintf("https://%s:%d", a.Host, ports[1])
	return nil
}

func (a *Apache) close() {
	if a.proc != nil {
		a.proc.stop()
	}
	a.dir.remove()
}

// DelegatedCCache copies a delegated credential cache, as X-Delegated-Ccache
// names it, out of the server's folder and returns the copy's name, so that the
// test may change it.
func (a *Apache) DelegatedCCache(tb testing.TB, name string) string {
	tb.Helper()
	path, ok := strings.CutPrefix(name, "FILE:")
	if !ok || !strings.HasPrefix(path, a.dir.path("run/delegated")+"/") {
		tb.Fatalf("interop: %q is no delegated credential cache below %s", name, a.dir)
	}
	to := tb.TempDir() + "/ccache"
	if err := copyFile(to, path, nil); err != nil {
		tb.Fatal(err)
	}
	return "FILE:" + to
}
