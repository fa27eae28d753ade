package krbtest

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// TicketOption is a property of the tickets that [KDC.CCache] makes.
type TicketOption func(*ticketSettings)

type ticketSettings struct {
	options  kdc.TicketOptions
	services []string
	// In relation to the KDC's clock.
	age       time.Duration
	life      time.Duration
	renewable time.Duration
	now       time.Time
	err       error
}

func (k *KDC) ticketSettings(o []TicketOption) ticketSettings {
	k.tb.Helper()
	s := ticketSettings{now: k.realm.Now()}
	s.options.Flags = krbmsg.FlagForwardable
	for _, option := range o {
		option(&s)
	}
	k.check(s.err)
	s.options.Start = s.now.Add(-s.age)
	if s.life != 0 {
		s.options.Life = s.life + s.age
	}
	if s.renewable != 0 {
		s.options.RenewTill = s.now.Add(s.renewable)
	}
	return s
}

// ExpiresIn is for how long the tickets are still valid. With a negative
// duration they have expired that long ago, after an hour of life.
func ExpiresIn(d time.Duration) TicketOption {
	return func(s *ticketSettings) {
		s.life = d
		if d <= 0 {
			s.age = time.Hour - d
		}
	}
}

// RenewableFor makes the tickets renewable for that long from now on.
func RenewableFor(d time.Duration) TicketOption {
	return func(s *ticketSettings) {
		s.options.Flags |= krbmsg.FlagRenewable
		s.renewable = d
	}
}

// WithoutForwarding makes the tickets unfit for delegation.
func WithoutForwarding() TicketOption {
	return func(s *ticketSettings) { s.options.Flags &^= krbmsg.FlagForwardable }
}

// SessionEnctype is the encryption type of the session keys by its name in
// krb5.conf.
func SessionEnctype(name string) TicketOption {
	return func(s *ticketSettings) {
		var ids []etype.ID
		if ids, s.err = enctypes([]string{name}); s.err == nil {
			s.options.Enctype = ids[0]
		}
	}
}

// WithTicket puts a ticket for a service into the cache, too.
func WithTicket(service string) TicketOption {
	return func(s *ticketSettings) { s.services = append(s.services, service) }
}
