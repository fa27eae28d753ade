package negotiate

import (
	"container/list"
	"fmt"
	"sync"
)

// Opportunism says whether a token goes out before the server has asked for it,
// which saves a round trip.
type Opportunism uint8

const (
	// OpportunisticNever waits to be asked.
	OpportunisticNever Opportunism = iota
	// OpportunisticLearned waits to be asked once by each origin. Afterwards
	// the token goes with the request, until the origin refuses one. The
	// Transport remembers the last 16384 origins.
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

// originSet is a bounded set of origins: the one that was not used for the
// longest time is forgotten first. The zero value is ready.
type originSet struct {
	mu  sync.Mutex
	lru list.List // of string, last used in front
	at  map[string]*list.Element
}

func (s *originSet) has(origin string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.at[origin]
	if ok {
		s.lru.MoveToFront(e)
	}
	return ok
}

func (s *originSet) add(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.at[origin]; ok {
		s.lru.MoveToFront(e)
		return
	}
	if s.at == nil {
		s.at = make(map[string]*list.Element)
	}
	s.at[origin] = s.lru.PushFront(origin)
	if s.lru.Len() > maxOrigins {
		oldest := s.lru.Back()
		s.lru.Remove(oldest)
		delete(s.at, oldest.Value.(string))
	}
}

func (s *originSet) forget(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.at[origin]; ok {
		s.lru.Remove(e)
		delete(s.at, origin)
	}
}
