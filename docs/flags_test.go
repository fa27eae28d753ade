package docs

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestCommandFlags holds the command lines on the pages against the command.
func TestCommandFlags(t *testing.T) {
	known := commandFlags(t)
	line := regexp.MustCompile("(?m)(?:^ {4}(?:kinit .*&& )?|`)(negotiate (?:get|serve|kdc|demo)[^`\n]*)")
	word := regexp.MustCompile(`^(--[a-z0-9.-]+|-[A-Za-z])(=.*)?$`)
	lines := 0
	for _, page := range findPages(t) {
		for _, m := range line.FindAllStringSubmatch(readPage(t, page), -1) {
			lines++
			own, _, _ := strings.Cut(m[1], " -- ") // what follows is another command's
			for _, arg := range strings.Fields(own) {
				if f := word.FindStringSubmatch(arg); f != nil && !known[f[1]] {
					t.Errorf("%s: %s: the command has no flag %s", page, m[1], f[1])
				}
			}
		}
	}
	if lines < 10 {
		t.Errorf("%d command lines were found on the pages: the test does not find them", lines)
	}
}

// commandFlags are the flags that the command's source declares, of all
// subcommands.
func commandFlags(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "cmd", "negotiate", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]bool{}
	for _, file := range files {
		walk(t, file, func(_ *token.FileSet, n ast.Node) bool {
			kv, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, isIdent := kv.Key.(*ast.Ident)
			value, isLit := kv.Value.(*ast.BasicLit)
			if !isIdent || !isLit {
				return true
			}
			name, err := strconv.Unquote(value.Value)
			switch {
			case err != nil:
			case key.Name == "short":
				flags["-"+name] = true
			case key.Name == "long":
				flags["--"+name] = true
			}
			return true
		})
	}
	if len(flags) < 20 {
		t.Fatalf("%d flags were found in %q", len(flags), files)
	}
	return flags
}
