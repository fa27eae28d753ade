package krbmsg

import (
	"testing"

	"github.com/go-negotiate/negotiate/internal/der"
)

// element is a DER element that a test can alter before it encodes it again.
type element struct {
	tag      byte
	content  []byte     // of a primitive element
	children []*element // of a constructed one
}

// parseTree reads a message that this package has written.
func parseTree(t *testing.T, b []byte) *element {
	t.Helper()
	in := der.NewInput(b)
	r := in.Reader()
	list := parseTrees(&r)
	if in.Failed() || len(list) != 1 {
		t.Fatalf("%x is not one element", b)
	}
	return list[0]
}

func parseTrees(r *der.Reader) (out []*element) {
	const constructed = 0x20
	for !r.Empty() {
		e := &element{tag: r.Rest()[0]}
		content := r.Open(e.tag)
		if e.tag&constructed != 0 {
			e.children = parseTrees(&content)
		} else {
			e.content = content.Rest()
		}
		out = append(out, e)
	}
	return out
}

func (e *element) encode() []byte {
	var w der.Writer
	e.write(&w)
	return w.Buf
}

func (e *element) write(w *der.Writer) {
	m := w.Begin(e.tag)
	w.Raw(e.content)
	for _, c := range e.children {
		c.write(w)
	}
	w.End(m)
}

// all calls f for e and each element below it.
func (e *element) all(f func(e *element)) {
	f(e)
	for _, c := range e.children {
		c.all(f)
	}
}
