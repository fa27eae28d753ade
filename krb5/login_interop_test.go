//go:build interop

package krb5_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// refusal is a login that fails, and what a person is told.
type refusal struct {
	user, password string
	kinds          []error
	parts          []string
}

func wantRefusals(t *testing.T, config string, target gss.Name, refusals []refusal) {
	t.Helper()
	p, err := krb5.New(krb5.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refusals {
		t.Run(r.user, func(t *testing.T) {
			c, err := p.FromPassword(r.user, r.password)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c, Target: target})
			wantError(t, err, r.kinds, r.parts...)
		})
	}
}

// What MIT's KDC says of those who cannot log in.
func TestMITRefusesLogin(t *testing.T) {
	kdc := interop.NewMIT(t, interop.MITOptions{Realm: "A.TEST"})
	for name, attributes := range map[string][]string{
		"alice":      nil,
		"expired":    {"-pwexpire", "yesterday"},
		"mustchange": {"+needchange"},
		"locked":     {"-allow_tix"},
		"gone":       {"-expire", "yesterday"},
	} {
		kdc.AddPrincipal(t, name, interop.PrincipalOptions{Password: "secret", Attributes: attributes})
	}
	wantRefusals(t, kdc.Config, gss.HostBased("HTTP", "web.a.test"), []refusal{
		{"alice", "Secret", []error{gss.ErrDefectiveCredential, krbmsg.ErrPreauthFailed}, []string{"alice@A.TEST", "check the password"}},
		{"nobody", "secret", []error{gss.ErrDefectiveCredential, krbmsg.ErrCPrincipalUnknown}, []string{"nobody@A.TEST", "check the name"}},
		{"expired", "secret", []error{gss.ErrCredentialsExpired, krbmsg.ErrKeyExpired}, []string{"expired@A.TEST", "the password has expired", "kpasswd"}},
		{"mustchange", "secret", []error{gss.ErrCredentialsExpired, krbmsg.ErrKeyExpired}, []string{"mustchange@A.TEST", "kpasswd"}},
		{"locked", "secret", []error{gss.ErrDefectiveCredential, krbmsg.ErrClientRevoked}, []string{"locked@A.TEST", "locked or disabled", "administrator"}},
		{"gone", "secret", []error{gss.ErrDefectiveCredential, krbmsg.ErrNameExp}, []string{"gone@A.TEST", "has expired", "administrator"}},
	})
}

// What Active Directory says of them, which is more exact. And a user logs in by
// another name than the account's.
func TestSambaLogin(t *testing.T) {
	const password = "Passw0rd.1"
	var accounts []interop.SambaAccount
	for _, name := range []string{"alice", "mustchange", "disabled", "bygone"} {
		accounts = append(accounts, interop.SambaAccount{Name: name, Password: password})
	}
	accounts = append(accounts, interop.SambaAccount{Name: "websvc", Password: password, SPNs: []string{"HTTP/web.ad.test"}})
	ad := interop.NewSamba(t, interop.SambaOptions{Accounts: accounts})
	ad.User(t, "setpassword", "mustchange", "--newpassword="+password, "--must-change-at-next-login")
	ad.User(t, "disable", "disabled")
	ad.User(t, "setexpiry", "bygone", "--days=-1")
	ad.User(t, "rename", "alice", "--upn=al.smith@ad.test")
	target := gss.HostBased("HTTP", "web.ad.test")
	wantRefusals(t, ad.Config, target, []refusal{
		{"alice", "wrong.Passw0rd", []error{gss.ErrDefectiveCredential, krbmsg.ErrPreauthFailed}, []string{"alice@AD.TEST", "check the password"}},
		{"nobody", password, []error{gss.ErrDefectiveCredential, krbmsg.ErrCPrincipalUnknown}, []string{"nobody@AD.TEST", "check the name"}},
		{"mustchange", password, []error{gss.ErrCredentialsExpired, krbmsg.ErrKeyExpired}, []string{"mustchange@AD.TEST", "must be changed before the first login", "kpasswd"}},
		{"disabled", password, []error{gss.ErrDefectiveCredential, krbmsg.ErrClientRevoked}, []string{"disabled@AD.TEST", ": the account is disabled", "administrator"}},
		{"bygone", password, []error{gss.ErrDefectiveCredential}, []string{"bygone@AD.TEST", ": the account has expired", "administrator"}},
	})
	p, err := krb5.New(krb5.Options{Config: ad.Config})
	if err != nil {
		t.Fatal(err)
	}
	server, err := krb5.New(krb5.Options{Config: ad.Config, Keytab: ad.Keytab(t, "HTTP/web.ad.test")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "al.smith@ad.test@AD.TEST", "alice@ad.test@AD.TEST"} {
		c, err := p.FromPassword(name, password)
		if err != nil {
			t.Fatal(err)
		}
		token, _ := firstToken(t, p, gss.InitiateOptions{Credential: c, Target: target})
		if _, sc, err := accept(t, server, gss.AcceptOptions{}, token); err != nil || sc.Info().Initiator.Value != "alice@AD.TEST" {
			t.Errorf("%s: the service sees %v, %v", name, sc.Info().Initiator, err)
		}
	}
}
