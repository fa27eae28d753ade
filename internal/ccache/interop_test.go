//go:build interop

package ccache

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mit runs one of MIT's tools and returns what it prints.
func mit(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := mitCommand(t, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s (of MIT's krb5-user): %v\n%s", name, err, out)
	}
	return string(out)
}

func mitCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C", "KRB5_CONFIG="+os.DevNull)
	return cmd
}

// currentCache is v4.ccache with tickets that are valid now.
func currentCache(t *testing.T) *Cache {
	c := load(t, "v4.ccache")
	for i := range c.Creds {
		c.Creds[i] = current(c.Creds[i])
	}
	return c
}

func current(c Credential) Credential {
	now := time.Now().Truncate(time.Second).UTC()
	c.AuthTime, c.StartTime = now.Add(-time.Hour), now.Add(-time.Hour)
	c.EndTime, c.RenewTill = now.Add(time.Hour), now.Add(24*time.Hour)
	return c
}

func TestKlist(t *testing.T) {
	c := currentCache(t)
	c.Creds[0].Addresses = []TypedData{{2, []byte{192, 0, 2, 7}}}
	c.SetConfig("start_realm", "", []byte("X.TEST"))
	path := filepath.Join(t.TempDir(), "cc")
	if err := WriteFile(path, c); err != nil {
		t.Fatal(err)
	}
	out := mit(t, "klist", "-c", path, "-C", "-f", "-e", "-a", "-n")
	stamp := func(tm time.Time) string { return tm.Format("01/02/06 15:04:05") }
	for _, want := range []string{
		"Default principal: alice@X.TEST\n",
		"config: fast_avail(krbtgt/X.TEST@X.TEST) = yes\n",
		"config: start_realm = X.TEST\n",
		fmt.Sprintf("%s  %s  krbtgt/X.TEST@X.TEST\n", stamp(c.Creds[0].StartTime), stamp(c.Creds[0].EndTime)),
		fmt.Sprintf("%s  %s  HTTP/web.x.test@X.TEST\n", stamp(c.Creds[1].StartTime), stamp(c.Creds[1].EndTime)),
		"renew until " + stamp(c.Creds[0].RenewTill) + ", Flags: FRI",
		"Etype (skey, tkt): aes256-cts-hmac-sha1-96, aes256-cts-hmac-sha1-96",
		"Addresses: 192.0.2.7\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("klist does not print %q:\n%s", want, out)
		}
	}
}

// MIT finds a ticket that we have added, and takes it without a KDC.
func TestKvnoAppended(t *testing.T) {
	c := currentCache(t)
	ticket := c.Creds[1]
	c.Creds = c.Creds[:1]
	path := filepath.Join(t.TempDir(), "cc")
	if err := WriteFile(path, c); err != nil {
		t.Fatal(err)
	}
	if err := AppendCredential(t.Context(), path, ticket); err != nil {
		t.Fatal(err)
	}
	out := mit(t, "kvno", "-c", path, "--cached-only", ticket.Server.String())
	if want := "HTTP/web.x.test@X.TEST: kvno = "; !strings.Contains(out, want) {
		t.Errorf("kvno does not print %q: %s", want, out)
	}
}

// While we hold our lock, MIT waits.
func TestLockKeepsMITOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cc")
	if err := WriteFile(path, currentCache(t)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := lock(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	cmd := mitCommand(t, "klist", "-s", "-c", path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		t.Fatalf("klist has read the locked cache (%v)", err)
	case <-time.After(300 * time.Millisecond):
	}
	f.Close()
	if err := <-done; err != nil {
		t.Errorf("klist after the lock is gone: %v", err)
	}
}
