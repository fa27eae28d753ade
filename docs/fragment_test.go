package docs

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

// packages are those that a fragment may use without importing them, by the
// names that it uses.
var packages = map[string]string{
	"base64": "encoding/base64", "bytes": "bytes", "bufio": "bufio", "context": "context", "cookiejar": "net/http/cookiejar",
	"errors": "errors", "exec": "os/exec", "fmt": "fmt", "http": "net/http", "httptest": "net/http/httptest",
	"httptrace": "net/http/httptrace", "httputil": "net/http/httputil", "io": "io", "json": "encoding/json", "log": "log",
	"maps": "maps", "multipart": "mime/multipart", "net": "net", "os": "os", "filepath": "path/filepath", "signal": "os/signal",
	"slices": "slices", "slog": "log/slog", "strconv": "strconv", "strings": "strings", "sync": "sync", "synctest": "testing/synctest",
	"testing": "testing", "time": "time", "tls": "crypto/tls", "url": "net/url", "x509": "crypto/x509", "xml": "encoding/xml",

	"negotiate": module, "gss": module + "/gss", "krb5": module + "/krb5", "krbtest": module + "/krbtest",
	"libgssapi": module + "/libgssapi", "sspi": module + "/sspi", "kerberos": module + "/compat/kerberos",
}

// given are the variables that a fragment of statements finds declared.
const given = "ctx doccontext.Context, t *doctesting.T, w dochttp.ResponseWriter, r *dochttp.Request, app dochttp.Handler, client *dochttp.Client, resp *dochttp.Response"

const givenImports = `doccontext "context"; dochttp "net/http"; doctesting "testing"; `

// fragment makes a file of declarations, or of statements, for which it makes
// a function.
func (s *snippet) fragment() error {
	if f, err := s.parse("package p;", ""); err == nil {
		more, end := "", ""
		if !declares(f, "app") {
			more, end = `dochttp "net/http"; `, "var app dochttp.Handler\n"
		}
		s.source = []byte(s.lineDirective() + "package p; " + importClause(f, more) + s.standIn(f) + end)
		return nil
	}
	f, err := s.parse("package p; func _() {", "\n}")
	if err != nil {
		return err
	}
	stmts := f.Decls[0].(*ast.FuncDecl).Body.List
	head := "package p; " + importClause(f, givenImports) + "func _(" + given + ") "
	if returnsError(stmts) {
		head += "error "
	}
	s.source = []byte(s.lineDirective() + head + "{ {" + s.beforeEnd(f, stmts) + "} }\n")
	return nil
}

// declares tells whether a file declares a name for all of it.
func declares(f *ast.File, name string) bool {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == name {
				return true
			}
		case *ast.GenDecl:
			if slices.Contains(declared([]ast.Stmt{&ast.DeclStmt{Decl: d}}), name) {
				return true
			}
		}
	}
	return false
}

// beforeEnd is the code with uses of the variables that it declares, since a
// fragment shows how one is made and leaves to the reader what to do with it,
// and with a return where it may run to its end.
func (s *snippet) beforeEnd(f *ast.File, stmts []ast.Stmt) string {
	var end strings.Builder
	for _, name := range declared(stmts) {
		end.WriteString("_ = &" + name + "\n")
	}
	if len(stmts) == 0 {
		return s.code
	}
	last, ok := stmts[len(stmts)-1].(*ast.ReturnStmt)
	if !ok {
		if returnsError(stmts) {
			end.WriteString("return nil\n")
		}
		return s.code + end.String()
	}
	// In front of the closing return, on its line.
	at := int(last.Pos()-f.FileStart) - len(s.lineDirective()+"package p; func _() {")
	return s.code[:at] + strings.ReplaceAll(end.String(), "\n", "; ") + s.code[at:]
}

// importClause imports what f uses and does not import or declare itself.
func importClause(f *ast.File, more string) string {
	own := map[string]bool{}
	for _, spec := range f.Imports {
		own[strings.Trim(path.Base(spec.Path.Value), `"`)] = true
		if spec.Name != nil {
			own[spec.Name.Name] = true
		}
	}
	used := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && packages[x.Name] != "" {
				used[x.Name] = packages[x.Name]
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, l := range n.Lhs {
					own[l.(*ast.Ident).Name] = true
				}
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				own[id.Name] = true
			}
		case *ast.Field:
			for _, id := range n.Names {
				own[id.Name] = true
			}
		}
		return true
	})
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !own[name] {
			fmt.Fprintf(&b, "%q; ", used[name])
		}
	}
	if b.Len()+len(more) == 0 {
		return ""
	}
	return "import (" + more + b.String() + "); "
}

// returnsError tells whether a statement returns one value, which in a fragment
// is an error.
func returnsError(stmts []ast.Stmt) bool {
	found := false
	for _, stmt := range stmts {
		ast.Inspect(stmt, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.ReturnStmt:
				found = found || len(n.Results) == 1
			}
			return true
		})
	}
	return found
}

// declared are the variables that are declared at the outermost level.
func declared(stmts []ast.Stmt) []string {
	var names []string
	add := func(id *ast.Ident) {
		if id.Name != "_" && !slices.Contains(names, id.Name) {
			names = append(names, id.Name)
		}
	}
	for _, stmt := range stmts {
		switch stmt := stmt.(type) {
		case *ast.AssignStmt:
			if stmt.Tok == token.DEFINE {
				for _, l := range stmt.Lhs {
					add(l.(*ast.Ident))
				}
			}
		case *ast.DeclStmt:
			for _, spec := range stmt.Decl.(*ast.GenDecl).Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && stmt.Decl.(*ast.GenDecl).Tok == token.VAR {
					for _, id := range v.Names {
						add(id)
					}
				}
			}
		}
	}
	return names
}
