package gss_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/go-negotiate/negotiate/gss"
)

func TestParseName(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want gss.Name
	}{
		{"HTTP@web.example.com", gss.HostBased("HTTP", "web.example.com")},
		{"HTTP@WEB", gss.HostBased("HTTP", "WEB")},
		{"http@web.example.com", gss.HostBased("http", "web.example.com")},
		{"ldap@127.0.0.1", gss.HostBased("ldap", "127.0.0.1")},
		{"HTTP/web.example.com@EXAMPLE.COM", gss.Principal("HTTP/web.example.com@EXAMPLE.COM")},
		{"HTTP/web.example.com", gss.Principal("HTTP/web.example.com")},
		{"alice/admin@EXAMPLE.COM", gss.Principal("alice/admin@EXAMPLE.COM")},
		{"alice@EXAMPLE.COM", gss.User("alice@EXAMPLE.COM")},
		{"alice@EXAMPLE-2.COM", gss.User("alice@EXAMPLE-2.COM")},
		{"alice", gss.User("alice")},
		{"élodie", gss.User("élodie")},
		{"host:alice@EXAMPLE.COM", gss.HostBased("alice", "EXAMPLE.COM")},
		{"user:HTTP@web.example.com", gss.User("HTTP@web.example.com")},
		{"user:a/b", gss.User("a/b")},
		{"principal:alice", gss.Principal("alice")},
		{"principal:user:x", gss.Principal("user:x")},
		{"other:alice", gss.User("other:alice")},
		{`alice\@dom@EXAMPLE.COM`, gss.User(`alice\@dom@EXAMPLE.COM`)},
	} {
		if got, err := gss.ParseName(tt.in); err != nil || got != tt.want {
			t.Errorf("ParseName(%q) = %v %q, %v; want %v %q", tt.in, got.Type, got, err, tt.want.Type, tt.want)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	for _, in := range []string{
		"", "user:", "host:", "@", "@EXAMPLE.COM", "alice@", "HTTP@", "HTTP/@", "host:HTTP", "host:@h", "host:HTTP@", "user:@R",
		"host:a@b@c", "HTTP@web@example.com", "a\x00b", "alice\n@EXAMPLE.COM", "a\x7f", "a\u009b31m", strings.Repeat("a", 1025),
	} {
		got, err := gss.ParseName(in)
		if !errors.Is(err, gss.ErrBadName) || !got.IsZero() {
			t.Errorf("ParseName(%.40q) = %v %q, %v; want ErrBadName", in, got.Type, got, err)
		} else if strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("ParseName(%.40q): the error has control characters", in)
		}
	}
}

func TestNameService(t *testing.T) {
	for _, tt := range []struct {
		name          gss.Name
		service, host string
		ok            bool
	}{
		{gss.HostBased("HTTP", "web.example.com"), "HTTP", "web.example.com", true},
		{gss.Name{Type: gss.NameHostBased, Value: "HTTP"}, "HTTP", "", false},
		{gss.Name{Type: gss.NameHostBased, Value: "@web"}, "", "web", false},
		{gss.User("HTTP@web.example.com"), "", "", false},
		{gss.Name{}, "", "", false},
	} {
		if service, host, ok := tt.name.Service(); ok != tt.ok || ok && (service != tt.service || host != tt.host) {
			t.Errorf("the service of %v %q is %q, %q, %v", tt.name.Type, tt.name, service, host, ok)
		}
	}
}

func TestNameTypesHaveNames(t *testing.T) {
	for typ, want := range map[gss.NameType]string{
		gss.NameNone: "none", gss.NameHostBased: "host-based", gss.NameUser: "user", gss.NamePrincipal: "principal", 9: "NameType(9)",
	} {
		if got := typ.String(); got != want {
			t.Errorf("type %d is called %q, want %q", typ, got, want)
		}
	}
}

// FuzzParseName: what is taken has a type and a text without control
// characters, and can be told again with the prefix of its type.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{
		"HTTP@web.example.com", "alice@EXAMPLE.COM", "HTTP/web@R", "host:a@b", "user:HTTP@h", "principal:x", "a@b@c", "", "@", "a\x00",
	} {
		f.Add(s)
	}
	prefixes := map[gss.NameType]string{gss.NameHostBased: "host:", gss.NameUser: "user:", gss.NamePrincipal: "principal:"}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := gss.ParseName(s)
		if err != nil {
			if !errors.Is(err, gss.ErrBadName) || !n.IsZero() {
				t.Errorf("ParseName(%q) = %v %q, %v", s, n.Type, n, err)
			}
			return
		}
		prefix, ok := prefixes[n.Type]
		if !ok || n.Value == "" || strings.ContainsFunc(n.Value, unicode.IsControl) || !strings.HasSuffix(s, n.Value) {
			t.Errorf("ParseName(%q) = %v %q", s, n.Type, n)
		}
		if again, err := gss.ParseName(prefix + n.Value); err != nil || again != n {
			t.Errorf("%v %q is read again as %v %q, %v", n.Type, n, again.Type, again, err)
		}
		if service, host, ok := n.Service(); ok != (n.Type == gss.NameHostBased) || ok && (service == "" || host == "") {
			t.Errorf("ParseName(%q) has the service %q on %q, %v", s, service, host, ok)
		}
	})
}
