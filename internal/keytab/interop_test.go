//go:build interop

package keytab

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// MIT's klist lists a keytab of ours, keys included.
func TestKlist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	entries := ktutilEntries()
	if err := WriteFile(path, &Keytab{Entries: entries}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "klist", "-k", "-e", "-K", "-t", path)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C", "KRB5_CONFIG="+os.DevNull)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("klist (of MIT's krb5-user): %v\n%s", err, out)
	}
	etypes := map[int32]string{17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96", 19: "aes128-cts-hmac-sha256-128", 23: "arcfour-hmac"}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	lines = lines[max(len(lines)-len(entries), 0):]
	for i, e := range entries {
		for _, want := range []string{
			fmt.Sprintf("%4d %s %s ", e.KVNO, e.Timestamp.Format("01/02/06 15:04:05"), e.Principal),
			etypes[e.KeyType] + ")",
			"(0x" + hex.EncodeToString(e.Key) + ")",
		} {
			if !strings.Contains(lines[i], want) {
				t.Errorf("entry %d: klist prints %q, want %q in it", i, lines[i], want)
			}
		}
	}
}
