//go:build interop

package krb5_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// These tests have MIT Kerberos on the other side: its KDC, its kinit, and its
// GSS-API library by /usr/bin/python3 with the module gssapi.

// mit is a context of MIT's library in a process of its own.
type mit struct {
	tb    testing.TB
	in    *bufio.Writer
	lines *bufio.Reader
}

// newMIT starts one. flags are names of gssapi.RequirementFlag.
func newMIT(tb testing.TB, env []string, role string, mech gss.OID, host, flags string, cb *gss.ChannelBindings) *mit {
	tb.Helper()
	name := map[gss.OID]string{gss.MechKRB5: "krb5", gss.MechSPNEGO: "spnego"}[mech]
	bindings := "-"
	if cb != nil {
		bindings = hex.EncodeToString(cb.ApplicationData)
	}
	// It ends with its input, and not with the test's context, which ends first.
	cmd := exec.Command("/usr/bin/python3", "testdata/mitpeer.py", role, name, "HTTP@"+host, flags, bindings)
	cmd.Env, cmd.Stderr = env, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil && !tb.Failed() {
			tb.Errorf("mitpeer.py: %v", err)
		}
	})
	return &mit{tb: tb, in: bufio.NewWriter(stdin), lines: bufio.NewReader(stdout)}
}

func toHex(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

func (m *mit) fromHex(s string) []byte {
	m.tb.Helper()
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		m.tb.Fatal(err)
	}
	return b
}

// call has a command carried out. The error is MIT's.
func (m *mit) call(command ...string) ([]string, error) {
	m.tb.Helper()
	fmt.Fprintln(m.in, strings.Join(command, " "))
	m.in.Flush()
	answer, err := m.lines.ReadString('\n')
	if err != nil {
		m.tb.Fatalf("mitpeer.py: %v", err)
	}
	status, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
	if status != "ok" {
		return nil, fmt.Errorf("MIT: %s", rest)
	}
	return strings.Fields(rest), nil
}

func (m *mit) must(command ...string) []string {
	m.tb.Helper()
	out, err := m.call(command...)
	if err != nil {
		m.tb.Fatal(err)
	}
	return out
}

func (m *mit) step(token []byte) (out []byte, done bool) {
	m.tb.Helper()
	answer := m.must("step", toHex(token))
	return m.fromHex(answer[0]), answer[1] == "done"
}

// mitInfo is what MIT says of the context.
func (m *mit) info() (initiator, acceptor string, flags gss.Flags) {
	m.tb.Helper()
	out := m.must("info")
	n, err := strconv.ParseUint(out[2], 10, 32)
	if err != nil {
		m.tb.Fatal(err)
	}
	return out[0], out[1], gss.Flags(n)
}

// world is an MIT realm with a service for each encryption type.
type world struct {
	kdc    *interop.MIT
	ccache string
	hosts  map[string]string // encryption type to host
	keytab string            // of all of them
}

var enctypes = []string{interop.AES256SHA1, interop.AES128SHA1, interop.AES256SHA2, interop.AES128SHA2}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{kdc: interop.NewMIT(t, interop.MITOptions{}), hosts: make(map[string]string)}
	w.kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "secret"})
	var services []string
	for i, enctype := range enctypes {
		host := fmt.Sprintf("h%d.%s", i, w.kdc.Domain)
		w.hosts[enctype] = host
		services = append(services, "HTTP/"+host)
		w.kdc.AddService(t, "HTTP/"+host, interop.PrincipalOptions{Enctypes: []string{enctype}})
	}
	w.keytab = w.kdc.Keytab(t, services...)
	w.ccache = w.kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "secret", Forwardable: true})
	return w
}

func (w *world) provider(t *testing.T) *krb5.Provider {
	t.Helper()
	p, err := krb5.New(krb5.Options{Config: w.kdc.Config, CCache: w.ccache, Keytab: w.keytab})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) env() []string {
	return append(w.kdc.Env(w.ccache), "KRB5_KTNAME="+w.keytab)
}

// run passes tokens between a context of ours and one of MIT's, whichever
// begins.
func run(t *testing.T, ours gss.SecContext, theirs *mit, weBegin bool) {
	t.Helper()
	var in []byte
	var ourDone, theirDone bool
	if !weBegin {
		in, theirDone = theirs.step(nil)
	}
	for range 10 {
		if !ourDone {
			out, done, err := ours.Step(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			in, ourDone = out, done
		}
		if ourDone && theirDone {
			return
		}
		if len(in) == 0 {
			t.Fatalf("no token, and ours is done: %t, theirs: %t", ourDone, theirDone)
		}
		in, theirDone = theirs.step(in)
		if ourDone && theirDone && len(in) == 0 {
			return
		}
	}
	t.Fatal("the context does not come to an end")
}

// exchange protects messages in both directions.
func exchange(t *testing.T, ours gss.MessageProtector, theirs *mit) {
	t.Helper()
	for _, msg := range [][]byte{nil, []byte("message"), bytes.Repeat([]byte("0123456789abcdef"), 1000)} {
		for _, conf := range []bool{true, false} {
			flag := map[bool]string{true: "1", false: "0"}[conf]
			token, err := ours.Wrap(conf, msg)
			if err != nil {
				t.Fatal(err)
			}
			if out := theirs.must("unwrap", toHex(token)); out[0] != flag || !bytes.Equal(theirs.fromHex(out[1]), msg) {
				t.Errorf("MIT unwraps %q of our %d octets", out, len(msg))
			}
			token = theirs.fromHex(theirs.must("wrap", flag, toHex(msg))[0])
			if got, gotConf, err := ours.Unwrap(token); err != nil || gotConf != conf || !bytes.Equal(got, msg) {
				t.Errorf("we unwrap %d octets, %t, %v of MIT's %d, %t", len(got), gotConf, err, len(msg), conf)
			}
		}
		mic, err := ours.GetMIC(msg)
		if err != nil {
			t.Fatal(err)
		}
		theirs.must("verify", toHex(msg), toHex(mic))
		if err := ours.VerifyMIC(msg, theirs.fromHex(theirs.must("sign", toHex(msg))[0])); err != nil {
			t.Error(err)
		}
	}
}

// Contexts with MIT in both roles, of every encryption type, with and without a
// sub-key of the acceptor, which comes with mutual authentication.
func TestMIT(t *testing.T) {
	w := newWorld(t)
	p := w.provider(t)
	for _, enctype := range enctypes {
		for _, mech := range []gss.OID{gss.MechKRB5, gss.MechSPNEGO} {
			for _, flags := range []gss.Flags{0, gss.FlagMutual | gss.FlagReplay | gss.FlagSequence} {
				host := w.hosts[enctype]
				service := "HTTP/" + host + "@" + w.kdc.Realm
				name := fmt.Sprintf("%s, %s, %s", enctype, mech.Describe(), flags)
				t.Run(name+", MIT accepts", func(t *testing.T) {
					theirs := newMIT(t, w.env(), "accept", mech, host, "", nil)
					ours, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", host), Mechanism: mech, Flags: flags})
					if err != nil {
						t.Fatal(err)
					}
					defer ours.Close()
					run(t, ours, theirs, true)
					initiator, acceptor, got := theirs.info()
					if initiator != "alice@"+w.kdc.Realm || acceptor != service || !got.Has(flags|gss.FlagIntegrity|gss.FlagConfidentiality) || got.Has(gss.FlagMutual) != flags.Has(gss.FlagMutual) {
						t.Errorf("MIT sees %s, %s, %s", initiator, acceptor, got)
					}
					if info := ours.Info(); info.Acceptor.Value != service || info.Flags.Has(gss.FlagMutual) != flags.Has(gss.FlagMutual) {
						t.Errorf("we see %+v", info)
					}
					exchange(t, ours.(gss.MessageProtector), theirs)
				})
				t.Run(name+", MIT initiates", func(t *testing.T) {
					wanted := "integrity" // nothing would mean mutual authentication
					if flags != 0 {
						wanted = "mutual_authentication,replay_detection,out_of_sequence_detection"
					}
					theirs := newMIT(t, w.env(), "initiate", mech, host, wanted, nil)
					ours, err := p.Accept(t.Context(), gss.AcceptOptions{})
					if err != nil {
						t.Fatal(err)
					}
					defer ours.Close()
					run(t, ours, theirs, false)
					info := ours.Info()
					if info.Initiator.Value != "alice@"+w.kdc.Realm || info.Acceptor.Value != service || !info.Flags.Has(flags|gss.FlagIntegrity) || info.Flags.Has(gss.FlagMutual) != flags.Has(gss.FlagMutual) {
						t.Errorf("we see %+v", info)
					}
					exchange(t, ours.(gss.MessageProtector), theirs)
				})
			}
		}
	}
}

// MIT takes and makes our kind of channel bindings.
func TestMITChannelBindings(t *testing.T) {
	w := newWorld(t)
	p := w.provider(t)
	host := w.hosts[interop.AES256SHA1]
	a := &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:a")}
	b := &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:b")}
	for _, test := range []struct {
		name           string
		client, server *gss.ChannelBindings
		refused, bound bool
	}{
		{"same", a, a, false, true},
		{"other", a, b, true, false},
		{"of the client only", a, nil, false, false},
		{"of the server only", nil, a, false, false},
	} {
		t.Run(test.name+", MIT accepts", func(t *testing.T) {
			theirs := newMIT(t, w.env(), "accept", gss.MechKRB5, host, "", test.server)
			token, _ := firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", host), ChannelBindings: test.client})
			if _, err := theirs.call("step", toHex(token)); (err != nil) != test.refused {
				t.Errorf("MIT says %v", err)
			}
		})
		t.Run(test.name+", MIT initiates", func(t *testing.T) {
			theirs := newMIT(t, w.env(), "initiate", gss.MechKRB5, host, "", test.client)
			token, _ := theirs.step(nil)
			_, sc, err := accept(t, p, gss.AcceptOptions{ChannelBindings: test.server}, token)
			switch {
			case test.refused:
				wantError(t, err, []error{gss.ErrBadBindings})
			case err != nil:
				t.Error(err)
			case sc.Info().Flags.Has(gss.FlagChannelBound) != test.bound:
				t.Errorf("flags %s", sc.Info().Flags)
			}
		})
	}
}

// Credentials are delegated to MIT and from it, and serve onwards.
func TestMITDelegation(t *testing.T) {
	w := newWorld(t)
	p := w.provider(t)
	host, next := w.hosts[interop.AES256SHA1], w.hosts[interop.AES128SHA2]
	for _, mech := range []gss.OID{gss.MechKRB5, gss.MechSPNEGO} {
		t.Run(mech.Describe()+" to MIT", func(t *testing.T) {
			theirs := newMIT(t, w.env(), "accept", mech, host, "", nil)
			ours, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", host), Mechanism: mech, Flags: gss.FlagDelegate | gss.FlagMutual})
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			run(t, ours, theirs, true)
			if !ours.Info().Flags.Has(gss.FlagDelegate) {
				t.Error("nothing was delegated")
			}
			token := theirs.fromHex(theirs.must("onward", "HTTP@"+next)[0])
			_, sc, err := accept(t, p, gss.AcceptOptions{}, token)
			if err != nil {
				t.Fatal(err)
			}
			if got := sc.Info().Initiator.Value; got != "alice@"+w.kdc.Realm {
				t.Errorf("the next service sees %s", got)
			}
		})
		t.Run(mech.Describe()+" from MIT", func(t *testing.T) {
			theirs := newMIT(t, w.env(), "initiate", mech, host, "delegate_to_peer,mutual_authentication", nil)
			ours, err := p.Accept(t.Context(), gss.AcceptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			run(t, ours, theirs, false)
			delegated := ours.Info().Delegated
			if delegated == nil || delegated.Name().Value != "alice@"+w.kdc.Realm {
				t.Fatalf("delegated: %v", delegated)
			}
			onward, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: delegated, Target: gss.HostBased("HTTP", next), Mechanism: mech})
			if err != nil {
				t.Fatal(err)
			}
			defer onward.Close()
			last := newMIT(t, w.env(), "accept", mech, next, "", nil)
			run(t, onward, last, true)
			if initiator, _, _ := last.info(); initiator != "alice@"+w.kdc.Realm {
				t.Errorf("the next service sees %s", initiator)
			}
		})
	}
}

// MIT's KDC takes our logins, referrals and all.
func TestMITKDC(t *testing.T) {
	a := interop.NewMIT(t, interop.MITOptions{Realm: "A.TEST"})
	b := interop.NewMIT(t, interop.MITOptions{Realm: "B.TEST"})
	interop.Trust(t, a, b)
	a.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "secret", Attributes: []string{"+requires_preauth"}})
	a.AddPrincipal(t, "trusting", interop.PrincipalOptions{Password: "secret", Attributes: []string{"-requires_preauth"}})
	a.AddPrincipal(t, "modern", interop.PrincipalOptions{Password: "secret", Enctypes: []string{interop.AES256SHA2}})
	keytabA := a.AddService(t, "HTTP/web.a.test", interop.PrincipalOptions{Attributes: []string{"-requires_preauth"}})
	keytabB := b.AddService(t, "HTTP/web.b.test", interop.PrincipalOptions{})
	aliceKeytab := a.Keytab(t, "alice")
	client, err := krb5.New(krb5.Options{Config: a.Config})
	if err != nil {
		t.Fatal(err)
	}
	server := func(keytab string) *krb5.Provider {
		p, err := krb5.New(krb5.Options{Config: a.Config, Keytab: keytab})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, user := range []string{"alice", "trusting", "modern", "alice by keytab"} {
		name, byKeytab := strings.CutSuffix(user, " by keytab")
		cred, err := client.FromPassword(name, "secret")
		if byKeytab {
			cred, err = client.FromKeytab(name, aliceKeytab)
		}
		if err != nil {
			t.Fatal(err)
		}
		for host, acceptor := range map[string]*krb5.Provider{"web.a.test": server(keytabA), "web.b.test": server(keytabB)} {
			if name == "trusting" && host == "web.b.test" {
				continue // the KDC lets nobody cross who has not authenticated
			}
			i, a := establish(t, client, acceptor, gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", host), Flags: gss.FlagMutual}, gss.AcceptOptions{})
			if got := a.Info().Initiator.Value; got != name+"@A.TEST" {
				t.Errorf("%s at %s: the acceptor sees %s", user, host, got)
			}
			if got := i.Info().Acceptor.Value; !strings.HasPrefix(got, "HTTP/"+host+"@") {
				t.Errorf("%s at %s: the initiator sees %s", user, host, got)
			}
		}
	}
	for name, want := range map[string]string{"alice": "check the password", "nobody": "check the name"} {
		cred, err := client.FromPassword(name, "Secret")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, client, gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", "web.a.test")})
		wantError(t, err, []error{gss.ErrDefectiveCredential}, name+"@A.TEST", want)
	}
	// A ticket that MIT's kvno put into the cache is used as it is.
	cc := a.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "secret"})
	a.Kvno(t, cc, "HTTP/web.a.test")
	offline, err := krb5.New(krb5.Options{Config: config(t, nil, " default_realm = A.TEST", ""), CCache: cc})
	if err != nil {
		t.Fatal(err)
	}
	firstToken(t, offline, gss.InitiateOptions{Target: gss.HostBased("HTTP", "web.a.test")})
}
