//go:build interop

package interop_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/leaktest"
	"github.com/go-negotiate/negotiate/interop"
)

// leavesNothing has the test fail if goroutines or sockets are left when it is
// over, and all that it cleans up from here on. The shared bed is not the test's.
func leavesNothing(t testing.TB) {
	t.Helper()
	interop.Shared(t)
	leaktest.LeavesNothing(t)
}

// TestEachTestLeavesNothing sees that each test, of this folder and of those below
// it, begins with leavesNothing.
func TestEachTestLeavesNothing(t *testing.T) {
	leavesNothing(t)
	files := 0
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		lacking, err := leaktest.Lacking(path)
		for _, test := range lacking {
			t.Errorf("%s: %s does not begin with leavesNothing(t)", path, test)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}
