//go:build unix

package kdc

import (
	"context"
	"net"
	"syscall"
	"testing"
)

// Nobody else gets the port of a server that refuses connections for a while.
func TestRefusingKeepsThePort(t *testing.T) {
	s := newServer(t)
	if err := s.SetFault(Fault{Kind: FaultRefuse}); err != nil {
		t.Fatal(err)
	}
	// Such as for any free port, which is none that is bound.
	strict := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0) })
	}}
	if l, err := strict.Listen(context.Background(), "tcp", s.Addr()); err == nil {
		l.Close()
		t.Error("another server got the port of TCP")
	}
	if c, err := strict.ListenPacket(context.Background(), "udp", s.Addr()); err == nil {
		c.Close()
		t.Error("another server got the port of UDP")
	}
	for range 3 {
		if err := s.SetFault(Fault{}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetFault(Fault{Kind: FaultRefuse}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetFault(Fault{}); err != nil {
		t.Fatal(err)
	}
	for _, network := range networks {
		exchange(t, dial(t, s, network), plainRequest(s))
	}
}
