package negotiate

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/go-negotiate/negotiate/internal/readmap"
)

// Opportunism says whether a token goes out before the server has asked for it,
// which saves a round trip.
type Opportunism uint8

const (
	// OpportunisticNever waits to be asked.
	OpportunisticNever Opportunism = iota
	// OpportunisticLearned waits to be asked once by each origin. Afterwards
	// the token goes with the request, until the origin refuses one. The
	// Transport remembers 16384 origins, and forgets those not used of late.
	OpportunisticLearned
	// OpportunisticAlways sends a token with each request, and so fetches a
	// ticket for every server that is talked to. Use it with Transport.Allow
	// or with servers that one knows.
	OpportunisticAlways
)

// String returns "never", "learned" or "always".
func (o Opportunism) String() string {
	switch o {
	case OpportunisticNever:
		return "never"
	case OpportunisticLearned:
		return "learned"
	case OpportunisticAlways:
		return "always"
	}
	return fmt.Sprintf("Opportunism(%d)", uint8(o))
}

// maxOrigins bounds what a Transport remembers of origins.
const maxOrigins = 1 << 14

// originSet is a bounded set of origins: one that was not used of late is forgotten
// first. Looking for one takes no lock. The zero value is ready.
type originSet struct {
	at readmap.Map[string, *knownOrigin]

	mu    sync.Mutex // held to write at, and guards what follows
	queue list.List  // of *knownOrigin, those to be forgotten first in front
}

type knownOrigin struct {
	name string
	used atomic.Bool // since it came to the end of the queue
	spot *list.Element
}

func (s *originSet) has(name string) bool {
	o := s.at.Get(name)
	if o == nil {
		return false
	}
	if !o.used.Load() {
		o.used.Store(true)
	}
	return true
}

func (s *originSet) add(name string) {
	if s.has(name) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has(name) { // another goroutine was faster
		return
	}
	if s.at.Len() >= maxOrigins {
		s.makeRoom()
	}
	o := &knownOrigin{name: name}
	o.spot = s.queue.PushBack(o)
	s.at.Set(name, o)
}

// makeRoom forgets the first origin that was not used since it was queued. Those
// that were queue again.
func (s *originSet) makeRoom() {
	first := func() *knownOrigin { return s.queue.Front().Value.(*knownOrigin) }
	for range s.queue.Len() {
		if !first().used.Swap(false) {
			break
		}
		s.queue.MoveToBack(s.queue.Front())
	}
	s.drop(first())
}

func (s *originSet) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.at.Get(name); o != nil {
		s.drop(o)
	}
}

func (s *originSet) drop(o *knownOrigin) {
	s.queue.Remove(o.spot)
	s.at.Delete(o.name)
}
