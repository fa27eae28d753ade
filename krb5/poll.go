package krb5

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-negotiate/negotiate/internal/readmap"
)

// pollInterval is how long the content of a cache is taken for unchanged that a
// daemon keeps. A file tells for nothing whether it has changed; a daemon has to
// be asked, which takes longer than making a token.
const pollInterval = time.Second

// polls has the logins of caches that daemons keep. A cache is asked for at use,
// once in the interval, by one goroutine; others use what was there before as long
// as that is valid. Its zero value is empty.
type polls struct {
	mu sync.Mutex // held to write what m has
	m  readmap.Map[pollKey, *poll]
}

type pollKey struct{ label, want string }

// poll is one cache.
type poll struct {
	last atomic.Pointer[pollAnswer] // nil: not read yet
	call atomic.Pointer[pollCall]   // under way; nil: none
}

// pollAnswer is what a daemon has said.
type pollAnswer struct {
	login *login
	at    time.Time
}

// present returns the login to use for now; nil if the daemon has to be asked, or
// waited for. A nil poll has none.
func (p *poll) present(now time.Time) *login {
	if p == nil {
		return nil
	}
	last := p.last.Load()
	if last == nil || now.Sub(last.at).Abs() >= pollInterval && p.call.Load() == nil || !last.login.isValid() {
		return nil
	}
	return last.login
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
		if l := s.m.Get(key).present(now()); l != nil {
			return l, nil
		}
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
	p := s.m.Get(key)
	if p == nil {
		p = &poll{}
		s.m.MakeRoom(maxFiles)
		s.m.Set(key, p)
	}
	if l := p.present(now); l != nil {
		return nil, false, l
	}
	if call := p.call.Load(); call != nil {
		return call, false, nil
	}
	call = &pollCall{done: make(chan struct{})}
	p.call.Store(call)
	return call, true, nil
}

func (s *polls) ask(ctx context.Context, key pollKey, call *pollCall, now func() time.Time, read func(context.Context) (*login, error)) (*login, error) {
	call.abandoned = true // unless read returns
	defer func() {
		s.mu.Lock()
		if p := s.m.Get(key); p != nil && p.call.Load() == call {
			if call.login != nil {
				p.last.Store(&pollAnswer{call.login, now()})
			} else if !call.abandoned {
				p.last.Store(nil)
			}
			p.call.Store(nil)
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
