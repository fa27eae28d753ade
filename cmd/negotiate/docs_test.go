package main

import (
	"os"
	"strings"
	"testing"
)

// TestDocumented checks that each command and flag stands in the documentation.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/command.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, c := range commands() {
		if !strings.Contains(text, "\n## "+c.name+"\n") {
			t.Errorf("docs/command.md has no section on %s", c.name)
		}
	}
	for name, groups := range allGroups() {
		for _, g := range groups {
			for _, f := range g.flags {
				if !strings.Contains(text, "--"+f.long) || f.short != "" && !strings.Contains(text, "`-"+f.short) {
					t.Errorf("docs/command.md does not tell of --%s of %s", f.long, name)
				}
			}
		}
	}
}
