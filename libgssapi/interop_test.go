//go:build interop

package libgssapi_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/libgssapi"
)

// The libraries take their configuration from the environment of the process,
// and the loader its path: each test runs in a child of its own, once for each
// library.

func TestMain(m *testing.M) { os.Exit(interop.Main(m)) }

const (
	childVariable = "LIBGSSAPI_TEST_CHILD"
	// wrapperVariable has a command and its arguments that run the children, such
	// as "valgrind --leak-check=full".
	wrapperVariable = "LIBGSSAPI_WRAPPER"
	testHost        = "gss.bed.test"
	testTarget      = "HTTP@" + testHost
	testPrincipal   = "alice@BED.TEST"
)

// flavour is a library that is tested.
type flavour struct {
	name string // as in "libgssapi (MIT 1.20.1)"
	file string
}

var flavours = []flavour{{"MIT", "libgssapi_krb5.so.2"}, {"Heimdal", "libgssapi.so.3"}}

// eachLibrary runs test in a child for each library.
func eachLibrary(t *testing.T, test func(t *testing.T, p *libgssapi.Provider)) {
	t.Helper()
	if child := os.Getenv(childVariable); child != "" {
		p, err := libgssapi.Load("")
		if err != nil {
			t.Fatal(err)
		}
		test(t, p)
		return
	}
	bed := interop.Shared(t)
	keytab := bed.KDC.ServiceKeytab(t, "HTTP/"+testHost)
	for _, f := range flavours {
		t.Run(f.name, func(t *testing.T) {
			runChild(t, childEnv(t, bed, f, keytab))
		})
	}
}

// childEnv is the environment of a child that uses a library in the shared bed.
func childEnv(t testing.TB, bed *interop.Bed, f flavour, keytab string) []string {
	t.Helper()
	env := append(bed.KDC.Env(bed.Alice(t)),
		"KRB5_KTNAME=FILE:"+keytab, "KRB5RCACHENAME=file2:"+filepath.Join(t.TempDir(), "rcache"),
		"GLIBC_TUNABLES=glibc.malloc.tcache_count=0", // so that what is in use can be counted
		childVariable+"="+f.name, libgssapi.EnvLibrary+"="+f.file,
		"TEST_KEYTAB="+keytab, "TEST_ALICE_KEYTAB="+bed.KDC.Keytab(t, "alice"),
		"TEST_BOB_CCACHE="+bed.Bob(t), "TEST_ALICE_CCACHE="+bed.Alice(t), "TEST_PASSWORD="+interop.AlicePassword, "TEST_APACHE="+bed.Apache.HTTP)
	if f.name == "Heimdal" {
		env = append(env, "LD_LIBRARY_PATH="+interop.HeimdalLibraryPath(t))
	}
	return env
}

// runChild runs the present test in a child.
func runChild(t *testing.T, env []string, args ...string) {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(strings.Fields(os.Getenv(wrapperVariable)), self, "-test.run=^"+name+"$", "-test.v="+verbose(), "-test.timeout=20m")
	argv = append(argv, args...)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the child: %v\n%s", err, out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}

func verbose() string {
	if testing.Verbose() {
		return "true"
	}
	return "false"
}

func isHeimdal(p *libgssapi.Provider) bool { return strings.Contains(p.String(), "Heimdal") }

func target(t *testing.T) gss.Name {
	t.Helper()
	n, err := gss.ParseName(testTarget)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConformance(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		gsstest.Run(t, gsstest.Suite{
			Provider: p, Target: target(t), Principal: testPrincipal, Delegation: true,
			Mechanisms:    []gss.OID{gss.MechSPNEGO, gss.MechKRB5},
			NoReplayCache: isHeimdal(p), NoChannelBoundFlag: isHeimdal(p),
		})
	})
}

func TestString(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		want := "libgssapi (" + cmp.Or(os.Getenv(childVariable)) + " "
		if got := p.String(); !strings.HasPrefix(got, want) || !strings.Contains(got, ".") {
			t.Errorf("got %q, want %q and a version", got, want)
		}
	})
}
