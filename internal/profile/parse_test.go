package profile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) *Profile {
	t.Helper()
	p, err := Parse(strings.NewReader(text), "krb5.conf")
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return p
}

// The values are those that MIT's profile library 1.20.1 gives for the same text.
func TestParseAsMIT(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		path string
		want []string
	}{
		"repeated":                    {"[a]\nb=1\nb=2\n", "a b", []string{"1", "2"}},
		"section twice":               {"[a]\nb=1\n[x]\ny=2\n[a]\nb=2\n", "a b", []string{"1", "2"}},
		"subsection twice":            {"[a]\ns={\nb=1\n}\ns={\nb=2\n}\n", "a s b", []string{"1", "2"}},
		"quotes":                      {`[a]` + "\n" + `b="x \n\t \"q\" \\ " dropped`, "a b", []string{"x \n\t \"q\" \\ "}},
		"quotes, empty":               {"[a]\nb=\"\"\n", "a b", []string{""}},
		"quotes, open":                {"[a]\nb=\"abc\n", "a b", []string{"abc"}},
		"backslash outside of quotes": {`[a]` + "\n" + `b=x\n\`, "a b", []string{`x\n\`}},
		"brace on the next line":      {"[a]\ns =\n{\nb=1\n}\n", "a s b", []string{"1"}},
		"brace never closed":          {"[a]\ns={\nb=1\n", "a s b", []string{"1"}},
		"brace never opened":          {"[a]\nb=1\ns=\n", "a b", []string{"1"}},
		"text behind a brace":         {"[a]\ns={\nb=1\n} junk\nb=2\n", "a b", []string{"2"}},
		"brace with content":          {"[a]\ns={ b=1 }\n", "a s", []string{"{ b=1 }"}},
		"text before sections":        {"junk\nb = 1\n}\n[a]\nb=2\n", "a b", []string{"2"}},
		"first header indented":       {"  [a]\nb=1\n[c]\nb=2", "a b", nil},
		"later header indented":       {"[a]\nb=1\n  [c]\nb=2", "c b", []string{"2"}},
		"comments":                    {"[a]\n# x = 1\n   ; c\n # d\nb=1 # not a comment\n", "a b", []string{"1 # not a comment"}},
		"CRLF":                        {"[a]\r\nb=1\r\ns = {\r\n c=2\r\n}\r\n", "a s c", []string{"2"}},
		"blanks":                      {"[a]\n\t b\t=\t1 2\t\n", "a b", []string{"1 2"}},
		"second equals sign":          {"[a]\nb=c=d\n", "a b", []string{"c=d"}},
		"star within a name":          {"[a]\nb*x=1\n", "a b", []string{"1"}},
		"relation and subsection":     {"[a]\ns=1\ns={\nb=2\n}\n", "a s b", []string{"2"}},
		"nested":                      {"[a]\ns={\nt={\nb=1\n}\nb=2\n}\nb=3\n", "a s t b", []string{"1"}},
		"include as a name":           {"[a]\n include = 1\n", "a include", []string{"1"}},
		"names are case-sensitive":    {"[a]\nB=1\n", "a b", nil},
	} {
		if got := parse(t, tc.text).Values(strings.Fields(tc.path)...); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

// MIT skips no byte order mark and so ignores the first section; editors on
// Windows write one.
func TestByteOrderMark(t *testing.T) {
	if v, ok := parse(t, "\ufeff[a]\nb=1\n").Value("a", "b"); !ok || v != "1" {
		t.Errorf("got %q, %v", v, ok)
	}
}

// MIT refuses the same texts. The line is that of the mistake.
func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		line int
	}{
		"no equals sign":               {"[a]\n\nb\n", 3},
		"no name":                      {"[a]\n = 1\n", 2},
		"blank in a name":              {"[a]\nb c = 1\n", 2},
		"no brace on the next line":    {"[a]\ns =\nb=1\n}\n", 3},
		"empty line before the brace":  {"[a]\ns =\n\n{\n}\n", 3},
		"comment before the brace":     {"[a]\ns =\n#c\n{\n}\n", 3},
		"closing without opening":      {"[a]\n}\n", 2},
		"section within a subsection":  {"[a]\ns={\n[b]\n}\n", 3},
		"header without a bracket":     {"[a\nb=1\n", 1},
		"text behind a header":         {"[a] # x\nb=1\n", 1},
		"star apart from a header":     {"[a] *\nb=1\n", 1},
		"module behind a header":       {"[a]\nmodule /x:y\n", 2},
		"include indented":             {"[a]\n include /x\n", 2},
		"nested too deep (ours)":       {"[a]\n" + strings.Repeat("s={\n", maxDepth+1), maxDepth + 1},
		"too many relations (ours)":    {"[a]\n" + strings.Repeat("b=1\n", maxNodes+1), maxNodes + 1},
		"a line too long (ours)":       {"[a]\nb=" + strings.Repeat("x", maxLine), 2},
		"a file too long (ours)":       {"[a]\n" + strings.Repeat("#"+strings.Repeat("x", 1022)+"\n", maxFile>>10), maxFile>>10 + 1},
		"include without files (ours)": {"include /etc/krb5.conf\n", 1},
	} {
		p, err := Parse(strings.NewReader(tc.text), "x.conf")
		pe, ok := errors.AsType[*Error](err)
		if !ok || pe.File != "x.conf" || pe.Line != tc.line {
			t.Errorf("%s: got %v, %v; want an error in line %d", name, p, err, tc.line)
		}
		if ours := strings.Contains(name, "ours"); !ours && !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v does not wrap ErrSyntax", name, err)
		}
	}
	if _, err := Parse(strings.NewReader("[a]\nb\n"), "x.conf"); err == nil || !strings.HasPrefix(err.Error(), "x.conf:2: ") {
		t.Errorf("the text of an error is %v", err)
	}
}

func TestModuleIgnored(t *testing.T) {
	if v, _ := parse(t, "module /usr/lib/m.so:x\n[a]\nb=1\n").Value("a", "b"); v != "1" {
		t.Errorf("got %q", v)
	}
}

// tree writes files and returns their folder. In their text @ stands for it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "@", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestIncludes(t *testing.T) {
	dir := tree(t, map[string]string{
		"main": "include @/one\nincludedir @/d\n[a]\nb=main\ns={\nb=0\ninclude @/one\nb=2\n}\nb=last\n",
		"one":  "[a]\nb=one\n",
		"d/50": "[a]\nb=50\n", "d/a-b_C": "[a]\nb=a-b_C\n", "d/x.y.conf": "[a]\nb=conf\n",
		"d/x~": "[a]\nb=no\n", "d/x.bak": "[a]\nb=no\n", "d/.x.conf": "[a]\nb=no\n", "d/a b": "[a]\nb=no\n", "d/é": "[a]\nb=no\n",
	})
	p, err := Load([]string{filepath.Join(dir, "main")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"one", "50", "a-b_C", "conf", "main", "one", "last"}
	if got := p.Values("a", "b"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// What is included starts at the top; the subsection goes on behind it.
	if got := p.Values("a", "s", "b"); !slices.Equal(got, []string{"0", "2"}) {
		t.Errorf("the subsection has %q", got)
	}
	if files := p.Files(); len(files) != 6 || files[0] != filepath.Join(dir, "main") {
		t.Errorf("files: %q", files)
	}
}

func TestIncludeFails(t *testing.T) {
	files := map[string]string{
		"itself":  "[a]\n\ninclude @/itself\n",
		"ring":    "include @/ring2\n",
		"ring2":   "\ninclude @/ring\n",
		"missing": "include @/none\n",
		"nodir":   "includedir @/none\n",
		"bad":     "include @/wrong\n",
		"wrong":   "[a]\nb\n",
		"folder":  "include @/d\n",
		"d/x":     "",
	}
	for i := range maxIncludes + 2 {
		files["deep"+string(rune('a'+i))] = "include @/deep" + string(rune('b'+i)) + "\n"
	}
	dir := tree(t, files)
	for file, want := range map[string][]string{
		"itself":  {"itself:3: ", "includes itself"},
		"ring":    {"ring:1: ", "ring2:2: ", "includes itself"},
		"missing": {"missing:1: ", "none"},
		"nodir":   {"nodir:1: ", "none"},
		"bad":     {"bad:1: ", "wrong:2: ", "="},
		"folder":  {"folder:1: ", "folder, want a file"},
		"deepa":   {"deepa:1: ", "more than 10 deep"},
	} {
		p, err := Load([]string{filepath.Join(dir, file)})
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: got %v, %v", file, p, err)
			continue
		}
		for _, s := range want {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: the error does not have %q: %v", file, s, err)
			}
		}
	}
}

// FuzzProfile parses text and builds the typed view of it.
func FuzzProfile(f *testing.F) {
	for _, s := range []string{
		"[libdefaults]\n default_realm = X.TEST\n permitted_enctypes = DEFAULT -aes128-cts\n ticket_lifetime = 1d 2h\n",
		"[realms]\n X.TEST = {\n  kdc = tcp/[::1]:88\n  kdc = https://p/KdcProxy\n }*\n",
		"[domain_realm]*\n .x.test = \"X.TEST\"\n[capaths]\n A = {\n B = .\n}\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(strings.NewReader(text), "f")
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%v names no place", err)
			}
			return
		}
		c, err := NewConfig(p, testEnvironment())
		if err != nil {
			return
		}
		for _, name := range p.Subsections("realms") {
			for _, s := range c.Realm(name).KDCs {
				if s.Host == "" || s.Port == 0 {
					t.Errorf("%q gives the KDC %+v", text, s)
				}
			}
		}
		for _, host := range p.Relations("domain_realm") {
			c.RealmOfHost(host)
		}
	})
}
