// Package docs holds the module's pages for people. Its tests see to it that
// the Go code in them, and in README.md, compiles.
package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/modtest"
)

// TestSnippets compiles and vets every block of Go code. CONTRIBUTING.md tells
// how blocks are written.
func TestSnippets(t *testing.T) {
	pages := findPages(t)
	var all []snippet
	for _, page := range pages {
		found, err := extract(page)
		if err != nil {
			t.Error(err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		t.Fatalf("no block of Go code in %q: the test would see nothing", pages)
	}
	if msg, err := vet(t, all); err != nil {
		t.Errorf("%v\n%s", err, msg)
	}
}

// TestSnippetsFindFaults shows that a fault is found, and named by the line of
// the page that it is in.
func TestSnippetsFindFaults(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := []string{
		1: "Text.",
		2: "```go", 3: "client := &http.Client{Transport: &negotiate.Transport{Nonsense: true}}", 4: "```",
		5: "```go", 6: "package main", 7: "", 8: "func main() { undefined() }", 9: "```",
		10: "- an item", 11: "", 12: "  ```go fragment", 13: "  func f(r *http.Request) string { return negotiate.IdentityFrom(r.Context()) }", 14: "  ```",
		15: "```go foreign", 16: "x := nobody.Knows(this)", 17: "```",
		18: "```", 19: "no Go at all", 20: "```",
		21: "```go", 22: "resp, err := client.Get(\"https://web.example.com/\")", 23: "defer resp.Body.Close()", 24: "if err != nil {", 25: "\treturn err", 26: "}", 27: "```",
	}
	if err := os.WriteFile(page, []byte(strings.Join(text[1:], "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := extract(page)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := vet(t, found)
	if err == nil {
		t.Fatal("a page of faults passes")
	}
	for _, want := range []string{"page.md:3:", "Nonsense", "page.md:8:", "undefined: undefined", "page.md:13:", "page.md:23:"} {
		if !strings.Contains(msg, want) {
			t.Errorf("the message does not mention %q:\n%s", want, msg)
		}
	}
	for _, not := range []string{"page.md:16:", "declared and not used", "page.md:22:"} {
		if strings.Contains(msg, not) {
			t.Errorf("the message complains of %q, which is right:\n%s", not, msg)
		}
	}
}

func TestSnippetsRefuse(t *testing.T) {
	tests := []struct{ name, page, want string }{
		{"no Go", "```go\nfor for\n```\n", "page.md:2"},
		{"no Go in foreign code", "```go foreign\nfor for\n```\n", "page.md:2"},
		{"unknown word", "```go nonsense\nx := 1\n```\n", `"nonsense"`},
		{"open block", "```go\nx := 1\n", "does not end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := filepath.Join(t.TempDir(), "page.md")
			if err := os.WriteFile(page, []byte(tt.page), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := extract(page); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want one that mentions %q", err, tt.want)
			}
		})
	}
}

// findPages lists README.md and the pages below docs.
func findPages(t *testing.T) []string {
	t.Helper()
	pages := []string{filepath.Join("..", "README.md")}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// vet compiles the snippets, each a package of its own.
func vet(t *testing.T, snippets []snippet) (msg string, err error) {
	t.Helper()
	m := modtest.New(t)
	for i, s := range snippets {
		if s.source != nil {
			m.Write(fmt.Sprintf("snippet%d/snippet.go", i), s.source)
		}
	}
	return m.Vet()
}
