//go:build interop

package interop_test

import (
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

// TestWine runs the tests of package sspi as a program of Windows, in the shared
// realm.
func TestWine(t *testing.T) {
	bed := interop.Shared(t)
	wine := interop.NewWine(t)
	exe := wine.Build(t, "test", "-c", "-tags", "interop", "../sspi")
	ccache := bed.Alice(t)
	env := append(bed.KDC.Env(ccache), "KRB5_KTNAME="+bed.Apache.Keytab,
		"SSPI_HOST="+bed.Apache.Host, "SSPI_CONFIG="+wine.Path(bed.KDC.Config), "SSPI_KEYTAB="+wine.Path(bed.Apache.Keytab),
		"SSPI_CCACHE=FILE:"+wine.Path(strings.TrimPrefix(ccache, "FILE:")), "SSPI_PASSWORD="+interop.AlicePassword)
	stdout, stderr, status := wine.Run(t, env, exe, "-test.v")
	for _, test := range []string{"TestSystem", "TestInteropInitiate/SPNEGO_password", "TestInteropAccept/SPNEGO"} {
		if !strings.Contains(stdout, "--- PASS: "+test+" ") {
			t.Errorf("%s did not pass", test)
		}
	}
	if status != 0 || t.Failed() {
		t.Fatalf("exit status %d\n%s%s", status, stdout, stderr)
	}
}
