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
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const troubleshooting = "troubleshooting.md"

// explained are the packages whose messages have to be on the page, all of them.
var explained = []string{".", "krb5", "internal/kdcclient"}

// apart are files of theirs with messages that no use of HTTP leads to.
var apart = []string{"krb5/protect.go", "krb5/window.go"}

// internal are messages of theirs that no person sees, or not by themselves.
var internal = []string{
	"the context needs another token",                                                 // Handler answers with a challenge
	"the request has no Authorization of scheme Negotiate",                            // likewise
	"negotiate: the request is being sent again",                                      // ends what reads for a leg that is over
	"negotiate: the rest of this body was not read, to free its connection",           // at the end of a long 401
	"ticket for …: …",                                                                 // is passed over
	"a context that hides its initiator cannot be made here: leave FlagAnonymous out", // the Transport does
	"the request does not fit into a datagram",                                        // leads to TCP
	"…: the reply cannot be decrypted with this password or key",                      // KDC_ERR_PREAUTH_FAILED
	"no ticket yet lasts longer",                                                      // the present one is used on
	"delegation: …",                                                                   // is within a failure of initiate
	"it returned none",                                                                // is within "Handler.Certificate: …"
	"it has no certificate",                                                           // is within "Server.TLSConfig.Certificates[…]: …"
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
	seen := 0
	for _, file := range sources(t) {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../")
		if !slices.Contains(explained, path.Dir(name)) || slices.Contains(apart, name) {
			continue
		}
		for _, m := range errorsIn(t, file) {
			seen++
			explains := func(q string) bool { return strings.Contains(m.text, q) }
			if !slices.ContainsFunc(quoted, explains) && !slices.Contains(internal, m.text) {
				t.Errorf("%s:%d: %s does not explain %q", name, m.line, troubleshooting, m.text)
			}
		}
	}
	if seen < 100 {
		t.Errorf("the code makes %d errors: the test does not find them", seen)
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
	code := regexp.MustCompile("(?ms)^ *```.*?^ *```$") // in which f[T](x) is no link
	for _, page := range findPages(t) {
		text := code.ReplaceAllString(readPage(t, page), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
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
	"errors.New": 0, "fmt.Errorf": 0, "errorText": 0, "noCred": 0, "failure": 2, "defective": 1, "refuse": 2, "badName": 2,
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
