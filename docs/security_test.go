package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const security = "security.md"

// testName is a test as the page names it: its folder and its function.
var testName = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz|Example)[A-Za-z0-9_]*)`")

// TestRulesHaveTests looks for the tests that the page says hold each rule.
func TestRulesHaveTests(t *testing.T) {
	page := readPage(t, security)
	for _, m := range testName.FindAllStringSubmatch(page, -1) {
		dir := m[1]
		if dir == path.Base(module) {
			dir = "."
		}
		if !testsIn(t, filepath.Join("..", filepath.FromSlash(dir)))[m[2]] {
			t.Errorf("%s names %s.%s, which there is not", security, m[1], m[2])
		}
	}
	_, rules, ok := strings.Cut(page, "\n## The rules\n")
	if !ok {
		t.Fatalf("%s has no rules", security)
	}
	items := regexp.MustCompile(`(?m)^(\d+)\. `).FindAllStringSubmatchIndex(rules, -1)
	if len(items) != 12 {
		t.Errorf("there are %d rules, want 12", len(items))
	}
	for i, at := range items {
		end := len(rules)
		if i+1 < len(items) {
			end = items[i+1][0]
		}
		if number := rules[at[2]:at[3]]; number != strconv.Itoa(i+1) || !testName.MatchString(rules[at[0]:end]) {
			t.Errorf("rule %s, the %dth, has no test", number, i+1)
		}
	}
}

// testsIn are the functions of the test files of a folder.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}
