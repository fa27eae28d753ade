package krb5

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/profile"
)

// testProvider has the defaults of an empty krb5.conf.
func testProvider(t *testing.T) *Provider {
	t.Helper()
	conf, err := profile.NewConfig(nil, profile.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	return newProvider(Options{}, conf, profile.Environment{Getenv: func(string) string { return "" }})
}

func testLogin(t *testing.T) *login {
	t.Helper()
	return newLogin(testProvider(t), principal.New("R", "alice"), "the cache of a test")
}

func testTicket(t *testing.T, server principal.Name, life time.Duration) *kdcclient.Ticket {
	t.Helper()
	key, err := etype.RandomKey(etype.AES128SHA1)
	if err != nil {
		t.Fatal(err)
	}
	return &kdcclient.Ticket{Client: principal.New("R", "alice"), Server: server, Key: key, EndTime: time.Now().Add(life)}
}

// Those who wait for a ticket share what comes of it: the ticket, or the reason
// why there is none. Where the one that asks gives up, exactly one other asks
// again.
func TestGetIsShared(t *testing.T) {
	unknown := errors.New("the KDC does not know it")
	for _, test := range []struct {
		name    string
		err     error // of the first fetch
		giveUp  bool  // its caller leaves
		fetches int
		want    error // of the others
	}{
		{"ticket", nil, false, 1, nil},
		{"failure", unknown, false, 1, unknown},
		{"given up", nil, true, 2, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testLogin(t)
				key := keyOf(useService, principal.Service("R", "HTTP", "web"))
				ticket := testTicket(t, principal.Service("R", "HTTP", "web"), time.Hour)
				release := make(chan struct{})
				fetches := 0
				fetch := func(ctx context.Context) (*kdcclient.Ticket, error) {
					if fetches++; fetches > 1 {
						return ticket, nil
					}
					select {
					case <-release:
					case <-ctx.Done():
						return nil, errors.New("no answer")
					}
					if test.err != nil {
						return nil, test.err
					}
					return ticket, nil
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				results := make(chan error, 20)
				go l.get(ctx, key, fetch)
				synctest.Wait()
				for range cap(results) {
					go func() {
						_, err := l.get(t.Context(), key, fetch)
						results <- err
					}()
				}
				synctest.Wait() // all of them wait
				if test.giveUp {
					cancel()
				} else {
					close(release)
				}
				for range cap(results) {
					if err := <-results; !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
						t.Errorf("one that waited got %v, want %v", err, test.want)
					}
				}
				if fetches != test.fetches {
					t.Errorf("%d fetches, want %d", fetches, test.fetches)
				}
			})
		})
	}
}

// A fetch that panics leaves nobody waiting.
func TestGetPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLogin(t)
		ticket := testTicket(t, principal.Service("R", "HTTP", "web"), time.Hour)
		begun, release := make(chan struct{}), make(chan struct{})
		go func() {
			defer func() { recover() }()
			l.get(t.Context(), tgtKey("R"), func(context.Context) (*kdcclient.Ticket, error) {
				close(begun)
				<-release
				panic("broken")
			})
		}()
		<-begun
		result := make(chan *kdcclient.Ticket)
		go func() {
			got, err := l.get(t.Context(), tgtKey("R"), func(context.Context) (*kdcclient.Ticket, error) { return ticket, nil })
			if err != nil {
				t.Error(err)
			}
			result <- got
		}()
		synctest.Wait()
		close(release)
		if got := <-result; got != ticket {
			t.Errorf("one that waited got %v", got)
		}
	})
}

// When a login is full it drops what has expired first, then services, and keeps
// its own ticket-granting ticket even when that has expired: it tells why there
// is no other.
func TestEviction(t *testing.T) {
	l := testLogin(t)
	own := testTicket(t, principal.TGS("R", "R"), -time.Hour)
	l.add(tgtKey("R"), own)
	l.add(tgtKey("OTHER"), testTicket(t, principal.TGS("R", "OTHER"), time.Hour))
	name := func(i int) principal.Name { return principal.Service("R", "HTTP", fmt.Sprintf("h%d", i)) }
	for i := range maxTickets {
		life := time.Hour
		if i%2 == 0 {
			life = -time.Hour
		}
		l.add(keyOf(useService, name(i)), testTicket(t, name(i), life))
	}
	if l.tickets.Len() > maxTickets {
		t.Errorf("%d tickets, want at most %d", l.tickets.Len(), maxTickets)
	}
	for i := range maxTickets {
		if have := l.tickets.Get(keyOf(useService, name(i))) != nil; !have && i%2 == 1 {
			t.Fatalf("valid ticket %d was dropped, and there were expired ones", i)
		}
	}
	for i := range 2 * maxTickets {
		l.add(keyOf(useService, name(maxTickets+i)), testTicket(t, name(i), time.Hour))
	}
	if l.tickets.Len() > maxTickets {
		t.Errorf("%d tickets, want at most %d", l.tickets.Len(), maxTickets)
	}
	if l.tickets.Get(keyOf(useService, name(3*maxTickets-1))) == nil {
		t.Error("the newest ticket was dropped")
	}
	if l.held() != own || l.tickets.Get(tgtKey("OTHER")) == nil {
		t.Error("a ticket-granting ticket was dropped for those of services")
	}
	if _, err := l.tgt(t.Context()); !errors.Is(err, gss.ErrCredentialsExpired) || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("got %v", err)
	}
}

// Of tickets that are asked for no more, some go each time.
func TestEvictionDropsAny(t *testing.T) {
	l := testLogin(t)
	ticket := testTicket(t, principal.Service("R", "HTTP", "web"), time.Hour)
	name := func(i int) principal.Name { return principal.Service("R", "HTTP", fmt.Sprintf("h%d", i)) }
	for i := range 4 * maxTickets {
		l.add(keyOf(useService, name(i)), ticket)
	}
	old := 0
	for i := range maxTickets {
		if l.tickets.Get(keyOf(useService, name(i))) != nil {
			old++
		}
	}
	if old > maxTickets/8 {
		t.Errorf("%d of the first %d tickets are there still, after three times as many", old, maxTickets)
	}
}

func TestTicketKeys(t *testing.T) {
	seen := make(map[ticketKey]string)
	for _, n := range []principal.Name{
		{}, principal.New("R"), principal.New("R", "a"), principal.New("", "a"), principal.New("R", "a", "b"),
		principal.New("R", "a", ""), principal.New("R", "a", "b", "c"), principal.New("R", "a", "b", "c", "d"),
		principal.New("R", "a", "b", "c/d"), principal.New("R", "a/b"),
	} {
		for _, use := range []ticketUse{useService, useForwarded} {
			key := keyOf(use, n)
			if other, ok := seen[key]; ok {
				t.Errorf("%q and %q share a key", n, other)
			}
			seen[key] = n.String()
		}
	}
	if _, ok := seen[tgtKey("R")]; ok {
		t.Error("a service shares the key of a ticket-granting ticket")
	}
}

// The keys of a password are derived once, and are not kept without end.
func TestPasswordKeys(t *testing.T) {
	s := newPasswordSecret("secret", nil)
	derive := func(salt string) *etype.Key {
		t.Helper()
		k, err := s.key(etype.AES256SHA1, salt, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := derive("salt")
	if derive("salt") != first {
		t.Error("the key was derived twice")
	}
	if derive("other") == first {
		t.Error("another salt gives the same key")
	}
	for i := range 20 {
		derive(fmt.Sprint(i))
		if len(s.keys) > maxDerivations {
			t.Fatalf("%d keys are kept", len(s.keys))
		}
	}
	if _, err := s.key(etype.AES256SHA1, "salt", []byte{1}); err == nil {
		t.Error("parameters that are none gave a key")
	}
}

// An acceptor remembers a bounded number of tickets: in each set the newest.
func TestOpenedTickets(t *testing.T) {
	o := newOpenedTickets()
	ticket := func(i int) *openedTicket {
		raw := fmt.Sprint("ticket ", i)
		return &openedTicket{raw: raw, hash: o.hash([]byte(raw))}
	}
	found := func(t *openedTicket) *openedTicket { return o.find(t.hash, []byte(t.raw)) }
	if found(ticket(1)) != nil {
		t.Error("an empty cache has a ticket")
	}
	sets := make(map[*openedSet][]*openedTicket)
	for i := range 3 * maxOpened {
		added := ticket(i)
		sets[o.set(added.hash)] = append(sets[o.set(added.hash)], added)
		o.add(added)
		o.add(ticket(i)) // again, by another goroutine
	}
	for _, tickets := range sets {
		for i, want := range tickets {
			got := found(want)
			if old := i < len(tickets)-setSize; old && got != nil || !old && got != want {
				t.Fatalf("ticket %d of the %d of its set: %p, want it only if it is among the newest", i, len(tickets), got)
			}
		}
	}
	// Another ticket of the same hash is not taken for it.
	last := ticket(3*maxOpened - 1)
	other := &openedTicket{raw: "other", hash: last.hash}
	if found(other) != nil {
		t.Error("a ticket was found by its hash alone")
	}
	if o.add(other); found(other) != other || found(last) == nil {
		t.Error("two tickets of one hash are not told apart")
	}
}

// Closed contexts have no key any more.
func TestCloseWipes(t *testing.T) {
	i, a := newInitiator(), newAcceptor()
	i.secret.random(etype.AES256SHA1)
	a.secret.random(etype.AES128SHA2)
	i.Close()
	a.Close()
	if *i.secret != (contextKey{}) || *a.secret != (contextKey{}) {
		t.Error("a closed context has its key")
	}
}
