package kdc

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// serveUDP answers datagrams until the socket is closed.
func (k *sockets) serveUDP() {
	buffers := sync.Pool{New: func() any { return new([maxDatagram]byte) }}
	slots := make(chan struct{}, maxDatagrams)
	for {
		buf := buffers.Get().(*[maxDatagram]byte)
		n, from, err := k.udp.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Such as a "port unreachable" for an earlier answer.
			buffers.Put(buf)
			continue
		}
		slots <- struct{}{}
		k.wg.Go(func() {
			defer func() { <-slots }()
			k.answerDatagram(buf[:n], from)
			buffers.Put(buf)
		})
	}
}

func (k *sockets) answerDatagram(msg []byte, from netip.AddrPort) {
	if r := k.server.serve(UDP, msg, k.stop); r.cut > 0 {
		// A client that is gone is no concern of the KDC.
		_, _ = k.udp.WriteToUDPAddrPort(r.message[:r.cut], from)
	}
}
