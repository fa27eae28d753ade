package profile

import "time"

// TicketOptions are what a client asks for in its first ticket.
type TicketOptions struct {
	TicketLifetime time.Duration // default 24 hours
	RenewLifetime  time.Duration // default 0: not renewable
	Forwardable    bool          // default false
	Proxiable      bool          // default false
	Canonicalize   bool          // let the KDC replace the client's name; default false
	NoAddresses    bool          // default true
}

// TicketOptionsOf returns the options for clients of a realm: what stands in
// [libdefaults] REALM = { ... }, and else what stands in [libdefaults] itself.
func (c *Config) TicketOptionsOf(realm string) TicketOptions {
	// The warnings about these values go to a config that is thrown away.
	d := &defaults{config: &Config{profile: c.profile}}
	return d.ticketOptions(realm)
}

func (d *defaults) ticketOptions(realm string) TicketOptions {
	r := &defaults{config: d.config, env: d.env, realm: realm}
	return TicketOptions{
		TicketLifetime: r.duration("ticket_lifetime", 24*time.Hour),
		RenewLifetime:  r.duration("renew_lifetime", 0),
		Forwardable:    r.boolean("forwardable", false),
		Proxiable:      r.boolean("proxiable", false),
		Canonicalize:   r.boolean("canonicalize", false),
		NoAddresses:    r.boolean("noaddresses", true),
	}
}
