package kdc

import (
	"cmp"
	"slices"
	"time"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Policy is what a principal may do and what is done with it. The zero value is
// that of an ordinary user or service.
type Policy struct {
	// NoPreauth gives a client its reply without pre-authentication.
	NoPreauth bool
	// NoForwardable refuses forwardable tickets to a client ("sensitive, may
	// not be delegated") and for a service.
	NoForwardable bool
	// Locked refuses every ticket to the client and for the service.
	Locked bool
	// PasswordExpired makes a client's login fail with KDC_ERR_KEY_EXPIRED.
	PasswordExpired bool
	// Expires is when the principal ends; zero is never.
	Expires time.Time
	// OKAsDelegate marks tickets for a service as fit for delegation.
	OKAsDelegate bool
	// OKToAuthAsDelegate makes the tickets that a service gets by S4U2Self
	// forwardable, so that they serve for S4U2Proxy ("protocol transition").
	OKToAuthAsDelegate bool
	// DelegateTo are the services to which a service may go in a user's name
	// by S4U2Proxy.
	DelegateTo []string
	// DelegateFrom are the services that may go to this one in a user's name
	// ("resource-based constrained delegation").
	DelegateFrom []string
	// Groups are those that a user is in, by their numbers in the domain. The
	// tickets of a user with groups have a PAC (MS-PAC).
	Groups []uint32
	// MaxLife and MaxRenew bound lifetimes further; zero does not.
	MaxLife, MaxRenew time.Duration
}

// resolve writes the names in full.
func (r *Realm) resolve(p Policy) (Policy, error) {
	for _, list := range []*[]string{&p.DelegateTo, &p.DelegateFrom} {
		*list = slices.Clone(*list)
		for i, s := range *list {
			n, err := r.parse(s)
			if err != nil {
				return p, err
			}
			(*list)[i] = n.Key()
		}
	}
	return p, nil
}

// checkClient refuses a client that must not log in.
func (q *request) checkClient(c *record) error {
	switch p := &c.policy; {
	case p.Locked:
		return refuse(krbmsg.ErrClientRevoked, "client is locked")
	case !p.Expires.IsZero() && !p.Expires.After(q.now):
		return refuse(krbmsg.ErrNameExp, "client has expired")
	case p.PasswordExpired:
		return refuse(krbmsg.ErrKeyExpired, "password has expired")
	}
	return nil
}

// checkServer refuses a service that must not be had.
func (q *request) checkServer(s *record) error {
	switch p := &s.policy; {
	case p.Locked:
		return refuse(krbmsg.ErrServiceRevoked, "service is locked")
	case !p.Expires.IsZero() && !p.Expires.After(q.now):
		return refuse(krbmsg.ErrServiceExp, "service has expired")
	}
	return nil
}

// till is the end that is asked for; 1970 asks for the latest (RFC 4120,
// section 5.4.1).
func (q *request) till() time.Time {
	if t := q.msg.Body.Till; t.Unix() > 0 {
		return t
	}
	return time.Unix(1<<32-1, 0)
}

// endTime is when the ticket ends: as asked for, within the limits.
func (q *request) endTime(limits ...*Policy) (time.Time, error) {
	life := q.realm.o.MaxLife
	for _, p := range limits {
		life = min(life, cmp.Or(p.MaxLife, life))
	}
	end := earlier(q.till(), q.second.Add(life))
	if !end.After(q.second) {
		return end, refuse(krbmsg.ErrNeverValid, "requested end time is not in the future")
	}
	return end, nil
}

// renewTill is until when the ticket can be renewed: zero if it cannot, since
// nobody asks or it would not get any longer. ceiling bounds it; zero does not.
func (q *request) renewTill(end, ceiling time.Time, limits ...*Policy) time.Time {
	var want time.Time
	body := &q.msg.Body
	switch {
	case q.has(krbmsg.OptRenewable) && body.RenewTill.Unix() > 0:
		want = body.RenewTill
	case q.has(krbmsg.OptRenewable):
		want = time.Unix(1<<32-1, 0)
	case q.has(krbmsg.OptRenewableOK) && q.till().After(end):
		want = q.till()
	default:
		return time.Time{}
	}
	span := q.realm.o.MaxRenew
	for _, p := range limits {
		span = min(span, cmp.Or(p.MaxRenew, span))
	}
	want = earlier(want, q.second.Add(span))
	if !ceiling.IsZero() {
		want = earlier(want, ceiling)
	}
	if !want.After(end) {
		return time.Time{}
	}
	return want
}

// noCeiling is the zero time as an argument of renewTill.
var noCeiling time.Time

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
