package krb5

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// What a daemon keeps is asked for once in a second, by one goroutine of those
// that use it, while the others go on.
func TestPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s polls
		l := testLogin(t)
		l.add(tgtKey("R"), testTicket(t, principal.TGS("R", "R"), time.Hour))
		reads := 0
		gate := make(chan struct{})
		read := func(context.Context) (*login, error) {
			reads++
			<-gate
			return l, nil
		}
		crowd := func() chan error {
			results := make(chan error, 100)
			for range cap(results) {
				go func() {
					got, err := s.get(t.Context(), pollKey{label: "KCM:"}, time.Now, read)
					if err == nil && got != l {
						err = errors.New("another login")
					}
					results <- err
				}()
			}
			synctest.Wait()
			return results
		}
		results := crowd()
		if reads != 1 || len(results) != 0 {
			t.Errorf("at first: %d reads, and %d have an answer", reads, len(results))
		}
		gate <- struct{}{}
		synctest.Wait()
		if len(results) != 100 {
			t.Errorf("%d have an answer, want all", len(results))
		}
		for range 9 {
			time.Sleep(100 * time.Millisecond)
			if results = crowd(); reads != 1 || len(results) != 100 {
				t.Fatalf("within the second: %d reads, %d answers", reads, len(results))
			}
		}
		time.Sleep(100 * time.Millisecond)
		if results = crowd(); reads != 2 || len(results) != 99 {
			t.Errorf("after a second: %d reads, want 2; %d answers, want 99 with what was there", reads, len(results))
		}
		gate <- struct{}{}
		for range 100 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		// A login that is of no use any more is not gone on with.
		time.Sleep(time.Hour)
		if results = crowd(); reads != 3 || len(results) != 0 {
			t.Errorf("after its end: %d reads, %d answers", reads, len(results))
		}
		gate <- struct{}{}
		synctest.Wait()
	})
}

// Those who wait share a failure, and take over from one that gives up.
func TestPollFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s polls
		broken := errors.New("the daemon is broken")
		reads := 0
		read := func(ctx context.Context) (*login, error) {
			reads++
			if reads == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			time.Sleep(time.Second)
			return nil, broken
		}
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 20)
		go s.get(ctx, pollKey{label: "KCM:"}, time.Now, read)
		synctest.Wait()
		for range cap(results) {
			go func() {
				_, err := s.get(t.Context(), pollKey{label: "KCM:"}, time.Now, read)
				results <- err
			}()
		}
		synctest.Wait()
		cancel()
		for range cap(results) {
			if err := <-results; !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		}
		if reads != 2 {
			t.Errorf("%d reads, want 2", reads)
		}
	})
}
