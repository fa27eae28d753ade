package krb5

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/pac"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// ErrNoPAC is wrapped by PACFrom's error where the client's ticket has no PAC, as
// tickets of MIT's and Heimdal's KDCs have none, or none with groups.
var ErrNoPAC = errors.New("the client's ticket has no PAC with logon information")

// PAC is what a directory such as Active Directory says of a client in its
// ticket (MS-PAC). It was true when the client logged in: who was put into a group
// since, or taken out, has to log in again.
//
// Names are for people and can change hands; identifiers (SIDs), such as
// "S-1-5-21-1-2-3-500", do not. Decide by identifiers.
type PAC struct {
	// SID is the client's identifier. It is never empty.
	SID string
	// Groups are the identifiers of the groups that the client is in, each once:
	// those of its domain, the primary one first, then those of others
	// (universal groups, "S-1-18-1" and its like), then those of the service's
	// domain. Groups that only deny are left out.
	Groups []string
	// LogonName is the account's name, sAMAccountName, such as "alice".
	LogonName string
	// FullName is the person's; it may be empty.
	FullName string
	// Domain is the domain's short name, such as "EXAMPLE", and DNSDomain its long
	// one in capital letters, which may be empty.
	Domain, DNSDomain string
	// UPN is the userPrincipalName, such as "alice@example.com"; where the
	// directory has none, it is made of account and domain. It may be empty.
	UPN string
	// LogonTime is when the client logged in; zero if that is not told.
	LogonTime time.Time
}

// InGroup reports whether the client is in the group with this identifier.
func (p *PAC) InGroup(sid string) bool { return slices.Contains(p.Groups, sid) }

// PACFrom reads the PAC in a client's ticket: of a context that was accepted, by
// [gss.Authorizer], or of negotiate.Identity's Authorization. Nothing of it is
// looked at before, so that a PAC that cannot be read never keeps a client out
// whose PAC nobody asks for; and each call decrypts and verifies anew.
//
// The PAC is signed with the service's key, which is verified, and is of the
// ticket that it came in. That the KDC has signed it too, only the KDC can verify:
// whoever has the service's key could have made it, as he could the ticket.
//
// The error wraps ErrNoPAC if there is none, and is another if there is one that
// must not be believed. An a that is nil or of another provider has none.
func PACFrom(a gss.Authorization) (*PAC, error) {
	auth, ok := a.(authorization)
	if !ok {
		return nil, fmt.Errorf("krb5: %w: it is not known to package krb5 (%T)", ErrNoPAC, a)
	}
	p, err := auth.ticket.readPAC()
	if err != nil {
		return nil, fmt.Errorf("krb5: the ticket of %s: %w", auth.ticket.client, err)
	}
	return p, nil
}

// authorization is a gss.Authorization: the ticket, still encrypted.
type authorization struct{ ticket *openedTicket }

// Mechanism returns gss.MechKRB5.
func (a authorization) Mechanism() gss.OID { return gss.MechKRB5 }

// String names the client.
func (a authorization) String() string { return "authorization data of " + a.ticket.client.String() }

// GoString is String.
func (a authorization) GoString() string { return a.String() }

// Authorization implements gss.Authorizer.
func (c *acceptor) Authorization() gss.Authorization {
	if c.state != stateDone {
		return nil
	}
	return authorization{c.ticket}
}

// Authorization implements gss.Authorizer.
func (d *dispatcher) Authorization() gss.Authorization {
	if a, ok := d.inner.(gss.Authorizer); ok && !d.dead {
		return a.Authorization()
	}
	return nil
}

// readPAC decrypts the ticket once more, since it is kept encrypted.
func (t *openedTicket) readPAC() (*PAC, error) {
	ticket, err := krbmsg.ParseTicket([]byte(t.raw))
	if err != nil {
		return nil, err
	}
	plain, err := t.by.key.AppendDecrypt(nil, krbmsg.UsageTicket, ticket.Enc.Cipher)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	part, err := krbmsg.ParseEncTicketPart(plain)
	if err != nil {
		return nil, err
	}
	data, err := findPAC(part.AuthData)
	if err != nil {
		return nil, err
	}
	p, err := pac.Parse(data)
	if err != nil {
		return nil, err
	}
	if err := p.VerifyServer(t.by.key); err != nil {
		return nil, err
	}
	if err := checkPACClient(p, &part); err != nil {
		return nil, err
	}
	return newPAC(p)
}

// findPAC finds the PAC among authorization data (RFC 4120, section 5.2.6.1).
func findPAC(data []krbmsg.TypedData) (found []byte, err error) {
	for _, outer := range data {
		if outer.Type != krbmsg.ADIfRelevant {
			continue
		}
		inner, err := krbmsg.ParseTypedData(outer.Data)
		if err != nil {
			return nil, err
		}
		for _, d := range inner {
			switch {
			case d.Type != krbmsg.ADWin2KPAC:
			case found != nil:
				return nil, fmt.Errorf("%w: there are two", pac.ErrMalformed)
			default:
				found = d.Data
			}
		}
	}
	if found == nil {
		return nil, ErrNoPAC
	}
	return found, nil
}

// checkPACClient sees that the PAC is of the ticket's client and login.
func checkPACClient(p *pac.PAC, part *krbmsg.EncTicketPart) error {
	c, ok, err := p.Client()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: it does not name its client", pac.ErrMalformed)
	}
	if !namesClient(c.Name, part.Client) || c.AuthTime.Unix() != part.AuthTime.Unix() {
		return fmt.Errorf("%w: it is of another login, of %q", pac.ErrMalformed, c.Name)
	}
	return nil
}

// namesClient compares a PAC's name of its client, which is without the realm but
// in some tickets that cross realms, and not escaped.
func namesClient(name string, client principal.Name) bool {
	plain := strings.Join(client.Components, "/")
	return strings.EqualFold(name, plain) || strings.EqualFold(name, plain+"@"+client.Realm)
}

// newPAC makes the public form.
func newPAC(p *pac.PAC) (*PAC, error) {
	l, err := p.Logon()
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		return nil, ErrNoPAC
	case l.Domain.IsZero():
		return nil, fmt.Errorf("%w: it does not name the client's domain", pac.ErrMalformed)
	}
	upn, _, err := p.UPN()
	if err != nil {
		return nil, err
	}
	return &PAC{
		SID: l.Domain.With(l.UserID).String(), Groups: groupsOf(l), LogonName: l.EffectiveName, FullName: l.FullName,
		Domain: l.LogonDomain, DNSDomain: upn.DNSDomain, UPN: upn.Name, LogonTime: l.LogonTime,
	}, nil
}

func groupsOf(l *pac.Logon) []string {
	groups := make([]string, 0, 1+len(l.Groups)+len(l.Extra)+len(l.Resource))
	seen := make(map[string]bool, cap(groups))
	add := func(sid pac.SID, attributes uint32) {
		text := sid.String()
		if text == "" || seen[text] || attributes&pac.DenyOnly != 0 {
			return
		}
		seen[text] = true
		groups = append(groups, text)
	}
	for _, g := range l.Groups { // which list the primary one, too
		if g.RID == l.PrimaryGroup {
			add(l.Domain.With(g.RID), g.Attributes)
		}
	}
	for _, g := range l.Groups {
		add(l.Domain.With(g.RID), g.Attributes)
	}
	for _, g := range l.Extra {
		add(g.SID, g.Attributes)
	}
	if !l.ResourceDomain.IsZero() {
		for _, g := range l.Resource {
			add(l.ResourceDomain.With(g.RID), g.Attributes)
		}
	}
	return groups
}
