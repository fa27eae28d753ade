package kdcclient

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// tolerance is a difference between clocks that nobody minds. Tickets have
// whole seconds, and messages take their time.
const tolerance = 5 * time.Second

// ahead is how far the clock of a KDC is ahead that has answered with an error;
// zero if that is not worth mentioning, or the clock is not to be corrected.
// Nobody vouches for the time in an error: it serves for another request, and
// only what that brings is believed (RFC 4120, section 5.9.1).
func (c *Client) ahead(e *krbmsg.KRBError) time.Duration {
	if c.Synchronize == nil || e.ServerTime.IsZero() {
		return 0
	}
	return worthwhile(e.ServerTime.Sub(c.now()))
}

func worthwhile(d time.Duration) time.Duration {
	if d.Abs() <= tolerance {
		return 0
	}
	return d
}

// synchronize has the clock follow the KDC's if they differ. The time comes from
// a reply that only the KDC can have made.
func (c *Client) synchronize(kdc time.Time) {
	if c.Synchronize != nil && !kdc.IsZero() && worthwhile(kdc.Sub(c.now())) != 0 {
		c.Synchronize(kdc)
	}
}
