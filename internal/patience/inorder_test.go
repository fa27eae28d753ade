package patience

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/leaktest"
)

// late returns from each Write long after what was written has left.
type late struct{ net.Conn }

func (c late) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	time.Sleep(80 * time.Millisecond) // longer than net/http waits
	return n, err
}

// TestInOrder has the goroutine that writes wait for a processor. Without InOrder
// each request would have a connection of its own.
func TestInOrder(t *testing.T) {
	leaktest.LeavesNothing(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	defer s.Close()
	var dialled atomic.Int32
	base := &http.Transport{DialContext: InOrder(func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return late{conn}, err
	})}
	defer base.CloseIdleConnections()
	for range 3 {
		resp, err := (&http.Client{Transport: base}).Post(s.URL, "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
			t.Errorf("got %q, %v", body, err)
		}
		resp.Body.Close()
	}
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d connections for 3 requests, want 1", n)
	}
}

// TestInOrderDoesNotHang has a server answer without reading, which closes the
// connection only when the client does.
func TestInOrderDoesNotHang(t *testing.T) {
	leaktest.LeavesNothing(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	over := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			t.Error(err)
		}
		io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?")
		<-over
	}()
	base := &http.Transport{DialContext: InOrder(new(net.Dialer).DialContext)}
	resp, err := (&http.Client{Transport: base}).Post("http://"+l.Addr().String(), "text/plain", endless{})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "who?" {
		t.Errorf("got %q, %v", body, err)
	}
	resp.Body.Close()
	close(over)
	<-done
	base.CloseIdleConnections()
}

// endless is a body that no connection takes whole.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
