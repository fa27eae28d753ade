package leaktest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Census counts what a test may leave behind: the goroutines and the sockets of
// this process.
type Census struct{ goroutines, sockets int }

// TakeCensus lets what is about to end do so: the goroutine of the test before,
// for one.
func TakeCensus() Census {
	c := Census{runtime.NumGoroutine(), openSockets()}
	for range 20 {
		runtime.Gosched()
		c.goroutines = min(c.goroutines, runtime.NumGoroutine())
	}
	return c
}

// openSockets counts the sockets of this process; zero where the system does not
// tell.
func openSockets() (n int) {
	const fds = "/proc/self/fd"
	entries, err := os.ReadDir(fds)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// Exceeded tells what there is more of now than in c, also after patience; empty
// for nothing.
func (c Census) Exceeded(patience time.Duration) string {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		now := TakeCensus()
		if now.goroutines <= c.goroutines && now.sockets <= c.sockets {
			return ""
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			return fmt.Sprintf("%d goroutines, there were %d; %d sockets, there were %d:\n%s",
				now.goroutines, c.goroutines, now.sockets, c.sockets, buf[:runtime.Stack(buf, true)])
		}
	}
}
