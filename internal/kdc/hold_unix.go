//go:build unix

package kdc

import (
	"net"
	"os"
	"syscall"
)

// holdTCP binds a socket to the address and does not listen, so that connections are
// refused and nobody else gets the port. Nil: the system does not let it.
func holdTCP(addr *net.TCPAddr) *os.File {
	family, at := syscall.AF_INET6, syscall.Sockaddr(nil)
	if ip := addr.IP.To4(); ip != nil {
		family, at = syscall.AF_INET, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(ip)}
	} else if ip := addr.IP.To16(); ip != nil && addr.Zone == "" {
		at = &syscall.SockaddrInet6{Port: addr.Port, Addr: [16]byte(ip)}
	} else {
		return nil
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil
	}
	// There may be connections that are not over yet.
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err := syscall.Bind(fd, at); err != nil {
		_ = syscall.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "a port that is held")
}
