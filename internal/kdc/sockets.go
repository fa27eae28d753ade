package kdc

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// sockets are the two that listen, with what runs on them.
type sockets struct {
	server *Server
	tcp    net.Listener
	udp    *net.UDPConn
	wg     sync.WaitGroup
	stop   chan struct{} // closed by close

	mu    sync.Mutex
	done  bool
	conns map[net.Conn]struct{}
}

// Bounds on what clients can occupy.
const (
	maxDatagrams = 256 // in work at once
	maxConns     = 256 // open at once
	maxDatagram  = 64 << 10
	maxMessage   = 128 << 10
	idleTimeout  = 30 * time.Second
	writeTimeout = 10 * time.Second
)

func (s *Server) open(addr string) (*sockets, error) {
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	at, ok := tcp.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listening on %s gave no TCP address", addr), tcp.Close())
	}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	k := &sockets{
		server: s, tcp: tcp, udp: udp,
		stop:  make(chan struct{}),
		conns: make(map[net.Conn]struct{}),
	}
	k.wg.Go(k.serveTCP)
	k.wg.Go(k.serveUDP)
	return k, nil
}

// close ends everything that runs on the sockets, and waits for it.
func (k *sockets) close() {
	close(k.stop)
	k.mu.Lock()
	k.done = true
	for c := range k.conns {
		c.Close()
	}
	k.mu.Unlock()
	k.tcp.Close()
	k.udp.Close()
	k.wg.Wait()
}

// track registers a connection, or closes it if the sockets are closed.
func (k *sockets) track(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.done {
		c.Close()
		return false
	}
	k.conns[c] = struct{}{}
	return true
}

func (k *sockets) forget(c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
	c.Close()
}
