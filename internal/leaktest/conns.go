package leaktest

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// Conns counts the open connections of a server. Closing the server closes them, so
// that a client's idle connection to it is in no census: see [Conns.WantNone].
type Conns struct{ open atomic.Int64 }

// CountConns counts those of srv, which is yet to serve.
func CountConns(srv *http.Server) *Conns {
	c, before := new(Conns), srv.ConnState
	srv.ConnState = func(conn net.Conn, state http.ConnState) {
		c.changed(state)
		if before != nil {
			before(conn, state)
		}
	}
	return c
}

func (c *Conns) changed(state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

// Open is how many are open now.
func (c *Conns) Open() int { return int(c.open.Load()) }

// WantNone waits until all are closed, by their clients if the server is not closed
// yet, and fails the test if some stay open.
func (c *Conns) WantNone(tb testing.TB) {
	tb.Helper()
	if n := c.left(time.Minute); n != 0 {
		tb.Errorf("%d connections to the server are left open", n)
	}
}

// left is how many are open, also after patience.
func (c *Conns) left(patience time.Duration) int {
	for deadline := time.Now().Add(patience); c.Open() != 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	return c.Open()
}
