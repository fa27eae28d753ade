package krb5

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// openedTicket is what an acceptor needs of a ticket that it has decrypted.
type openedTicket struct {
	server     principal.Name // whose key has opened it
	client     principal.Name
	session    *etype.Key
	flags      uint32
	start, end time.Time
	transited  error // why the realms on the client's way are not acceptable; nil: they are
}

// openedTickets remembers tickets that were decrypted, by the hash of their
// ciphertext, since a client comes with the same one again and again: that
// saves decrypting it, and above all deriving the keys from its session key. It
// belongs to one version of a keytab and ends with it. What can change, such as
// the time, is checked each time.
//
// The zero openedTickets is empty.
type openedTickets struct {
	mu      sync.Mutex
	tickets map[ticketHash]*openedTicket
	order   []ticketHash // a ring of the keys, oldest at next once it is full
	next    int
}

type ticketHash [sha256.Size]byte

// maxOpened bounds the tickets that are remembered, some 3 kB each.
const maxOpened = 512

func (o *openedTickets) find(h ticketHash) *openedTicket {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tickets[h]
}

func (o *openedTickets) add(h ticketHash, t *openedTicket) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tickets == nil {
		o.tickets = make(map[ticketHash]*openedTicket)
	}
	if o.tickets[h] != nil {
		return
	}
	if len(o.order) < maxOpened {
		o.order = append(o.order, h)
	} else {
		delete(o.tickets, o.order[o.next])
		o.order[o.next] = h
		o.next = (o.next + 1) % maxOpened
	}
	o.tickets[h] = t
}
