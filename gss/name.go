package gss

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// NameType tells how the Value of a [Name] is to be read (RFC 2743, section 4).
type NameType uint8

const (
	// NameNone is the zero type: no name. As a desired name it means "the
	// default"; as an identity it means "nobody".
	NameNone NameType = iota
	// NameHostBased is GSS_C_NT_HOSTBASED_SERVICE: service@host.
	NameHostBased
	// NameUser is GSS_C_NT_USER_NAME: a person's principal, alice or alice@REALM.
	NameUser
	// NamePrincipal is GSS_KRB5_NT_PRINCIPAL_NAME: HTTP/host@REALM, as is.
	NamePrincipal
)

// String returns "none", "host-based", "user" or "principal".
func (t NameType) String() string {
	switch t {
	case NameNone:
		return "none"
	case NameHostBased:
		return "host-based"
	case NameUser:
		return "user"
	case NamePrincipal:
		return "principal"
	}
	return fmt.Sprintf("NameType(%d)", uint8(t))
}

// Name is a GSS-API name: a plain value, comparable with ==, never normalised
// behind the caller's back. The zero Name is no name.
type Name struct {
	Type  NameType
	Value string
}

// HostBased returns the name of a service on a host, service@host: the form
// that RFC 4559 uses with the service "HTTP".
func HostBased(service, host string) Name {
	return Name{Type: NameHostBased, Value: service + "@" + host}
}

// User returns a person's name, "alice" (in the default realm) or "alice@REALM".
func User(principal string) Name { return Name{Type: NameUser, Value: principal} }

// Principal returns a Kerberos principal name that is used exactly as written,
// such as "HTTP/host@REALM". Without "@REALM" the provider finds the realm.
func Principal(spn string) Name { return Name{Type: NamePrincipal, Value: spn} }

// IsZero reports whether n is no name at all.
func (n Name) IsZero() bool { return n == Name{} }

// String returns the name's text, without its type. The zero Name gives "".
func (n Name) String() string { return n.Value }

// Service splits a host-based name into service and host. ok is false for
// other types and for text without an "@".
func (n Name) Service() (service, host string, ok bool) {
	if n.Type != NameHostBased {
		return "", "", false
	}
	service, host, ok = strings.Cut(n.Value, "@")
	return service, host, ok && service != ""
}

// ErrBadName is what ParseName's errors wrap.
var ErrBadName = errors.New("gss: not a name")

// ParseName reads a name as a person writes it:
//
//	HTTP@web.example.com             a host-based service
//	HTTP/web.example.com@REALM       a principal, also without @REALM
//	alice@REALM, alice               a user
//
// Text with a "/" is a principal. Otherwise "a@b" is a user when b looks like
// a realm (letters, none of them in lower case) and a is not "HTTP"; else it is
// a host-based service. Where that guess is wrong, the prefixes "host:",
// "user:" and "principal:" decide. The error wraps [ErrBadName].
func ParseName(s string) (Name, error) {
	typ, value := NameNone, s
	if kind, rest, ok := strings.Cut(s, ":"); ok {
		switch kind {
		case "host":
			typ, value = NameHostBased, rest
		case "user":
			typ, value = NameUser, rest
		case "principal":
			typ, value = NamePrincipal, rest
		}
	}
	if err := checkNameText(value); err != nil {
		return Name{}, err
	}
	if typ == NameNone {
		typ = guessNameType(value)
	}
	n := Name{Type: typ, Value: value}
	if typ == NameHostBased {
		if _, host, ok := n.Service(); !ok || host == "" || strings.Contains(host, "@") {
			return Name{}, fmt.Errorf("%w: %q: want service@host, as in HTTP@web.example.com", ErrBadName, s)
		}
	}
	if before, realm, ok := strings.Cut(value, "@"); ok && (before == "" || realm == "") {
		return Name{}, fmt.Errorf("%w: %q: nothing on one side of the @", ErrBadName, s)
	}
	return n, nil
}

func guessNameType(s string) NameType {
	if strings.Contains(s, "/") {
		return NamePrincipal
	}
	at := strings.LastIndexByte(s, '@') // one before it is escaped, as in alice\@dom@REALM
	if at < 0 {
		return NameUser
	}
	before, after := s[:at], s[at+1:]
	if before != "HTTP" && after == strings.ToUpper(after) && after != strings.ToLower(after) {
		return NameUser
	}
	return NameHostBased
}

func checkNameText(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrBadName)
	case len(s) > 1024:
		return fmt.Errorf("%w: it has %d characters, at most 1024 are allowed", ErrBadName, len(s))
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: %q: control character %q", ErrBadName, s, r)
		}
	}
	return nil
}
