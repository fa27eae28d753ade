package profile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of what is read. They are far above real files.
const (
	maxFile     = 4 << 20 // octets of one file
	maxLine     = 64 << 10
	maxDepth    = 32      // nested subsections
	maxNodes    = 1 << 17 // sections and relations of a profile
	maxIncludes = 10      // files that include each other
	maxFiles    = 1024
)

// ErrSyntax is what an [Error] wraps when a file's text is wrong.
var ErrSyntax = errors.New("syntax error")

// Error is a failure to read a profile. It names the place.
type Error struct {
	File string
	Line int // 0 if the failure concerns the file as a whole
	Err  error
}

// Error returns "file:line: what is wrong".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Parse reads a profile from r. The name stands for the file in errors.
// Directives that include other files are refused, since there is no file to
// start from; use [Load] for them. Errors are of type *[Error].
func Parse(r io.Reader, name string) (*Profile, error) {
	l := &loader{profile: &Profile{}}
	root := &node{section: true}
	if err := l.parse(r, name, root); err != nil {
		return nil, err
	}
	l.profile.roots = []*node{root}
	return l.profile, nil
}

// loader reads the files of one profile.
type loader struct {
	profile *Profile
	nodes   int
	active  []string // files that are being read, outermost first
	include func(l *loader, path string, root *node) error
	dir     func(l *loader, path string, root *node) error
}

// parser is the state within one file.
type parser struct {
	*loader
	root  *node
	stack []*node // the open sections; empty before the first header
	brace bool    // the next line must open the subsection just named
}

func (l *loader) parse(r io.Reader, file string, root *node) error {
	p := &parser{loader: l, root: root}
	lines := bufio.NewScanner(io.LimitReader(r, maxFile+1))
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	size, n := 0, 0
	for lines.Scan() {
		n++
		b := lines.Bytes()
		if n == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		size += len(b) + 1
		if size > maxFile {
			return &Error{file, n, fmt.Errorf("the file is larger than the %d octets that are read at most", maxFile)}
		}
		if err := p.line(string(b)); err != nil {
			// An included file has named its own place.
			if _, ok := errors.AsType[*Error](err); ok {
				return fmt.Errorf("%s:%d: %w", file, n, err)
			}
			return &Error{file, n, err}
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("the line is longer than the %d octets that are read at most", maxLine)
		}
		return &Error{file, n + 1, err}
	}
	return nil
}

func syntaxError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrSyntax}, args...)...)
}

// line reads one line without its newline.
func (p *parser) line(s string) error {
	if word, arg, ok := directive(s); ok {
		switch word {
		case "include":
			return p.included(p.loader.include, arg)
		case "includedir":
			return p.included(p.loader.dir, arg)
		case "module":
			if len(p.stack) == 0 {
				return nil // it names a C library
			}
		}
	}
	if len(p.stack) == 0 && !strings.HasPrefix(s, "[") {
		return nil // what stands before the first section is commentary
	}
	s = strings.Trim(s, space)
	switch {
	case p.brace && !strings.HasPrefix(s, "{"):
		return syntaxError(`want "{" on the line after a relation without a value`)
	case p.brace:
		p.brace = false
		return nil
	case s == "", s[0] == '#', s[0] == ';':
		return nil
	case s[0] == '[':
		return p.header(s)
	case s[0] == '}':
		return p.closeBrace(s)
	}
	return p.relation(s)
}

const space = " \t\n\v\f\r"

// directive recognises include, includedir and module, which stand at the very
// beginning of a line.
func directive(s string) (word, arg string, ok bool) {
	i := strings.IndexAny(s, space)
	if i < 0 {
		return "", "", false
	}
	switch word = s[:i]; word {
	case "include", "includedir", "module":
		return word, strings.Trim(s[i:], space), true
	}
	return "", "", false
}

func (p *parser) included(read func(*loader, string, *node) error, path string) error {
	if read == nil {
		return errors.New("include directives work in files only")
	}
	return read(p.loader, path, p.root)
}

// header reads "[name]" with an optional "*".
func (p *parser) header(s string) error {
	if len(p.stack) > 1 {
		return syntaxError("a section begins while the subsection %q is still open; close it with }", p.top().name)
	}
	name, rest, ok := strings.Cut(s[1:], "]")
	if !ok {
		return syntaxError("a section's header has no ]")
	}
	rest, final := strings.CutPrefix(rest, "*")
	if strings.Trim(rest, space) != "" {
		return syntaxError("text after the header of section %q", name)
	}
	if err := p.count(); err != nil {
		return err
	}
	n := p.root.sectionFor(name)
	n.final = n.final || final
	p.stack = append(p.stack[:0], n)
	return nil
}

func (p *parser) closeBrace(s string) error {
	if len(p.stack) == 1 {
		return syntaxError("a } without a subsection to close")
	}
	if strings.HasPrefix(s[1:], "*") {
		p.top().final = true
	}
	p.stack = p.stack[:len(p.stack)-1]
	return nil
}

// relation reads "name = value", "name = {" and "name =" with the brace on the
// next line.
func (p *parser) relation(s string) error {
	name, value, ok := strings.Cut(s, "=")
	name = strings.Trim(name, space)
	switch {
	case !ok:
		return syntaxError(`want "name = value", found no "="`)
	case name == "":
		return syntaxError(`nothing before the "="`)
	case strings.ContainsAny(name, space):
		return syntaxError("the name %q has a blank", name)
	}
	if err := p.count(); err != nil {
		return err
	}
	name, _, final := strings.Cut(name, "*")
	value = strings.Trim(value, space)
	switch {
	case value == "", value[0] == '{' && strings.Trim(value[1:], space) == "":
		p.brace = value == ""
		return p.open(name, final)
	case value[0] == '"':
		value = unquote(value[1:])
	}
	p.top().children = append(p.top().children, &node{name: name, value: value, final: final})
	return nil
}

func (p *parser) open(name string, final bool) error {
	if len(p.stack) == maxDepth {
		return syntaxError("subsections are nested deeper than %d", maxDepth)
	}
	n := p.top().sectionFor(name)
	n.final = n.final || final
	p.stack = append(p.stack, n)
	return nil
}

func (p *parser) top() *node { return p.stack[len(p.stack)-1] }

func (l *loader) count() error {
	if l.nodes++; l.nodes > maxNodes {
		return fmt.Errorf("more than %d sections and relations", maxNodes)
	}
	return nil
}

// unquote reads a quoted value behind its first quote. What follows the second
// is dropped, as by MIT.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s) && s[i] != '"'; i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
