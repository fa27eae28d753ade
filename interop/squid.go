//go:build interop

package interop

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"
)

//go:embed squid.conf.tmpl
var squidConf string

// SquidOptions describe a proxy.
type SquidOptions struct {
	// KDC is the proxy's realm; it must be set.
	KDC *MIT
	// Host is its name; empty is "proxy." and the realm's domain. The service
	// HTTP/Host is added to the realm, unless it is there.
	Host string
}

// Squid is a running proxy that lets nobody through without HTTP Negotiate,
// neither http nor CONNECT. It never answers with a token of its own, so that
// mutual authentication cannot succeed with it.
type Squid struct {
	// Host is the name that its tickets are for. It resolves to 127.0.0.1.
	Host string
	// URL is the proxy's URL.
	URL string
	// AccessLog and CacheLog are files; see [Squid.Accesses].
	AccessLog, CacheLog string

	dir  folder
	name string
	proc *process
}

// NewSquid starts a proxy for the duration of a test.
func NewSquid(tb testing.TB, o SquidOptions) *Squid {
	tb.Helper()
	s, err := startSquid(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.close)
	logsOnFailure(tb, s.CacheLog, s.AccessLog)
	return s
}

func startSquid(ctx context.Context, o SquidOptions) (*Squid, error) {
	root, err := needUnpacked("squid")
	if err != nil {
		return nil, err
	}
	host := cmp.Or(o.Host, "proxy."+o.KDC.Domain)
	if err := ensureHost(host); err != nil {
		return nil, err
	}
	keytab, err := o.KDC.serviceKeytab(ctx, "HTTP/"+host)
	if err != nil {
		return nil, err
	}
	// Squid as root would change users by itself, and then outlive the test.
	drop, err := dropTo("nobody")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("squid")
	if err != nil {
		return nil, err
	}
	s := &Squid{
		Host: host, dir: dir, AccessLog: dir.path("run", "access.log"), CacheLog: dir.path("run", "cache.log"),
		// Squid names its shared memory by this; only letters and digits go.
		name: "interop" + strings.TrimLeft(filepath.Ext(strings.ReplaceAll(string(dir), "-", ".")), "."),
	}
	if err := s.fill(keytab, drop); err != nil {
		s.close()
		return nil, err
	}
	err = retryPorts("127.0.0.1", 1, func(ports []int) error { return s.start(root, o, drop, ports[0]) })
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Squid) fill(keytab string, drop *account) error {
	if err := s.dir.mkdir("run", drop); err != nil {
		return err
	}
	return copyFile(s.dir.path("run", "keytab"), keytab, drop)
}

func (s *Squid) start(root unpacked, o SquidOptions, drop *account, port int) error {
	tmpl, err := template.New("squid.conf").Parse(squidConf)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	var conf strings.Builder
	err = tmpl.Execute(&conf, map[string]any{
		"Port": port, "Host": s.Host, "Dir": s.dir, "Root": root, "AccessLog": s.AccessLog, "CacheLog": s.CacheLog,
	})
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if err := s.dir.write("squid.conf", conf.String()); err != nil {
		return err
	}
	proc, err := startProcess(processSpec{
		name: "squid", path: root.path("usr/sbin/squid"),
		args: []string{"-N", "-n", s.name, "-f", s.dir.path("squid.conf")},
		env:  append(o.KDC.Env(""), "LD_LIBRARY_PATH="+root.libraryPath(), "KRB5RCACHENAME=none:"),
		dir:  s.dir.path("run"), user: drop.credential(),
	})
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if err := proc.waitReady(func() bool { return listening(addr) }); err != nil {
		proc.stop()
		return fmt.Errorf("%w\n%s", err, tail(s.CacheLog))
	}
	s.proc = proc
	s.URL = fmt.Sprintf("http://%s:%d", s.Host, port)
	return nil
}

func (s *Squid) close() {
	if s.proc != nil {
		s.proc.stop()
	}
	shared, _ := filepath.Glob("/dev/shm/" + s.name + "-*") // what a killed Squid leaves
	for _, file := range shared {
		_ = os.Remove(file)
	}
	s.dir.remove()
}

// ProxyAccess is one request as Squid has logged it.
type ProxyAccess struct {
	// Status is what the proxy answered.
	Status int
	// Method is "CONNECT" for a tunnel.
	Method string
	// URI is absolute, or host:port of a tunnel.
	URI string
	// User is the authenticated name, "-" for none.
	User string
}

// Accesses waits until the proxy has logged n requests whose URI contains
// what, and returns all there are by then. It logs a tunnel when that ends.
func (s *Squid) Accesses(tb testing.TB, what string, n int) []ProxyAccess {
	tb.Helper()
	timeout := time.NewTimer(logTimeout)
	defer timeout.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		found := s.accesses(tb, what)
		if len(found) >= n {
			return found
		}
		select {
		case <-poll.C:
		case <-timeout.C:
			tb.Fatalf("interop: %s has %d requests with %q after %v, want %d", s.AccessLog, len(found), what, logTimeout, n)
		}
	}
}

// accesses reads Squid's native log: time, duration, client, code/status,
// size, method, URI, user, peer, type.
func (s *Squid) accesses(tb testing.TB, what string) []ProxyAccess {
	tb.Helper()
	log, err := os.ReadFile(s.AccessLog)
	if err != nil {
		tb.Fatal(err)
	}
	var found []ProxyAccess
	for line := range strings.Lines(string(log)) {
		f := strings.Fields(line)
		if !strings.HasSuffix(line, "\n") || len(f) != 10 || !strings.Contains(f[6], what) {
			continue
		}
		_, code, _ := strings.Cut(f[3], "/")
		status, err := strconv.Atoi(code)
		if err != nil {
			tb.Fatalf("interop: %s: %q: %v", s.AccessLog, line, err)
		}
		found = append(found, ProxyAccess{Status: status, Method: f[5], URI: f[6], User: f[7]})
	}
	return found
}
