package negotiate

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

func TestConnState(t *testing.T) {
	fake := gsstest.New(gsstest.Options{})
	begin := func() *pending {
		sc, err := fake.Accept(t.Context(), gss.AcceptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return &pending{sc: sc}
	}
	checkOpen := func(when string, want int) {
		t.Helper()
		if got := fake.Counts().OpenContexts; got != want {
			t.Errorf("%s: %d contexts are open, want %d", when, got, want)
		}
	}
	one, two := &Handler{}, &Handler{}
	c := &connState{pending: make(map[*Handler]*pending)}
	c.put(one, begin())
	c.put(two, begin())
	checkOpen("one for each handler", 2)

	newer := begin()
	if !c.put(one, newer) {
		t.Error("put failed on an open connection")
	}
	checkOpen("after another took the place of the first", 2)
	if got := c.take(one); got != newer {
		t.Errorf("take gave %p, want the newer context", got)
	}
	if got := c.take(one); got != nil {
		t.Error("take gave the context twice")
	}
	newer.sc.Close()

	c.end()
	checkOpen("after the connection's end", 0)
	late := begin()
	if c.put(one, late) {
		t.Error("put left a context on a connection that has ended")
	}
	late.sc.Close()
	if c.take(one) != nil {
		t.Error("take found a context on a connection that has ended")
	}
	c.end()
}
