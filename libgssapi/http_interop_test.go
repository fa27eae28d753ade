//go:build interop

package libgssapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/libgssapi"
)

// loopback connects to 127.0.0.1 whatever the host.
func loopback(t *testing.T) *http.Transport {
	base := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

// get returns a page and how it was authenticated.
func get(t *testing.T, rt http.RoundTripper, url string) (string, *negotiate.Exchange) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	ex, _ := negotiate.ExchangeFrom(resp)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %s, exchange %+v", resp.Status, ex)
	}
	return string(body), ex
}

func TestTransportAgainstApache(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		for _, mech := range bothMechs {
			rt := &negotiate.Transport{Base: loopback(t), Provider: p, Mechanism: mech, Mutual: negotiate.MutualRequired}
			page, ex := get(t, rt, os.Getenv("TEST_APACHE")+interop.PathPlain)
			if !strings.Contains(page, "You are "+testPrincipal) {
				t.Errorf("%s: Apache's page is %q, want alice's", mech.Describe(), page)
			}
			if !ex.MutualVerified || ex.Mechanism != gss.MechKRB5 {
				t.Errorf("%s: verified %t, mechanism %s; want true, krb5", mech.Describe(), ex.MutualVerified, ex.Mechanism.Describe())
			}
		}
	})
}

// The default cache comes to stand for somebody else, on a server that keeps the
// identity with the connection: the next request must not be alice's.
func TestTransportFollowsLogin(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		path := filepath.Join(t.TempDir(), "ccache")
		t.Setenv("KRB5CCNAME", "FILE:"+path)
		for name, cred := range map[string]gss.Credential{"default": nil, "FromCCache": p.FromCCache("FILE:" + path)} {
			t.Run(name, func(t *testing.T) {
				copyCache(t, path, os.Getenv("TEST_ALICE_CCACHE"))
				rt := &negotiate.Transport{Base: loopback(t), Provider: p, Credential: cred}
				for _, want := range []string{testPrincipal, testPrincipal, "bob@BED.TEST"} {
					if want != testPrincipal {
						copyCache(t, path, os.Getenv("TEST_BOB_CCACHE"))
					}
					if page, _ := get(t, rt, os.Getenv("TEST_APACHE")+interop.PathBound); !strings.Contains(page, "You are "+want) {
						t.Errorf("Apache's page is %q, want that of %s", page, want)
					}
				}
			})
		}
	})
}

func copyCache(t *testing.T, to, from string) {
	t.Helper()
	content, err := os.ReadFile(strings.TrimPrefix(from, "FILE:"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

func TestHandlerForCurl(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		interop.Host(t, testHost)
		server := httptest.NewServer(&negotiate.Handler{Provider: p, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			fmt.Fprintf(w, "%s by %s", id.Principal, id.Mechanism.Describe())
		})})
		defer server.Close()
		_, port, err := net.SplitHostPort(server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// curl's libraries are the system's.
		env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "LD_LIBRARY_PATH=") })
		url := "http://" + net.JoinHostPort(testHost, port)
		if got, want := interop.CurlNegotiate(t, env, url), testPrincipal+" by krb5"; got != want {
			t.Errorf("curl got %q, want %q", got, want)
		}
		if got := interop.Curl(t, env, "--output", "/dev/null", "--write-out", "%{http_code}", url); got != "401" {
			t.Errorf("curl without authentication got status %s, want 401", got)
		}
	})
}

// A KDC that does not answer holds the library up for a long time, and its caller
// only as long as the caller wants.
func TestCallerNeedNotWait(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		kdc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer kdc.Close()
		config := filepath.Join(t.TempDir(), "krb5.conf")
		text := fmt.Sprintf("[libdefaults]\n default_realm = BED.TEST\n dns_lookup_kdc = false\n[realms]\n BED.TEST = {\n  kdc = %s\n }\n", kdc.LocalAddr())
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("KRB5_CONFIG", config)
		sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", "other.bed.test"), Mechanism: gss.MechKRB5})
		if err != nil {
			t.Fatal(err)
		}
		cause := errors.New("the caller has no more time")
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := make(chan struct{}, 1)
		go func() {
			defer close(asked)
			for {
				if _, _, err := kdc.ReadFrom(make([]byte, 1<<16)); err != nil {
					return
				}
				cancel(cause) // the library waits for the answer now, and asks again later
				select {
				case asked <- struct{}{}:
				default:
				}
			}
		}()
		_, _, err = sc.Step(ctx, nil)
		if !errors.Is(err, cause) {
			t.Fatalf("got %v, want the cause of the context's end", err)
		}
		// The library has not given up, so that Step did not wait for that.
		<-asked // what came before
		select {
		case <-asked:
		case <-time.After(time.Minute):
			t.Error("Step returned after the library had asked for the last time")
		}
		if err := sc.Close(); err != nil {
			t.Error(err)
		}
		if _, _, err := sc.Step(t.Context(), nil); err == nil {
			t.Error("an abandoned context took another Step")
		}
	})
}

// program is one that uses the root and libgssapi.
const program = `package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/libgssapi"
)

func main() {
	p, err := libgssapi.Load("")
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: &negotiate.Transport{Provider: p, Mutual: negotiate.MutualRequired}}
	resp, err := client.Get(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	fmt.Printf("%s: %s %v", p, page, err)
}
`

// TestOneProgram builds a program once, with cgo and without, and runs it with
// each library.
func TestOneProgram(t *testing.T) {
	bed := interop.Shared(t)
	keytab := bed.KDC.ServiceKeytab(t, "HTTP/"+testHost)
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cgo := range []string{"0", "1"} {
		binary := filepath.Join(t.TempDir(), "program"+cgo)
		build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source)
		build.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, f := range flavours {
			t.Run("CGO_ENABLED="+cgo+"/"+f.name, func(t *testing.T) {
				run := exec.CommandContext(t.Context(), binary, bed.Apache.HTTP)
				run.Env = childEnv(t, bed, f, keytab)
				out, err := run.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "libgssapi ("+f.name+" ") || !strings.Contains(string(out), "You are "+testPrincipal) {
					t.Errorf("the program: %v: %s", err, out)
				}
			})
		}
	}
}
