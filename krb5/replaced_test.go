package krb5

import (
	"context"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Who looks while the ticket-granting ticket is replaced sees the present one or
// the next.
func TestLookingWhileReplacing(t *testing.T) {
	l, key := testLogin(t), tgtKey("R")
	ticket := testTicket(t, principal.TGS("R", "R"), time.Hour)
	l.add(key, ticket)
	replaced := make(chan struct{})
	go func() {
		defer close(replaced)
		for range 30000 {
			l.tickets.Get(key).due.Store(0)
			next := *ticket
			next.EndTime = next.EndTime.Add(time.Second)
			ticket = &next
			got, err := l.get(t.Context(), key, func(context.Context) (*kdcclient.Ticket, error) { return &next, nil })
			if got != &next || err != nil {
				t.Errorf("got %v, %v", got, err)
				return
			}
		}
	}()
	for {
		select {
		case <-replaced:
			return
		default:
		}
		if l.held() == nil {
			t.Fatal("there is no ticket")
		}
	}
}
