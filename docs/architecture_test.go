package docs

import (
	"os"
	"regexp"
	"testing"
)

// TestPackages holds the list of packages on the page against the tree.
func TestPackages(t *testing.T) {
	page := readPage(t, "architecture.md")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^    ([a-z0-9/]+)/ +(to come)?`).FindAllStringSubmatch(page, -1) {
		listed[m[1]] = true
		if _, err := os.Stat("../" + m[1]); (err == nil) == (m[2] != "") {
			t.Errorf("architecture.md says %q of %s: %v", m[2], m[1], err)
		}
	}
	for _, parent := range []string{"internal", "compat", "cmd"} {
		dirs, err := os.ReadDir("../" + parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			if path := parent + "/" + dir.Name(); dir.IsDir() && dir.Name() != "internal" && !listed[path] {
				t.Errorf("architecture.md does not list %s", path)
			}
		}
	}
}
