//go:build !race

package secretscan

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// edit is a change to a file: text that is in it once, and what stands for it.
type edit struct{ old, new string }

// after inserts a statement at the beginning of a function.
func after(begin, statement string) edit { return edit{begin, begin + " " + statement + ";"} }

// standard are the functions of the standard library through which a secret
// or a text of any part of the module must pass. A release of Go that words one
// otherwise fails the test, which then needs a look.
var standard = map[string][]edit{
	// Texts: what the module formats, its errors, and its logs at every level,
	// whatever the test has for a logger.
	"fmt/print.go":     {after("func (p *pp) free() {", "tapFormatted(p.buf)")},
	"errors/errors.go": {after("func New(text string) error {", "if TapNew != nil { TapNew(text) }")},
	"log/slog/logger.go": {
		after("func (l *Logger) Enabled(ctx context.Context, level Level) bool {", "if tapAsked() { return true }"),
		after("func (l *Logger) With(args ...any) *Logger {", `tapLog("with", args)`),
		after("func (l *Logger) log(ctx context.Context, level Level, msg string, args ...any) {", "tapLog(msg, args)"),
		after("func (l *Logger) logAttrs(ctx context.Context, level Level, msg string, attrs ...Attr) {", "tapLogAttrs(msg, attrs)"),
	},
	// Secrets: keys, passwords and the values of the header fields of HTTP that
	// have tokens.
	"crypto/aes/aes.go":       {after("func NewCipher(key []byte) (cipher.Block, error) {", "fmt.TapSecret(key)")},
	"crypto/rc4/rc4.go":       {after("func NewCipher(key []byte) (*Cipher, error) {", "fmt.TapSecret(key)")},
	"crypto/hmac/hmac.go":     {after("func New(h func() hash.Hash, key []byte) hash.Hash {", "fmt.TapSecret(key)")},
	"crypto/pbkdf2/pbkdf2.go": {after("func Key[Hash hash.Hash](h func() Hash, password string, salt []byte, iter, keyLength int) ([]byte, error) {", "fmt.TapWord(password)")},
	"net/http/header.go": {
		after("func (h Header) Add(key, value string) {", "tapField(key, value)"),
		after("func (h Header) Set(key, value string) {", "tapField(key, value)"),
	},
}

// own are such functions of the module: every ciphertext passes through these,
// and so the secret part of every ticket and token.
var own = map[string][]edit{
	"internal/etype/cts.go": {
		after("func ctsEncrypt(b cipher.Block, buf []byte) {", "defer fmt.TapSecret(buf)"),
		after("func ctsDecrypt(b cipher.Block, buf []byte) {", "fmt.TapSecret(buf)"),
	},
}

// words are the methods that put values into words.
var words = regexp.MustCompile(`(?m)^(func \([^)]*\) (?:Error|String|GoString)\(\)) string \{`)

// added are files of their own, by the folder.
var added = map[string]string{
	"errors": `package errors

// TapNew is told each text.
var TapNew func(string)
`,
	"fmt": `package fmt

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

func init() { errors.TapNew = tapNew }

// record is a file that gets each value once, after its length.
type record struct {
	mu   sync.Mutex
	name string
	seen map[string]bool
	file *os.File
}

var texts, secrets, passwords = &record{name: "text"}, &record{name: "secret"}, &record{name: "word"}

func (r *record) add(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[string(b)] {
		return
	}
	if r.seen == nil {
		r.seen = make(map[string]bool)
		if dir := os.Getenv("` + tapDir + `"); dir != "" {
			r.file, _ = os.OpenFile(dir+"/"+r.name+"."+strconv.Itoa(os.Getpid()), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		}
	}
	if r.file == nil {
		return
	}
	r.seen[string(b)] = true
	r.file.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
}

// TapText records what somebody can read.
func TapText(s string) { texts.add([]byte(s)) }

// TapSecret records what nobody may read.
func TapSecret(b []byte) { secrets.add(b) }

// TapWord records a password.
func TapWord(s string) { passwords.add([]byte(s)) }

// tapFormatted records what the module itself has formatted: not what its tests
// have, which know the secrets.
func tapFormatted(b []byte) {
	if fromModule("fmt.") {
		texts.add(b)
	}
}

func tapNew(text string) {
	if fromModule("errors.") {
		TapText(text)
	}
}

// fromModule reports whether the nearest caller outside of a package is of the
// module, and no test.
func fromModule(except string) bool {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "fmt.") && !strings.HasPrefix(f.Function, except) {
			return strings.HasPrefix(f.Function, "` + modulePath + `") && !strings.HasSuffix(f.File, "_test.go")
		}
		if !more {
			return false
		}
	}
}
`,
	"log/slog": `package slog

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// tapAsked reports whether Enabled is asked by somebody who would else not make
// the record.
func tapAsked() bool {
	pc, _, _, ok := runtime.Caller(2)
	return ok && !strings.HasPrefix(runtime.FuncForPC(pc).Name(), "log/slog.")
}

type tapWriter struct{}

func (tapWriter) Write(p []byte) (int, error) {
	fmt.TapText(string(p))
	return len(p), nil
}

// tapRecord records what the two handlers would write.
func tapRecord(r Record) {
	r.Time = time.Time{} // so that like is like
	o := &HandlerOptions{Level: Level(-100)}
	NewTextHandler(tapWriter{}, o).Handle(context.Background(), r)
	NewJSONHandler(tapWriter{}, o).Handle(context.Background(), r)
}

func tapLog(msg string, args []any) {
	r := NewRecord(time.Time{}, 0, msg, 0)
	r.Add(args...)
	tapRecord(r)
}

func tapLogAttrs(msg string, attrs []Attr) {
	r := NewRecord(time.Time{}, 0, msg, 0)
	r.AddAttrs(attrs...)
	tapRecord(r)
}
`,
	"net/http": `package http

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// tapField takes the token of a field, and the text that it travels in.
func tapField(key, value string) {
	switch CanonicalHeaderKey(key) {
	case "Authorization", "Proxy-Authorization", "Www-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info":
		scheme, text, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Negotiate") {
			token, _ := base64.StdEncoding.DecodeString(text)
			fmt.TapSecret(token)
		}
	}
}
`,
}

const (
	// tapDir is the environment variable with the folder of the records.
	tapDir     = "NEGOTIATE_TAP"
	modulePath = "github.com/go-negotiate/negotiate"
)

// overlay collects the changed files for the go command, which compiles them in
// place of those that they stand for.
type overlay struct {
	t       *testing.T
	dir     string
	Replace map[string]string
}

// instrument writes the overlay for the module in a folder, and returns its
// name.
func instrument(t *testing.T, module string) string {
	t.Helper()
	o := &overlay{t: t, dir: t.TempDir(), Replace: map[string]string{}}
	src := filepath.Join(goroot(t), "src")
	for name, edits := range standard {
		o.edit(filepath.Join(src, name), edits)
	}
	for name, content := range added {
		o.put(filepath.Join(src, name, "zz_tap.go"), content)
	}
	o.editModule(module)
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return o.write(string(b))
}

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// editModule changes the module's files that are no tests.
func (o *overlay) editModule(module string) {
	o.t.Helper()
	worded := 0
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		name, err := filepath.Rel(module, path)
		if err != nil {
			return err
		}
		edits := own[filepath.ToSlash(name)]
		code, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range words.FindAllStringSubmatch(string(code), -1) {
			edits = append(edits, edit{m[0], m[1] + " (tapped string) { defer func() { fmt.TapText(tapped) }();"})
			worded++
		}
		if len(edits) > 0 {
			o.edit(path, edits)
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
	if worded < 20 {
		o.t.Fatalf("%d methods that put values into words were found; there must be more", worded)
	}
	for name := range own {
		if _, ok := o.Replace[filepath.Join(module, name)]; !ok {
			o.t.Fatalf("there is no %s: say where its functions are now", name)
		}
	}
}

// edit has a file changed.
func (o *overlay) edit(path string, edits []edit) {
	o.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	code := string(b)
	for _, e := range edits {
		if n := strings.Count(code, e.old); n != 1 {
			o.t.Fatalf("%s has %q %d times, want once: look for what does its work now", path, e.old, n)
		}
		code = strings.Replace(code, e.old, e.new, 1)
	}
	o.put(path, importingFmt(o.t, code))
}

// importingFmt has a file import fmt if it uses that.
func importingFmt(t *testing.T, code string) string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "", code, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range parsed.Imports {
		if i.Path.Value == `"fmt"` {
			return code
		}
	}
	if !strings.Contains(code, "fmt.Tap") {
		return code
	}
	end := parsed.Name.End() - 1
	return code[:end] + `; import "fmt"` + code[end:]
}

// put has a file of that content stand for path.
func (o *overlay) put(path, content string) { o.Replace[path] = o.write(content) }

func (o *overlay) write(content string) string {
	o.t.Helper()
	f, err := os.CreateTemp(o.dir, "*.go")
	if err != nil {
		o.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		o.t.Fatal(err)
	}
	return f.Name()
}
