package libgssapi

import (
	"context"
	"runtime"
	"sync/atomic"
)

// maxCalls bounds the threads that calls of one library keep, stuck ones
// included.
const maxCalls = 256

// runner has calls of a library made that may wait for a KDC or for a disk.
type runner struct{ slots chan struct{} }

func newRunner(n int) *runner { return &runner{slots: make(chan struct{}, n)} }

// run calls work on a thread that it keeps until work returns. When ctx ends
// before that, run returns the reason at once and work goes on by itself. If run
// returns an error, nothing that work has made was seen by anybody, and discard is
// called to release it: now or, in work's goroutine, when work has returned.
func (r *runner) run(ctx context.Context, work, discard func()) error {
	if ctx.Err() != nil {
		discard()
		return context.Cause(ctx)
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		discard()
		return context.Cause(ctx)
	}
	if ctx.Done() == nil {
		defer func() { <-r.slots }()
		onThread(work)
		return nil
	}
	var settled atomic.Bool // by whoever comes first, the end of work or of ctx
	done := make(chan struct{})
	go func() {
		defer func() { <-r.slots }()
		onThread(work)
		if settled.CompareAndSwap(false, true) {
			close(done)
			return
		}
		discard()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		if settled.CompareAndSwap(false, true) {
			return context.Cause(ctx)
		}
		<-done
		return nil
	}
}

// onThread calls work on one thread: the libraries keep the text of a failure by
// thread.
func onThread(work func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	work()
}
