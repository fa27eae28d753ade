package krb5

import (
	"context"
	"fmt"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/closing"
)

// loginCredential is a credential that stands for one principal for good. Those
// with the same login are the same.
type loginCredential struct{ login *login }

// Name is the principal.
func (c loginCredential) Name() gss.Name { return c.login.name }

// Usage returns gss.UsageInitiate.
func (c loginCredential) Usage() gss.Usage { return gss.UsageInitiate }

// Expires is the end of the ticket-granting ticket; zero if there is none yet.
func (c loginCredential) Expires() time.Time { return c.login.expires() }

// Close wipes the password and its keys, if the credential was made from one:
// when its tickets have ended there are no others. The tickets stay, since
// contexts and other credentials may share them.
func (c loginCredential) Close() error {
	if c.login.wipe != nil {
		c.login.wipe()
	}
	return nil
}

// String names the principal and the source of its tickets.
func (c loginCredential) String() string {
	return fmt.Sprintf("krb5 credential of %s from %s", c.login.client, c.login.source)
}

// GoString is String, so that %#v shows nothing else either.
func (c loginCredential) GoString() string { return c.String() }

// ownCredential is a loginCredential that somebody was given to close.
type ownCredential struct {
	loginCredential
	notice closing.Notice
}

func newOwnCredential(l *login) *ownCredential {
	return &ownCredential{loginCredential: loginCredential{l}}
}

// Close is that of loginCredential, and tells of itself.
func (c *ownCredential) Close() error {
	err := c.loginCredential.Close()
	c.notice.Close()
	return err
}

// OnClose implements [gss.CloseNotifier].
func (c *ownCredential) OnClose(f func()) (stop func(), open bool) { return c.notice.OnClose(f) }

// loginOf returns the login behind a credential, nil being the default cache. One
// of another provider keeps to that one's krb5.conf and KDCs.
func (p *Provider) loginOf(ctx context.Context, cred gss.Credential) (*login, error) {
	switch c := cred.(type) {
	case nil:
		return cacheSource{p: p}.login(ctx)
	case *cacheCredential:
		return c.login(ctx)
	case loginCredential:
		return c.login, nil
	case *ownCredential:
		return c.login, nil
	case *acceptorCredential:
		if c.service != nil {
			return p.loginOf(ctx, c.service)
		}
		return nil, failure(gss.ErrDefectiveCredential, "initiate", "%s is for accepting: acquire one with UsageInitiate, or use FromKeytab", c)
	}
	return nil, failure(gss.ErrDefectiveCredential, "initiate", "the credential (%T) is none of package krb5: acquire one from this provider", cred)
}
