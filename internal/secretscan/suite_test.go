//go:build !race

package secretscan

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSuite runs the tests of the whole module once more, in a build that
// records, and looks for secrets in all that was said.
//
// A secret is each key and each password that cryptography was done with, each
// ciphertext, and with that the secret part of every ticket and token, and each
// token in a header field of HTTP. What was said is what the tests print, what
// the module has formatted, each error text, each String and Error, and each log
// record of any level, whether the test looks at it or not.
//
// The recording is no part of the module. It is compiled in by an overlay, above
// all into the few functions of the standard library that all of that has to
// pass: so no code of the module can hand keys to somebody, a test that is new is
// looked at too, and none needs a particular logger or helper.
func TestSuite(t *testing.T) {
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	records := t.TempDir()
	printed := runSuite(t, module, records)
	var f Finder
	f.Stride = Window // millions of windows are enough
	counts := map[string]int{}
	for _, secret := range read(t, records, "secret.") {
		f.Secret(secret)
		counts["secrets"]++
	}
	for _, word := range read(t, records, "word.") {
		if isPassword(string(word)) {
			f.Word(string(word))
			counts["passwords"]++
		}
	}
	texts := read(t, records, "text.")
	for line := range bytes.Lines(printed) {
		if !isAskedFor(line) {
			texts = append(texts, line)
		}
	}
	counts["texts"] = len(texts)
	t.Logf("looked for %d secrets and %d passwords in %d texts", counts["secrets"], counts["passwords"], len(texts))
	for what, least := range map[string]int{"secrets": 1000, "passwords": 10, "texts": 1000} {
		if counts[what] < least {
			t.Errorf("%d %s were recorded: the recording does not work", counts[what], what)
		}
	}
	leaks := map[string]bool{}
	for _, text := range texts {
		kind := string(text[:min(len(text), 12)]) // one of a kind will do
		if leaks[kind] {
			continue
		}
		if leak := f.Find(string(text)); leak != "" {
			leaks[kind] = true
			t.Errorf("a secret is in the text %q: %q", kind, leak)
		}
	}
}

// isPassword tells passwords from those of tests that any message may have in
// it, such as "the password".
func isPassword(word string) bool { return len(word) >= 8 && !strings.HasSuffix("the password", word) }

// isAskedFor tells the one place where a token is shown: "get -i" prints the
// response as it came, with the server's proof, as docs/command.md says.
func isAskedFor(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("Www-Authenticate: Negotiate "))
}

func runSuite(t *testing.T, module, records string) (printed []byte) {
	t.Helper()
	args := []string{"test", "-overlay", instrument(t, module), "-vet=off", "-count=1", "-timeout=10m", "-v",
		"-skip=Alloc"} // recording allocates
	args = append(args, tags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, packages(t, module)...)...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), tapDir+"="+records)
	printed, err := cmd.CombinedOutput()
	switch {
	case bytes.Contains(printed, []byte("build failed]")) || bytes.Contains(printed, []byte("setup failed]")):
		t.Errorf("the build that records fails: %v\n%s", err, failures(printed))
	case err != nil:
		// What it has said is looked at all the same, and why it fails is for
		// the run without recording to tell.
		t.Logf("tests fail: %v\n%s", err, failures(printed))
	}
	return printed
}

// packages are those of the module but this one.
func packages(t *testing.T, module string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "./...")
	cmd.Dir = module
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(p string) bool { return p == modulePath+"/internal/secretscan" })
}

// failures are the lines of the tests' output that name what has failed.
func failures(printed []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(printed)) {
		if strings.Contains(line, "--- FAIL") || strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "panic") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// read returns the values of the records of a kind.
func read(t *testing.T, dir, prefix string) (values [][]byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for len(b) >= 4 {
			n := int(binary.BigEndian.Uint32(b))
			if n > len(b)-4 {
				break // a process was ended while it wrote
			}
			if value := b[4 : 4+n]; !seen[string(value)] {
				seen[string(value)] = true
				values = append(values, value)
			}
			b = b[4+n:]
		}
	}
	return values
}
