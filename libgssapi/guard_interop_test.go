//go:build interop

package libgssapi_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/libgssapi"
)

// A credential that lacks the mechanism must not become the library's default one,
// which is bob's here, nor the default keytab's.
func TestCredentialIsNeverReplaced(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		keytab := os.Getenv("TEST_KEYTAB")
		t.Setenv("KRB5CCNAME", os.Getenv("TEST_BOB_CCACHE"))
		for _, options := range []gss.CredentialOptions{
			{Name: gss.User(testPrincipal), Password: os.Getenv("TEST_PASSWORD")},
			{CCache: os.Getenv("TEST_ALICE_CCACHE"), Mechanism: gss.MechKRB5},
			{CCache: os.Getenv("TEST_ALICE_CCACHE"), Mechanism: gss.MechSPNEGO},
			{CCache: os.Getenv("TEST_ALICE_CCACHE")},
		} {
			cred, err := p.Acquire(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			defer cred.Close()
			for _, mech := range bothMechs {
				info, err := tryEstablish(t, p, mech, cred, nil, gss.FlagMutual)
				switch {
				case err != nil && options.Mechanism == gss.MechSPNEGO && mech == gss.MechKRB5 && errors.Is(err, gss.ErrNoCred):
				case err != nil:
					t.Errorf("%v, %s: %v", options, mech.Describe(), err)
				case info.Initiator.Value != testPrincipal:
					t.Errorf("%v, %s: the context is of %q, want alice", options, mech.Describe(), info.Initiator)
				}
			}
		}

		narrow, err := p.Acquire(t.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: keytab, Mechanism: gss.MechSPNEGO})
		if err != nil {
			t.Skipf("%s makes no acceptor's credential for SPNEGO alone: %v", p, err)
		}
		defer narrow.Close()
		if _, err := tryEstablish(t, p, gss.MechKRB5, nil, narrow, 0); !isHeimdal(p) && !errors.Is(err, gss.ErrBadMech) {
			t.Errorf("a krb5 token was taken by a credential for SPNEGO: %v, want ErrBadMech", err)
		}
	})
}

func TestClosedCredential(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		cred, err := p.Acquire(t.Context(), gss.CredentialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: cred, Target: target(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer sc.Close()
		cred.Close()
		cred.Close()
		if _, _, err := sc.Step(t.Context(), nil); err != nil {
			t.Errorf("the context was begun before its credential was closed: %v", err)
		}
		if _, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: cred, Target: target(t)}); !errors.Is(err, gss.ErrDefectiveCredential) {
			t.Errorf("with a closed credential: %v, want ErrDefectiveCredential", err)
		}
	})
}

// Both texts of a failure are there: what the GSS-API says and what the mechanism
// says.
func TestErrorTexts(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		t.Setenv("KRB5CCNAME", "FILE:/nonexistent/cache")
		_, err := p.Acquire(t.Context(), gss.CredentialOptions{Mechanism: gss.MechKRB5})
		if !isHeimdal(p) { // which looks at the cache when the credential is used
			checkTexts(t, err)
		}
		_, err = tryEstablish(t, p, gss.MechKRB5, nil, nil, 0)
		checkTexts(t, err)
	})
}

func checkTexts(t *testing.T, err error) {
	t.Helper()
	status, ok := errors.AsType[*libgssapi.Status](err)
	if !ok || len(status.Major) == 0 || len(status.Minor) == 0 {
		t.Fatalf("the error has not both texts: %v (%+v)", err, status)
	}
	e, _ := errors.AsType[*gss.Error](err)
	if e.Minor == 0 || e.Mech != gss.MechKRB5 {
		t.Errorf("minor status %d, mechanism %q; want one, and krb5", e.Minor, e.Mech.Describe())
	}
	for _, text := range append(slices.Clone(status.Major), status.Minor...) {
		if !strings.Contains(err.Error(), strings.TrimRight(text, ". ")) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

// MIT's KDC puts a PAC into tickets, and its library makes attributes of that.
func TestNameAttributes(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		i, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: target(t), Mechanism: gss.MechKRB5})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		a, err := p.Accept(t.Context(), gss.AcceptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if _, err := a.(libgssapi.NameAttributer).NameAttributes(); !errors.Is(err, gss.ErrNoContext) {
			t.Errorf("before the context is done: %v, want ErrNoContext", err)
		}
		token, _, err := i.Step(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Step(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		attributes, err := a.(libgssapi.NameAttributer).NameAttributes()
		if err != nil {
			t.Fatal(err)
		}
		pac := slices.IndexFunc(attributes, func(a libgssapi.NameAttribute) bool { return a.Name == "urn:mspac:" })
		if isHeimdal(p) {
			t.Logf("Heimdal has %d attributes", len(attributes))
			return
		}
		if pac < 0 || len(attributes[pac].Values) == 0 || len(attributes[pac].Values[0]) == 0 {
			t.Errorf("the attributes are %+v, want the PAC among them", attributes)
		}
	})
}

// A credential store is MIT's alone.
func TestAcquireFrom(t *testing.T) {
	eachLibrary(t, func(t *testing.T, p *libgssapi.Provider) {
		cred, err := p.AcquireFrom(t.Context(), gss.CredentialOptions{}, map[string]string{"ccache": os.Getenv("TEST_BOB_CCACHE")})
		if isHeimdal(p) {
			if !errors.Is(err, gss.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer cred.Close()
		if got := cred.Name().Value; got != "bob@BED.TEST" {
			t.Errorf("the credential is of %q, want bob", got)
		}
	})
}
