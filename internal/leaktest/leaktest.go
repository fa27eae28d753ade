// Package leaktest sees that tests leave no goroutine and no socket behind.
package leaktest

import (
	"testing"
	"time"
)

// LeavesNothing has the test fail if goroutines or sockets are left when it is
// over, and all that it cleans up from here on. It is the first that a test calls,
// and no test beside it runs at the same time.
func LeavesNothing(tb testing.TB) {
	tb.Helper()
	before := TakeCensus()
	tb.Cleanup(func() {
		tb.Helper()
		if left := before.Exceeded(time.Minute); left != "" {
			tb.Errorf("it leaves something behind: %s", left)
		}
	})
}
