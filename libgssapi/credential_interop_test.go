//go:build interop

package libgssapi_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/libgssapi"
)

// establish makes a context of both sides and returns what the acceptor sees.
func establish(t testing.TB, p gss.Provider, mech gss.OID, initiator, acceptor gss.Credential, flags gss.Flags) gss.ContextInfo {
	t.Helper()
	info, err := tryEstablish(t, p, mech, initiator, acceptor, flags)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func tryEstablish(t testing.TB, p gss.Provider, mech gss.OID, initiator, acceptor gss.Credential, flags gss.Flags) (info gss.ContextInfo, err error) {
	t.Helper()
	i, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: initiator, Target: gss.HostBased("HTTP", testHost), Mechanism: mech, Flags: flags})
	if err != nil {
		return info, fmt.Errorf("Initiate: %w", err)
	}
	defer i.Close()
	a, err := p.Accept(t.Context(), gss.AcceptOptions{Credential: acceptor})
	if err != nil {
		return info, fmt.Errorf("Accept: %w", err)
	}
	defer a.Close()
	var token []byte
	var iDone, aDone bool
	for !iDone || !aDone {
		if token, iDone, err = i.Step(t.Context(), token); err != nil {
			return info, fmt.Errorf("the initiator: %w", err)
		}
		if aDone {
			break
		}
		if token, aDone, err = a.Step(t.Context(), token); err != nil {
			return info, fmt.Errorf("the acceptor: %w", err)
		}
	}
	return a.Info(), nil
}

var bothMechs = []gss.OID{gss.MechSPNEGO, gss.MechKRB5}

func TestCredentials(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		for _, test := range []struct {
			name    string
			options gss.CredentialOptions
			want    string
			keyless bool // it works without anybody's default credential
		}{
			{name: "default", want: testPrincipal},
			{name: "default by name", options: gss.CredentialOptions{Name: gss.User("alice@BED.TEST")}, want: testPrincipal},
			{name: "ccache", options: gss.CredentialOptions{CCache: os.Getenv("TEST_BOB_CCACHE")}, want: "bob@BED.TEST"},
			{name: "ccache by name", options: gss.CredentialOptions{CCache: os.Getenv("TEST_BOB_CCACHE"), Name: gss.User("bob@BED.TEST")}, want: "bob@BED.TEST"},
			{name: "client keytab", options: gss.CredentialOptions{Keytab: os.Getenv("TEST_ALICE_KEYTAB"), Name: gss.User("alice@BED.TEST")}, want: testPrincipal, keyless: true},
			{name: "password", options: gss.CredentialOptions{Password: os.Getenv("TEST_PASSWORD"), Name: gss.User("alice@BED.TEST")}, want: testPrincipal, keyless: true},
		} {
			t.Run(test.name, func(t *testing.T) {
				if test.keyless {
					t.Setenv("KRB5CCNAME", "FILE:/nonexistent/cache")
				}
				cred, err := p.Acquire(t.Context(), test.options)
				if err != nil {
					t.Fatal(err)
				}
				defer cred.Close()
				if cred.Name().Value != test.want || cred.Usage() != gss.UsageInitiate {
					t.Errorf("the credential is of %q to %s, want %q to initiate", cred.Name(), cred.Usage(), test.want)
				}
				if left := time.Until(cred.Expires()); left < time.Hour || left > 48*time.Hour {
					t.Errorf("the credential expires at %s, want some hours from now", cred.Expires())
				}
				for _, mech := range bothMechs {
					if got := establish(t, p, mech, cred, nil, gss.FlagMutual).Initiator.Value; got != test.want {
						t.Errorf("%s: the acceptor sees %q, want %q", mech.Describe(), got, test.want)
					}
				}
			})
		}
	})
}

func TestAcceptorCredentials(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		t.Setenv("KRB5_KTNAME", "FILE:/nonexistent/keytab")
		for _, name := range []gss.Name{{}, gss.HostBased("HTTP", testHost), gss.Principal("HTTP/" + testHost + "@BED.TEST")} {
			cred, err := p.Acquire(t.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: "FILE:" + os.Getenv("TEST_KEYTAB"), Name: name})
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			defer cred.Close()
			for _, mech := range bothMechs {
				if got := establish(t, p, mech, nil, cred, gss.FlagMutual).Initiator.Value; got != testPrincipal {
					t.Errorf("%q, %s: the acceptor sees %q, want alice", name, mech.Describe(), got)
				}
			}
			if _, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", testHost)}); !errors.Is(err, gss.ErrDefectiveCredential) {
				t.Errorf("initiating with an acceptor's credential: %v, want ErrDefectiveCredential", err)
			}
		}
		if _, err := tryEstablish(t, p, gss.MechKRB5, nil, nil, 0); err == nil {
			t.Error("without a keytab a context was accepted")
		}
	})
}

func TestRefusedCredentials(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		const secret = "not the password"
		for _, test := range []struct {
			name    string
			options gss.CredentialOptions
			want    error
		}{
			{"missing ccache", gss.CredentialOptions{CCache: "FILE:/nonexistent/cache"}, gss.ErrNoCred},
			{"missing keytab", gss.CredentialOptions{Keytab: "FILE:/nonexistent/keytab", Name: gss.User("alice@BED.TEST")}, gss.ErrNoCred},
			{"another's name", gss.CredentialOptions{CCache: os.Getenv("TEST_BOB_CCACHE"), Name: gss.User("alice@BED.TEST")}, nil},
			{"wrong password", gss.CredentialOptions{Password: secret, Name: gss.User("alice@BED.TEST")}, nil},
			{"password without a name", gss.CredentialOptions{Password: secret}, gss.ErrUnavailable},
			{"password and ccache", gss.CredentialOptions{Password: secret, CCache: "FILE:x", Name: gss.User("a@B")}, gss.ErrUnavailable},
			{"acceptor with a ccache", gss.CredentialOptions{Usage: gss.UsageAccept, CCache: "FILE:x"}, gss.ErrUnavailable},
			{"unknown mechanism", gss.CredentialOptions{Mechanism: "\x2a\x03\x04"}, gss.ErrBadMech},
			{"name with a zero", gss.CredentialOptions{Name: gss.User("a\x00b")}, gss.ErrInvalidName},
		} {
			t.Run(test.name, func(t *testing.T) {
				c, err := p.Acquire(t.Context(), test.options)
				if err == nil {
					c.Close()
					t.Fatalf("got %v, want an error", c)
				}
				if test.want != nil && !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if _, ok := errors.AsType[*gss.Error](err); !ok {
					t.Errorf("the error is a %T, want a *gss.Error", err)
				}
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the password: %v", err)
				}
			})
		}
	})
}
