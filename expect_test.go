package negotiate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// bareServer serves HTTP/1.1 as its test says, also as net/http never would. What
// has Authorization it accepts, and takes the body.
type bareServer struct {
	l   net.Listener
	url string
	ask func(c *bareConn, req *http.Request) // answers what has none

	mu    sync.Mutex
	taken []string // "401 0 of 5": what of each body came, after the status
	conns sync.WaitGroup
}

type bareConn struct {
	net.Conn
	r *bufio.Reader
	s *bareServer
}

func startBare(t *testing.T, ask func(*bareConn, *http.Request)) *bareServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &bareServer{l: l, url: "http://" + l.Addr().String(), ask: ask}
	s.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Go(func() { s.serve(&bareConn{c, bufio.NewReader(c), s}) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.conns.Wait()
	})
	return s
}

func (s *bareServer) serve(c *bareConn) {
	defer c.Close()
	for {
		req, err := http.ReadRequest(c.r)
		if err != nil {
			return
		}
		if req.Header.Get("Authorization") == "" {
			s.ask(c, req)
		} else {
			if expectsContinue(req.Header) {
				c.say("HTTP/1.1 100 Continue\r\n\r\n")
			}
			c.take(req, 200)
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}
}

func (c *bareConn) say(text string) { io.WriteString(c, text) }

const (
	say401      = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 4\r\n\r\nwho?"
	say401Close = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nConnection: close\r\nContent-Length: 4\r\n\r\nwho?"
)

// take reads the body and notes how it ended, and the status of the response.
func (c *bareConn) take(req *http.Request, status int) {
	n, err := io.Copy(io.Discard, req.Body)
	end := "whole"
	if err != nil {
		end = "cut"
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.taken = append(c.s.taken, fmt.Sprintf("%d %d %s", status, n, end))
}

// outcome ends the client's connections, and is what was noted in the end.
func (s *bareServer) outcome(tr *Transport) []string {
	s.l.Close()
	over := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(over)
	}()
	for {
		tr.CloseIdleConnections() // one may be on its way to be idle
		select {
		case <-over:
			return s.taken
		default:
			runtime.Gosched()
		}
	}
}

// TestExpectingServers sends a body that can be read once, of unknown length, to
// servers that treat "Expect: 100-continue" in each way that there is.
func TestExpectingServers(t *testing.T) {
	leavesNothing(t)
	const limit = 1 << 10
	const small, large = 1 << 9, 1 << 20
	asksFirst := func(c *bareConn, req *http.Request) {
		c.say(say401)
		c.take(req, 401) // as nginx does, to keep the connection
	}
	tests := []struct {
		name   string
		ask    func(*bareConn, *http.Request)
		size   int
		wait   time.Duration
		status int
		taken  []string // by status
	}{
		{"asks and closes", func(c *bareConn, req *http.Request) {
			c.say(say401Close)
			c.Close()
		}, large, time.Minute, 200, []string{"200 1048576 whole"}},
		{"asks and waits for the body", asksFirst, large, time.Minute, 200, []string{"200 1048576 whole", "401 0 cut"}},
		{"asks and waits for a small body", asksFirst, small, time.Minute, 200, []string{"200 512 whole", "401 0 cut"}},
		{"takes the body and asks", func(c *bareConn, req *http.Request) {
			c.say("HTTP/1.1 100 Continue\r\n\r\n")
			c.take(req, 401)
			c.say(say401)
		}, large, time.Minute, 401, []string{"401 1048576 whole"}},
		{"takes a small body and asks", func(c *bareConn, req *http.Request) {
			c.say("HTTP/1.1 100 Continue\r\n\r\n")
			c.take(req, 401)
			c.say(say401)
		}, small, time.Minute, 200, []string{"200 512 whole", "401 512 whole"}},
		{"knows no Expect, and asks", func(c *bareConn, req *http.Request) {
			c.take(req, 401)
			c.say(say401)
		}, large, time.Millisecond, 401, []string{"401 1048576 whole"}},
		{"knows no Expect, and asks after a small body", func(c *bareConn, req *http.Request) {
			c.take(req, 401)
			c.say(say401)
		}, small, time.Millisecond, 200, []string{"200 512 whole", "401 512 whole"}},
		{"knows no Expect, and does not ask", func(c *bareConn, req *http.Request) {
			c.take(req, 200)
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}, large, time.Millisecond, 200, []string{"200 1048576 whole"}},
		{"gives hints, and takes the body", func(c *bareConn, req *http.Request) {
			c.say("HTTP/1.1 103 Early Hints\r\n\r\n")
			c.say("HTTP/1.1 100 Continue\r\n\r\n")
			c.take(req, 200)
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}, large, time.Minute, 200, []string{"200 1048576 whole"}},
		{"gives hints, and waits for the body", func(c *bareConn, req *http.Request) {
			c.say("HTTP/1.1 103 Early Hints\r\n\r\n")
			c.take(req, 200)
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}, large, time.Millisecond, 200, []string{"200 1048576 whole"}},
		{"answers, and takes the body then", func(c *bareConn, req *http.Request) {
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
			c.take(req, 200)
			c.say("done")
		}, large, time.Minute, 200, []string{"200 1048576 whole"}},
		{"refuses Expect", func(c *bareConn, req *http.Request) {
			if expectsContinue(req.Header) {
				c.say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
				c.take(req, 200)
				return
			}
			c.take(req, 200)
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}, large, time.Minute, 200, []string{"200 0 cut", "200 1048576 whole"}},
		{"refuses Expect, and asks", func(c *bareConn, req *http.Request) {
			if expectsContinue(req.Header) {
				c.say("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
				c.Close()
				return
			}
			c.take(req, 401)
			c.say(say401)
		}, small, time.Minute, 200, []string{"200 512 whole", "401 512 whole"}},
		{"refuses Expect, having taken the body", func(c *bareConn, req *http.Request) {
			c.take(req, 417)
			c.say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
		}, large, time.Millisecond, 417, []string{"417 1048576 whole"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startBare(t, tt.ask)
			tr := &Transport{
				Base:          &http.Transport{ExpectContinueTimeout: tt.wait},
				Provider:      gsstest.New(gsstest.Options{}),
				MaxBodyBuffer: limit,
			}
			body := watch(t, strings.NewReader(strings.Repeat("x", tt.size)))
			req := newRequest(t, "PUT", s.url, body)
			req.ContentLength = -1
			a, err := do(t, &http.Client{Transport: tr}, req)
			if err != nil {
				t.Fatal(err)
			}
			body.closedOnce()
			if a.StatusCode != tt.status {
				t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
			}
			if tt.status == 401 && (a.body != "who?" || stage(t, a.ex) != StageBody || !errors.Is(a.ex.Err, ErrBodyNotReplayable)) {
				t.Errorf("the 401 came with %q, %v", a.body, a.ex.Err)
			}
			if tt.status != 401 && a.ex.Err != nil {
				t.Errorf("there is an error in the exchange: %v", a.ex.Err)
			}
			taken := s.outcome(tr)
			slices.Sort(taken) // connections end in any order
			if !slices.Equal(taken, tt.taken) {
				t.Errorf("the server got %q, want %q", taken, tt.taken)
			}
		})
	}
}

// TestExpectOnlyWhereItHelps: what is kept anyway, can be had again or comes with
// a token is sent at once, so that a server without a notion of Expect costs no
// time.
func TestExpectOnlyWhereItHelps(t *testing.T) {
	leavesNothing(t)
	for name, tt := range map[string]struct {
		change func(*Transport, *http.Request)
		want   bool
	}{
		"unknown length":   {func(_ *Transport, r *http.Request) { r.ContentLength = -1 }, true},
		"beyond the limit": {func(tr *Transport, _ *http.Request) { tr.MaxBodyBuffer = 2 }, true},
		"nothing is kept":  {func(tr *Transport, _ *http.Request) { tr.MaxBodyBuffer = -1 }, true},
		"fits":             {func(*Transport, *http.Request) {}, false},
		"GetBody": {func(_ *Transport, r *http.Request) {
			r.ContentLength = -1
			r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("body")), nil }
		}, false},
		"with a token": {func(tr *Transport, r *http.Request) {
			r.ContentLength = -1
			tr.Opportunistic = OpportunisticAlways
		}, false},
		"not allowed": {func(tr *Transport, r *http.Request) {
			r.ContentLength = -1
			tr.Allow = func(*http.Request) bool { return false }
		}, false},
		"no wait": {func(tr *Transport, r *http.Request) {
			r.ContentLength = -1
			tr.Base.(*http.Transport).ExpectContinueTimeout = -1
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			tr := &Transport{Base: s.base(t), Provider: gsstest.New(gsstest.Options{})}
			req := newRequest(t, "PUT", s.URL+"/open", io.NopCloser(strings.NewReader("body")))
			req.ContentLength = 4
			tt.change(tr, req)
			if a, err := do(t, s.client(t, tr), req); err != nil || a.StatusCode != 200 {
				t.Fatalf("got %+v, %v", a, err)
			}
			if got := expectsContinue(s.requests()[0].header); got != tt.want {
				t.Errorf("Expect was sent: %t, want %t", got, tt.want)
			}
			if s.requests()[0].body != "body" {
				t.Errorf("the body came as %q", s.requests()[0].body)
			}
		})
	}
}

// TestExpectTimeout: a Base that says nothing, as the zero one, gives a server the
// time that http.DefaultTransport does.
func TestExpectTimeout(t *testing.T) {
	leavesNothing(t)
	for set, want := range map[time.Duration]time.Duration{0: http.DefaultTransport.(*http.Transport).ExpectContinueTimeout, -1: -1, 5: 5} {
		base := &http.Transport{ExpectContinueTimeout: set}
		c := newConnector(base)
		if c.any.ExpectContinueTimeout != want || c.h1.ExpectContinueTimeout != want || base.ExpectContinueTimeout != set {
			t.Errorf("%v set: %v and %v, want %v", set, c.any.ExpectContinueTimeout, c.h1.ExpectContinueTimeout, want)
		}
	}
}
