//go:build interop

package interop

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"text/template"
)

//go:embed lighttpd.conf.tmpl
var lighttpdConf string

// LighttpdPage is the only page of a [Lighttpd], at "/page.txt".
const LighttpdPage = "This is the page.\n"

// LighttpdOptions describe a server.
type LighttpdOptions struct {
	// KDC is the server's realm; it must be set.
	KDC *MIT
	// Host is its name; empty is "light." and the realm's domain. The service
	// HTTP/Host is added to the realm, unless it is there.
	Host string
}

// Lighttpd is a running lighttpd with mod_authn_gssapi, which asks for a token
// with each request and never answers with one of its own, so that mutual
// authentication cannot succeed with it.
type Lighttpd struct {
	// Host is the name that its tickets are for. It resolves to 127.0.0.1.
	Host string
	// HTTP is its URL, without a slash at the end.
	HTTP string
	// ErrorLog is a file.
	ErrorLog string

	dir  folder
	proc *process
}

// NewLighttpd starts a server for the duration of a test.
func NewLighttpd(tb testing.TB, o LighttpdOptions) *Lighttpd {
	tb.Helper()
	l, err := startLighttpd(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.close)
	logsOnFailure(tb, l.ErrorLog)
	return l
}

func startLighttpd(ctx context.Context, o LighttpdOptions) (*Lighttpd, error) {
	root, err := needUnpacked("lighttpd")
	if err != nil {
		return nil, err
	}
	host := cmp.Or(o.Host, "light."+o.KDC.Domain)
	if err := ensureHost(host); err != nil {
		return nil, err
	}
	keytab, err := o.KDC.serviceKeytab(ctx, "HTTP/"+host)
	if err != nil {
		return nil, err
	}
	drop, err := dropTo("nobody")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("lighttpd")
	if err != nil {
		return nil, err
	}
	l := &Lighttpd{Host: host, dir: dir, ErrorLog: dir.path("run", "error.log")}
	if err := l.fill(keytab, drop); err != nil {
		l.close()
		return nil, err
	}
	err = retryPorts("127.0.0.1", 1, func(ports []int) error { return l.start(root, o, drop, ports[0]) })
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *Lighttpd) fill(keytab string, drop *account) error {
	if err := l.dir.mkdir("run", drop); err != nil {
		return err
	}
	if err := l.dir.write("www/page.txt", LighttpdPage); err != nil {
		return err
	}
	return copyFile(l.dir.path("run", "keytab"), keytab, drop)
}

func (l *Lighttpd) start(root unpacked, o LighttpdOptions, drop *account, port int) error {
	tmpl, err := template.New("lighttpd.conf").Parse(lighttpdConf)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	var conf strings.Builder
	err = tmpl.Execute(&conf, map[string]any{
		"Port": port, "Host": l.Host, "Realm": o.KDC.Realm, "Dir": l.dir, "ErrorLog": l.ErrorLog,
	})
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if err := l.dir.write("lighttpd.conf", conf.String()); err != nil {
		return err
	}
	proc, err := startProcess(processSpec{
		name: "lighttpd", path: root.path("usr/sbin/lighttpd"),
		args: []string{"-D", "-f", l.dir.path("lighttpd.conf"), "-m", root.path("usr/lib/lighttpd")},
		env:  append(o.KDC.Env(""), "LD_LIBRARY_PATH="+root.libraryPath(), "KRB5RCACHENAME=none:"),
		dir:  l.dir.path("run"), user: drop.credential(),
	})
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if err := proc.waitReady(func() bool { return listening(addr) }); err != nil {
		proc.stop()
		return fmt.Errorf("%w\n%s", err, tail(l.ErrorLog))
	}
	l.proc = proc
	l.HTTP = fmt.Sprintf("http://%s:%d", l.Host, port)
	return nil
}

func (l *Lighttpd) close() {
	if l.proc != nil {
		l.proc.stop()
	}
	l.dir.remove()
}
