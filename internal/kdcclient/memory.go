package kdcclient

import (
	"slices"
	"sync"
	"time"
)

// Memory is which servers answered lately and which did not, so that a KDC that
// is down is waited for once and not in each exchange. The zero value is ready
// for use, and a nil *Memory remembers nothing. It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	marks map[Server]mark
}

type mark struct {
	dead bool
	at   time.Time
}

const (
	// forgetAfter is how long a server that did not answer is asked last. Then
	// it has its place back: it may be the better one.
	forgetAfter = 5 * time.Minute
	// maxMarks bounds the memory. The DNS may name ever new servers.
	maxMarks = 256
)

// note remembers whether a server has answered.
func (m *Memory) note(s Server, dead bool) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marks == nil {
		m.marks = make(map[Server]mark)
	}
	if _, known := m.marks[s]; !known && len(m.marks) >= maxMarks {
		m.makeRoom()
	}
	m.marks[s] = mark{dead, time.Now()}
}

// makeRoom drops the oldest mark.
func (m *Memory) makeRoom() {
	var oldest Server
	var at time.Time
	for s, k := range m.marks {
		if at.IsZero() || k.at.Before(at) {
			oldest, at = s, k.at
		}
	}
	delete(m.marks, oldest)
}

// order puts those first that are not known to be dead, then those that are so
// over another transport, of which nothing is known over this one.
func (m *Memory) order(servers []Server) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for s, k := range m.marks {
		if time.Since(k.at) >= forgetAfter {
			delete(m.marks, s)
		}
	}
	slices.SortStableFunc(servers, func(a, b Server) int { return m.rank(a) - m.rank(b) })
}

func (m *Memory) rank(s Server) int {
	if k, known := m.marks[s]; known {
		if k.dead {
			return 2
		}
		return 0
	}
	for _, network := range [...]string{udp, tcp} {
		if m.marks[Server{network, s.Address}].dead {
			return 1
		}
	}
	return 0
}
