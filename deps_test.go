package negotiate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/go-negotiate/negotiate"

// layers says what the packages of each part of the module may import of the
// others. Arrows point down only, so that a part can be understood, tested and
// replaced without those above it. A part is a package with all below it,
// the longest prefix decides, and the empty name is the root alone.
var layers = map[string][]string{
	"gss":         {},
	"gss/gsstest": {"gss", "internal"},
	"internal":    {"gss", "internal"},
	"krb5":        {"gss", "internal"},
	"sspi":        {"gss", "internal"},
	"libgssapi":   {"gss", "internal"},
	"krbtest":     {"gss", "internal", "krb5"},
	"":            {"gss", "internal", "krb5", "sspi"},
	"compat":      {"", "gss", "internal", "krb5", "sspi"},
	"cmd":         {"", "gss", "internal", "krb5", "sspi", "libgssapi"},
	"examples":    {"", "gss", "krb5", "sspi", "libgssapi", "krbtest", "compat"},
	"interop":     {"", "gss", "gss/gsstest", "internal", "krb5", "libgssapi", "sspi", "krbtest"},
}

// forbidden are imports from outside that a part must not have, not even
// through others. A path stands for all below it.
var forbidden = map[string][]string{
	// A program that uses the root must not load libraries at run time.
	"":     {"github.com/ebitengine/purego"},
	"krb5": {"github.com/ebitengine/purego"},
	// A command has no test flags.
	"cmd":      {"testing"},
	"internal": {"github.com/ebitengine/purego", "github.com/jcmturner"},
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func TestDependencies(t *testing.T) {
	for _, goos := range []string{"linux", "windows", "darwin"} {
		t.Run(goos, func(t *testing.T) {
			packages := goList(t, goos)
			standard := map[string]bool{}
			for _, p := range packages {
				standard[p.ImportPath] = p.Standard
			}
			for _, p := range packages {
				if name, ours := inModule(p.ImportPath); ours {
					checkLayer(t, name, p)
					checkForbidden(t, name, p)
					if partOf(name) == "gss" {
						checkStandardOnly(t, p, standard)
					}
				}
			}
		})
	}
}

func checkLayer(t *testing.T, name string, p listed) {
	part := partOf(name)
	for _, imported := range p.Imports {
		if target, ours := inModule(imported); ours && partOf(target) != part && !slices.Contains(layers[part], partOf(target)) {
			t.Errorf("%s imports %s, but the layer %q may only import %q: turn the arrow round, or mend layers and docs/architecture.md", p.ImportPath, imported, part, layers[part])
		}
	}
}

func checkForbidden(t *testing.T, name string, p listed) {
	for _, dep := range p.Deps {
		for _, not := range forbidden[partOf(name)] {
			if dep == not || strings.HasPrefix(dep, not+"/") {
				t.Errorf("%s links %s, which it must not, not even through another package", p.ImportPath, dep)
			}
		}
	}
}

func checkStandardOnly(t *testing.T, p listed, standard map[string]bool) {
	for _, dep := range p.Deps {
		if !standard[dep] {
			t.Errorf("%s links %s: package gss is made of the standard library only", p.ImportPath, dep)
		}
	}
}

// TestNoCgo reads the files of every system and build tag: go list shows the
// present ones only.
func TestNoCgo(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != "." && notInModule(file, entry.Name()) {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(file) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			if spec.Path.Value == `"C"` {
				t.Errorf("%s uses cgo: the module has to build without a C compiler", file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// notInModule tells folders that go build passes by, and modules of their own.
func notInModule(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil || strings.HasPrefix(name, ".") || name == "testdata"
}

// goList lists the module's packages and all they link on a system. It asks no
// network: with -e, a module that is not in the cache is a name without
// dependencies.
func goList(t *testing.T, goos string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-tags", "interop", "-json=ImportPath,Standard,Imports,Deps", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0", "GOPROXY=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == module+"/gss" }) {
		t.Fatalf("go list does not show package gss among %d packages: the test would see no dependency", len(packages))
	}
	return packages
}

// inModule returns a package's name below the module's path.
func inModule(importPath string) (name string, ours bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// partOf returns the part of the module that a package belongs to: the longest
// name of layers that it begins with.
func partOf(name string) string {
	for part := name; part != "."; part = path.Dir(part) {
		if _, ok := layers[part]; ok {
			return part
		}
	}
	return "?" + name
}
