package krb5_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// clock is a clock that a test moves.
type clock struct {
	start time.Time
	ahead atomic.Int64
}

func newClock() *clock { return &clock{start: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time         { return c.start.Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(d time.Duration)   { c.ahead.Add(int64(d)) }
func (c *clock) use(o *krb5.Options)    { o.Now = c.now }
func (c *clock) option() krbtest.Option { return krbtest.WithClock(c.now) }

// crowd has 100 goroutines establish contexts at once, none of which may fail,
// nor be with a ticket that has ended by the clock.
func crowd(t *testing.T, p *krb5.Provider, cred gss.Credential, now time.Time) {
	t.Helper()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			token, i, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cred})
			if err != nil {
				t.Error(err)
				return
			}
			if _, _, err := accept(t, p, gss.AcceptOptions{}, token); err != nil {
				t.Error(err)
			}
			if end := i.Info().Expires; !end.After(now) {
				t.Errorf("at %v a ticket is used that ended at %v", now, end)
			}
		})
	}
	wg.Wait()
}

// Over an hour with tickets of ten minutes, a hundred goroutines never see one
// that has ended, and the KDC is asked once each time, whichever the source is.
// Tickets are replaced after three quarters of their life.
func TestTicketsAreReplacedBeforeTheirEnd(t *testing.T) {
	const (
		life  = 10 * time.Minute
		step  = 90 * time.Second
		steps = 40
		turns = 1 + int((steps-1)*step/(life*3/4)) // the first fetch, and those after it
	)
	for _, test := range []struct {
		name string
		cred func(p *krb5.Provider, kdc *krbtest.KDC) (gss.Credential, error)
		want krbtest.Requests
	}{
		{"password", func(p *krb5.Provider, _ *krbtest.KDC) (gss.Credential, error) {
			return p.FromPassword("alice", "alice's password")
		}, krbtest.Requests{AS: 2 * turns, TGS: turns, Service: turns}},
		{"keytab", func(p *krb5.Provider, kdc *krbtest.KDC) (gss.Credential, error) {
			return p.FromKeytab("alice", kdc.Keytab("alice"))
		}, krbtest.Requests{AS: 2 * turns, TGS: turns, Service: turns}},
		{"renewable cache", func(p *krb5.Provider, kdc *krbtest.KDC) (gss.Credential, error) {
			return p.FromCCache(kdc.CCache("alice", krbtest.ExpiresIn(life), krbtest.RenewableFor(24*time.Hour)))
		}, krbtest.Requests{TGS: 2*turns - 1, Service: turns, Renew: turns - 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			kdc := realm(t, clock.option(), krbtest.WithLifetime(life))
			var log *bytes.Buffer
			p := provider(t, kdc, clock.use, countable(t, kdc), func(o *krb5.Options) { log = logged(o) })
			cred, err := test.cred(p, kdc)
			if err != nil {
				t.Fatal(err)
			}
			for range steps {
				crowd(t, p, cred, clock.now())
				clock.move(step)
			}
			got := kdc.Requests()
			test.want.TCP = got.TCP
			if test.want != got {
				t.Errorf("the KDC was asked for %+v, want %+v", got, test.want)
				for line := range strings.Lines(log.String()) {
					if strings.Contains(line, "level=WARN") {
						t.Log(line) // a request to the KDC that failed is made again
					}
				}
			}
		})
	}
}

// While one request fetches the next ticket, the others go on with the present
// one.
func TestReplacingHoldsUpNobody(t *testing.T) {
	clock := newClock()
	kdc := realm(t, clock.option(), krbtest.WithLifetime(time.Hour))
	p := provider(t, kdc, clock.use, countable(t, kdc))
	cred, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	firstToken(t, p, gss.InitiateOptions{Credential: cred})
	end := cred.Expires()
	clock.move(56 * time.Minute)
	gate := make(chan struct{})
	kdc.SetFault(krbtest.Held(gate))
	kdc.ResetRequests()
	held := make(chan error, 1)
	go func() {
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cred})
		held <- err
	}()
	for kdc.Requests().AS == 0 {
		time.Sleep(time.Millisecond)
	}
	crowd(t, p, cred, clock.now())
	if !cred.Expires().Equal(end) {
		t.Error("the ticket was replaced before the KDC answered")
	}
	kdc.SetFault(krbtest.Fault{})
	close(gate)
	if err := <-held; err != nil {
		t.Error(err)
	}
	if !cred.Expires().After(end) {
		t.Error("the ticket was not replaced")
	}
}

// A KDC that is down when tickets are to be replaced is of no consequence until
// they end, and is not asked by every request.
func TestReplacingFails(t *testing.T) {
	clock := newClock()
	var log *bytes.Buffer
	kdc := realm(t, clock.option(), krbtest.WithLifetime(time.Hour))
	p := provider(t, kdc, clock.use, countable(t, kdc), func(o *krb5.Options) { log = logged(o) })
	cred, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	firstToken(t, p, gss.InitiateOptions{Credential: cred})
	kdc.SetFault(krbtest.Refuse())
	clock.move(58 * time.Minute)
	crowd(t, p, cred, clock.now())
	// Two tickets, the service's and the ticket-granting one.
	if n := strings.Count(log.String(), "could not be replaced yet"); n < 1 || n > 2 {
		t.Errorf("%d warnings of a ticket that ends soon, want one for each of two tickets at most:\n%s", n, log)
	}
	kdc.SetFault(krbtest.Fault{})
	clock.move(90 * time.Second)
	crowd(t, p, cred, clock.now())
	clock.move(30 * time.Minute)
	crowd(t, p, cred, clock.now())
}

// Nothing is asked for where nothing can be had: a cache without a renewable
// ticket is used to its end, which is then told.
func TestNothingToReplaceWith(t *testing.T) {
	clock := newClock()
	kdc := realm(t, clock.option())
	p := provider(t, kdc, clock.use, countable(t, kdc))
	cred, err := p.FromCCache(kdc.CCache("alice", krbtest.ExpiresIn(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	firstToken(t, p, gss.InitiateOptions{Credential: cred})
	kdc.ResetRequests()
	for range 8 {
		clock.move(7 * time.Minute)
		crowd(t, p, cred, clock.now())
	}
	if got := kdc.Requests(); got != (krbtest.Requests{}) {
		t.Errorf("the KDC was asked for %+v", got)
	}
	clock.move(10 * time.Minute)
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cred})
	wantError(t, err, []error{gss.ErrCredentialsExpired}, "expired at", "run kinit")
}

// Tickets of two seconds, by a clock that goes on whenever somebody looks at it: their
// end is near all the time.
func TestVeryShortTickets(t *testing.T) {
	clock := newClock()
	now := func() time.Time {
		clock.move(250 * time.Microsecond)
		return clock.now()
	}
	kdc := realm(t, krbtest.WithClock(now), krbtest.WithLifetime(2*time.Second))
	p := provider(t, kdc, countable(t, kdc), func(o *krb5.Options) { o.Now = now })
	cred, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	start := now()
	var ends []time.Time
	for len(ends) < 4 {
		crowd(t, p, cred, now())
		if end := cred.Expires(); len(ends) == 0 || end.After(ends[len(ends)-1]) {
			ends = append(ends, end)
		}
	}
	// The KDC's seconds are whole ones, so that a ticket may be due after half of one.
	most := 2 + int(now().Sub(start)/(time.Second/2))
	if n := kdc.Requests().AS; n > 2*most {
		t.Errorf("%d AS-REQs for at most %d tickets", n, most)
	}
}

// A ticket-granting ticket may end after it was looked at and before the KDC reads
// it. The request gets another one and does not fail.
func TestTicketEndsOnItsWay(t *testing.T) {
	clock := newClock()
	kdc := realm(t, clock.option(), krbtest.WithLifetime(12*time.Minute))
	kdc.AddService("HTTP/other.krb.test")
	var slow atomic.Bool // the next connection to the KDC takes four minutes
	p := provider(t, kdc, clock.use, countable(t, kdc), func(o *krb5.Options) {
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if slow.CompareAndSwap(true, false) {
				clock.move(4 * time.Minute)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	})
	cred, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	firstToken(t, p, gss.InitiateOptions{Credential: cred})
	clock.move(8*time.Minute + 50*time.Second) // ten seconds before it would be replaced
	kdc.ResetRequests()
	slow.Store(true)
	if _, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", "other.krb.test")}); err != nil {
		t.Error(err)
	}
	if n := kdc.Requests(); n.AS != 2 || n.TGS != 2 {
		t.Errorf("the KDC was asked %+v, want another login and a second time for the ticket", n)
	}
}

// A closed credential has its tickets until they end, and gets no others.
func TestClosedCredential(t *testing.T) {
	clock := newClock()
	kdc := realm(t, clock.option(), krbtest.WithLifetime(time.Hour))
	p := provider(t, kdc, clock.use)
	cred, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	firstToken(t, p, gss.InitiateOptions{Credential: cred})
	for range 2 {
		if err := cred.Close(); err != nil {
			t.Error(err)
		}
	}
	clock.move(59 * time.Minute)
	crowd(t, p, cred, clock.now())
	clock.move(2 * time.Minute)
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cred})
	wantError(t, err, []error{gss.ErrFailure}, "the credential was closed")
}
