package profile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// MIT 1.20.1 agrees but for the last case: it parses the "*" of a relation and
// then searches the later files all the same.
func TestSeveralFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second string
		path          string
		want          []string
	}{
		"the first comes first": {"[a]\nb=1\n", "[a]\nb=2\nc=3\n", "a b", []string{"1", "2"}},
		"the second completes":  {"[a]\nb=1\n", "[a]\nb=2\nc=3\n", "a c", []string{"3"}},
		"final section":         {"[a]*\nb=1\n", "[a]\nc=3\n", "a c", nil},
		"final section above":   {"[a]*\nb=1\n", "[a]\ns={\nc=3\n}\n", "a s c", nil},
		"final at the top":      {"[a]*\ns={\nb=1\n}\n", "[a]\ns={\nb=2\n}\n", "a s b", []string{"1"}},
		"final subsection":      {"[a]\ns={\nb=1\n}*\n", "[a]\ns={\nc=3\n}\n", "a s c", nil},
		"final by its name":     {"[a]\ns*={\nb=1\n}\n", "[a]\ns={\nc=3\n}\n", "a s c", nil},
		"final elsewhere":       {"[x]*\nb=1\n", "[a]\nb=2\n", "a b", []string{"2"}},
		"final relation":        {"[a]\nb*=1\nb=9\n", "[a]\nb=2\n", "a b", []string{"1", "9"}},
	} {
		dir := tree(t, map[string]string{"1": tc.first, "2": tc.second})
		p, err := Load([]string{filepath.Join(dir, "1"), filepath.Join(dir, "2")})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Values(strings.Fields(tc.path)...); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestNames(t *testing.T) {
	dir := tree(t, map[string]string{
		"1": "[a]\nb=1\ns={\n}\nb=2\nc=3\n[z]\n",
		"2": "[a]\nd=1\nc=4\nt={\n}\n[y]\n",
	})
	p, err := Load([]string{filepath.Join(dir, "1"), filepath.Join(dir, "2")})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what      string
		got, want []string
	}{
		{"relations", p.Relations("a"), []string{"b", "c", "d"}},
		{"subsections", p.Subsections("a"), []string{"s", "t"}},
		{"sections", p.Subsections(), []string{"a", "z", "y"}},
		{"of an empty profile", (*Profile)(nil).Subsections(), nil},
	} {
		if !slices.Equal(tc.got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.what, tc.got, tc.want)
		}
	}
}

func TestDefault(t *testing.T) {
	dir := tree(t, map[string]string{"1": "[a]\nb=1\n", "2": "[a]\nb=2\n", "bad": "[a]\nb\n", "broken": "include @/none\n"})
	one, two, bad, none := filepath.Join(dir, "1"), filepath.Join(dir, "2"), filepath.Join(dir, "bad"), filepath.Join(dir, "none")
	list := func(paths ...string) func(string) string {
		return func(name string) string {
			if name != "KRB5_CONFIG" {
				return ""
			}
			return strings.Join(paths, string(os.PathListSeparator))
		}
	}
	for name, tc := range map[string]struct {
		paths []string
		want  []string
	}{
		"one":          {[]string{one}, []string{"1"}},
		"two":          {[]string{two, one}, []string{"2", "1"}},
		"one missing":  {[]string{none, one}, []string{"1"}},
		"empty places": {[]string{"", one, ""}, []string{"1"}},
	} {
		p, err := Default(list(tc.paths...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := p.Values("a", "b"); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	// Nothing is there, which is no error, and is not forgotten.
	p, err := Default(list(none))
	if err != nil || p.Files() != nil || !slices.Equal(p.Missing(), []string{none}) {
		t.Errorf("all missing: %+v, %v", p, err)
	}
	if p, err := Default(list(filepath.Join(dir, "broken"), one)); err == nil || !strings.Contains(err.Error(), "broken:1") {
		t.Errorf("a file that includes a missing one is passed over: %v, %v", p, err)
	}
	if _, err := Default(list(one, bad)); !errors.Is(err, ErrSyntax) || !strings.Contains(err.Error(), bad+":2") {
		t.Errorf("one is wrong: %v", err)
	}
}

// With neither KRB5_CONFIG nor a file of the system there is nothing, and that
// is no error.
func TestLoadPresent(t *testing.T) {
	p, err := loadPresent([]string{filepath.Join(t.TempDir(), "none")})
	if err != nil || p == nil || p.Files() != nil {
		t.Errorf("got %+v, %v", p, err)
	}
	dir := tree(t, map[string]string{"krb5.conf": "[a]\nb=1\n"})
	p, err = loadPresent([]string{filepath.Join(dir, "none"), filepath.Join(dir, "krb5.conf")})
	if err != nil || len(p.Files()) != 1 {
		t.Errorf("got %+v, %v", p, err)
	}
}
