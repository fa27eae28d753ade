//go:build interop

package profile

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// MIT's klist uses the names of the cache and the keytab that we read from the
// same configuration: included files, lists of files, tokens.
func TestKlistNames(t *testing.T) {
	dir := tree(t, map[string]string{
		"one":  "includedir @/d\n[libdefaults]\n default_ccache_name = FILE:@/late\n",
		"two":  "[libdefaults]\n default_keytab_name = \"FILE:@/%{username}\\\\%{euid}.keytab\"\n",
		"d/a":  "[libdefaults]\n default_ccache_name = FILE:@/%{uid}%{null}/%{username}.cc\n",
		"d/b~": "[libdefaults]\n default_ccache_name = FILE:@/never\n default_keytab_name = never\n",
	})
	t.Setenv("KRB5_CONFIG", filepath.Join(dir, "one")+":"+filepath.Join(dir, "two"))
	p, err := Default(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConfig(p, ProcessEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	klist := func(args ...string) string {
		if _, err := exec.LookPath("klist"); err != nil {
			t.Fatalf("klist (of MIT's krb5-user): %v", err)
		}
		cmd := exec.CommandContext(t.Context(), "klist", args...)
		cmd.Env = slices.DeleteFunc(append(os.Environ(), "LC_ALL=C"), func(v string) bool {
			// MIT takes even an empty one for a name.
			return strings.HasPrefix(v, "KRB5CCNAME=") || strings.HasPrefix(v, "KRB5_KTNAME=")
		})
		out, _ := cmd.CombinedOutput() // it fails, since the files do not exist
		return string(out)
	}
	if out, want := klist(), strings.TrimPrefix(c.DefaultCCacheName, "FILE:"); want == "" || !strings.Contains(out, want+")") {
		t.Errorf("klist looks for another cache than %q: %s", want, out)
	}
	if out := klist("-k"); c.DefaultKeytabName == "" || !strings.Contains(out, strings.TrimPrefix(c.DefaultKeytabName, "FILE:")) {
		t.Errorf("klist looks for another keytab than %q: %s", c.DefaultKeytabName, out)
	}
}
