//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// KCM is a running daemon that keeps credential caches.
type KCM struct {
	// Socket is what kcm_socket of krb5.conf has to name.
	Socket string

	dir  folder
	proc *process
}

// NewSSSDKCM starts sssd's KCM responder for the duration of a test. It has its
// places built in, so that it gets a view of the file system of its own, for which
// it takes root.
func NewSSSDKCM(tb testing.TB) *KCM {
	tb.Helper()
	const daemon = "/usr/libexec/sssd/sssd_kcm"
	if err := needFile(daemon, "sssd-kcm"); err != nil {
		tb.Fatal(err)
	}
	k := newKCM(tb, "kcm.sock")
	for _, dir := range []string{"etc/conf.d", "log", "lib/db", "lib/secrets", "lib/pipes/private", "lib/mc", "lib/pubconf", "run"} {
		if err := os.MkdirAll(k.dir.path(dir), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	// Not in memory: there the daemon gives a connection its own tickets, and frees
	// them with it.
	conf := fmt.Sprintf("[sssd]\ndomains =\nservices =\n[kcm]\nsocket_path = %s\nccache_storage = secdb\n", k.Socket)
	if err := os.WriteFile(k.dir.path("etc/sssd.conf"), []byte(conf), 0o600); err != nil {
		tb.Fatal(err)
	}
	k.start(tb, fmt.Sprintf(`
		mount --bind %[1]s/etc /etc/sssd
		mount --bind %[1]s/lib /var/lib/sss
		mount --bind %[1]s/log /var/log/sssd
		/usr/sbin/sssd --genconf-section=kcm
		exec %[2]s --uid 0 --gid 0 --logger=stderr`, k.dir, daemon), nil)
	return k
}

// NewHeimdalKCM starts Heimdal's kcm for the duration of a test. It takes root,
// as NewSSSDKCM does.
func NewHeimdalKCM(tb testing.TB) *KCM {
	tb.Helper()
	libraries, err := needUnpacked("heimdal")
	if err != nil {
		tb.Fatal(err)
	}
	root, err := needUnpacked("heimdal-kcm")
	if err != nil {
		tb.Fatal(err)
	}
	k := newKCM(tb, "run/.heim_org.h5l.kcm-socket")
	if err := os.MkdirAll(k.dir.path("run"), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := k.dir.write("kcm.conf", ""); err != nil {
		tb.Fatal(err)
	}
	k.start(tb, fmt.Sprintf(`
		mount --bind %[1]s/run /run
		exec %[2]s --config-file=%[1]s/kcm.conf`, k.dir, root.path("usr/sbin/kcm")),
		[]string{"LD_LIBRARY_PATH=" + libraries.libraryPath()})
	return k
}

func newKCM(tb testing.TB, socket string) *KCM {
	tb.Helper()
	dir, err := newFolder("kcm")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(dir.remove)
	return &KCM{Socket: dir.path(socket), dir: dir}
}

// start runs a script in a mount namespace of its own and waits for the socket.
func (k *KCM) start(tb testing.TB, script string, env []string) {
	tb.Helper()
	unshare, err := need("unshare", "util-linux")
	if err != nil {
		tb.Fatal(err)
	}
	proc, err := startProcess(processSpec{
		name: "kcm", path: unshare, args: []string{"--mount", "/bin/sh", "-ec", script},
		env: append(cleanEnv("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), env...), dir: string(k.dir),
	})
	if err != nil {
		tb.Fatal(err)
	}
	k.proc = proc
	tb.Cleanup(proc.stop)
	logsOnFailure(tb, filepath.Join(string(k.dir), "kcm.out"))
	if err := proc.waitReady(func() bool { return answers(k.Socket) }); err != nil {
		tb.Fatalf("%v\n%s", err, tail(proc.outFile))
	}
}

func answers(socket string) bool {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
