package docs

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-negotiate/negotiate/internal/modtest"
)

const module = modtest.Path

// standIns are the packages of others that old code imports, and the packages
// of the module that it is to compile with instead.
var standIns = map[string]string{
	"github.com/jcmturner/gokrb5/v8/spnego": module + "/compat/gokrb5",
	"github.com/dpotapov/go-spnego":         module + "/compat/gospnego",
}

// snippet is a block of Go code on a page.
type snippet struct {
	page   string // absolute path
	line   int    // of its first line of code
	code   string
	source []byte // what is compiled; nil for foreign code
}

// extract returns the blocks of Go code on a page, and an error for those that
// cannot be made a Go file of.
func extract(page string) ([]snippet, error) {
	b, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	if page, err = filepath.Abs(page); err != nil {
		return nil, err
	}
	var found []snippet
	var errs []error
	lines := strings.Split(string(b), "\n")
	for i := 0; i < len(lines); i++ {
		fence := strings.TrimLeft(lines[i], " ")
		info, ok := strings.CutPrefix(fence, "```")
		if !ok {
			continue
		}
		start, indent := i+1, lines[i][:len(lines[i])-len(fence)]
		end := slices.IndexFunc(lines[start:], func(l string) bool { return strings.TrimSpace(l) == "```" })
		if end < 0 {
			errs = append(errs, fmt.Errorf("%s:%d: the block does not end", page, i+1))
			break
		}
		i = start + end
		s := snippet{page: page, line: start + 1, code: unindent(lines[start:i], indent)}
		if words := strings.Fields(info); len(words) > 0 && words[0] == "go" {
			if err := s.prepare(words[1:]); err != nil {
				errs = append(errs, err)
				continue
			}
			found = append(found, s)
		}
	}
	return found, errors.Join(errs...)
}

func unindent(lines []string, indent string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimPrefix(l, indent) + "\n")
	}
	return b.String()
}

// prepare makes the source, as the words after "go" want it.
func (s *snippet) prepare(words []string) error {
	foreign := false
	for _, w := range words {
		switch w {
		case "fragment": // says what is seen anyway
		case "foreign":
			foreign = true
		default:
			return fmt.Errorf("%s:%d: unknown word %q in a block's first line: see CONTRIBUTING.md", s.page, s.line-1, w)
		}
	}
	var err error
	if s.isFile() {
		err = s.wholeFile()
	} else {
		err = s.fragment()
	}
	if foreign {
		s.source = nil
	}
	return err
}

// isFile tells a complete file from a fragment: it has a package clause.
func (s *snippet) isFile() bool {
	f, _ := parser.ParseFile(token.NewFileSet(), "", s.code, parser.PackageClauseOnly)
	return f != nil && f.Name != nil && f.Name.Name != "" && f.Name.Name != "_"
}

func (s *snippet) wholeFile() error {
	f, err := s.parse("", "")
	if err != nil {
		return err
	}
	s.source = []byte(s.lineDirective() + s.standIn(f))
	return nil
}

// parse parses the code between head, which has no line break, and tail.
// Positions are those of the page.
func (s *snippet) parse(head, tail string) (*ast.File, error) {
	fset := token.NewFileSet()
	src := s.lineDirective() + head + s.code + tail
	return parser.ParseFile(fset, "", src, parser.ParseComments|parser.SkipObjectResolution)
}

func (s *snippet) lineDirective() string { return fmt.Sprintf("//line %s:%d\n", s.page, s.line) }

// standIn is the code with the imports of old code replaced by those of the
// module.
func (s *snippet) standIn(f *ast.File) string {
	code := s.code
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if ours, ok := standIns[path]; ok && err == nil {
			code = strings.Replace(code, spec.Path.Value, strconv.Quote(ours), 1)
		}
	}
	return code
}
