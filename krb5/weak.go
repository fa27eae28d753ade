package krb5

import (
	"fmt"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// RC4 is broken, and used where krb5.conf permits it only (RFC 8429). Accounts of
// old directories have no other keys, which is for their administrator to mend: the
// errors say of which account, and how.

// forbidden reports whether an encryption type is one that krb5.conf could permit
// and does not.
func (p *Provider) forbidden(id int32) bool { return id == int32(etype.RC4HMAC) && !p.permitted(id) }

// needsAES is what to do about an account without keys of a permitted type.
func needsAES(account principal.Name) string {
	return fmt.Sprintf("give the account of %s AES keys (in Active Directory: msDS-SupportedEncryptionTypes = 24, then a new password; elsewhere a new password or key), or set allow_weak_crypto = true in krb5.conf", account)
}

// checkTicketKey refuses a service's ticket that is encrypted with RC4: whoever
// asks for such a ticket can guess at the service's password.
func (p *Provider) checkTicketKey(t *kdcclient.Ticket) error {
	tkt, err := krbmsg.ParseTicket(t.Raw)
	if err != nil || !p.forbidden(tkt.Enc.EType) || t.Server.IsTGS() {
		return nil // what cannot be read is the service's concern
	}
	return fmt.Errorf("%w: the KDC has encrypted the ticket for %s with %s, which is not permitted: %s", krbmsg.ErrETypeNoSupp, t.Server, etype.ID(tkt.Enc.EType), needsAES(t.Server))
}

// noCommonType is what to do where a KDC finds no encryption type in common with
// an account.
func (p *Provider) noCommonType(whose string, account principal.Name) string {
	hint := "; compare the " + whose + " keys in the KDC with permitted_enctypes in krb5.conf"
	if p.forbidden(int32(etype.RC4HMAC)) {
		hint += fmt.Sprintf(": if the only one is %s, %s", etype.RC4HMAC, needsAES(account))
	}
	return hint
}
