//go:build unix

package ccache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestAppendWaitsForLock(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a lock belongs to the process and cannot be held against itself")
	}
	path := filepath.Join(t.TempDir(), "cc")
	if err := WriteFile(path, &Cache{Principal: alice}); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := lock(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := AppendCredential(ctx, path, ticketFor(0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another holds the lock: %v", err)
		}
		// The other replaces the file, as kinit does, before it lets go.
		time.AfterFunc(time.Minute, func() {
			if err := WriteFile(path, &Cache{Principal: alice}); err != nil {
				t.Error(err)
			}
			f.Close()
		})
		if err := AppendCredential(t.Context(), path, ticketFor(0)); err != nil {
			t.Errorf("after the other has closed: %v", err)
		}
		if c, _, err := ReadFile(path); err != nil || len(c.Creds) != 1 {
			t.Errorf("the ticket is not in the new file: %v, %v", c, err)
		}
	})
}
