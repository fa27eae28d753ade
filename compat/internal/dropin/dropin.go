// Package dropin lets tests compare a package with the one that it stands in
// for.
package dropin

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/modtest"
)

// Compare checks that each exported name of the package in the folder original,
// with its methods and fields, is in the package in the folder ours too, and of
// the same type. Functions and methods in except may differ, since a reader of the
// test sees why.
func Compare(t *testing.T, original, ours string, except ...string) {
	t.Helper()
	theirs, own := read(t, original), read(t, ours)
	if len(theirs.names) == 0 {
		t.Fatalf("no exported name in %s: the test would see nothing", original)
	}
	for name, want := range theirs.names {
		have, ok := own.names[name]
		owner, _, isMember := strings.Cut(name, ".")
		switch {
		case isMember && own.aliases[owner], slices.Contains(except, name) && ok:
		case !ok:
			t.Errorf("%s is missing", name)
		case have != want:
			t.Errorf("%s is %s; want %s", name, have, want)
		}
	}
}

// exported are the exported names of a package, and what each is.
type exported struct {
	names   map[string]string
	aliases map[string]bool // types whose members come with them
}

func read(t *testing.T, dir string) exported {
	t.Helper()
	e := exported{names: map[string]string{}, aliases: map[string]bool{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if match, err := build.Default.MatchFile(dir, name); err != nil {
			t.Fatal(err)
		} else if !match {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			e.add(decl)
		}
	}
	return e
}

func (e *exported) add(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		e.addFunc(decl)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, id := range spec.Names {
					e.set(id.Name, decl.Tok.String())
				}
			case *ast.TypeSpec:
				e.addType(spec)
			}
		}
	}
}

func (e *exported) addFunc(f *ast.FuncDecl) {
	name := f.Name.Name
	if f.Recv != nil {
		owner := strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*")
		if !ast.IsExported(owner) || !ast.IsExported(name) {
			return
		}
		name = owner + "." + name
	}
	e.set(name, signature(f.Type))
}

func (e *exported) addType(spec *ast.TypeSpec) {
	name := spec.Name.Name
	e.set(name, "type")
	e.aliases[name] = spec.Assign.IsValid()
	if !ast.IsExported(name) {
		return
	}
	var fields *ast.FieldList
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		fields = typ.Fields
	case *ast.InterfaceType:
		fields = typ.Methods
	default:
		return
	}
	for _, field := range fields.List {
		typ := types.ExprString(field.Type)
		if f, ok := field.Type.(*ast.FuncType); ok {
			typ = signature(f)
		}
		if len(field.Names) == 0 {
			e.set(name+"."+typ[strings.LastIndex(typ, ".")+1:], "embedded "+typ)
		}
		for _, id := range field.Names {
			if ast.IsExported(id.Name) {
				e.set(name+"."+id.Name, typ)
			}
		}
	}
}

func (e *exported) set(name, what string) {
	if ast.IsExported(name) {
		e.names[name] = strings.ReplaceAll(what, "interface{}", "any")
	}
}

// signature is a function's type without the names of its parameters.
func signature(f *ast.FuncType) string {
	return "func(" + typesOf(f.Params) + ") (" + typesOf(f.Results) + ")"
}

func typesOf(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var all []string
	for _, field := range list.List {
		for range max(1, len(field.Names)) {
			all = append(all, types.ExprString(field.Type))
		}
	}
	return strings.Join(all, ", ")
}

// Build compiles the programs in a folder, each file one of its own, with one
// import replaced and whatever its build constraints say. Nothing else is changed.
func Build(t *testing.T, folder, oldImport, newImport string) {
	t.Helper()
	m := modtest.New(t)
	found := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found++
		code := strings.ReplaceAll(string(b), strconv.Quote(oldImport), strconv.Quote(newImport))
		m.Write(strings.TrimSuffix(d.Name(), ".go")+"/main.go", []byte(withoutConstraints(code)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Fatalf("there is no program in %s", folder)
	}
	// Their style is not the question, only whether they compile.
	if msg, err := m.Vet("-unsafeptr"); err != nil {
		t.Errorf("the programs do not compile: %v\n%s", err, msg)
	}
}

func withoutConstraints(code string) string {
	lines := strings.Split(code, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "//go:build") || strings.HasPrefix(l, "// +build") {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}
