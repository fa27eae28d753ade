// Package patience has what tests need that are to pass however slow the machine is.
package patience

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Dial is how an http.Transport makes connections.
type Dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// InOrder makes connections that give what they have read only when the write before
// it has returned. An http.Transport does not use a connection again if a response
// was read and the goroutine that has written the request does not say so within 50
// milliseconds, as happens where it has to wait for a processor.
//
// The write of a long body may wait for a server that answers without a look at it,
// so that such a one is waited for no longer than patience.
func InOrder(dial Dial) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &ordered{Conn: conn}, nil
	}
}

const (
	fits     = 16 << 10 // what a connection takes without anybody reading
	patience = 2 * time.Second
)

type ordered struct {
	net.Conn
	mu      sync.Mutex
	writing chan struct{} // closed when the write has returned; nil: there is none
	sent    int           // since the last read that found no write
}

func (c *ordered) Write(p []byte) (int, error) {
	returned := make(chan struct{})
	c.mu.Lock()
	c.writing = returned
	c.sent += len(p)
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	close(returned)
	if c.writing == returned {
		c.writing = nil
	}
	return n, err
}

func (c *ordered) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	writing, sent := c.writing, c.sent
	if writing == nil {
		c.sent = 0
	}
	c.mu.Unlock()
	switch {
	case writing == nil:
	case sent <= fits:
		<-writing
	default:
		select {
		case <-writing:
		case <-time.After(patience):
		}
	}
	return n, err
}

// Order has a client with an http.Transport make its connections InOrder, before it
// has made any.
func Order(c *http.Client) {
	t := c.Transport.(*http.Transport)
	if t.DialContext == nil {
		t.DialContext = new(net.Dialer).DialContext
	}
	t.DialContext = InOrder(t.DialContext)
}
