package kdcclient_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/internal/kdcclient"
)

// Each fault of the first KDC costs one short time-out at most, and once: the
// exchanges after it go to the living one first.
func TestFaultIsPaidOnce(t *testing.T) {
	two := []kdcclient.Server{{Address: "one:88"}, {Address: "two:88"}}
	one := two[:1]
	alive := datagram(reply)
	for _, test := range []struct {
		name    string
		servers []kdcclient.Server
		scripts map[string]script
		cost    time.Duration // of the first exchange
		first   string        // whom the second exchange asks, at once
	}{
		{"down", two, map[string]script{"udp two:88": alive}, 0, "udp two:88"},
		{"black hole", two, map[string]script{"udp one:88": silent, "tcp one:88": silent, "udp two:88": alive}, time.Second, "udp two:88"},
		{"slow", two, map[string]script{"udp one:88": slow(3 * time.Second), "udp two:88": alive}, time.Second, "udp two:88"},
		{"slow, and alone", one, map[string]script{"udp one:88": slow(3 * time.Second), "tcp one:88": silent}, 3 * time.Second, "udp one:88"},
		{"TCP only, refusing", one, map[string]script{"tcp one:88": stream(framed(reply))}, 0, "tcp one:88"},
		{"TCP only, silent", one, map[string]script{"udp one:88": silent, "tcp one:88": stream(framed(reply))}, time.Second, "tcp one:88"},
		{"garbage", two, map[string]script{"udp one:88": datagram([]byte("nonsense")), "udp two:88": alive}, 0, "udp two:88"},
		{"garbage and a second transport", one, map[string]script{"udp one:88": datagram([]byte("nonsense")), "tcp one:88": stream(framed(reply))}, 0, "tcp one:88"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{scripts: test.scripts}
				defer n.running.Wait()
				c := n.client(test.servers...)
				c.Memory = new(kdcclient.Memory)
				exchange := func(cost time.Duration) {
					t.Helper()
					n.dialed = nil
					start := time.Now()
					if got, err := c.Exchange(t.Context(), "R", request); err != nil || !bytes.Equal(got, reply) {
						t.Fatalf("got % x, %v", got, err)
					}
					if took := time.Since(start); took != cost {
						t.Errorf("an exchange took %v, want %v", took, cost)
					}
				}
				exchange(test.cost)
				later := time.Duration(0)
				if test.first == "udp one:88" { // there is no better one
					later = test.cost
				}
				exchange(later)
				if n.dialed[0] != test.first {
					t.Errorf("the second exchange asks %v, want %s first", n.dialed, test.first)
				}
			})
		})
	}
}

// A host that was silent over UDP is asked last over TCP, too, until it has
// answered there.
func TestSilentHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{scripts: map[string]script{
			"udp one:88": silent, "tcp one:88": silent,
			"udp two:88": datagram(reply), "tcp two:88": stream(framed(reply)),
		}}
		defer n.running.Wait()
		c := n.client(kdcclient.Server{Address: "one:88"}, kdcclient.Server{Address: "two:88"})
		c.Memory = new(kdcclient.Memory)
		if _, err := c.Exchange(t.Context(), "R", request); err != nil {
			t.Fatal(err)
		}
		n.dialed = nil
		if _, err := c.Exchange(t.Context(), "R", make([]byte, 1466)); err != nil || strings.Join(n.dialed, ", ") != "tcp two:88" {
			t.Errorf("a long request went to %v, %v", n.dialed, err)
		}
	})
}

// slow answers each datagram after a while.
func slow(d time.Duration) script {
	return func(conn net.Conn) {
		var running sync.WaitGroup
		defer running.Wait()
		buf := make([]byte, 1<<16)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			running.Go(func() {
				time.Sleep(d)
				conn.Write(reply)
			})
		}
	}
}

// A dead KDC gets its place back after five minutes, also where it has answered
// again meanwhile.
func TestDeadIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{scripts: map[string]script{"udp one:88": silent, "udp two:88": datagram(reply)}}
		defer n.running.Wait()
		c := n.client(kdcclient.Server{Network: "udp", Address: "one:88"}, kdcclient.Server{Network: "udp", Address: "two:88"})
		c.Memory = new(kdcclient.Memory)
		want := func(dialed string) {
			t.Helper()
			n.dialed = nil
			if _, err := c.Exchange(t.Context(), "R", request); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(n.dialed, ", "); got != dialed {
				t.Errorf("dialed %s, want %s", got, dialed)
			}
		}
		want("udp one:88, udp two:88")
		time.Sleep(4 * time.Minute)
		want("udp two:88")
		n.scripts["udp one:88"] = datagram(reply)
		time.Sleep(time.Minute)
		want("udp one:88")
		want("udp one:88")
	})
}

// Only who had time to answer is held for dead: a caller that is in a hurry does
// not bring a KDC into disrepute.
func TestHurryIsNotDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{scripts: map[string]script{"udp one:88": slow(600 * time.Millisecond), "udp two:88": datagram(reply)}}
		defer n.running.Wait()
		c := n.client(kdcclient.Server{Network: "udp", Address: "one:88"}, kdcclient.Server{Network: "udp", Address: "two:88"})
		c.Memory = new(kdcclient.Memory)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := c.Exchange(ctx, "R", request); err == nil {
			t.Fatal("an answer came in time")
		}
		n.dialed = nil
		if _, err := c.Exchange(t.Context(), "R", request); err != nil || n.dialed[0] != "udp one:88" {
			t.Errorf("asked %v, %v", n.dialed, err)
		}
	})
}

// Whatever the DNS names, the memory stays small, and still knows the last.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{scripts: map[string]script{"udp alive:88": datagram(reply)}}
		defer n.running.Wait()
		c := n.client()
		c.Memory = new(kdcclient.Memory)
		var servers []kdcclient.Server
		c.Servers = func(context.Context, string) ([]kdcclient.Server, error) { return servers, nil }
		for i := range 1000 {
			servers = []kdcclient.Server{{Network: "udp", Address: fmt.Sprintf("dead%d:88", i)}, {Network: "udp", Address: "alive:88"}}
			if _, err := c.Exchange(t.Context(), "R", request); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if n := kdcclient.MemorySize(c.Memory); n > 256 {
			t.Errorf("%d servers are remembered", n)
		}
		n.dialed = nil
		if _, err := c.Exchange(t.Context(), "R", request); err != nil || len(n.dialed) != 1 {
			t.Errorf("dialed %v, %v", n.dialed, err)
		}
	})
}

// A server that is named twice is asked once.
func TestTwiceNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{scripts: map[string]script{"tcp one:88": stream(framed(reply))}}
		defer n.running.Wait()
		one := kdcclient.Server{Address: "one:88"}
		c := n.client(one, one, kdcclient.Server{Network: "udp", Address: "one:88"})
		if _, err := c.Exchange(t.Context(), "R", request); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(n.dialed, ", "); got != "udp one:88, tcp one:88" {
			t.Errorf("dialed %s", got)
		}
	})
}
