package kdc

import (
	"fmt"
	"net"
	"strings"
	"sync"
)

// Server puts a realm on UDP and TCP. It is safe for concurrent use.
type Server struct {
	realm *Realm
	addr  string
	count counter

	// control serialises what opens and closes sockets, and guards the two below.
	control sync.Mutex
	closed  bool
	held    heldPorts // while it refuses connections

	mu      sync.Mutex
	sockets *sockets // nil: nobody listens
	fault   Fault
	left    int // requests that fault still hits; 0: no end
}

// portAttempts bounds how many ports are tried until one is free on both
// transports.
const portAttempts = 64

// Listen serves a realm on addr, such as "127.0.0.1:0" for any free port, with
// the same port on UDP and TCP. Close ends it.
func Listen(r *Realm, addr string) (*Server, error) {
	s := &Server{realm: r}
	attempts := 1
	if strings.HasSuffix(addr, ":0") {
		attempts = portAttempts
	}
	var err error
	for range attempts {
		if s.sockets, err = s.open(addr); err == nil {
			s.addr = s.sockets.tcp.Addr().String()
			return s, nil
		}
	}
	return nil, fmt.Errorf("kdc: %w", err)
}

// Realm returns the realm that is served.
func (s *Server) Realm() *Realm { return s.realm }

// Addr returns host and port, of UDP and TCP alike.
func (s *Server) Addr() string { return s.addr }

// Counts returns how many requests have come.
func (s *Server) Counts() Counts { return s.count.get() }

// ResetCounts begins to count anew.
func (s *Server) ResetCounts() {
	s.count.mu.Lock()
	defer s.count.mu.Unlock()
	s.count.c = Counts{}
}

// SetFault makes the server fail from now on; the zero Fault heals it. It
// returns an error only if the server refused connections so far and its port
// is taken.
func (s *Server) SetFault(f Fault) error {
	s.control.Lock()
	defer s.control.Unlock()
	s.mu.Lock()
	s.fault, s.left = f, f.Times
	open := s.sockets
	s.mu.Unlock()
	switch refuse := f.Kind == FaultRefuse; {
	case s.closed:
		return net.ErrClosed
	case refuse && open != nil:
		s.replace(nil)
		open.close()
		s.held = hold(open)
	case !refuse && open == nil:
		s.held.release()
		s.held = heldPorts{}
		again, err := s.open(s.addr)
		if err != nil {
			return fmt.Errorf("kdc: listening again: %w", err)
		}
		s.replace(again)
	}
	return nil
}

func (s *Server) replace(to *sockets) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets = to
}

// Close stops the server and waits until nothing of it runs. Calling it twice
// is harmless.
func (s *Server) Close() error {
	s.control.Lock()
	defer s.control.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.held.release()
	if s.sockets != nil {
		s.sockets.close()
		s.replace(nil)
	}
	return nil
}

// takeFault returns the fault that hits a request.
func (s *Server) takeFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.fault
	if s.left > 0 {
		if s.left--; s.left == 0 {
			s.fault = Fault{}
		}
	}
	return f
}

// reply is what to send. cut is how much of message is sent of it.
type reply struct {
	message []byte
	cut     int
	silent  bool // nothing is to be sent, and the connection stays open
}

// serve answers a message; with nothing if stop is closed before.
func (s *Server) serve(t Transport, msg []byte, stop <-chan struct{}) (r reply) {
	q, err := s.realm.read(t, msg)
	if err != nil {
		s.count.malformed()
		return reply{}
	}
	// Faults are taken in the order in which requests are seen to be counted.
	f := s.takeFault()
	arrived := q.kind
	s.count.arrived(q)
	defer func() { s.count.answered(q, arrived) }()
	now := s.realm.o.Now()
	if f.Kind == FaultSkew {
		now = now.Add(f.Delay)
	}
	if b, done := f.before(q, now, stop); done {
		return reply{message: b, cut: len(b), silent: f.Kind == FaultSilent}
	}
	b := q.answer(now)
	r = reply{message: b, cut: len(b)}
	if f.Kind == FaultTruncated {
		r.cut /= 2
	}
	return r
}
