// Package profile reads krb5.conf as MIT Kerberos' profile library does:
// sections, nested subsections, final markers, include directives and lists of
// files. On top of that, [Config] is the typed view that a Kerberos client or
// service needs. It looks nothing up in the DNS.
package profile

import "slices"

// Profile is the content of one or more files. When files are searched, an
// earlier one comes first, so its value of a relation wins and later files
// complete it. A Profile does not change once it is read and may be used by
// several goroutines. A nil *Profile is an empty one.
type Profile struct {
	roots []*node // one for each file; what a file includes is part of it
	files []string

	missing []string // what KRB5_CONFIG names in vain
}

// node is a relation or, if section is set, a section with children.
type node struct {
	name     string
	value    string
	section  bool
	final    bool // later files are not searched
	children []*node
	sections map[string]*node // those of the children that are sections
}

// Files returns the paths of all files that were read, included ones too.
func (p *Profile) Files() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.files)
}

// Missing returns the files that KRB5_CONFIG names if none of them exists.
func (p *Profile) Missing() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.missing)
}

// Values returns the values of all relations with a path, such as "realms",
// "X.TEST", "kdc", in the order of the files and of their lines.
func (p *Profile) Values(path ...string) []string {
	var values []string
	p.walk(path[:len(path)-1], func(section *node) (more bool) {
		more = true
		for _, n := range section.children {
			if !n.section && n.name == path[len(path)-1] {
				values = append(values, n.value)
				more = more && !n.final
			}
		}
		return more
	})
	return values
}

// Value returns the first of Values.
func (p *Profile) Value(path ...string) (string, bool) {
	if v := p.Values(path...); len(v) > 0 {
		return v[0], true
	}
	return "", false
}

// Relations returns the names of the relations in a section, each once.
func (p *Profile) Relations(path ...string) []string { return p.names(path, false) }

// Subsections returns the names of the sections in a section, each once; with
// no path, those of the top level.
func (p *Profile) Subsections(path ...string) []string { return p.names(path, true) }

func (p *Profile) names(path []string, sections bool) []string {
	var names []string
	seen := make(map[string]bool)
	p.walk(path, func(section *node) bool {
		for _, n := range section.children {
			if n.section == sections && !seen[n.name] {
				seen[n.name] = true
				names = append(names, n.name)
			}
		}
		return true
	})
	return names
}

// firstValues returns the first value of each relation in a section, with its
// name as fold gives it.
func (p *Profile) firstValues(fold func(string) string, path ...string) map[string]string {
	values := make(map[string]string)
	p.walk(path, func(section *node) bool {
		for _, n := range section.children {
			if name := fold(n.name); !n.section {
				if _, ok := values[name]; !ok {
					values[name] = n.value
				}
			}
		}
		return true
	})
	return values
}

// walk calls visit with the section of that path in each file until visit
// returns false or a section on the path is final.
func (p *Profile) walk(path []string, visit func(section *node) (more bool)) {
	if p == nil {
		return
	}
	for _, n := range p.roots {
		final := false
		for _, name := range path {
			if n = n.sections[name]; n == nil {
				break
			}
			final = final || n.final
		}
		if n != nil && !visit(n) || final {
			return
		}
	}
}

// sectionFor returns the section of that name in n, and makes it if needed.
func (n *node) sectionFor(name string) *node {
	c := n.sections[name]
	if c == nil {
		c = &node{name: name, section: true}
		n.children = append(n.children, c)
		if n.sections == nil {
			n.sections = make(map[string]*node)
		}
		n.sections[name] = c
	}
	return c
}
