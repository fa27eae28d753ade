//go:build interop && windows

package sspi

import (
	"errors"
	"os"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

// The tests here run under Wine, whose Kerberos is MIT's library, in a realm that
// interop/wine_test.go starts. It sets these variables besides those of MIT's.
func env(tb testing.TB, name string) string {
	tb.Helper()
	v := os.Getenv(name)
	if v == "" {
		tb.Fatalf("%s is not set: TestWine of package interop runs this", name)
	}
	return v
}

// peer is package krb5, the other side.
func peer(t *testing.T) *krb5.Provider {
	t.Helper()
	p, err := krb5.New(krb5.Options{Config: env(t, "SSPI_CONFIG"), Keytab: env(t, "SSPI_KEYTAB"), CCache: env(t, "SSPI_CCACHE")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func target(tb testing.TB) gss.Name { return gss.HostBased("HTTP", env(tb, "SSPI_HOST")) }

const interopUser = "alice@BED.TEST"

type stepped struct {
	out  []byte
	done bool
}

func step(t *testing.T, sc gss.SecContext, in []byte) stepped {
	t.Helper()
	out, done, err := sc.Step(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return stepped{out, done}
}

func checkMICs(t *testing.T, from, to gss.SecContext) {
	t.Helper()
	f, g := from.(gss.MessageProtector), to.(gss.MessageProtector)
	for _, msg := range [][]byte{{}, []byte("a message")} {
		mic, err := f.GetMIC(msg)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.VerifyMIC(msg, mic); err != nil {
			t.Errorf("a signature of %d bytes: %v", len(msg), err)
		}
		mic[len(mic)-1] ^= 1
		if err := g.VerifyMIC(msg, mic); err == nil {
			t.Error("an altered signature holds")
		}
	}
}

// acquireWith logs in when it is called.
func acquireWith(t *testing.T, p *Provider, password string) func() gss.Credential {
	return func() gss.Credential {
		c, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(interopUser), Password: password})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

func TestInteropInitiate(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		mech  gss.OID
		cred  func() gss.Credential
		flags gss.Flags
	}{
		{"SPNEGO", gss.MechSPNEGO, nil, gss.FlagIntegrity},
		{"SPNEGO mutual", gss.MechSPNEGO, nil, gss.FlagIntegrity | gss.FlagMutual},
		{"SPNEGO delegated", gss.MechSPNEGO, nil, gss.FlagIntegrity | gss.FlagMutual | gss.FlagDelegate},
		{"krb5", gss.MechKRB5, nil, gss.FlagIntegrity},
		{"krb5 mutual", gss.MechKRB5, nil, gss.FlagIntegrity | gss.FlagMutual | gss.FlagReplay | gss.FlagSequence},
		// The last: afterwards Wine takes this credential for the session's.
		{"SPNEGO password", gss.MechSPNEGO, acquireWith(t, p, env(t, "SSPI_PASSWORD")), gss.FlagIntegrity | gss.FlagMutual},
	} {
		t.Run(test.name, func(t *testing.T) {
			var cred gss.Credential
			if test.cred != nil {
				cred = test.cred()
			}
			i, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: cred, Target: target(t), Mechanism: test.mech, Flags: test.flags})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			a, err := peer(t).Accept(t.Context(), gss.AcceptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			mutual := test.flags.Has(gss.FlagMutual)
			first := step(t, i, nil)
			reply := step(t, a, first.out)
			if first.done == mutual || !reply.done {
				t.Fatalf("done %t without the server's proof, and the server %t", first.done, reply.done)
			}
			if mutual && !step(t, i, reply.out).done {
				t.Fatal("not done with the server's proof")
			}
			info := a.Info()
			if info.Initiator.Value != interopUser || (info.Delegated != nil) != test.flags.Has(gss.FlagDelegate) {
				t.Errorf("the server sees %q, delegated %v", info.Initiator, info.Delegated)
			}
			if got := i.Info(); !got.Flags.Has(test.flags) || got.Mechanism != gss.MechKRB5 || got.Acceptor != target(t) || got.Expires.IsZero() {
				t.Errorf("the client has %+v, want flags %s among them", got, test.flags)
			}
			checkMICs(t, i, a)
			checkMICs(t, a, i)
			if _, err := i.(gss.MessageProtector).Wrap(true, []byte("x")); !errors.Is(err, gss.ErrUnavailable) {
				t.Errorf("Wrap: %v, want ErrUnavailable under Wine", err)
			}
		})
	}
	t.Run("false proof", func(t *testing.T) {
		i, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: target(t), Flags: gss.FlagMutual})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		a, err := peer(t).Accept(t.Context(), gss.AcceptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		reply := step(t, a, step(t, i, nil).out).out
		reply[len(reply)-1] ^= 1
		if _, done, err := i.Step(t.Context(), reply); err == nil || done || i.Info().Flags.Has(gss.FlagMutual) {
			t.Errorf("an altered proof: done %t, %v", done, err)
		}
	})
	t.Run("bindings", func(t *testing.T) {
		_, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: target(t), ChannelBindings: &gss.ChannelBindings{}})
		if !errors.Is(err, gss.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable under Wine", err)
		}
	})
}

func TestInteropAccept(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, mech := range []gss.OID{gss.MechSPNEGO, gss.MechKRB5} {
		t.Run(mech.Describe(), func(t *testing.T) {
			cred, err := p.Acquire(t.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Mechanism: mech})
			if err != nil {
				t.Fatal(err)
			}
			defer cred.Close()
			a, err := p.Accept(t.Context(), gss.AcceptOptions{Credential: cred})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			i, err := peer(t).Initiate(t.Context(), gss.InitiateOptions{Target: target(t), Mechanism: mech, Flags: gss.FlagMutual | gss.FlagIntegrity})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			reply := step(t, a, step(t, i, nil).out)
			if !reply.done || !step(t, i, reply.out).done || !i.Info().Flags.Has(gss.FlagMutual) {
				t.Error("the client has no proof of the server")
			}
			// Wine does not tell the client's name, and then nobody is named.
			if got := a.Info(); !got.Initiator.IsZero() || got.Mechanism != gss.MechKRB5 || !got.Flags.Has(gss.FlagMutual|gss.FlagIntegrity) {
				t.Errorf("the server has %+v", got)
			}
			checkMICs(t, i, a)
			checkMICs(t, a, i)
		})
	}
}

// BenchmarkInitiate makes the first token of a mutual context, as the benchmark of
// that name in package libgssapi does, which runs this one.
func BenchmarkInitiate(b *testing.B) {
	p, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	cred, err := p.Acquire(b.Context(), gss.CredentialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer cred.Close()
	for b.Loop() {
		sc, err := p.Initiate(b.Context(), gss.InitiateOptions{Credential: cred, Target: target(b), Flags: gss.FlagMutual})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := sc.Step(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		sc.Close()
	}
}
