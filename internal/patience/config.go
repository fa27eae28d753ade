package patience

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Config is the text of a krb5.conf of package krbtest for clients that ask a KDC
// once and wait however long it takes. Over UDP they would ask again after a second,
// and after another over TCP, which counts.
func Config(conf string) string {
	conf = strings.ReplaceAll(conf, "\tkdc = ", "\tkdc = tcp/")
	return strings.Replace(conf, "[libdefaults]\n", "[libdefaults]\n\tkdc_timeout = 1h\n", 1)
}

// ConfigFile is the path of a copy of a krb5.conf as Config makes it.
func ConfigFile(tb testing.TB, conf string) string {
	tb.Helper()
	b, err := os.ReadFile(conf)
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "krb5.conf")
	if err := os.WriteFile(path, []byte(Config(string(b))), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
