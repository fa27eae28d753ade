//go:build unix

package ccache

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lock takes an exclusive lock of the whole file, as MIT's libraries do around
// each change. It waits for other holders until ctx ends. Closing the file
// releases it.
func lock(ctx context.Context, f *os.File) error {
	want := syscall.Flock_t{Type: syscall.F_WRLCK}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := syscall.FcntlFlock(f.Fd(), setLock, &want)
		if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}
