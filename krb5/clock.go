package krb5

import (
	"sync/atomic"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
)

// kdcClock is how far a KDC's clock has been found to be ahead, in nanoseconds,
// beyond what a credential cache says.
type kdcClock struct{ ahead atomic.Int64 }

// ahead is how far the KDC's clock is ahead of ours, as far as it is known.
func (l *login) ahead() time.Duration { return l.offset + time.Duration(l.clock.ahead.Load()) }

// now is the time by the KDC's clock.
func (l *login) now() time.Time { return l.p.now().Add(l.ahead()) }

// synchronize has the login go by the KDC's clock.
func (l *login) synchronize(kdc time.Time) {
	ahead := kdc.Sub(l.p.now())
	l.clock.ahead.Store(int64(ahead - l.offset))
	l.p.log.Warn("this machine's clock is wrong, or the KDC's is: the KDC's time is used", "kdc_ahead", ahead.Round(time.Second).String())
}

// kdc is the client of KDCs, by their clock.
func (l *login) kdc() *kdcclient.Client {
	c := l.p.kdc
	c.Now = l.now
	if l.p.conf.KDCTimesync {
		c.Synchronize = l.synchronize
	}
	return &c
}

// offsetOf is how far the KDC's clock was ahead when a cache was made, unless
// krb5.conf wants the clock left alone.
func (p *Provider) offsetOf(c *ccache.Cache) time.Duration {
	if !p.conf.KDCTimesync {
		return 0
	}
	return c.KDCOffset
}
