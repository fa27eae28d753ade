package profile

import (
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	env := testEnvironment()
	for in, want := range map[string]string{
		"plain":               "plain",
		"":                    "",
		"%{uid}":              "1000",
		"%{USERID}":           "1000",
		"%{euid}":             "1001",
		"a%{null}b":           "ab",
		"%{username}/%{uid}%": "alice/1000%",
		"{uid}":               "{uid}",
	} {
		if got, err := env.Expand(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"%{", "%{uid", "%{foo}", "%{}", "%{UID}"} {
		if got, err := env.Expand(in); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
	if got, err := (Environment{UID: -1, EUID: -1}).Expand("%{uid}"); err == nil {
		t.Errorf("where users have no numbers %%{uid} is %q", got)
	}
	if got, err := (Environment{}).Expand("%{username}"); err == nil {
		t.Errorf("an unknown user is named %q", got)
	}
}

func TestExpandTemp(t *testing.T) {
	env := Environment{Getenv: func(name string) string {
		return map[string]string{"TMPDIR": "/var/tmp/x/"}[name]
	}}
	if got, err := env.Expand("%{TEMP}/krb5cc"); err != nil || got != "/var/tmp/x/krb5cc" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestProcessEnvironment(t *testing.T) {
	env := ProcessEnvironment()
	if env.UID < 0 {
		t.Skip("users have no numbers here")
	}
	if got, err := env.Expand("%{username}"); err == nil && (got == "" || strings.Contains(got, "%")) {
		t.Errorf("the user's name is %q", got)
	}
}

// A name that cannot be expanded is not used, since it would be another file's.
func TestExpandInConfig(t *testing.T) {
	c := configOf(t, "[libdefaults]\ndefault_ccache_name = FILE:/x/%{foo}\n")
	if c.DefaultCCacheName != "" || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "%{foo}") {
		t.Errorf("got %q, warnings %q", c.DefaultCCacheName, c.Warnings)
	}
}
