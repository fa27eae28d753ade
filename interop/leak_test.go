//go:build interop

package interop_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/interop"
)

// openSockets counts the sockets of this process.
func openSockets(t testing.TB) (n int) {
	t.Helper()
	const fds = "/proc/self/fd"
	entries, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// leavesNothing has the test fail if goroutines or sockets are left when it is
// over, and all that it cleans up from here on. The shared bed is not the test's.
func leavesNothing(t testing.TB) {
	t.Helper()
	interop.Shared(t)
	goroutines, sockets := runtime.NumGoroutine(), openSockets(t)
	t.Cleanup(func() {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			g, s := runtime.NumGoroutine(), openSockets(t)
			if g <= goroutines && s <= sockets {
				return
			}
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("it leaves something behind: %d goroutines, there were %d; %d sockets, there were %d:\n%s",
					g, goroutines, s, sockets, buf[:runtime.Stack(buf, true)])
				return
			}
		}
	})
}
