//go:build interop

package interop

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"testing"
)

//go:embed acceptor.py
var acceptorScript string

// AcceptorOptions describe an acceptor.
type AcceptorOptions struct {
	// KDC is the acceptor's realm. With nil, Config, Host and Keytab tell it.
	KDC *MIT
	// Config is the krb5.conf of a realm that is not MIT's, and Keytab has the keys
	// of HTTP/Host.
	Config, Keytab string
	// Host is its name; empty is "acceptor." and the realm's domain.
	Host string
	// Cert is the kind of its certificate. It decides the bindings' hash.
	Cert CertKind
	// Bindings is the application data that it compares with the client's,
	// such as "tls-server-end-point:" and the hash of the certificate.
	Bindings func(*Certificate) []byte
}

// Acceptor is a small HTTPS server over MIT's library that checks channel
// bindings. It answers 200 with "alice@BED.TEST bound" or, to a client that
// presents no bindings, "alice@BED.TEST unbound"; and 401 with "other bindings"
// to one that presents others.
type Acceptor struct {
	// Host is the name that its tickets are for. It resolves to 127.0.0.1.
	Host string
	// URL is its URL, without a slash at the end.
	URL string
	// Certificate is the server's.
	Certificate *Certificate
	// LogFile is what it logs.
	LogFile string

	dir  folder
	proc *process
}

// NewAcceptor starts an acceptor for the duration of a test.
func NewAcceptor(tb testing.TB, o AcceptorOptions) *Acceptor {
	tb.Helper()
	needPythonModule(tb, "gssapi", "python3-gssapi")
	a, err := startAcceptor(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.close)
	logsOnFailure(tb, a.LogFile)
	return a
}

func startAcceptor(ctx context.Context, o AcceptorOptions) (*Acceptor, error) {
	host, keytab := o.Host, o.Keytab
	if o.KDC != nil {
		host = cmp.Or(host, "acceptor."+o.KDC.Domain)
		o.Config = o.KDC.Config
	}
	if err := ensureHost(host); err != nil {
		return nil, err
	}
	if o.KDC != nil {
		var err error
		if keytab, err = o.KDC.serviceKeytab(ctx, "HTTP/"+host); err != nil {
			return nil, err
		}
	}
	dir, err := newFolder("acceptor")
	if err != nil {
		return nil, err
	}
	a := &Acceptor{Host: host, dir: dir, LogFile: dir.path("acceptor.out")}
	if a.Certificate, err = NewCertificate(dir.path("tls"), host, o.Cert); err != nil {
		a.close()
		return nil, err
	}
	err = retryPorts("127.0.0.1", 1, func(ports []int) error { return a.start(o, keytab, ports[0]) })
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *Acceptor) start(o AcceptorOptions, keytab string, port int) error {
	proc, err := startProcess(processSpec{
		name: "acceptor", path: debianPython, dir: string(a.dir), outFile: a.LogFile,
		env: append(cleanEnv("KRB5_CONFIG="+o.Config), "KRB5RCACHENAME=file2:"+a.dir.path("rcache")),
		args: []string{
			"-I", "-c", acceptorScript, strconv.Itoa(port), a.Certificate.Cert, a.Certificate.Key, keytab,
			hex.EncodeToString(o.Bindings(a.Certificate)),
		},
	})
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if err := proc.waitReady(func() bool { return listening(addr) }); err != nil {
		proc.stop()
		return err
	}
	a.proc = proc
	a.URL = fmt.Sprintf("https://%s:%d", a.Host, port)
	return nil
}

func (a *Acceptor) close() {
	if a.proc != nil {
		a.proc.stop()
	}
	a.dir.remove()
}
