package kdcclient

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// tolerance is a difference between clocks that nobody minds. Tickets have
// whole seconds, and messages take their time.
const tolerance = 5 * time.Second

// ahead is how far the clock of a KDC is ahead that has answered with an error
// what was asked then; zero if that is not worth mentioning, or the clock is not
// to be corrected. Nobody vouches for the time in an error: it serves for another
// request, and only what that brings is believed (RFC 4120, section 5.9.1).
func (c *Client) ahead(e *krbmsg.KRBError, asked time.Time) time.Duration {
	if c.Synchronize == nil || e.ServerTime.IsZero() || !c.differs(e.ServerTime, asked) {
		return 0
	}
	return e.ServerTime.Sub(c.now())
}

// differs reports whether the KDC's time was not between that of the question
// and now, which may be long after it.
func (c *Client) differs(kdc, asked time.Time) bool {
	return kdc.Before(asked.Add(-tolerance)) || kdc.After(c.now().Add(tolerance))
}

// synchronize has the clock follow the KDC's if they differ. The time comes from
// a reply that only the KDC can have made.
func (c *Client) synchronize(kdc, asked time.Time) {
	if c.Synchronize != nil && !kdc.IsZero() && c.differs(kdc, asked) {
		c.Synchronize(kdc)
	}
}
