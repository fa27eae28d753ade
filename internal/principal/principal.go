// Package principal is the name of a Kerberos principal (RFC 4120, section 6.2)
// and its text form as MIT Kerberos writes it.
package principal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Name types (RFC 4120, section 6.2; RFC 6806; RFC 8062).
const (
	TypeUnknown    int32 = 0
	TypePrincipal  int32 = 1
	TypeSrvInst    int32 = 2
	TypeSrvHst     int32 = 3
	TypeEnterprise int32 = 10
	TypeWellKnown  int32 = 11
)

// Name is a principal with its realm. Type is a hint only and takes no part in
// comparisons. The zero Name is nobody.
type Name struct {
	Type       int32
	Realm      string
	Components []string
}

// ErrBadName is what the errors of Parse wrap.
var ErrBadName = errors.New("not a principal name")

const (
	maxText       = 1024
	maxComponents = 16
)

// New returns a name of type NT-PRINCIPAL.
func New(realm string, components ...string) Name {
	return Name{Type: TypePrincipal, Realm: realm, Components: components}
}

// Service returns a service's name, service/host, of type NT-SRV-HST.
func Service(realm, service, host string) Name {
	return Name{Type: TypeSrvHst, Realm: realm, Components: []string{service, host}}
}

// TGS returns the name of the ticket-granting service of realm target in realm.
func TGS(realm, target string) Name {
	return Name{Type: TypeSrvInst, Realm: realm, Components: []string{"krbtgt", target}}
}

// IsTGS reports whether n is a ticket-granting service, of any realm.
func (n Name) IsTGS() bool { return len(n.Components) == 2 && n.Components[0] == "krbtgt" }

// IsZero reports whether n is nobody.
func (n Name) IsZero() bool { return len(n.Components) == 0 && n.Realm == "" }

// Equal compares realm and components, not the type.
func (n Name) Equal(o Name) bool {
	return n.Realm == o.Realm && slices.Equal(n.Components, o.Components)
}

// Key is String, for use as the key of a map.
func (n Name) Key() string { return n.String() }

// String is the text form with the realm, if there is one. Parse reverses it.
func (n Name) String() string {
	if n.Realm == "" {
		return n.Text()
	}
	var b strings.Builder
	n.writeText(&b, 1+len(n.Realm))
	b.WriteByte('@')
	b.WriteString(escape(n.Realm))
	return b.String()
}

// Text is the text form without the realm.
func (n Name) Text() string {
	if len(n.Components) == 1 {
		return escape(n.Components[0])
	}
	var b strings.Builder
	n.writeText(&b, 0)
	return b.String()
}

// writeText writes the text form without the realm, and leaves room for so many
// octets more.
func (n Name) writeText(b *strings.Builder, more int) {
	for _, c := range n.Components {
		more += len(c) + 1
	}
	b.Grow(more)
	for i, c := range n.Components {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(escape(c))
	}
}

const special = "\\/@\n\t\b\x00"

func escape(s string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			b.WriteString(`\n`)
		case '\t':
			b.WriteString(`\t`)
		case '\b':
			b.WriteString(`\b`)
		case 0:
			b.WriteString(`\0`)
		case '\\', '/', '@':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Parse reads the text form. A name without "@" gets defaultRealm, which may be
// empty. A backslash takes the next character literally, but for \n, \t, \b and
// \0. The type is NT-SRV-INST for krbtgt, NT-SRV-HST for other names of two
// components, else NT-PRINCIPAL. The error wraps ErrBadName.
func Parse(s, defaultRealm string) (Name, error) {
	if len(s) > maxText {
		return Name{}, fmt.Errorf("%w: it has %d characters, at most %d are allowed", ErrBadName, len(s), maxText)
	}
	parts, realm, hasRealm, err := split(s)
	if err != nil {
		return Name{}, err
	}
	n := Name{Type: TypePrincipal, Realm: realm, Components: parts}
	if !hasRealm {
		n.Realm = defaultRealm
	}
	switch {
	case len(parts) > maxComponents:
		return Name{}, fmt.Errorf("%w: %q has more than %d parts", ErrBadName, s, maxComponents)
	case len(parts) == 1 && parts[0] == "", hasRealm && realm == "":
		return Name{}, fmt.Errorf("%w: %q: nothing on one side of the @", ErrBadName, s)
	case n.IsTGS():
		n.Type = TypeSrvInst
	case len(parts) == 2:
		n.Type = TypeSrvHst
	}
	return n, nil
}

// ParseClient is [Parse] for the name of a client, which may be an enterprise
// name, such as a user principal name of Active Directory: "user@domain@REALM",
// where the last "@" is before the realm, or "user\\@domain" in the default realm
// (RFC 6806, section 5). It is of type NT-ENTERPRISE.
func ParseClient(s, defaultRealm string) (Name, error) {
	n, err := Parse(enterprise(s), defaultRealm)
	if err == nil && len(n.Components) == 1 && strings.Contains(n.Components[0], "@") {
		n.Type = TypeEnterprise
	}
	return n, err
}

// enterprise escapes the first "@" of two.
func enterprise(s string) string {
	first := -1
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '@' && first < 0:
			first = i
		case s[i] == '@' && first > 0:
			return s[:first] + `\` + s[first:]
		}
	}
	return s
}

// split cuts s at its unescaped slashes and its one unescaped "@".
func split(s string) (parts []string, realm string, hasRealm bool, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
			if i == len(s) {
				return nil, "", false, fmt.Errorf("%w: %q ends with a backslash", ErrBadName, s)
			}
			b.WriteByte(unescape(s[i]))
		case c == '@' && hasRealm:
			return nil, "", false, fmt.Errorf("%w: %q has a second @", ErrBadName, s)
		case c == '@':
			parts = append(parts, b.String())
			b.Reset()
			hasRealm = true
		case c == '/' && !hasRealm:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	if hasRealm {
		return parts, b.String(), true, nil
	}
	return append(parts, b.String()), "", false, nil
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case '0':
		return 0
	}
	return c
}
