//go:build interop

package remote

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds gsspeer for a system, such as "windows", and returns its path.
func Build(tb testing.TB, goos string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "gsspeer.exe")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-tags", "interop", "-o", path, "github.com/go-negotiate/negotiate/interop/gsspeer")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("remote: %v\n%s", err, out)
	}
	return path
}

// Start starts a program that calls Serve, for the duration of a test.
func Start(tb testing.TB, env []string, program string, args ...string) *Provider {
	tb.Helper()
	// It ends with its input, and not with the test's context, which ends before
	// the test's contexts are closed.
	cmd := exec.Command(program, args...)
	cmd.Env = env
	return StartCommand(tb, cmd)
}

// StartCommand is Start for a command that is not started yet.
func StartCommand(tb testing.TB, cmd *exec.Cmd) *Provider {
	tb.Helper()
	// A file: Wine's own processes would hold a pipe, or the test's, open.
	stderr, err := os.Create(filepath.Join(tb.TempDir(), "stderr"))
	if err != nil {
		tb.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("remote: %v", err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		err := cmd.Wait()
		if text, _ := os.ReadFile(stderr.Name()); err != nil || tb.Failed() {
			tb.Logf("remote: %s: %v\n%s", cmd, err, text)
		}
		if err != nil {
			tb.Errorf("remote: %s: %v", cmd, err)
		}
	})
	p, err := New(stdin, stdout)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
