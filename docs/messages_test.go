package docs

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const troubleshooting = "troubleshooting.md"

// explained are the files whose messages have to be on the page, all of them.
var explained = []string{
	"errors.go", "negotiation.go", "tunnel.go", "proxyforward.go", "proxylogin.go", "binding.go", "target.go", "challenge.go",
	"handler.go", "accept.go", "authorization.go", "bindingpolicy.go", "handlerlog.go",
	"krb5/acceptor.go", "krb5/ccache.go", "krb5/collection.go", "krb5/dispatch.go", "krb5/initiator.go", "krb5/keytab.go",
	"krb5/login.go", "krb5/provider.go", "krb5/realm.go", "krb5/replay.go", "krb5/secret.go", "krb5/service.go",
	"internal/kdcclient/client.go",
}

// internal are messages in those files that no person sees by themselves.
var internal = []string{
	"the context needs another token",                      // the Handler's way to answer with a challenge
	"the request has no Authorization of scheme Negotiate", // likewise
	"ticket for …: …",                                      // a ticket in a cache that is passed over
	"delegation: …",                                        // wraps others
	"… for realm …: …",                                     // is "no KDC answered for realm …"
	"it returned none",                                     // is within "Handler.Certificate: …"
	"it has no certificate",                                // is within "Server.TLSConfig.Certificates[…]: …"
}

// TestMessagesOnThePageExist holds each message that the page quotes against the
// strings of the code.
func TestMessagesOnThePageExist(t *testing.T) {
	quoted := quotedMessages(t)
	if len(quoted) < 100 {
		t.Fatalf("the page quotes %d messages: the test does not find them", len(quoted))
	}
	var all []message
	for _, file := range sources(t) {
		all = append(all, messagesIn(t, file)...)
	}
	for _, q := range quoted {
		if !slices.ContainsFunc(all, func(m message) bool { return strings.Contains(m.text, q) }) {
			t.Errorf("%s explains %q, which no code says", troubleshooting, q)
		}
	}
}

// TestMessagesAreExplained holds each message of the code that people see against
// the page.
func TestMessagesAreExplained(t *testing.T) {
	quoted := quotedMessages(t)
	for _, file := range explained {
		found := errorsIn(t, filepath.Join("..", filepath.FromSlash(file)))
		for _, m := range found {
			explains := func(q string) bool { return strings.Contains(m.text, q) }
			if !slices.ContainsFunc(quoted, explains) && !slices.Contains(internal, m.text) {
				t.Errorf("%s:%d: %s does not explain %q", file, m.line, troubleshooting, m.text)
			}
		}
	}
}

// TestCodesAreExplained does both for the codes of Kerberos.
func TestCodesAreExplained(t *testing.T) {
	code := regexp.MustCompile(`^(KDC|KRB_AP|KRB)_ERR_[A-Z_]+$`)
	known := map[string]bool{}
	for _, m := range messagesIn(t, filepath.Join("..", "internal", "krbmsg", "krberror.go")) {
		if code.MatchString(m.text) {
			known[m.text] = true
		}
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|").FindAllStringSubmatch(readPage(t, troubleshooting), -1) {
		listed[m[1]] = true
	}
	if !maps.Equal(known, listed) {
		t.Errorf("the code knows\n%q\nand %s has\n%q", slices.Sorted(maps.Keys(known)), troubleshooting, slices.Sorted(maps.Keys(listed)))
	}
}

// TestLinks follows the links within the pages and between them.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range findPages(t) {
		for _, m := range link.FindAllStringSubmatch(readPage(t, page), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") {
				continue // another site
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), filepath.FromSlash(target))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(readPage(t, file)), anchor) {
				t.Errorf("%s: link to %s: no such heading", page, m[1])
			}
		}
	}
}

// quotedMessages are the items of the page's lists that are in backquotes as a
// whole.
func quotedMessages(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile("(?m)^- `([^`]+)`$").FindAllStringSubmatch(readPage(t, troubleshooting), -1) {
		out = append(out, m[1])
	}
	return out
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// anchors are the names under which the headings of a page can be linked to.
func anchors(page string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out = append(out, strings.ReplaceAll(name, " ", "-"))
	}
	return out
}

// sources are the module's files of Go, without tests.
func sources(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); d.IsDir() && path != ".." && (err == nil || d.Name() == "testdata" || d.Name()[0] == '.') {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// message is a string of the code, with "…" for each verb and for what is added
// to it.
type message struct {
	text string
	line int
}

// messagesIn returns every string of a file.
func messagesIn(t *testing.T, file string) []message {
	t.Helper()
	var out []message
	walk(t, file, func(fset *token.FileSet, n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, ok := constant(e)
		if ok {
			out = append(out, message{text, fset.Position(n.Pos()).Line})
		}
		return !ok
	})
	return out
}

// makers are the functions that errors are made with, and which of their
// arguments is the message.
var makers = map[string]int{
	"errors.New": 0, "fmt.Errorf": 0, "errorText": 0, "noCred": 0, "failure": 2, "defective": 1, "refuse": 2, "badName": 1,
}

// errorsIn returns the messages of the errors that a file makes.
func errorsIn(t *testing.T, file string) []message {
	t.Helper()
	var out []message
	walk(t, file, func(fset *token.FileSet, n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		var name bytes.Buffer
		switch f := call.Fun.(type) {
		case *ast.Ident:
			name.WriteString(f.Name)
		case *ast.SelectorExpr:
			fmt.Fprintf(&name, "%s.%s", f.X, f.Sel.Name)
		}
		at, ok := makers[name.String()]
		if !ok || at >= len(call.Args) {
			return true
		}
		text, ok := constant(call.Args[at])
		// What is made of the errors of others alone needs no explanation.
		if ok && strings.Trim(text, "…:; ") != "" {
			out = append(out, message{text, fset.Position(call.Pos()).Line})
		}
		return true
	})
	return out
}

func walk(t *testing.T, file string, visit func(*token.FileSet, ast.Node) bool) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool { return visit(fset, n) })
}

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// constant is the text of an expression that has strings in it.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return constant(e.X)
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return verb.ReplaceAllString(text, "…"), e.Kind == token.STRING && err == nil
	case *ast.BinaryExpr:
		x, okX := constant(e.X)
		y, okY := constant(e.Y)
		if e.Op != token.ADD || !okX && !okY {
			return "", false
		}
		return cmpOr(x, okX) + cmpOr(y, okY), true
	}
	return "", false
}

func cmpOr(text string, ok bool) string {
	if !ok {
		return "…"
	}
	return text
}
