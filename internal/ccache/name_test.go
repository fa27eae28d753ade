package ccache

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	for name, want := range map[string]Name{
		"/tmp/krb5cc_0":      {TypeFile, "/tmp/krb5cc_0"},
		"FILE:/tmp/krb5cc_0": {TypeFile, "/tmp/krb5cc_0"},
		"krb5cc":             {TypeFile, "krb5cc"},
		`C:\krb5cc`:          {TypeFile, `C:\krb5cc`},
		`FILE:C:\krb5cc`:     {TypeFile, `C:\krb5cc`},
		"./FILE:x":           {TypeFile, "./FILE:x"},
		"DIR:/run/cc":        {TypeDir, "/run/cc"},
		"DIR::/run/cc/tkt":   {TypeDir, ":/run/cc/tkt"},
		"KCM:":               {TypeKCM, ""},
		"KCM:1000:66":        {TypeKCM, "1000:66"},
		"MEMORY:":            {TypeMemory, ""},
		"MEMORY:x":           {TypeMemory, "x"},

		"KEYRING:persistent:0":    {TypeKeyring, "persistent:0"},
		"KEYRING:session:a:b":     {TypeKeyring, "session:a:b"},
		"KEYRING:krb_ccache_abcd": {TypeKeyring, "krb_ccache_abcd"},
	} {
		if got, err := ParseName(name); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", name, got, err, want)
		}
	}
	if got := (Name{TypeDir, ":/run/cc/tkt"}).String(); got != "DIR::/run/cc/tkt" {
		t.Errorf("String: %q", got)
	}
}

func TestParseNameRefuses(t *testing.T) {
	for _, name := range []string{"API:x", "MSLSA:", "file:/x"} {
		typ, _, _ := strings.Cut(name, ":")
		n, err := ParseName(name)
		if !errors.Is(err, ErrUnsupportedType) || n.Type != typ || !strings.Contains(err.Error(), typ) || !strings.Contains(err.Error(), "FILE:") {
			t.Errorf("%q: got %v, %v", name, n, err)
		}
	}
	for _, name := range []string{"", "FILE:", "DIR:", "DIR::", "KEYRING:", "KCM:1000\x001", "/tmp/a\x00b"} {
		if n, err := ParseName(name); err == nil || errors.Is(err, ErrUnsupportedType) {
			t.Errorf("%q: got %v, %v", name, n, err)
		}
	}
}

func TestDefaultName(t *testing.T) {
	if got := DefaultName("FILE:/c", 7); got != "FILE:/c" {
		t.Errorf("default_ccache_name: %q", got)
	}
	if got := DefaultName("", 7); runtime.GOOS != "windows" && got != "FILE:/tmp/krb5cc_7" {
		t.Errorf("the default: %q", got)
	}
	if n, err := ParseName(DefaultName("", -1)); err != nil || n.Type != TypeFile {
		t.Errorf("without a uid: %v, %v", n, err)
	}
}
