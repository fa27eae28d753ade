package negotiate_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
)

// uploadLimit is the MaxBodyBuffer of these tests.
const uploadLimit = 32 << 10

// asking401 is when a server without a token answers 401.
type asking401 string

const (
	asksAtOnce     asking401 = "at once"        // and leaves the body alone
	asksInBetween  asking401 = "in between"     // after some of the body
	asksAfterwards asking401 = "afterwards"     // after all of it
	asksLate       asking401 = "when it may go" // it has the client send the body, and then asks without a look at it
	asksNever      asking401 = "never"
)

// depot is a server that takes uploads, and checks what it gets.
type depot struct {
	t    *testing.T
	when asking401
	want [sha256.Size]byte
	size int64

	mu       sync.Mutex
	requests int
	taken    int // answered with 200
}

// receive reads at most n octets of the body, and complains about one that ends
// properly and is not the whole.
func (d *depot) receive(r *http.Request, n int64) {
	h := sha256.New()
	got, err := io.Copy(h, io.LimitReader(r.Body, n))
	if err != nil || got == n {
		return // the client broke off, or there is more
	}
	if got != d.size || [sha256.Size]byte(h.Sum(nil)) != d.want {
		d.t.Errorf("the server got a body of %d octets, want all %d", got, d.size)
	}
}

// ServeHTTP gets authenticated requests.
func (d *depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != "PUT" {
		return
	}
	h := sha256.New()
	got, err := io.Copy(h, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if got != d.size || [sha256.Size]byte(h.Sum(nil)) != d.want {
		d.t.Errorf("the server took a body of %d octets, want all %d", got, d.size)
	}
	d.mu.Lock()
	d.taken++
	d.mu.Unlock()
}

// before runs in front of the Handler.
func (d *depot) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.requests++
		d.mu.Unlock()
		if r.Header.Get("Authorization") == "" && r.Method == "PUT" {
			switch d.when {
			case asksNever:
				d.ServeHTTP(w, r)
				return
			case asksInBetween:
				d.receive(r, min(d.size/2, 1000))
			case asksAfterwards:
				d.receive(r, 1<<62)
			case asksLate:
				r.Body.Read(nil)
				if r.ProtoMajor == 1 {
					w.WriteHeader(http.StatusContinue)
				}
			}
		}
		h.ServeHTTP(w, r)
	})
}

// source is a body of a request. Where it has no GetBody it can be read once.
type source struct {
	io.Reader
	closes atomic.Int32
	closed chan struct{}
}

func newSource(content []byte, small bool) *source {
	r := io.Reader(bytes.NewReader(content))
	if small {
		r = &dribble{r: r}
	}
	return &source{Reader: r, closed: make(chan struct{})}
}

func (s *source) Read(p []byte) (int, error) {
	if s.closes.Load() > 0 {
		return 0, errors.New("read after close")
	}
	return s.Reader.Read(p)
}

func (s *source) Close() error {
	if s.closes.Add(1) == 1 {
		close(s.closed)
	}
	return nil
}

// dribble gives little at a time.
type dribble struct{ r io.Reader }

func (d *dribble) Read(p []byte) (int, error) { return d.r.Read(p[:min(len(p), 1021)]) }

// upload is one way to send a body.
type upload struct {
	getBody bool // the body can be had again
	known   bool // its length is
	small   bool // it comes little by little
}

func (u upload) String() string {
	return fmt.Sprintf("GetBody=%t/length=%t/little=%t", u.getBody, u.known, u.small)
}

func (u upload) request(w *world, url string, content []byte) (*http.Request, *source) {
	src := newSource(content, u.small)
	req := w.request("PUT", url, src)
	req.ContentLength = -1
	if u.known {
		req.ContentLength = int64(len(content))
	}
	if u.getBody {
		req.GetBody = func() (io.ReadCloser, error) { return newSource(content, u.small), nil }
	}
	return req, src
}

// TestUploads sends bodies of lengths around every limit, in all ways, to
// servers that ask at all times. A body arrives whole and once, or the caller gets
// the 401 and is told that it could not be sent again.
func TestUploads(t *testing.T) {
	negotiate.LeavesNothing(t)
	content := make([]byte, 300<<10)
	rand.NewChaCha8([32]byte{}).Read(content)
	sizes := []int{0, 1, uploadLimit, uploadLimit + 1, 3 * uploadLimit, len(content)}
	var uploads []upload
	for i := range 4 {
		uploads = append(uploads, upload{getBody: i&1 > 0, known: i&2 > 0, small: i == 1 || i == 2})
	}
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		for _, when := range []asking401{asksAtOnce, asksInBetween, asksAfterwards, asksLate, asksNever} {
			t.Run(proto+"/"+string(when), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				d := &depot{t: t, when: when}
				serve := w.serve
				if proto == "HTTP/2" {
					serve = w.serveH2
				}
				s := serve(d.before(w.handler(d.ServeHTTP)))
				provider := w.user("alice")
				for _, wait := range []time.Duration{-1, time.Nanosecond, time.Minute} {
					base := w.base.Clone()
					base.ExpectContinueTimeout = wait
					for _, o := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticLearned, negotiate.OpportunisticAlways} {
						if wait < 0 && o != negotiate.OpportunisticNever || (wait == time.Nanosecond || o == negotiate.OpportunisticLearned) && proto == "HTTP/2" {
							continue
						}
						for _, limit := range []int64{uploadLimit, -1} {
							tr := &negotiate.Transport{Base: base, Provider: provider, Opportunistic: o, MaxBodyBuffer: limit}
							c := w.client(tr)
							if o == negotiate.OpportunisticLearned {
								w.get(c, s.url)
							}
							sizes := sizes
							if limit < 0 {
								sizes = sizes[:4] // one over the limit is like another
							}
							for _, size := range sizes {
								for _, u := range uploads {
									d.size, d.want = int64(size), sha256.Sum256(content[:size])
									d.requests, d.taken = 0, 0
									req, src := u.request(w, s.url, content[:size])
									got, err := w.send(c, req)
									name := fmt.Sprintf("wait=%v/%s/limit=%d/%s/%d octets", wait, o, limit, u, size)
									checkUpload(t, name, d, u, tr, wait, got, err)
									checkClosed(t, name, src)
								}
							}
							c.CloseIdleConnections()
						}
					}
				}
			})
		}
	}
}

// checkUpload holds an upload to what is promised.
func checkUpload(t *testing.T, name string, d *depot, u upload, tr *negotiate.Transport, wait time.Duration, got received, err error) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	fits := u.getBody || d.size == 0 || d.size <= tr.MaxBodyBuffer
	preempts := tr.Opportunistic != negotiate.OpportunisticNever
	untouched := d.when == asksAtOnce && wait == time.Minute
	switch {
	case err != nil:
		// A server that closes the connection while the body is under way may
		// have its 401 lost: net/http sees the broken connection first.
		if d.taken != 0 || preempts || d.when == asksNever || d.when == asksAfterwards || untouched || d.size <= 3*uploadLimit {
			t.Errorf("%s: %v; the server took it %d times", name, err, d.taken)
		}
	case got.StatusCode == 200:
		if d.taken != 1 || got.x.Err != nil {
			t.Errorf("%s: the server took the body %d times, %v", name, d.taken, got.x.Err)
		}
	case fits || preempts || d.when == asksNever || untouched:
		t.Errorf("%s: got %d, %v; want the body to arrive", name, got.StatusCode, got.x.Err)
	case got.StatusCode != 401 || stageOf(got.x.Err) != negotiate.StageBody || !errors.Is(got.x.Err, negotiate.ErrBodyNotReplayable) || got.body == "" || d.taken != 0:
		t.Errorf("%s: got %d %q, %v; the server took it %d times", name, got.StatusCode, got.body, got.x.Err, d.taken)
	}
}

// TestUploadIsNotRepeated has a server take a body and die before it answers. It
// does not get the body again, unless the caller says that this does no harm.
func TestUploadIsNotRepeated(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, o := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			for _, harmless := range []bool{false, true} {
				w := newWorld(t)
				var taken atomic.Int32
				s := w.serve(w.handler(func(rw http.ResponseWriter, r *http.Request) {
					if b, err := io.ReadAll(r.Body); err == nil && string(b) == "the body" && taken.Add(1) == 1 {
						panic(http.ErrAbortHandler)
					}
				}))
				c := w.client(&negotiate.Transport{Opportunistic: o})
				w.get(c, s.url) // so that the connection has served before, as one that times out has
				req := w.request(method, s.url, bytes.NewReader([]byte("the body")))
				want := int32(1)
				if harmless {
					req.Header.Set("Idempotency-Key", "1")
					want = 2
				}
				got, err := w.send(c, req)
				if taken.Load() != want || (err == nil) != harmless || harmless && got.StatusCode != 200 {
					t.Errorf("%s %s, harmless %t: taken %d times, %v", method, o, harmless, taken.Load(), err)
				}
			}
		}
	}
}

// checkClosed waits for the close of a body, which comes after the response when
// a leg is broken off.
func checkClosed(t *testing.T, name string, src *source) {
	t.Helper()
	select {
	case <-src.closed:
	case <-time.After(time.Minute):
		t.Errorf("%s: the body is not closed", name)
	}
	if n := src.closes.Load(); n > 1 {
		t.Errorf("%s: the body was closed %d times", name, n)
	}
}
