package kdc

import (
	"net"
	"os"
)

// heldPorts are the ports of a server that refuses connections. They are its own again
// when it is healed.
type heldPorts struct {
	tcp *os.File     // nil: it is not held
	udp *net.UDPConn // nil: it is not held
}

// hold takes the ports of sockets that are closed.
func hold(k *sockets) heldPorts {
	var h heldPorts
	if at, ok := k.tcp.Addr().(*net.TCPAddr); ok {
		h.tcp = holdTCP(at)
	}
	// What is connected to itself hears nobody else, whose datagrams are refused.
	if at, ok := k.udp.LocalAddr().(*net.UDPAddr); ok && !at.IP.IsUnspecified() {
		if udp, err := net.DialUDP("udp", at, at); err == nil {
			h.udp = udp
		}
	}
	return h
}

func (h heldPorts) release() {
	if h.tcp != nil {
		h.tcp.Close()
	}
	if h.udp != nil {
		h.udp.Close()
	}
}
