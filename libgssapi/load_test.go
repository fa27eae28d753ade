package libgssapi

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "libnone.so.1")
	for name, path := range map[string]string{"given": missing, "by the environment": ""} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(EnvLibrary, missing)
			p, err := Load(path)
			if !errors.Is(err, ErrNoLibrary) || p != nil {
				t.Fatalf("got %v, %v; want no provider and ErrNoLibrary", p, err)
			}
			for _, want := range []string{missing, EnvLibrary, "install", "krb5"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not mention %q: %v", want, err)
				}
			}
		})
	}
}
