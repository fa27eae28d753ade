package kdcclient_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Tests of what a clock says run in a bubble, whose clock stands still while somebody
// works.

// clock is a client's clock, which a KDC may set.
type clock struct {
	offset time.Duration
	set    int
}

func (k *clock) now() time.Time { return time.Now().Add(k.offset) }

func (k *clock) of(c *kdcclient.Client) *kdcclient.Client {
	c.Now = k.now
	c.Synchronize = func(kdc time.Time) {
		k.set++
		k.offset = time.Until(kdc)
	}
	return c
}

func (k *clock) isRight() bool { return k.offset.Abs() < 5*time.Second }

// A login corrects the clock, whichever way it is wrong and whether or not the
// KDC wants to be shown a time.
func TestASCorrectsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute, -48 * time.Hour, 48 * time.Hour} {
			for _, user := range []string{"alice", "trusting"} {
				w := realmA(t)
				k := &clock{offset: off}
				got, err := k.of(w.client()).AS(t.Context(), asRequest(user))
				if err != nil {
					t.Errorf("%s, clock off by %v: %v", user, off, err)
					continue
				}
				if !k.isRight() || k.set != 1 {
					t.Errorf("%s, clock off by %v: it was set %d times, and is off by %v", user, off, k.set, k.offset)
				}
				if life := time.Until(got.EndTime); life < 23*time.Hour || life > 25*time.Hour {
					t.Errorf("%s, clock off by %v: the ticket lasts for %v", user, off, life)
				}
			}
		}
	})
}

// Whoever does not want that is told of the difference.
func TestASUncorrectedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := realmA(t)
		k := &clock{offset: -10 * time.Minute}
		c := k.of(w.client())
		c.Synchronize = nil
		_, err := c.AS(t.Context(), asRequest("alice"))
		if e, ok := errors.AsType[*krbmsg.KRBError](err); !ok || e.Code != krbmsg.ErrSkew || time.Until(e.ServerTime).Abs() > time.Minute {
			t.Errorf("got %v, want ErrSkew with the KDC's time", err)
		}
		if len(w.sent) != 2 {
			t.Errorf("%d requests, want 2", len(w.sent))
		}
	})
}

// A clock that is right is left alone.
func TestRightClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := realmA(t)
		k := new(clock)
		c := k.of(w.client())
		tgt, err := c.AS(t.Context(), asRequest("alice"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.TGS(t.Context(), kdcclient.TGSRequest{TGT: tgt, Server: principal.Service("", "HTTP", "web.a.test"), ETypes: allTypes}); err != nil {
			t.Fatal(err)
		}
		if k.set != 0 || len(w.sent) != 3 {
			t.Errorf("the clock was set %d times in %d requests", k.set, len(w.sent))
		}
	})
}

// A ticket-granting ticket of a time when the clock was right.
func TestTGSCorrectsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := realmA(t)
		r := kdcclient.TGSRequest{TGT: tgt(t, w), Server: principal.Service("", "HTTP", "web.a.test"), ETypes: allTypes}
		for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
			w.sent = nil
			k := &clock{offset: off}
			c := k.of(w.client())
			if _, err := c.TGS(t.Context(), r); err != nil {
				t.Fatalf("off by %v: %v", off, err)
			}
			if !k.isRight() || len(w.sent) != 2 {
				t.Errorf("after %d requests the clock is off by %v", len(w.sent), k.offset)
			}
			// It is right now.
			if _, err := c.TGS(t.Context(), r); err != nil || len(w.sent) != 3 {
				t.Errorf("another request: %d, %v", len(w.sent), err)
			}
			c.Synchronize, k.offset = nil, off
			if _, err := c.TGS(t.Context(), r); !errors.Is(err, krbmsg.ErrSkew) {
				t.Errorf("off by %v, not to be corrected: %v", off, err)
			}
		}
	})
}

// An error proves nothing: whoever forges one cannot set the clock.
func TestForgedTime(t *testing.T) {
	forged := func([]byte) []byte {
		e := krbmsg.KRBError{Code: krbmsg.ErrSkew, ServerTime: time.Now().Add(24 * time.Hour), Server: principal.TGS("A.TEST", "A.TEST")}
		return e.Append(nil)
	}
	w := realmA(t)
	r := kdcclient.TGSRequest{TGT: tgt(t, w), Server: principal.Service("", "HTTP", "web.a.test"), ETypes: allTypes}
	w.reply, w.sent = forged, nil
	k := new(clock)
	if _, err := k.of(w.client()).TGS(t.Context(), r); !errors.Is(err, krbmsg.ErrSkew) {
		t.Errorf("got %v", err)
	}
	if _, err := k.of(w.client()).AS(t.Context(), asRequest("alice")); !errors.Is(err, krbmsg.ErrSkew) {
		t.Errorf("got %v", err)
	}
	if k.set != 0 || len(w.sent) != 4 {
		t.Errorf("the clock was set %d times, in %d requests", k.set, len(w.sent))
	}
}

// The KDC of another realm gets the time that it wants to see, and does not set
// the clock, by which the client's own tickets are judged.
func TestOtherRealmsTime(t *testing.T) {
	w := realmA(t)
	b, err := kdc.New(kdc.Options{Realm: "B.TEST", Now: func() time.Time { return time.Now().Add(3 * time.Hour) }})
	if err == nil {
		err = errors.Join(b.Add(kdc.Entry{Name: "HTTP/web.b.test"}), kdc.Trust(w.realms["A.TEST"], b))
	}
	if err != nil {
		t.Fatal(err)
	}
	w.realms["B.TEST"] = b
	r := kdcclient.TGSRequest{TGT: tgt(t, w), Server: principal.Service("", "HTTP", "web.b.test"), ETypes: allTypes, Options: krbmsg.OptCanonicalize}
	k := new(clock)
	c := k.of(w.client())
	if r.TGT, err = c.TGS(t.Context(), r); err != nil || !r.TGT.Server.IsTGS() {
		t.Fatalf("got %v, %v; want a referral", r.TGT, err)
	}
	if got, err := c.TGS(t.Context(), r); err != nil || got.Server.String() != "HTTP/web.b.test@B.TEST" {
		t.Errorf("got %v, %v", got, err)
	}
	if k.set != 0 || len(w.sent) != 5 {
		t.Errorf("the clock was set %d times, in %d requests", k.set, len(w.sent))
	}
}

// A KDC that takes its time is no wrong clock.
func TestLateAnswer(t *testing.T) {
	w := realmA(t)
	k := new(clock)
	c := k.of(w.client())
	w.reply = func(reply []byte) []byte {
		k.offset += time.Minute // passes while the answer is under way
		return reply
	}
	if _, err := c.AS(t.Context(), asRequest("trusting")); err != nil || k.set != 0 {
		t.Errorf("the clock was set %d times, %v", k.set, err)
	}
}
