package principal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/go-negotiate/negotiate/internal/principal"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		text       string
		realm      string
		components []string
		typ        int32
		back       string // "" means text
	}{
		{"alice@X.TEST", "X.TEST", []string{"alice"}, principal.TypePrincipal, ""},
		{"alice", "DEFAULT", []string{"alice"}, principal.TypePrincipal, "alice@DEFAULT"},
		{"HTTP/web.x.test@X.TEST", "X.TEST", []string{"HTTP", "web.x.test"}, principal.TypeSrvHst, ""},
		{"krbtgt/X.TEST@X.TEST", "X.TEST", []string{"krbtgt", "X.TEST"}, principal.TypeSrvInst, ""},
		{`a\/b\@c@R`, "R", []string{"a/b@c"}, principal.TypePrincipal, ""},
		{`tab\there@R`, "R", []string{"tab\there"}, principal.TypePrincipal, ""},
		{`alice@R/S`, "R/S", []string{"alice"}, principal.TypePrincipal, `alice@R\/S`},
		{"a/b/c@R", "R", []string{"a", "b", "c"}, principal.TypePrincipal, ""},
	} {
		n, err := principal.Parse(tc.text, "DEFAULT")
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
			continue
		}
		if n.Realm != tc.realm || !slices.Equal(n.Components, tc.components) || n.Type != tc.typ {
			t.Errorf("%q: got %#v", tc.text, n)
		}
		want := tc.back
		if want == "" {
			want = tc.text
		}
		if n.String() != want {
			t.Errorf("%q: String is %q, want %q", tc.text, n.String(), want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "@R", "alice@", "a@b@c", `alice\`, string(make([]byte, 2000))} {
		if n, err := principal.Parse(text, ""); !errors.Is(err, principal.ErrBadName) {
			t.Errorf("%q: got %v, %v; want ErrBadName", text, n, err)
		}
	}
}

func TestParseClient(t *testing.T) {
	for _, tc := range []struct {
		text, realm, component string
		typ                    int32
	}{
		{"alice@X.TEST", "X.TEST", "alice", principal.TypePrincipal},
		{"alice", "DEFAULT", "alice", principal.TypePrincipal},
		{"alice@corp.example@X.TEST", "X.TEST", "alice@corp.example", principal.TypeEnterprise},
		{`alice\@corp.example`, "DEFAULT", "alice@corp.example", principal.TypeEnterprise},
		{`alice\@corp.example@X.TEST`, "X.TEST", "alice@corp.example", principal.TypeEnterprise},
		{`a\\@b@X.TEST`, "X.TEST", `a\@b`, principal.TypeEnterprise},
	} {
		n, err := principal.ParseClient(tc.text, "DEFAULT")
		if err != nil || n.Realm != tc.realm || !slices.Equal(n.Components, []string{tc.component}) || n.Type != tc.typ {
			t.Errorf("%q: got %#v, %v", tc.text, n, err)
		}
		if again, err := principal.ParseClient(n.String(), ""); err != nil || !again.Equal(n) || again.Type != n.Type {
			t.Errorf("%q: its text %q gives %#v, %v", tc.text, n.String(), again, err)
		}
	}
	for _, text := range []string{"", "@a@R", "a@b@", "a@b@c@d", "@R"} {
		if n, err := principal.ParseClient(text, ""); !errors.Is(err, principal.ErrBadName) {
			t.Errorf("%q: got %#v, %v", text, n, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("alice@X.TEST")
	f.Add(`a\/b\0/c@R`)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := principal.Parse(s, "")
		if err != nil {
			return
		}
		again, err := principal.Parse(n.String(), "")
		if err != nil || !again.Equal(n) {
			t.Fatalf("%q gives %#v, whose text %q gives %#v, %v", s, n, n.String(), again, err)
		}
		client, err := principal.ParseClient(s, "")
		if err != nil || !client.Equal(n) {
			t.Fatalf("%q is %#v, and as a client %#v, %v", s, n, client, err)
		}
	})
}
