package krb5

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/go-negotiate/negotiate/internal/keytab"
)

// What a provider remembers of files has a bound, and the newest stays.
func TestMemoryIsBounded(t *testing.T) {
	p, dir := testProvider(t), t.TempDir()
	empty, err := (&keytab.Keytab{}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxFiles + 20 {
		path := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := p.keysOf("accept", path)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := p.keysOf("accept", path); again != keys || err != nil {
			t.Fatalf("the keytab that was read last, the %dth, is read again: %v", i+1, err)
		}
	}
	if n := p.keytabs.Len(); n != maxFiles {
		t.Errorf("%d keytabs are remembered, want %d", n, maxFiles)
	}
}
