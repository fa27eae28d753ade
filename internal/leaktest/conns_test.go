package leaktest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestIdleConnectionIsNoticed leaves a connection idle for a while.
func TestIdleConnectionIsNoticed(t *testing.T) {
	LeavesNothing(t)
	seen := make(chan http.ConnState, 10)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) { seen <- state }
	conns := CountConns(s.Config)
	s.Start()
	defer s.Close()
	base := new(http.Transport)
	defer base.CloseIdleConnections()
	resp, err := (&http.Client{Transport: base}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := conns.left(20 * time.Millisecond); n != 1 {
		t.Errorf("a connection was left, and it counts %d", n)
	}
	base.CloseIdleConnections()
	conns.WantNone(t)
	if state := <-seen; state != http.StateNew {
		t.Errorf("the server's own ConnState is told %s first", state)
	}
}
