package krb5

import (
	"errors"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// explainLogin makes a *gss.Error that tells a person why a login failed, and
// what to do.
func (p *Provider) explainLogin(err error, client principal.Name, s secret) error {
	if isContextError(err) {
		return err
	}
	major, hint := gss.ErrFailure, ""
	switch {
	case errors.Is(err, krbmsg.ErrPreauthFailed):
		major, hint = gss.ErrDefectiveCredential, "; "+s.hint()
	case errors.Is(err, krbmsg.ErrCPrincipalUnknown):
		major, hint = gss.ErrDefectiveCredential, "; check the name, and the realm's in capital letters"
	case errors.Is(err, krbmsg.ErrClientRevoked), errors.Is(err, krbmsg.ErrNameExp):
		major, hint = gss.ErrDefectiveCredential, "; the realm's administrator can unlock it"
	case errors.Is(err, krbmsg.ErrPolicy):
		major, hint = gss.ErrDefectiveCredential, "; the realm's administrator knows which rule that is"
	case errors.Is(err, krbmsg.ErrKeyExpired):
		major, hint = gss.ErrCredentialsExpired, "; change it with kpasswd"
	case errors.Is(err, krbmsg.ErrWrongRealm):
		major, hint = gss.ErrDefectiveCredential, "; name the realm in the principal, or set canonicalize = true in krb5.conf"
	case errors.Is(err, krbmsg.ErrETypeNoSupp):
		hint = p.noCommonType("principal's", client)
	case errors.Is(err, krbmsg.ErrSkew):
		hint = clocks(err, p.now())
	}
	return failure(major, "acquire", "cannot log in as %s with %s: %w%s%s", client, s, err, precisely(err), hint)
}

// precisely is what Active Directory adds to its refusal.
func precisely(err error) string {
	e, ok := errors.AsType[*krbmsg.KRBError](err)
	if !ok {
		return ""
	}
	if text := e.Status().String(); text != "" {
		return ": " + text
	}
	return ""
}
