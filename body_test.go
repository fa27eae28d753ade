package negotiate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// watchedBody is a body that reports what must not happen to it.
type watchedBody struct {
	t *testing.T
	io.Reader
	closes  atomic.Int32
	reading atomic.Bool
	done    chan struct{}
	once    sync.Once
}

func watch(t *testing.T, r io.Reader) *watchedBody {
	return &watchedBody{t: t, Reader: r, done: make(chan struct{})}
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if b.closes.Load() > 0 {
		b.t.Error("the body is read after it was closed")
	}
	if b.reading.Swap(true) {
		b.t.Error("the body is read by two at a time")
	}
	defer b.reading.Store(false)
	return b.Reader.Read(p)
}

func (b *watchedBody) Close() error {
	b.closes.Add(1)
	b.once.Do(func() { close(b.done) })
	return nil
}

// closedOnce waits for the close, which may come after RoundTrip.
func (b *watchedBody) closedOnce() {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(time.Minute):
		b.t.Error("the body is not closed")
		return
	}
	if n := b.closes.Load(); n != 1 {
		b.t.Errorf("the body was closed %d times", n)
	}
}

// bodyKind makes a request's body.
type bodyKind struct {
	name    string
	content string
	getBody bool
	length  bool // ContentLength is known
}

var bodyKinds = []bodyKind{
	{"GetBody", "content", true, true},
	{"GetBody, large", strings.Repeat("0123456789abcdef", 1<<14), true, true},
	{"GetBody, chunked", strings.Repeat("x", 1<<16), true, false},
	{"once", "content", false, true},
	{"once, chunked", strings.Repeat("y", 1<<16), false, false},
	{"once, large", strings.Repeat("0123456789abcdef", 1<<14), false, true},
	{"once, large, chunked", strings.Repeat("0123456789abcdef", 1<<14), false, false},
}

func (k bodyKind) request(t *testing.T, url string) (*http.Request, func()) {
	first := watch(t, strings.NewReader(k.content))
	all := []*watchedBody{first}
	req := newRequest(t, "POST", url, first)
	if k.length {
		req.ContentLength = int64(len(k.content))
	} else {
		req.ContentLength = -1
	}
	if k.getBody {
		req.GetBody = func() (io.ReadCloser, error) {
			b := watch(t, strings.NewReader(k.content))
			all = append(all, b)
			return b, nil
		}
	}
	return req, func() {
		t.Helper()
		for _, b := range all {
			b.closedOnce()
		}
	}
}

// TestBody sends each kind of body to a server that asks, and one that does not.
func TestBody(t *testing.T) {
	leavesNothing(t)
	for proto, start := range map[string]func(*testing.T, ...serverOption) *testServer{"HTTP/1.1": startServer, "HTTP/2": startH2} {
		for _, k := range bodyKinds {
			for _, legs := range []int{1, 3} {
				if legs == 3 && proto == "HTTP/2" {
					continue // the server tells contexts by connection
				}
				for _, path := range []string{"/open", "/private"} {
					t.Run(fmt.Sprintf("%s %s %d %s", proto, k.name, legs, path), func(t *testing.T) {
						lazy := len(k.content) > 64<<10 && !k.getBody
						s := start(t, func(s *testServer) { s.lazy = lazy })
						c := s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: legs}), MaxBodyBuffer: 64 << 10})
						req, closed := k.request(t, s.URL+path)
						a, err := do(t, c, req)
						closed()
						if err != nil {
							t.Fatal(err)
						}
						seen := s.requests()
						if a.StatusCode == 401 {
							// Legs in the middle of a context take the body,
							// so that a large one cannot go on.
							if legs == 1 || k.getBody || len(k.content) <= 64<<10 || stage(t, a.ex) != StageBody {
								t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
							}
							if a.body != "who are you?" || !errors.Is(a.ex.Err, ErrBodyNotReplayable) {
								t.Errorf("got %q, %v", a.body, a.ex.Err)
							}
							return
						}
						if last := seen[len(seen)-1]; last.body != k.content {
							t.Errorf("the server got %d bytes, want %d", len(last.body), len(k.content))
						}
						for _, r := range seen[:len(seen)-1] {
							if r.body != k.content && !(lazy && !r.token) {
								t.Errorf("a leg had a body of %d bytes, want %d", len(r.body), len(k.content))
							}
						}
					})
				}
			}
		}
	}
}

// TestExpect checks that a body which cannot be kept stays untouched until the
// server has accepted the request.
func TestExpect(t *testing.T) {
	leavesNothing(t)
	for _, timeout := range []time.Duration{-1, time.Minute} {
		t.Run(timeout.String(), func(t *testing.T) {
			s := startServer(t, func(s *testServer) { s.lazy = timeout > 0 })
			base := s.base(t)
			base.ExpectContinueTimeout = timeout
			c := s.client(t, &Transport{Base: base, MaxBodyBuffer: -1})
			req, closed := bodyKind{content: "content", length: true}.request(t, s.URL)
			a, err := do(t, c, req)
			if err != nil {
				t.Fatal(err)
			}
			closed()
			seen := s.requests()
			if timeout < 0 {
				if a.StatusCode != 401 || a.body != "who are you?" || stage(t, a.ex) != StageBody || seen[0].header.Get("Expect") != "" {
					t.Errorf("got %d, %v, %+v", a.StatusCode, a.ex.Err, seen)
				}
				return
			}
			if a.StatusCode != 200 || len(seen) != 2 || seen[0].body != "" || seen[1].body != "content" ||
				seen[0].header.Get("Expect") != "100-continue" || seen[1].header.Get("Expect") != "" {
				t.Errorf("got %d, %v, %+v", a.StatusCode, a.ex.Err, seen)
			}
		})
	}
}

// TestEarly401 has a server that asks without reading the body, while it is
// still being sent.
func TestEarly401(t *testing.T) {
	leavesNothing(t)
	for _, k := range bodyKinds {
		t.Run(k.name, func(t *testing.T) {
			s := startServer(t, func(s *testServer) {
				s.before = func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") == "" {
						hangUp(w, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n")
					}
				}
			})
			c := s.client(t, &Transport{MaxBodyBuffer: 8 << 20})
			req, closed := k.request(t, s.URL)
			a, err := do(t, c, req)
			closed()
			if err != nil {
				// net/http may see the connection break before the response.
				return
			}
			if seen := s.requests(); a.StatusCode != 200 || seen[len(seen)-1].body != k.content {
				t.Errorf("got %d, %v", a.StatusCode, a.ex.Err)
			}
		})
	}
}

// TestBodyIsClosed covers the ways a request can end.
func TestBodyIsClosed(t *testing.T) {
	leavesNothing(t)
	broken := errors.New("broken")
	tests := []struct {
		name  string
		setup func(*testServer, *Transport, *http.Request)
		err   bool
	}{
		{"no credential", func(_ *testServer, tr *Transport, _ *http.Request) { tr.Provider.(*gsstest.Provider).SetDefault("") }, false},
		{"initiate", func(_ *testServer, tr *Transport, _ *http.Request) {
			tr.Provider.(*gsstest.Provider).Inject(gsstest.Fault{Op: gsstest.OpInitiate, Err: gss.ErrNoCred})
		}, false},
		{"refused", func(s *testServer, _ *Transport, _ *http.Request) { s.refuse = func(string) bool { return true } }, false},
		{"not allowed", func(_ *testServer, tr *Transport, _ *http.Request) {
			tr.Allow = func(*http.Request) bool { return false }
		}, false},
		{"own Authorization", func(_ *testServer, _ *Transport, r *http.Request) { r.Header.Set("Authorization", "x") }, false},
		{"opportunistic", func(_ *testServer, tr *Transport, _ *http.Request) { tr.Opportunistic = OpportunisticAlways }, false},
		{"mutual", func(s *testServer, tr *Transport, _ *http.Request) {
			tr.Mutual = MutualRequired
			s.final = proofs["none"]
		}, true},
		{"server gone", func(s *testServer, _ *Transport, _ *http.Request) { s.Close() }, true},
		{"server hangs up", func(s *testServer, _ *Transport, _ *http.Request) {
			s.before = func(w http.ResponseWriter, _ *http.Request) { hangUp(w, "") }
		}, true},
		{"no URL", func(_ *testServer, _ *Transport, r *http.Request) { r.URL = nil }, true},
		{"no host", func(_ *testServer, _ *Transport, r *http.Request) { r.URL.Host = "" }, true},
		{"no header", func(_ *testServer, _ *Transport, r *http.Request) { r.Header = nil }, true},
		{"bad header", func(_ *testServer, _ *Transport, r *http.Request) { r.Header["a b"] = nil }, true},
		{"bad method", func(_ *testServer, _ *Transport, r *http.Request) { r.Method = "a b" }, true},
		{"other scheme", func(_ *testServer, _ *Transport, r *http.Request) { r.URL.Scheme = "gopher" }, true},
		{"cancelled", func(_ *testServer, _ *Transport, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			*r = *r.WithContext(ctx)
		}, true},
		{"GetBody fails", func(_ *testServer, _ *Transport, r *http.Request) {
			if r.GetBody != nil {
				r.GetBody = func() (io.ReadCloser, error) { return nil, broken }
			}
		}, false},
		{"proxy function fails", func(_ *testServer, tr *Transport, _ *http.Request) {
			tr.Base.(*http.Transport).Proxy = func(*http.Request) (*urlT, error) { return nil, broken }
		}, true},
	}
	for _, tt := range tests {
		for _, k := range bodyKinds {
			t.Run(tt.name+"/"+k.name, func(t *testing.T) {
				s := startServer(t, func(s *testServer) { s.lazy = true })
				tr := &Transport{Base: s.base(t), Provider: gsstest.New(gsstest.Options{}), MaxBodyBuffer: 64 << 10}
				s.client(t, tr)
				req, closed := k.request(t, s.URL)
				tt.setup(s, tr, req)
				resp, err := tr.RoundTrip(req)
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				closed()
				if (err != nil) != tt.err {
					t.Errorf("RoundTrip returned %v", err)
				}
			})
		}
	}
}

// TestGetBodyFails returns the 401, with its body.
func TestGetBodyFails(t *testing.T) {
	leavesNothing(t)
	s := startServer(t)
	c := s.client(t, &Transport{})
	req := newRequest(t, "POST", s.URL, strings.NewReader("x"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, io.ErrNoProgress }
	a, err := do(t, c, req)
	if err != nil || a.StatusCode != 401 || a.body != "who are you?" || stage(t, a.ex) != StageBody || !errors.Is(a.ex.Err, io.ErrNoProgress) {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestBodyReadError is an error of the request, and none to be tried again.
func TestBodyReadError(t *testing.T) {
	leavesNothing(t)
	for _, getBody := range []bool{false, true} {
		s := startServer(t)
		c := s.client(t, &Transport{})
		get(t, c, s.URL) // a connection that was used before
		broken := errors.New("broken")
		b := watch(t, io.MultiReader(strings.NewReader("x"), errReader{broken}))
		req := newRequest(t, "POST", s.URL, b)
		req.Header.Set("Idempotency-Key", "1")
		if getBody {
			req.GetBody = func() (io.ReadCloser, error) {
				t.Error("the request is sent again")
				return io.NopCloser(strings.NewReader("x")), nil
			}
		}
		_, err := do(t, c, req)
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		b.closedOnce()
	}
}

// TestLegsOfOneSource reads a body that can be had once through two legs, the
// first of which does not notice that it is over.
func TestLegsOfOneSource(t *testing.T) {
	leavesNothing(t)
	src := watch(t, strings.NewReader("abcdefgh"))
	req := newRequest(t, "POST", "http://a.test/", src)
	b := newRequestBody(req, 4)
	first, err := b.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, first, 2)
	second, err := b.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, second, 1)
	if n, err := first.Read(make([]byte, 8)); n != 0 || !errors.Is(err, errBodyTaken) {
		t.Errorf("the first leg got %d bytes of the second's, %v", n, err)
	}
	first.Close()
	if rest, err := io.ReadAll(second); string(rest) != "bcdefgh" || err != nil {
		t.Errorf("the second leg got %q, %v", rest, err)
	}
	if _, err := b.open(t.Context()); !errors.Is(err, ErrBodyNotReplayable) {
		t.Errorf("a third leg of a body beyond the limit: %v", err)
	}
	second.Close()
	b.finish()
	src.closedOnce()
}

// TestClosedLegIsNotRead has a reader that goes on after it has closed the body, as
// net/http's HTTP/2 does when a stream is reset.
func TestClosedLegIsNotRead(t *testing.T) {
	leavesNothing(t)
	for _, k := range bodyKinds {
		req, closed := k.request(t, "http://a.test/")
		b := newRequestBody(req, 0)
		for range 2 { // the source, and perhaps one of its own
			leg, err := b.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if req.Body == nil || req.Body == http.NoBody {
				continue
			}
			leg.Close()
			if n, err := leg.Read(make([]byte, 9)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Errorf("%s: got %d bytes, %v", k.name, n, err)
			}
		}
		b.finish()
		closed()
	}
}

// TestSwallow keeps a bounded part of a body, and does not pass it for all.
func TestSwallow(t *testing.T) {
	leavesNothing(t)
	for size, want := range map[int]error{0: nil, 10: nil, maxDrain: nil, maxDrain + 1: errTruncated} {
		body := watch(t, strings.NewReader(strings.Repeat("x", size)))
		resp := &http.Response{Body: body}
		swallow(resp)
		body.closedOnce()
		if got, err := io.ReadAll(resp.Body); len(got) != min(size, maxDrain) || err != want {
			t.Errorf("of %d bytes: %d, %v", size, len(got), err)
		}
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestLarge401 has a 401 whose body is too long to be read for its connection.
func TestLarge401(t *testing.T) {
	leavesNothing(t)
	long := bytes.Repeat([]byte("n"), 4*maxDrain)
	for _, hasCred := range []bool{true, false} {
		s := startServer(t, func(s *testServer) {
			s.before = func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					w.Header().Set("WWW-Authenticate", "Negotiate")
					w.WriteHeader(401)
					w.Write(long)
					panic(http.ErrAbortHandler)
				}
			}
		})
		p := gsstest.New(gsstest.Options{})
		if !hasCred {
			p.SetDefault("")
		}
		tr := &Transport{Provider: p}
		resp, err := s.client(t, tr).Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if hasCred && (resp.StatusCode != 200 || s.conns.Load() != 2) {
			t.Errorf("got %d over %d connections", resp.StatusCode, s.conns.Load())
		}
		if !hasCred && (resp.StatusCode != 401 || len(body) != len(long)) {
			t.Errorf("got %d with %d bytes, want all %d", resp.StatusCode, len(body), len(long))
		}
	}
}
