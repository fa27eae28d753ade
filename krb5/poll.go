package krb5

import (
	"context"
	"sync"
	"time"
)

// pollInterval is how long the content of a cache is taken for unchanged that a
// daemon keeps. A file tells for nothing whether it has changed; a daemon has to
// be asked, which takes longer than making a token.
const pollInterval = time.Second

// polls has the logins of caches that daemons keep. A cache is asked for at use,
// once in the interval, by one goroutine; others use what was there before as long
// as that is valid. Its zero value is empty.
type polls struct {
	mu sync.Mutex
	m  map[string]*poll
}

type pollKey struct{ label, want string }

func (k pollKey) String() string { return k.label + " " + k.want }

// poll is one cache.
type poll struct {
	checked time.Time
	login   *login    // nil: not read yet
	call    *pollCall // under way; nil: none
}

// pollCall is a question to the daemon. Before done is closed only the goroutine
// that asks may touch the rest.
type pollCall struct {
	done  chan struct{}
	login *login
	err   error
	// abandoned says that the goroutine gave up since its own caller did.
	abandoned bool
}

// get returns the login of a cache, which read reads if it may have changed.
func (s *polls) get(ctx context.Context, key pollKey, now func() time.Time, read func(context.Context) (*login, error)) (*login, error) {
	for {
		call, mine, l := s.claim(key, now())
		switch {
		case l != nil:
			return l, nil
		case mine:
			return s.ask(ctx, key, call, now, read)
		}
		select {
		case <-call.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if !call.abandoned {
			return call.login, call.err
		}
	}
}

// claim returns the login to use, or the call to wait for, or a new call that is
// the caller's to carry out.
func (s *polls) claim(key pollKey, now time.Time) (call *pollCall, mine bool, l *login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.m[key.String()]
	if p == nil {
		if s.m == nil {
			s.m = make(map[string]*poll)
		}
		makeRoom(s.m)
		p = &poll{}
		s.m[key.String()] = p
	}
	fresh := now.Sub(p.checked).Abs() < pollInterval
	switch {
	case p.login != nil && (fresh || p.call != nil) && p.login.isValid():
		return nil, false, p.login
	case p.call != nil:
		return p.call, false, nil
	}
	p.call = &pollCall{done: make(chan struct{})}
	return p.call, true, nil
}

func (s *polls) ask(ctx context.Context, key pollKey, call *pollCall, now func() time.Time, read func(context.Context) (*login, error)) (*login, error) {
	call.abandoned = true // unless read returns
	defer func() {
		s.mu.Lock()
		if p := s.m[key.String()]; p != nil && p.call == call {
			p.call = nil
			if call.login != nil {
				p.login, p.checked = call.login, now()
			} else if !call.abandoned {
				p.login = nil
			}
		}
		s.mu.Unlock()
		close(call.done)
	}()
	call.login, call.err = read(ctx)
	call.abandoned = call.err != nil && ctx.Err() != nil
	return call.login, call.err
}

// isValid reports whether the login has a valid ticket-granting ticket.
func (l *login) isValid() bool { return l.validAt(l.held(), l.now()) }
