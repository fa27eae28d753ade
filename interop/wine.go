//go:build interop

package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Wine runs programs of Windows. Its Kerberos is MIT's library of this machine,
// with this machine's files.
type Wine struct {
	wine   string
	prefix string
	dir    string
}

// NewWine finds Wine and the drive C: that peers.sh has made.
func NewWine(tb testing.TB) *Wine {
	tb.Helper()
	wine, err := need("wine", "wine")
	if err != nil {
		tb.Fatal(err)
	}
	prefix, err := needUnpacked("wine")
	if err != nil {
		tb.Fatal(err)
	}
	return &Wine{wine: wine, prefix: string(prefix), dir: tb.TempDir()}
}

// Path is a file's name for a program under Wine.
func (w *Wine) Path(path string) string { return `Z:` + strings.ReplaceAll(path, "/", `\`) }

// Build compiles for Windows: goArgs are "build" or "test -c", with the package.
// It returns the program's path.
func (w *Wine) Build(tb testing.TB, goArgs ...string) string {
	tb.Helper()
	exe := filepath.Join(w.dir, "program.exe")
	at := len(goArgs) - 1
	args := append(append(goArgs[:at:at], "-o", exe), goArgs[at])
	cmd := exec.CommandContext(tb.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return exe
}

// Command is a program under Wine, with an environment such as [MIT.Env]'s. What
// it prints must go to files: Wine's own processes hold pipes open.
func (w *Wine) Command(ctx context.Context, env []string, exe string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.wine, append([]string{exe}, args...)...)
	cmd.Env = append(env[:len(env):len(env)], "WINEPREFIX="+w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=")
	return cmd
}

// Run runs a program and returns what it prints and its exit status.
func (w *Wine) Run(tb testing.TB, env []string, exe string, args ...string) (stdout, stderr string, status int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), runTimeout)
	defer cancel()
	cmd := w.Command(ctx, env, exe, args...)
	dir := tb.TempDir()
	var files [2]*os.File
	for i, name := range []string{"stdout", "stderr"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			tb.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	err := cmd.Run()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		tb.Fatalf("interop: wine %s: %v\n%s", exe, err, tail(files[1].Name()))
	}
	return wholeFile(tb, files[0].Name()), wholeFile(tb, files[1].Name()), cmd.ProcessState.ExitCode()
}

func wholeFile(tb testing.TB, path string) string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
