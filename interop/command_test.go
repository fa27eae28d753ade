//go:build interop

package interop_test

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

// buildCommand builds the command negotiate.
func buildCommand(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "negotiate")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../cmd/negotiate").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// output is what a run of the command has left.
type output struct {
	status         int
	stdout, stderr string
}

func runCommand(t *testing.T, path string, env []string, args ...string) output {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &stdout, &stderr
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	out := output{stdout: stdout.String(), stderr: stderr.String()}
	if ok {
		out.status = exit.ExitCode()
	}
	return out
}

// TestCommandGet is negotiate get with a ticket of MIT's kinit, on Apache.
func TestCommandGet(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	negotiate := buildCommand(t)
	env := bed.KDC.Env(bed.Alice(t))
	you := "You are " + alice + "."
	tests := []struct {
		name     string
		args     []string
		proto    string
		requests int
	}{
		{"http", []string{bed.Apache.HTTP}, "HTTP/1.1", 2},
		{"https", []string{"--http1.1", bed.Apache.HTTPS}, "HTTP/1.1", 2},
		{"h2", []string{bed.Apache.HTTPS}, "HTTP/2", 2},
		{"opportunistic", []string{"--opportunistic", bed.Apache.HTTP}, "HTTP/1.1", 1},
		{"krb5", []string{"--mech", "krb5", bed.Apache.HTTP}, "HTTP/1.1", 2},
		{"channel bindings", []string{"--channel-bindings", "tls-server-end-point", bed.Apache.HTTPS}, "HTTP/2", 2},
		{"target", []string{"--target", "HTTP/" + bed.Apache.Host + "@BED.TEST", "--opportunistic", bed.Apache.HTTP}, "HTTP/1.1", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			query := "/?" + bed.KDC.Unique()
			args := append([]string{"get", "-i", "--mutual", "required", "--cacert", bed.Apache.Certificate.CA}, test.args...)
			args[len(args)-1] += query
			out := runCommand(t, negotiate, env, args...)
			if out.status != 0 || !strings.HasPrefix(out.stdout, test.proto+" 200 OK\r\n") || !strings.Contains(out.stdout, you) || out.stderr != "" {
				t.Fatalf("%q gives %+v, want status 0, 200 over %s and %q", args, out, test.proto, you)
			}
			end := bed.KDC.Unique()
			interop.Curl(t, bed.KDC.Env(""), bed.Apache.HTTP+"/?"+end) // what came before is logged when this is
			bed.Apache.Accesses(t, end, 1)
			log := bed.Apache.Accesses(t, query, test.requests)
			if len(log) != test.requests || !log[len(log)-1].Token || log[0].ClientPort != log[len(log)-1].ClientPort {
				t.Errorf("the access log has %+v, want %d requests on one connection, the last with a token", log, test.requests)
			}
		})
	}
}

func TestCommandDelegation(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	out := runCommand(t, buildCommand(t), bed.KDC.Env(bed.Alice(t)), "get", "-I", "--delegate", "always", bed.Apache.HTTP+interop.PathDelegated)
	var ccache string
	for line := range strings.Lines(out.stdout) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "X-Delegated-Ccache") {
			ccache = strings.TrimSpace(value)
		}
	}
	if out.status != 0 || ccache == "" {
		t.Fatalf("got %+v, want the name of the delegated credential cache", out)
	}
	list := bed.KDC.Klist(t, bed.Apache.DelegatedCCache(t, ccache))
	for _, want := range []string{"Default principal: " + alice, "krbtgt/BED.TEST@BED.TEST", "Flags: Ff"} {
		if !strings.Contains(list, want) {
			t.Errorf("the delegated credential cache has no %q:\n%s", want, list)
		}
	}
}

// TestCommandFails is what a person sees when there is no way to authenticate.
func TestCommandFails(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	negotiate := buildCommand(t)
	kinit := interop.KinitOptions{Principal: "alice", Password: interop.AlicePassword}
	nobody := filepath.Join(t.TempDir(), "none")
	gone := writeFile(t, "krb5.conf", "[libdefaults]\n default_realm = BED.TEST\n[realms]\n BED.TEST = {\n  kdc = 127.0.0.1:1\n }\n")
	tests := []struct {
		name   string
		env    []string
		args   []string
		status int
		says   []string // on standard error
	}{
		{"no ticket", bed.KDC.Env("FILE:" + nobody), nil, 4, []string{"no ticket for HTTP@" + bed.Apache.Host, "FILE:" + nobody, "run kinit"}},
		{"expired ticket", bed.KDC.Env(bed.KDC.ExpiredCCache(t, kinit)), nil, 4, []string{alice, "expired at", "run kinit"}},
		{"unreachable KDC", append(bed.KDC.Env(bed.Alice(t)), "KRB5_CONFIG="+gone), nil, 0, []string{"no KDC answered for realm BED.TEST", "127.0.0.1:1", "krb5.conf"}},
		{"unknown service", bed.KDC.Env(bed.Alice(t)), []string{"--target", "nowhere.bed.test"}, 0, []string{"HTTP/nowhere.bed.test", "KDC_ERR_S_PRINCIPAL_UNKNOWN", "target"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := runCommand(t, negotiate, test.env, append([]string{"get", "-i", bed.Apache.HTTP + "/"}, test.args...)...)
			if out.status != test.status || !strings.HasPrefix(out.stdout, "HTTP/1.1 401 ") {
				t.Errorf("got %+v, want status %d and the 401", out, test.status)
			}
			for _, want := range test.says {
				if !strings.Contains(out.stderr, want) {
					t.Errorf("the message is %q, and does not say %q", out.stderr, want)
				}
			}
			if strings.Count(out.stderr, "\n") != 1 {
				t.Errorf("the message has not one line: %q", out.stderr)
			}
		})
	}
}

// TestCommandRealm has MIT's tools and curl use negotiate kdc and negotiate serve.
func TestCommandRealm(t *testing.T) {
	leavesNothing(t)
	negotiate := buildCommand(t)
	script := `
set -eu
"$1" serve --listen 127.0.0.1:0 "$2" >serve.out 2>serve.err &
server=$!
trap 'kill $server; wait $server' EXIT
until grep -q http serve.out; do kill -0 $server; done
url=$(sed 's/.* at \(http[^,]*\),.*/\1/' serve.out)
printf 'alice\n' | kinit -f alice >/dev/null
klist -f
kvno HTTP/127.0.0.1
curl --disable --silent --show-error --negotiate --user : --delegation always "$url"page
"$1" get --mutual required "$url"page
kinit -k -t "$KRB5_CLIENT_KTNAME" alice
kvno HTTP/localhost
`
	site := filepath.Dir(writeFile(t, "page", "the page\n"))
	cmd := exec.CommandContext(t.Context(), negotiate, "kdc", "--", "sh", "-c", script, "sh", negotiate, site)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for want, times := range map[string]int{
		"Default principal: alice@KRB.TEST": 1, "krbtgt/KRB.TEST@KRB.TEST": 1, "HTTP/127.0.0.1@KRB.TEST: kvno = 1": 1,
		"the page\n": 2, "HTTP/localhost@KRB.TEST: kvno = 1": 1,
	} {
		if got := strings.Count(string(out), want); got != times {
			t.Errorf("%q comes %d times, want %d, in\n%s", want, got, times, out)
		}
	}
}
