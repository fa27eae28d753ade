package krb5

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Of goroutines that find at one moment that there is no ticket, or that the next
// one is due, one fetches it.
func TestFetchedOnceOfManyAtOnce(t *testing.T) {
	const turns = 3000
	l, key := testLogin(t), tgtKey("R")
	for _, test := range []struct {
		name   string
		before func()
	}{
		{"none", func() { l.tickets.Delete(key) }},
		{"due", func() { l.tickets.Get(key).due.Store(0) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			ticket := testTicket(t, principal.TGS("R", "R"), time.Hour)
			var fetches atomic.Int64
			fetch := func(context.Context) (*kdcclient.Ticket, error) {
				next := *ticket
				next.EndTime = next.EndTime.Add(time.Duration(fetches.Add(1)) * time.Second)
				return &next, nil
			}
			var wg sync.WaitGroup
			for range turns {
				test.before()
				for range 4 {
					wg.Go(func() {
						if _, err := l.get(t.Context(), key, fetch); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
			}
			if n := fetches.Load(); n != turns {
				t.Errorf("%d fetches, want %d", n, turns)
			}
		})
	}
}

// A next ticket that ends as soon is not followed by another one at once.
func TestNextTicketEndsSoonToo(t *testing.T) {
	l, key := testLogin(t), tgtKey("R")
	ticket := testTicket(t, principal.TGS("R", "R"), time.Minute)
	l.add(key, ticket)
	fetches := 0
	for range 10 {
		_, err := l.get(t.Context(), key, func(context.Context) (*kdcclient.Ticket, error) {
			fetches++
			next := *ticket
			next.EndTime = next.EndTime.Add(time.Duration(fetches) * time.Second)
			return &next, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if fetches != 1 {
		t.Errorf("%d fetches, want 1", fetches)
	}
}

// A next ticket does not take the place of one that came meanwhile from elsewhere.
func TestNextTicketComesTooLate(t *testing.T) {
	l, key := testLogin(t), tgtKey("R")
	ticket := testTicket(t, principal.TGS("R", "R"), time.Minute)
	l.add(key, ticket)
	other := testTicket(t, principal.TGS("R", "R"), 10*time.Hour)
	got, err := l.get(t.Context(), key, func(context.Context) (*kdcclient.Ticket, error) {
		l.forget(ticket)
		l.add(key, other)
		return testTicket(t, principal.TGS("R", "R"), time.Hour), nil
	})
	if got != other || err != nil || l.held() != other {
		t.Errorf("got %p (%v), and there is %p, want %p", got, err, l.held(), other)
	}
}

// A ticket is not used beyond its end, though the next attempt to replace it is due
// later.
func TestEndsBeforeTheNextAttempt(t *testing.T) {
	l, key := testLogin(t), tgtKey("R")
	now := time.Now()
	l.p.opts.Now = func() time.Time { return now }
	ticket := testTicket(t, principal.TGS("R", "R"), 10*time.Second)
	l.add(key, ticket)
	down := errors.New("the KDC is down")
	get := func() (*kdcclient.Ticket, error) {
		return l.get(t.Context(), key, func(context.Context) (*kdcclient.Ticket, error) { return nil, down })
	}
	if got, err := get(); got != ticket || err != nil {
		t.Errorf("before its end: got %v, %v", got, err)
	}
	now = now.Add(11 * time.Second)
	if got, err := get(); got != nil || !errors.Is(err, down) {
		t.Errorf("after its end: got %v, %v", got, err)
	}
}

// The same of those that ask a daemon, when its last answer has become old.
func TestDaemonIsAskedOnceByManyAtOnce(t *testing.T) {
	const turns = 3000
	var s polls
	l := testLogin(t)
	l.add(tgtKey("R"), testTicket(t, principal.TGS("R", "R"), time.Hour))
	now := time.Now()
	var reads atomic.Int64
	var wg sync.WaitGroup
	for range turns {
		now = now.Add(2 * pollInterval)
		for range 4 {
			wg.Go(func() {
				_, err := s.get(t.Context(), pollKey{label: "KCM:"}, func() time.Time { return now },
					func(context.Context) (*login, error) { reads.Add(1); return l, nil })
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := reads.Load(); n != turns {
		t.Errorf("%d reads, want %d", n, turns)
	}
}
