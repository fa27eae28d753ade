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
	leavesNothing(t)
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

// TestWineCommand runs negotiate.exe, whose default is the provider of Windows, on
// Apache. Its Transport and net/http are those of Windows.
func TestWineCommand(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	wine := interop.NewWine(t)
	exe := wine.Build(t, "build", "../cmd/negotiate")
	env := bed.KDC.Env(bed.Alice(t))
	for name, args := range map[string][]string{
		"http":      {bed.Apache.HTTP},
		"https":     {"--cacert", wine.Path(bed.Apache.Certificate.CA), bed.Apache.HTTPS},
		"mech krb5": {"--mech", "krb5", bed.Apache.HTTP},
	} {
		stdout, stderr, status := wine.Run(t, env, exe, append([]string{"get", "--mutual", "required"}, args...)...)
		if want := "You are " + alice + "."; status != 0 || !strings.Contains(stdout, want) || stderr != "" {
			t.Errorf("%s: exit status %d, %q, %q; want 0 and %q", name, status, stdout, stderr, want)
		}
	}
	stdout, stderr, status := wine.Run(t, env, exe, "get", "--channel-bindings", "tls-server-end-point", "-k", bed.Apache.HTTPS)
	if status != 4 && status != 0 || !strings.Contains(stderr, "Wine ignores channel bindings") {
		t.Errorf("bindings under Wine: exit status %d, %q, %q; want the reason", status, stdout, stderr)
	}
	stdout, _, status = wine.Run(t, env, exe, "providers")
	if status != 0 || !strings.Contains(stdout, "sspi, the default\n  mechanisms  SPNEGO, krb5, NTLM\n  credential  somebody whom the provider does not name, until ") {
		t.Errorf("providers: exit status %d\n%s", status, stdout)
	}
}
