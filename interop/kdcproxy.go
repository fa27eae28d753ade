//go:build interop

package interop

import (
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

//go:embed kdcproxy.py
var kdcProxyScript string

// KDCProxy is FreeIPA's kdcproxy in front of a KDC (MS-KKDCP).
type KDCProxy struct {
	// URL is for kdc in krb5.conf.
	URL string
	// Certificate is the proxy's; its CA is for http_anchors.
	Certificate *Certificate
	// LogFile is what it logs: a line for each request.
	LogFile string
}

// NewKDCProxy starts a proxy for the KDC at addr, host:port, of a realm, for the
// duration of a test.
func NewKDCProxy(tb testing.TB, realm, addr string) *KDCProxy {
	tb.Helper()
	needPythonModule(tb, "kdcproxy", "python3-kdcproxy")
	dir, err := newFolder("kdcproxy")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(dir.remove)
	p := &KDCProxy{LogFile: dir.path("kdcproxy.out")}
	config := fmt.Sprintf("[global]\nuse_dns = false\n[%s]\nkerberos = kerberos+tcp://%s\n", realm, addr)
	if err := dir.write("kdcproxy.conf", config); err != nil {
		tb.Fatal(err)
	}
	if p.Certificate, err = NewCertificate(dir.path("tls"), "localhost", CertECDSA); err != nil {
		tb.Fatal(err)
	}
	err = retryPorts("127.0.0.1", 1, func(ports []int) error {
		proc, err := startProcess(processSpec{
			name: "kdcproxy", path: debianPython, dir: string(dir), outFile: p.LogFile,
			env:  append(cleanEnv(), "KDCPROXY_CONFIG="+dir.path("kdcproxy.conf")),
			args: []string{"-c", kdcProxyScript, strconv.Itoa(ports[0]), p.Certificate.Cert, p.Certificate.Key},
		})
		if err != nil {
			return err
		}
		addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
		if err := proc.waitReady(func() bool { return listening(addr) }); err != nil {
			proc.stop()
			return err
		}
		tb.Cleanup(proc.stop)
		p.URL = "https://" + addr + "/KdcProxy"
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	logsOnFailure(tb, p.LogFile)
	return p
}

// Requests is how many requests the proxy has answered.
func (p *KDCProxy) Requests(tb testing.TB) int {
	tb.Helper()
	out, err := os.ReadFile(p.LogFile)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Count(string(out), "POST /KdcProxy")
}
