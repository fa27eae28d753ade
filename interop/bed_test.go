//go:build interop

package interop_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

// The tests of this file hold the fixtures to what the field's own clients do.
// What the module does with them is in the other files.

const alice = "alice@BED.TEST"

func TestBedCurl(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	env := bed.KDC.Env(bed.Alice(t))
	for _, path := range []string{
		interop.PathPlain, interop.PathBound, interop.PathSession, interop.PathDelegated,
	} {
		for _, base := range []string{bed.Apache.HTTP, bed.Apache.HTTPS} {
			page := interop.CurlNegotiate(t, env, "--cacert", bed.Apache.Certificate.CA, base+path)
			if want := "You are " + alice + "."; !strings.Contains(page, want) {
				t.Errorf("%s%s: got %q, want a page with %q", base, path, page, want)
			}
		}
	}
}

func TestBedCurlWithoutTicket(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	for path, want := range map[string]string{
		interop.PathPlain: "401", interop.PathBound: "401", interop.PathUpload: "401", interop.PathMissing: "401",
		interop.PathAnonymous: "200",
	} {
		status := interop.CurlNegotiate(t, bed.KDC.Env(""), "--output", "/dev/null", "--write-out", "%{http_code}", bed.Apache.HTTP+path)
		if status != want {
			t.Errorf("%s: got status %s without a ticket, want %s", path, status, want)
		}
	}
}

func TestBedErrorsAfterAuthentication(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	env := bed.KDC.Env(bed.Alice(t))
	for path, want := range map[string]string{interop.PathMissing: "404", interop.PathForbidden: "401"} {
		status := interop.CurlNegotiate(t, env, "--output", "/dev/null", "--write-out", "%{http_code}", bed.Apache.HTTP+path)
		if status != want {
			t.Errorf("%s: got status %s, want %s", path, status, want)
		}
	}
}

func TestBedHTTP2(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	query := "?" + t.Name() + bed.KDC.Unique()
	out := interop.CurlNegotiate(t, bed.KDC.Env(bed.Alice(t)), "--http2", "--cacert", bed.Apache.Certificate.CA,
		"--write-out", "%{http_version} %header{x-remote-user}", bed.Apache.HTTPS+"/"+query)
	if want := "2 " + alice; !strings.HasSuffix(out, want) {
		t.Errorf("got %q, want it to end in %q", out, want)
	}
	log := bed.Apache.Accesses(t, query, 1)
	if log[len(log)-1].Proto != "HTTP/2.0" {
		t.Errorf("the access log has %+v, want HTTP/2.0", log)
	}
}

func TestBedDelegation(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	env := bed.KDC.Env(bed.Alice(t))
	get := func(args ...string) string {
		return interop.CurlNegotiate(t, env, append(args, "--output", "/dev/null",
			"--write-out", "%header{x-delegated-ccache}", bed.Apache.HTTP+interop.PathDelegated)...)
	}
	list := bed.KDC.Klist(t, bed.Apache.DelegatedCCache(t, get("--delegation", "always")))
	for _, want := range []string{"Default principal: " + alice, "krbtgt/BED.TEST@BED.TEST", "Flags: Ff"} {
		if !strings.Contains(list, want) {
			t.Errorf("the delegated credential cache has no %q:\n%s", want, list)
		}
	}
	if ccache := get(); ccache != "" {
		t.Errorf("curl without --delegation left the credential cache %q", ccache)
	}
}

func TestBedDelegationByPolicy(t *testing.T) {
	leavesNothing(t)
	kdc := interop.NewMIT(t, interop.MITOptions{})
	kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	env := kdc.Env(kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw", Forwardable: true}))
	server := interop.NewApache(t, interop.ApacheOptions{KDC: kdc})
	for _, trusted := range []bool{false, true} {
		if trusted {
			kdc.Admin(t, "modify_principal", "+ok_as_delegate", "HTTP/"+server.Host)
			env = kdc.Env(kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw", Forwardable: true}))
		}
		ccache := interop.CurlNegotiate(t, env, "--delegation", "policy", "--output", "/dev/null",
			"--write-out", "%header{x-delegated-ccache}", server.HTTP+interop.PathDelegated)
		if got := ccache != ""; got != trusted {
			t.Errorf("delegated under the realm's policy: %t, want %t", got, trusted)
		}
	}
}

func TestBedSessionCookie(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	jar := filepath.Join(t.TempDir(), "jar")
	url := bed.Apache.HTTP + interop.PathSession
	interop.CurlNegotiate(t, bed.KDC.Env(bed.Alice(t)), "--cookie-jar", jar, url)
	if page := interop.Curl(t, bed.KDC.Env(""), "--cookie", jar, url); !strings.Contains(page, alice) {
		t.Errorf("the session's cookie without a ticket gives %q, want alice's page", page)
	}
}

// TestBedConnectionBound shows why a connection belongs to one credential: the
// second request has no token, and is alice's all the same.
func TestBedConnectionBound(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	query := "?" + t.Name() + bed.KDC.Unique()
	url := bed.Apache.HTTP + interop.PathBound + query
	interop.CurlNegotiate(t, bed.KDC.Env(bed.Alice(t)), url, url)
	log := bed.Apache.Accesses(t, query, 2)
	if len(log) != 2 || !log[0].Token || log[1].Token {
		t.Fatalf("got %+v, want a request with a token and one without", log)
	}
	if log[1].User != alice || log[1].ClientPort != log[0].ClientPort || log[1].Keepalive != 1 {
		t.Errorf("the second request is %+v, want one of alice on the connection of %+v", log[1], log[0])
	}
}

func TestBedUpload(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	body := strings.Repeat("0123456789abcdef", 1<<14)
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s PUT %x\n", alice, sha256.Sum256([]byte(body)))
	for _, framing := range []string{"X-Framing: length", "Transfer-Encoding: chunked"} {
		got := interop.CurlNegotiate(t, bed.KDC.Env(bed.Alice(t)), "--upload-file", file, "--header", framing, bed.Apache.HTTP+interop.PathUpload)
		if got != want {
			t.Errorf("%s: got %q, want %q", framing, got, want)
		}
	}
}

func TestBedRequestsKerberos(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	for _, base := range []string{bed.Apache.HTTP, bed.Apache.HTTPS} {
		got := interop.RequestsKerberosGet(t, bed.KDC.Env(bed.Alice(t)), base+interop.PathPlain, "required", bed.Apache.Certificate.CA)
		if len(got) < 2 || got[0] != "200" || got[1] != alice {
			t.Errorf("%s: got %q, want 200 and %s", base, got, alice)
		}
	}
}

func TestBedGoClient(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	base := bed.Apache.Transport()
	defer base.CloseIdleConnections()
	resp, page := get(t, base, bed.Apache.HTTPS+interop.PathAnonymous)
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || !strings.Contains(page, "You are (none).") {
		t.Errorf("got %s %s and %q, want nobody's page over HTTP/2", resp.Proto, resp.Status, page)
	}
}
