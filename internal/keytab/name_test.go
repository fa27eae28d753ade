package keytab

import "testing"

func TestParseName(t *testing.T) {
	for name, want := range map[string]string{
		"/etc/krb5.keytab":        "/etc/krb5.keytab",
		"FILE:/etc/krb5.keytab":   "/etc/krb5.keytab",
		"WRFILE:/etc/krb5.keytab": "/etc/krb5.keytab",
		"relative.keytab":         "relative.keytab",
		`C:\krb5kt`:               `C:\krb5kt`,
		"./a:b":                   "./a:b",
		"FILE:C:/k":               "C:/k",
	} {
		if got, err := ParseName(name); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"", "FILE:", "MEMORY:x", "SRVTAB:/x", "KDB:"} {
		if got, err := ParseName(name); err == nil {
			t.Errorf("%q: got %q, want an error", name, got)
		}
	}
}

func TestDefaultName(t *testing.T) {
	env := func(name, value string) func(string) string {
		return func(s string) string {
			if s == name {
				return value
			}
			return ""
		}
	}
	none := env("", "")
	for _, tc := range []struct{ what, got, want string }{
		{"KRB5_KTNAME", DefaultName(env("KRB5_KTNAME", "FILE:/e"), "FILE:/c"), "FILE:/e"},
		{"default_keytab_name", DefaultName(none, "FILE:/c"), "FILE:/c"},
		{"KRB5_CLIENT_KTNAME", DefaultClientName(env("KRB5_CLIENT_KTNAME", "/e"), "/c", 7), "/e"},
		{"default_client_keytab_name", DefaultClientName(none, "/c", 7), "/c"},
		{"the client's default", DefaultClientName(none, "", 2000000007), "FILE:/etc/krb5/user/2000000007/client.keytab"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.what, tc.got, tc.want)
		}
	}
	if _, err := ParseName(DefaultName(none, "")); err != nil {
		t.Errorf("the default cannot be parsed: %v", err)
	}
}
