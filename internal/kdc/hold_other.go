//go:build !unix

package kdc

import (
	"net"
	"os"
)

// holdTCP holds no port.
func holdTCP(*net.TCPAddr) *os.File { return nil }
