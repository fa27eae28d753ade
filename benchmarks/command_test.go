//go:build interop

package benchmarks

import (
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

// BenchmarkCommand is a whole process that gets one page of Apache with a ticket
// out of a credential cache, as a script would.
func BenchmarkCommand(b *testing.B) {
	s := newSite(b)
	s.bed.KDC.Kvno(b, s.ccache, "HTTP/"+s.apache.Host)
	env := s.bed.KDC.Env(s.ccache)
	ours := filepath.Join(b.TempDir(), "negotiate")
	if out, err := exec.Command("go", "build", "-C", "..", "-o", ours, "./cmd/negotiate").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	curl := must(exec.LookPath("curl"))(b)
	b.Run("negotiate", func(b *testing.B) {
		processes(b, env, ours, "get", "--fail", "--silent", s.url(interop.PathPlain))
	})
	b.Run("curl", func(b *testing.B) {
		processes(b, env, curl, "--disable", "--negotiate", "--user", ":", "--fail", "--silent", s.url(interop.PathPlain))
	})
}

// processes runs a program b.N times, and reports the most memory that one took.
func processes(b *testing.B, env []string, path string, args ...string) {
	var most int64
	var cpu float64
	for b.Loop() {
		cmd := exec.Command(path, args...)
		cmd.Env, cmd.Stdout = env, io.Discard
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		most = max(most, usage.Maxrss)
		cpu += float64(usage.Utime.Nano() + usage.Stime.Nano())
	}
	b.ReportMetric(float64(most)/1024, "MiB")
	b.ReportMetric(cpu/float64(b.N), "cpu-ns/op")
}
