package krb5

import (
	"fmt"
	"testing"
)

// What a provider remembers of tickets and files has a bound, and the newest stays.
func TestMemoryIsBounded(t *testing.T) {
	var opened openedTickets
	files := make(map[string]int)
	for i := range 3 * maxOpened {
		raw := fmt.Sprint(i)
		opened.add(&openedTicket{raw: raw})
		if opened.find([]byte(raw)) == nil {
			t.Fatalf("the ticket that was opened last, the %dth, is forgotten", i+1)
		}
		makeRoom(files)
		files[fmt.Sprint(i)] = i
	}
	if len(opened.tickets) > maxOpened || len(opened.order) > maxOpened {
		t.Errorf("%d tickets are remembered, want %d at most", len(opened.tickets), maxOpened)
	}
	if len(files) > maxFiles {
		t.Errorf("%d files are remembered, want %d at most", len(files), maxFiles)
	}
}
