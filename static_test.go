package negotiate_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestStatic builds programs without cgo: one that imports the root alone needs
// nothing of the system it runs on. That libgssapi needs its loader shows that the
// test could see it.
func TestStatic(t *testing.T) {
	for _, test := range []struct {
		name, imports, use string
		static             bool
	}{
		{"root", `"github.com/go-negotiate/negotiate"`, "_ = http.Client{Transport: &negotiate.Transport{}}", true},
		{"libgssapi", `"github.com/go-negotiate/negotiate/libgssapi"`, "_, _ = libgssapi.Load(http.MethodGet)", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
			code := "package main\n\nimport (\n\t\"net/http\"\n\t" + test.imports + "\n)\n\nfunc main() { " + test.use + " }\n"
			if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOPROXY=off")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			f, err := elf.Open(binary)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			interpreted := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC })
			if interpreted == test.static {
				t.Errorf("the program is dynamically linked: %t, want %t", interpreted, !test.static)
			}
			libraries, err := f.ImportedLibraries()
			if err != nil {
				t.Fatal(err)
			}
			if test.static && len(libraries) > 0 {
				t.Errorf("the program links %q", libraries)
			}
		})
	}
}
