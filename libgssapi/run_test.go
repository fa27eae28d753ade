package libgssapi

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestRun(t *testing.T) {
	for name, ctx := range map[string]context.Context{"background": context.Background(), "with an end": t.Context()} {
		t.Run(name, func(t *testing.T) {
			var worked, discarded bool
			if err := newRunner(1).run(ctx, func() { worked = true }, func() { discarded = true }); err != nil {
				t.Fatal(err)
			}
			if !worked || discarded {
				t.Errorf("worked: %t, discarded: %t; want the first only", worked, discarded)
			}
		})
	}
}

func TestRunEnded(t *testing.T) {
	cause := errors.New("the caller has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	discarded := false
	err := newRunner(1).run(ctx, func() { t.Error("a call was made for a caller who has gone") }, func() { discarded = true })
	if !errors.Is(err, cause) || !discarded {
		t.Errorf("got %v, discarded: %t; want the cause, and true", err, discarded)
	}
}

// A caller who gives up gets an answer at once. The call goes on, and what it
// makes is released when it is back, and its place is free then, not before.
func TestRunAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(1)
		var discarded atomic.Bool
		stuck := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(chan error)
		go func() { returned <- r.run(ctx, func() { <-stuck }, func() { discarded.Store(true) }) }()
		synctest.Wait()
		cancel()
		if err := <-returned; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if discarded.Load() {
			t.Error("what the call makes was released while the call made it")
		}

		second, cancelSecond := context.WithCancel(t.Context())
		refused := make(chan error)
		go func() {
			refused <- r.run(second, func() { t.Error("a call was made beyond the bound") }, func() {})
		}()
		synctest.Wait()
		cancelSecond()
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting for its turn: got %v, want context.Canceled", err)
		}

		close(stuck)
		synctest.Wait()
		if !discarded.Load() {
			t.Error("what the call has made was not released when it came back")
		}
		ran := false
		if err := r.run(t.Context(), func() { ran = true }, func() {}); err != nil || !ran {
			t.Errorf("the place of the stuck call is not free again: %v", err)
		}
	})
}
