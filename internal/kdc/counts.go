package kdc

import (
	"sync"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Counts are how many requests a server has received, whether or not it
// answered them.
type Counts struct {
	// AS counts AS-REQs. A login with pre-authentication takes two.
	AS int
	// TGS counts TGS-REQs, and the fields below it those of each kind.
	TGS        int
	Service    int // for a service ticket
	Renew      int // to renew a ticket
	Forward    int // for a forwarded ticket-granting ticket
	Referral   int // for, or answered with, a ticket for another realm
	S4U2Self   int
	S4U2Proxy  int
	UserToUser int
	// UDP and TCP count requests by transport.
	UDP, TCP int
	// Errors counts KRB-ERRORs that were sent, without those that tell the
	// client to pre-authenticate or to use TCP.
	Errors int
	// Malformed counts what was neither AS-REQ nor TGS-REQ.
	Malformed int
}

func (c *Counts) of(k Kind) *int {
	switch k {
	case KindAS:
		return &c.AS
	case KindRenew:
		return &c.Renew
	case KindForward:
		return &c.Forward
	case KindReferral:
		return &c.Referral
	case KindS4U2Self:
		return &c.S4U2Self
	case KindS4U2Proxy:
		return &c.S4U2Proxy
	case KindUserToUser:
		return &c.UserToUser
	}
	return &c.Service
}

// counter is Counts for many goroutines.
type counter struct {
	mu sync.Mutex
	c  Counts
}

func (n *counter) get() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

func (n *counter) malformed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.c.Malformed++
}

// arrived counts a request.
func (n *counter) arrived(q *request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*n.c.of(q.kind)++
	if q.kind != KindAS {
		n.c.TGS++
	}
	if q.transport == UDP {
		n.c.UDP++
	} else {
		n.c.TCP++
	}
}

// answered counts what became of a request that had arrived as one kind.
func (n *counter) answered(q *request, as Kind) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if q.kind != as {
		*n.c.of(as)--
		*n.c.of(q.kind)++
	}
	switch q.code {
	case krbmsg.ErrNone, krbmsg.ErrPreauthRequired, krbmsg.ErrResponseTooBig:
	default:
		n.c.Errors++
	}
}
