//go:build interop

package krbtest_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/krbtest"
)

// relay is between a program and the KDC, for a test that counts requests. A program
// repeats a datagram that is not answered within a second, as on a slow machine. The
// relay passes each on once, and its answer as often as it is asked for.
type relay struct {
	t    *testing.T
	kdc  *krbtest.KDC
	conn net.PacketConn

	mu      sync.Mutex
	answers map[string][]byte // by request; nil: it is under way
	running sync.WaitGroup
}

// once has the programs of a peer ask the KDC through a relay.
func (c *peer) once() {
	c.t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	r := &relay{t: c.t, kdc: c.kdc, conn: conn, answers: make(map[string][]byte)}
	r.running.Go(r.serve)
	c.t.Cleanup(func() {
		conn.Close()
		r.running.Wait()
	})
	text, err := os.ReadFile(c.kdc.ConfigPath())
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.t.TempDir(), "krb5.conf")
	through := strings.ReplaceAll(string(text), c.kdc.Addr(), conn.LocalAddr().String())
	if err := os.WriteFile(path, []byte(through), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.env = append(c.env, "KRB5_CONFIG="+path) // the last one counts
}

func (r *relay) serve() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := r.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		request := string(buf[:n])
		r.mu.Lock()
		answer, known := r.answers[request]
		if !known {
			r.answers[request] = nil
		}
		r.mu.Unlock()
		switch {
		case !known:
			r.running.Go(func() { r.pass(request, from) })
		case answer != nil:
			r.conn.WriteTo(answer, from)
		}
	}
}

// pass has the KDC answer a request.
func (r *relay) pass(request string, from net.Addr) {
	conn, err := net.Dial("udp", r.kdc.Addr())
	if err != nil {
		r.t.Error(err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(request)); err != nil {
		r.t.Error(err)
		return
	}
	buf := make([]byte, 1<<16)
	n, err := conn.Read(buf)
	if err != nil {
		r.t.Error(err)
		return
	}
	r.mu.Lock()
	r.answers[request] = buf[:n]
	r.mu.Unlock()
	r.conn.WriteTo(buf[:n], from)
}
