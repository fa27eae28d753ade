// Package modtest lets tests compile code as a user of the module would: in
// another module that depends on this one.
package modtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Path is this module's path.
const Path = "github.com/go-negotiate/negotiate"

// Module is a module in a folder of its own, gone when the test ends. It uses
// this one, with the versions of other modules that this one has chosen.
type Module struct {
	tb  testing.TB
	dir string
}

// New makes a module without packages.
func New(tb testing.TB) *Module {
	tb.Helper()
	root := strings.TrimSpace(run(tb, ".", "list", "-m", "-f", "{{.Dir}}", Path))
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		tb.Fatal(err)
	}
	requirements, ok := strings.CutPrefix(string(mod), "module "+Path+"\n")
	if !ok {
		tb.Fatalf("go.mod does not begin with the module %s", Path)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		tb.Fatal(err)
	}
	m := &Module{tb: tb, dir: tb.TempDir()}
	m.Write("go.mod", fmt.Appendf(nil, "module user\n%s\nrequire %s v0.0.0\nreplace %[2]s => %q\n", requirements, Path, root))
	m.Write("go.sum", sum)
	return m
}

// Write writes a file, below a folder that need not exist.
func (m *Module) Write(name string, content []byte) {
	m.tb.Helper()
	name = filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		m.tb.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		m.tb.Fatal(err)
	}
}

// Vet compiles and vets all packages, and returns what is to be said about them.
// It asks no network. Flags are those of go vet, such as the names of analyzers.
func (m *Module) Vet(flags ...string) (msg string, err error) {
	m.tb.Helper()
	args := append(append([]string{"vet", "-mod=mod"}, flags...), "./...")
	var out bytes.Buffer
	cmd := command(m.tb, m.dir, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// Dir returns the folder of a module that this one depends on.
func Dir(tb testing.TB, module string) string {
	tb.Helper()
	return strings.TrimSpace(run(tb, ".", "list", "-m", "-f", "{{.Dir}}", module))
}

func run(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	var stderr bytes.Buffer
	cmd := command(tb, dir, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

func command(tb testing.TB, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(tb.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
	return cmd
}
