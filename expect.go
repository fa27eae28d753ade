package negotiate

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"sync"
	"time"
)

// A body that can be read only once is best not read before the server has asked
// for authentication. "Expect: 100-continue" (RFC 9110, section 10.1.1) has the
// server say whether it takes the body. It costs a round trip, and a server that
// does not know it costs the whole time-out. So a body that is known to fit into
// the buffer goes out without: it is kept, and sent again.

// defaultExpectTimeout is how long a server may take to say whether it takes the
// body, if Base does not tell: that of http.DefaultTransport. Base's zero would
// send the body at once.
const defaultExpectTimeout = time.Second

// expects reports whether the next leg, which has no token, is to expect
// "100 Continue" though the caller has not said so.
func (n *negotiation) expects() bool {
	if n.c.pool == nil || !n.allowed && !n.forwards() || n.who.err != nil || !n.body.once() || !n.body.long() {
		return false
	}
	return !n.plain && n.c.pool.connector.any.ExpectContinueTimeout > 0 && !expectsContinue(n.req.Header)
}

func expectsContinue(h http.Header) bool { return slices.Contains(h.Values("Expect"), "100-continue") }

// unexpect has a request sent again without the Expect that the caller has not
// asked for, to a server that answers it with 417. The body has not gone out, or
// is kept; else the 417 is the response.
func (n *negotiation) unexpect(resp *http.Response) bool {
	if resp.StatusCode != http.StatusExpectationFailed || !n.expected || n.body.replayable(n.ctx) != nil {
		return false
	}
	n.plain = true
	n.c.log.DebugContext(n.ctx, "sending again without Expect", "url", redacted(n.req.URL))
	return true
}

// bodyGate holds back the body of a leg that expects "100 Continue" when another
// answer comes first. net/http then sends the body all the same, to keep the
// connection, and a 401 would leave nothing for the next leg. Once it is known
// whether there is a next leg, the gate opens.
type bodyGate struct {
	mu       sync.Mutex
	open     chan struct{} // not nil: held back
	answered bool
	decided  bool
}

// set notes whether an answer has come that is not "go on".
func (g *bodyGate) set(answered bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered = answered
	g.update()
}

// decide opens the gate for good.
func (g *bodyGate) decide() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.decided = true
	g.update()
}

func (g *bodyGate) update() {
	switch shut := g.answered && !g.decided; {
	case shut && g.open == nil:
		g.open = make(chan struct{})
	case !shut && g.open != nil:
		close(g.open)
		g.open = nil
	}
}

// pass waits until the gate is open.
func (g *bodyGate) pass() {
	for {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		if open == nil {
			return
		}
		<-open
	}
}

// watch has the gate see what the server answers.
func (g *bodyGate) watch(trace *httptrace.ClientTrace) {
	first := trace.GotFirstResponseByte
	trace.GotFirstResponseByte = func() {
		first()
		g.set(true)
	}
	// 100 says to go on; after another, such as 103, the answer is yet to come.
	trace.Got1xxResponse = func(int, textproto.MIMEHeader) error {
		g.set(false)
		return nil
	}
}
