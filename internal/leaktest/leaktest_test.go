package leaktest

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLeaksAreNoticed leaves a goroutine and a connection behind, each for a
// while.
func TestLeaksAreNoticed(t *testing.T) {
	LeavesNothing(t)
	const soon = 20 * time.Millisecond
	before := TakeCensus()
	if left := before.Exceeded(soon); left != "" {
		t.Errorf("nothing was left, and it finds %s", left)
	}
	end := make(chan struct{})
	for range 5 { // of others some may end
		go func() { <-end }()
	}
	if left := before.Exceeded(soon); !strings.Contains(left, "TestLeaksAreNoticed") {
		t.Errorf("goroutines were left, and it finds %q", left)
	}
	close(end)
	if left := before.Exceeded(time.Minute); left != "" {
		t.Errorf("the goroutines have ended, and it finds %s", left)
	}
	if openSockets() == 0 {
		if _, err := os.Stat("/proc/self/fd"); err != nil {
			return // the servers of the tests count their connections, too
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if before.Exceeded(soon) == "" {
		t.Error("a socket was left, and it finds nothing")
	}
	l.Close()
	if left := before.Exceeded(time.Minute); left != "" {
		t.Errorf("the socket is closed, and it finds %s", left)
	}
}

func TestLacking(t *testing.T) {
	LeavesNothing(t)
	path := filepath.Join(t.TempDir(), "a_test.go")
	const source = `package a
func TestMain(m *testing.M) {}
func TestOwn(t *testing.T) { leavesNothing(t); t.Log() }
func TestOther(t *testing.T) { a.LeavesNothing(t) }
func TestNone(t *testing.T) { t.Log() }
func TestLate(t *testing.T) { a.Shared(t); leavesNothing(t) }
func TestDeferred(t *testing.T) { defer leavesNothing(t) }
func TestEmpty(t *testing.T) {}
func helper(t *testing.T) {}
func (s suite) TestMethod(t *testing.T) {}
`
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Lacking(path)
	if want := []string{"TestNone", "TestLate", "TestDeferred", "TestEmpty"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
