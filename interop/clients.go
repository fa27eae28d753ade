//go:build interop

package interop

import (
	_ "embed"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Curl runs curl, not configured by whoever runs the test, with an
// environment such as [MIT.Env] and further arguments, and returns what it
// printed. It shows errors and fails on none of HTTP's own, unless asked to.
func Curl(tb testing.TB, env []string, args ...string) string {
	tb.Helper()
	out, err := CurlE(tb, env, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// CurlE is Curl for calls that may fail.
func CurlE(tb testing.TB, env []string, args ...string) (string, error) {
	tb.Helper()
	curl, err := need("curl", "curl")
	if err != nil {
		tb.Fatal(err)
	}
	all := append([]string{"--disable", "--silent", "--show-error"}, args...)
	return command{path: curl, args: all, env: env}.run(tb.Context())
}

// CurlNegotiate is Curl with the arguments that have it use HTTP Negotiate,
// such as curl itself documents them.
func CurlNegotiate(tb testing.TB, env []string, args ...string) string {
	tb.Helper()
	return Curl(tb, env, append([]string{"--negotiate", "--user", ":"}, args...)...)
}

// debianPython is the one that Debian's packages of modules belong to. Another
// python3 may come first in PATH.
const debianPython = "/usr/bin/python3"

// Python runs a script with Debian's python3 and returns what it printed.
func Python(tb testing.TB, env []string, script string, args ...string) string {
	tb.Helper()
	out, err := PythonE(tb, env, script, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// PythonE is Python for scripts that may fail.
func PythonE(tb testing.TB, env []string, script string, args ...string) (string, error) {
	tb.Helper()
	if err := needFile(debianPython, "python3"); err != nil {
		tb.Fatal(err)
	}
	return command{path: debianPython, args: append([]string{"-I", "-c", script}, args...), env: env}.run(tb.Context())
}

// RequestsKerberos is a script for [Python]: a GET with requests-kerberos. Its
// arguments are the URL, "required", "optional" or "disabled" for mutual
// authentication, and the file of the certificate authority, which may be
// missing. It prints status, X-Remote-User and the body, a line each.
//
//go:embed requests_kerberos.py
var RequestsKerberos string

//go:embed bound_get.py
var boundGet string

// BoundGet is a GET of an https URL with HTTP Negotiate by MIT's library, with
// channel bindings unless they are empty. It returns lines: the status,
// "mutual" or "one-sided", and the body's.
func BoundGet(tb testing.TB, env []string, url, caFile string, bindings []byte) []string {
	tb.Helper()
	return gssapiGet(tb, env, url, caFile, bindings, "")
}

// DelegatingGet is BoundGet that hands the server the credential.
func DelegatingGet(tb testing.TB, env []string, url, caFile string, bindings []byte) []string {
	tb.Helper()
	return gssapiGet(tb, env, url, caFile, bindings, "delegate")
}

func gssapiGet(tb testing.TB, env []string, url, caFile string, bindings []byte, delegate string) []string {
	tb.Helper()
	needPythonModule(tb, "gssapi", "python3-gssapi")
	out := Python(tb, env, boundGet, url, caFile, hex.EncodeToString(bindings), delegate)
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

// needPythonModule fails the test unless Debian's python3 can import it.
func needPythonModule(tb testing.TB, module, debianPackage string) {
	tb.Helper()
	if _, err := PythonE(tb, os.Environ(), "import "+module); err != nil {
		tb.Fatalf("interop: Python's module %s is missing: install Debian's package %s, or all peers with interop/peers.sh\n%v", module, debianPackage, err)
	}
}

// RequestsKerberosGet runs [RequestsKerberos] and returns its lines: status,
// user, first line of the body and so on.
func RequestsKerberosGet(tb testing.TB, env []string, url, mutual, caFile string) []string {
	tb.Helper()
	needPythonModule(tb, "requests_kerberos", "python3-requests-kerberos")
	if caFile == "" {
		caFile = filepath.Join(tb.TempDir(), "none")
	}
	out := Python(tb, env, RequestsKerberos, url, mutual, caFile)
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}
