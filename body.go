package negotiate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// requestBody supplies the body of a request to each leg of an exchange, and
// closes everything once.
//
// There are three kinds: none; one with GetBody, of which each leg has its own;
// and one that can be read only once. Of that kind, what a leg has read is kept,
// up to a limit, and the next leg reads that before it reads on.
type requestBody struct {
	req   *http.Request
	limit int64

	mu       sync.Mutex
	leg      *bodyLeg // the last one
	reader   *bodyLeg // the last one that reads the source
	finished bool
	closed   bool // the source

	turn chan struct{} // the right to read the source and to touch what follows
	kept []byte
	lost bool  // something was read and not kept
	err  error // of the source, io.EOF too
}

func newRequestBody(req *http.Request, limit int64) *requestBody {
	if limit == 0 {
		limit = DefaultMaxBodyBuffer
	}
	b := &requestBody{req: req, limit: limit}
	if !b.empty() {
		b.turn = make(chan struct{}, 1)
	}
	return b
}

// empty reports whether there is no body.
func (b *requestBody) empty() bool { return b.req.Body == nil || b.req.Body == http.NoBody }

// once reports whether the body can be read only once.
func (b *requestBody) once() bool { return !b.empty() && b.req.GetBody == nil }

// long reports whether the body is not known to fit into the buffer.
func (b *requestBody) long() bool {
	n := b.req.ContentLength
	return n <= 0 || n > b.limit
}

// open returns the body of the next leg. The one before gets nothing more.
func (b *requestBody) open(ctx context.Context) (io.ReadCloser, error) {
	if b.empty() {
		return b.req.Body, nil
	}
	src, err := b.source(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leg = &bodyLeg{body: b, own: src}
	if src == nil {
		b.reader = b.leg
	}
	return b.leg, nil
}

// source is the body that the next leg has for itself, nil if it shares the
// source.
func (b *requestBody) source(ctx context.Context) (io.ReadCloser, error) {
	if !b.once() {
		if b.leg == nil {
			return nil, nil
		}
		body, err := b.req.GetBody()
		if err != nil {
			return nil, &ExchangeError{StageBody, err}
		}
		return body, nil
	}
	if b.leg != nil {
		b.leg.over.Store(true)
		b.leg.gate.decide()
	}
	if err := b.replayable(ctx); err != nil {
		return nil, err
	}
	return nil, nil
}

// replayable reports whether another leg can have the whole body. It waits
// until the leg before does not read.
func (b *requestBody) replayable(ctx context.Context) error {
	if !b.once() {
		return nil
	}
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-b.turn }()
	switch {
	case b.lost:
		return &ExchangeError{StageBody, ErrBodyNotReplayable}
	case b.err != nil && !errors.Is(b.err, io.EOF):
		return &ExchangeError{StageBody, b.err}
	}
	return nil
}

// failed is the error that the source gave to a leg; nil for none or io.EOF.
func (b *requestBody) failed() error {
	select {
	case b.turn <- struct{}{}:
	default:
		return nil // it is being read
	}
	defer func() { <-b.turn }()
	if errors.Is(b.err, io.EOF) {
		return nil
	}
	return b.err
}

// finish says that no leg follows. The source is closed, unless a leg that reads
// it is still to do that.
func (b *requestBody) finish() {
	if b.req.Body == nil {
		return
	}
	b.mu.Lock()
	b.finished = true
	if b.leg != nil {
		b.leg.gate.decide()
	}
	reader := b.reader
	b.mu.Unlock()
	if reader == nil || reader.closed.Load() {
		b.closeSource()
	}
}

func (b *requestBody) closeSource() error {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		return nil
	}
	return b.req.Body.Close()
}

// bodyLeg is the body of one leg.
type bodyLeg struct {
	body   *requestBody
	own    io.ReadCloser // from GetBody; nil reads the source
	at     int           // in body.kept
	gate   bodyGate      // of a source that can be read only once
	over   atomic.Bool   // another leg has begun
	closed atomic.Bool
}

var errBodyTaken = errors.New("negotiate: the request is being sent again")

// Read reads nothing after Close: net/http's HTTP/2 goes on to read for a while.
func (l *bodyLeg) Read(p []byte) (int, error) {
	if l.own != nil {
		if l.closed.Load() {
			return 0, http.ErrBodyReadAfterClose
		}
		return l.own.Read(p)
	}
	l.gate.pass()
	b := l.body
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	switch {
	case l.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case l.over.Load():
		return 0, errBodyTaken
	case l.at < len(b.kept):
		n := copy(p, b.kept[l.at:])
		l.at += n
		return n, nil
	case b.err != nil:
		return 0, b.err
	}
	n, err := b.req.Body.Read(p)
	b.keep(p[:n])
	l.at += n
	b.err = err
	return n, err
}

// keep stores what was read from a source that can be read only once.
func (b *requestBody) keep(p []byte) {
	switch {
	case !b.once() || len(p) == 0 || b.lost:
	case b.req.ContentLength > b.limit || int64(len(b.kept)+len(p)) > b.limit:
		b.lost, b.kept = true, nil
	default:
		b.kept = append(b.kept, p...)
	}
}

// Close ends the leg. It closes the source only if no other leg can follow.
func (l *bodyLeg) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	if l.own != nil {
		return l.own.Close()
	}
	b := l.body
	b.mu.Lock()
	last := b.finished && b.reader == l || !b.once()
	b.mu.Unlock()
	if last {
		return b.closeSource()
	}
	return nil
}

// maxDrain is how much of a body is read in order to keep its connection.
const maxDrain = 64 << 10

// discard reads a bounded part of a body that nobody wants, and closes it.
func discard(body io.ReadCloser) {
	io.CopyN(io.Discard, body, maxDrain)
	body.Close()
}

// swallow takes a bounded part of the response's body and closes it. The
// response keeps what was taken, in case that it is returned after all. whole tells
// that nothing is missing.
func swallow(resp *http.Response) (whole bool) {
	taken, err := io.ReadAll(io.LimitReader(resp.Body, maxDrain+1))
	if len(taken) > maxDrain {
		taken, err = taken[:maxDrain], errTruncated
	}
	resp.Body.Close()
	resp.Body = &keptBody{rest: taken, err: err}
	return err == nil
}

var errTruncated = errors.New("negotiate: the rest of this body was not read, to free its connection")

// keptBody is a body in memory. err comes at its end; nil is io.EOF.
type keptBody struct {
	rest []byte
	err  error
}

func (b *keptBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *keptBody) Close() error { return nil }

// sharedBody is the body of the last response of an exchange on a shared
// connection: its end is the exchange's.
type sharedBody struct {
	io.ReadCloser
	release func() // may be called more than once
}

func (b *sharedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.release()
	}
	return n, err
}

func (b *sharedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
