package krb5

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// FromPassword returns a credential that logs in with a password when it is
// first used, and again whenever its ticket has expired. The principal is
// "alice@REALM", or "alice" in the default realm. The password is kept in
// memory. Errors are *gss.Error, for a name that cannot be understood.
func (p *Provider) FromPassword(princ, password string) (gss.Credential, error) {
	client, err := p.clientName(princ)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]*etype.Key) // derived ones: PBKDF2 is slow by design
	key := func(id etype.ID, salt string, params []byte) (*etype.Key, error) {
		cacheKey := fmt.Sprintf("%d %q %q", id, salt, params)
		if k := keys[cacheKey]; k != nil {
			return k, nil
		}
		k, err := etype.StringToKey(id, password, salt, params)
		if err == nil {
			keys[cacheKey] = k
		}
		return k, err
	}
	return p.fromSecret(client, "the password", p.conf.DefaultTktEnctypes, key), nil
}

// FromKeytab returns a credential that logs in with the key of a principal in a
// keytab when it is first used, and again whenever its ticket has expired. An
// empty principal takes the first of the keytab, an empty path the default
// client keytab (KRB5_CLIENT_KTNAME and so on). The keytab is read again for
// each login. Errors are *gss.Error: no keytab, or no such principal in it.
func (p *Provider) FromKeytab(princ, path string) (gss.Credential, error) {
	if path == "" {
		path = keytab.DefaultClientName(p.env.Getenv, p.conf.DefaultClientKeytabName, p.env.EUID)
	}
	file, err := keytab.ParseName(path)
	if err != nil {
		return nil, failure(gss.ErrNoCred, "acquire", "%w", err)
	}
	kt, _, err := keytab.ReadFile(file)
	if err != nil {
		return nil, failure(gss.ErrNoCred, "acquire", "%w", err)
	}
	client, err := p.keytabPrincipal(kt, princ, file)
	if err != nil {
		return nil, err
	}
	key := func(id etype.ID, _ string, _ []byte) (*etype.Key, error) {
		kt, _, err := keytab.ReadFile(file)
		if err != nil {
			return nil, err
		}
		e, ok := kt.Lookup(client, 0, int32(id))
		if !ok {
			return nil, fmt.Errorf("the keytab %s has no %s key of %s", file, id, client)
		}
		return etype.NewKey(id, e.Key)
	}
	return p.fromSecret(client, "the keytab "+file, p.keytabETypes(kt, client), key), nil
}

func (p *Provider) keytabPrincipal(kt *keytab.Keytab, princ, file string) (principal.Name, error) {
	names := kt.Principals()
	if len(names) == 0 {
		return principal.Name{}, failure(gss.ErrNoCred, "acquire", "the keytab %s is empty", file)
	}
	if princ == "" {
		return names[0], nil
	}
	want, err := p.clientName(princ)
	if err != nil {
		return want, err
	}
	for _, n := range names {
		if n.Equal(want) {
			return want, nil
		}
	}
	return want, failure(gss.ErrNoCred, "acquire", "the keytab %s has no key of %s; the first it has is of %s", file, want, names[0])
}

// keytabETypes are the allowed encryption types of which the keytab has a key,
// so that the KDC picks none of the others.
func (p *Provider) keytabETypes(kt *keytab.Keytab, client principal.Name) []int32 {
	var out []int32
	for _, id := range p.conf.DefaultTktEnctypes {
		if _, ok := kt.Lookup(client, 0, id); ok {
			out = append(out, id)
		}
	}
	return out
}

func (p *Provider) fromSecret(client principal.Name, source string, etypes []int32, key kdcclient.KeyFunc) gss.Credential {
	l := newLogin(p, client, source)
	req := kdcclient.ASRequest{
		Client:    client,
		Key:       key,
		ETypes:    slices.Clone(etypes),
		Options:   p.asOptions(),
		Lifetime:  p.conf.TicketLifetime,
		RenewLife: p.conf.RenewLifetime,
	}
	l.relogin = func(ctx context.Context) (*kdcclient.Ticket, error) {
		if len(req.ETypes) == 0 {
			return nil, noCred("%s has no key of %s of an encryption type that krb5.conf permits", source, client)
		}
		t, err := p.kdc.AS(ctx, req)
		if err != nil {
			return nil, explainLogin(err, client, source, p.now())
		}
		return t, nil
	}
	return loginCredential{l}
}

func (p *Provider) asOptions() uint32 {
	options := krbmsg.OptRenewableOK
	if p.conf.Forwardable {
		options |= krbmsg.OptForwardable
	}
	if p.conf.Proxiable {
		options |= krbmsg.OptProxiable
	}
	if p.conf.Canonicalize {
		options |= krbmsg.OptCanonicalize
	}
	return options
}

// explainLogin makes a *gss.Error that tells a person why a login failed.
func explainLogin(err error, client principal.Name, source string, now time.Time) error {
	if isContextError(err) {
		return err
	}
	major := gss.ErrFailure
	hint := ""
	switch {
	case errors.Is(err, krbmsg.ErrPreauthFailed), errors.Is(err, krbmsg.ErrCPrincipalUnknown), errors.Is(err, krbmsg.ErrClientRevoked):
		major = gss.ErrDefectiveCredential
	case errors.Is(err, krbmsg.ErrKeyExpired):
		major, hint = gss.ErrCredentialsExpired, "; change it with kpasswd"
	case errors.Is(err, krbmsg.ErrSkew):
		hint = "; set this machine's clock, which says " + now.UTC().Format(time.RFC3339)
		if e, ok := errors.AsType[*krbmsg.KRBError](err); ok {
			hint += ", and the KDC's says " + e.ServerTime.Format(time.RFC3339)
		}
	}
	return failure(major, "acquire", "cannot log in as %s with %s: %w%s", client, source, err, hint)
}
