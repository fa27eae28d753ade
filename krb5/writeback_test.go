package krb5

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// watched is a cache that is looked at while it is being written.
type watched struct {
	ccache.Store
	look func()
	err  error
}

func (w *watched) Replace(ctx context.Context, c *ccache.Cache) error {
	w.look()
	if w.err != nil {
		return w.err
	}
	defer w.look()
	return w.Store.Replace(ctx, c)
}

// Who reads a cache just before or just after it gets a new ticket-granting ticket
// goes on with the login that writes it, and its service tickets, and so does who
// reads it later.
func TestCacheIsReadWhileWritten(t *testing.T) {
	store := &watched{Store: new(ccache.Memory).Store("x")}
	label := store.String()
	l := testLogin(t)
	l.home = store
	read := func() *login {
		got, err := l.p.loginFromStore(t.Context(), store, label)
		if err != nil {
			return nil
		}
		return got
	}
	tgt := func(raw string, life time.Duration) *kdcclient.Ticket {
		ticket := testTicket(t, principal.TGS("R", "R"), life)
		ticket.Raw = []byte(raw)
		return ticket
	}
	there := false
	store.look = func() {
		if got := read(); got != l && (there || got != nil) {
			t.Errorf("who reads meanwhile has the login %p of %v, want %p", got, got, l)
		}
		there = true
	}
	for i, raw := range []string{"first", "second", "third"} {
		if err := l.writeTGT(t.Context(), tgt(raw, time.Duration(i+1)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := read(); got != l {
			t.Errorf("%s: who reads later has another login", raw)
		}
	}
	// A cache that was not written stays whose it was.
	other := newLogin(l.p, l.client, "a keytab")
	other.home = store
	store.look, store.err = func() {}, errors.New("full")
	if err := other.writeTGT(t.Context(), tgt("fourth", 9*time.Hour)); !errors.Is(err, store.err) {
		t.Errorf("got %v", err)
	}
	if got := read(); got != l {
		t.Error("who reads after the failure has another login")
	}
}
