//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

const hostsFile = "/etc/hosts"

// Host has a name resolve to 127.0.0.1, for a server that the test itself runs
// and that clients in other processes go to. Root adds it to /etc/hosts; another
// user's test fails unless it is there.
func Host(tb testing.TB, name string) {
	tb.Helper()
	if err := ensureHost(name); err != nil {
		tb.Fatal(err)
	}
}

// ensureHost has a name resolve to loopback, for the clients that cannot be
// told an address. Root adds it to /etc/hosts, once; another user is told to.
func ensureHost(name string) error {
	if os.Geteuid() == 0 {
		if err := addHost(name); err != nil {
			return fmt.Errorf("interop: %s: %w", name, err)
		}
		return nil
	}
	addrs, err := net.LookupHost(name)
	if err != nil || len(addrs) == 0 || !net.ParseIP(addrs[0]).IsLoopback() {
		return fmt.Errorf("interop: %s must resolve to 127.0.0.1: add the line %q to %s", name, "127.0.0.1 "+name, hostsFile)
	}
	return nil
}

// addHost appends under a lock, since tests of several packages run at once.
func addHost(name string) error {
	f, err := os.OpenFile(hostsFile, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close() // and the lock with it
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	content, err := os.ReadFile(hostsFile)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(content)) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 1 {
			for _, have := range fields[1:] {
				if have == name {
					return nil
				}
			}
		}
	}
	line := "127.0.0.1 " + name + "\n"
	if len(content) > 0 && content[len(content)-1] != '\n' {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	return err
}
