//go:build interop

package spnego

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// These tests run both sides against MIT Kerberos: its SPNEGO on one end, and
// on the other this package over its krb5. They need krb5kdc, kadmin.local,
// kdb5_util, kinit and /usr/bin/python3 with the module gssapi.

var update = flag.Bool("update", false, "write the messages to testdata/mit")

// realm starts a KDC of the realm MIT.TEST with alice, who has a ticket, and
// HTTP/localhost. It returns the environment for programs that use it.
func realm(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, format string, args ...any) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	configure := func(addr string) (conf, profile string) {
		return write("krb5.conf", "[libdefaults]\n default_realm = MIT.TEST\n dns_canonicalize_hostname = false\n rdns = false\n dns_lookup_kdc = false\n"+
				"[realms]\n MIT.TEST = {\n  kdc = %s\n }\n[domain_realm]\n localhost = MIT.TEST\n", addr),
			write("kdc.conf", "[realms]\n MIT.TEST = {\n  database_name = %[1]s/db\n  key_stash_file = %[1]s/stash\n  acl_file = %[1]s/acl\n  kdc_listen = %[2]s\n  kdc_tcp_listen = %[2]s\n }\n[logging]\n kdc = FILE:%[1]s/kdc.log\n", dir, addr)
	}
	conf, profile := configure("127.0.0.1:88")
	env := append(os.Environ(), "KRB5_CONFIG="+conf, "KRB5_KDC_PROFILE="+profile,
		"KRB5CCNAME=FILE:"+dir+"/cc", "KRB5_KTNAME=FILE:"+dir+"/kt", "KRB5RCACHENAME=none:")
	tool := func(stdin, name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	tool("", "kdb5_util", "create", "-s", "-r", "MIT.TEST", "-P", "master")
	tool("", "kadmin.local", "addprinc", "-pw", "secret", "alice")
	tool("", "kadmin.local", "addprinc", "-randkey", "HTTP/localhost")
	tool("", "kadmin.local", "ktadd", "-k", dir+"/kt", "HTTP/localhost")
	for range 5 { // until nobody else takes the port first
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		configure(addr)
		l.Close()
		if startKDC(t, env, addr) {
			tool("secret\n", "kinit", "alice")
			return env
		}
	}
	t.Fatal("krb5kdc does not come up")
	return nil
}

// startKDC reports whether it listens.
func startKDC(t *testing.T, env []string, addr string) bool {
	t.Helper()
	kdc := exec.CommandContext(t.Context(), "krb5kdc", "-n")
	kdc.Env = env
	if err := kdc.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		kdc.Wait()
	}()
	t.Cleanup(func() {
		kdc.Process.Kill()
		<-ended
	})
	for {
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
		if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr); err == nil {
			c.Close()
			return true
		}
	}
}

// mit is a context of MIT Kerberos in a process of its own.
type mit struct {
	t    testing.TB
	say  func(string) string
	done bool
}

func newMIT(t *testing.T, env []string, role string, args ...string) *mit {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"testdata/mitpeer.py", role}, args...)...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	lines := bufio.NewReader(stdout)
	return &mit{t: t, say: func(command string) string {
		fmt.Fprintln(stdin, command)
		answer, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("mitpeer.py %q: %v", command, err)
		}
		return strings.TrimSpace(answer)
	}}
}

func toHex(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

func (m *mit) fromHex(s string) []byte {
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

func (m *mit) call(command string, args ...[]byte) ([]string, error) {
	for _, a := range args {
		command += " " + toHex(a)
	}
	status, rest, _ := strings.Cut(m.say(command), " ")
	if status == "ok" {
		return strings.Fields(rest), nil
	}
	tok, text, _ := strings.Cut(rest, " ")
	return []string{tok}, errors.New(text)
}

func (m *mit) Step(_ context.Context, in []byte) ([]byte, bool, error) {
	f, err := m.call("step", in)
	m.done = err == nil && f[1] == "done"
	return m.fromHex(f[0]), m.done, err
}

func (m *mit) Info() gss.ContextInfo {
	f, err := m.call("info")
	if err != nil || !m.done {
		return gss.ContextInfo{}
	}
	mech, _ := gss.ParseOID(f[2])
	flags, _ := strconv.ParseUint(f[3], 10, 32)
	return gss.ContextInfo{Mechanism: mech, Flags: gss.Flags(flags), Initiator: gss.Principal(f[0]), Acceptor: gss.Principal(f[1])}
}

func (m *mit) Close() error { return nil }

func (m *mit) GetMIC(msg []byte) ([]byte, error) {
	f, err := m.call("sign", msg)
	return m.fromHex(f[0]), err
}

func (m *mit) VerifyMIC(msg, mic []byte) error {
	_, err := m.call("verify", msg, mic)
	return err
}

func (m *mit) Wrap(bool, []byte) ([]byte, error)           { return nil, gss.ErrUnavailable }
func (m *mit) Unwrap([]byte) (msg []byte, _ bool, _ error) { return nil, false, gss.ErrUnavailable }

// TestMIT has MIT's SPNEGO on one side.
func TestMIT(t *testing.T) {
	env := realm(t)
	krb5 := func(oid gss.OID, role, flags string) Mech {
		return Mech{OID: oid, New: func(context.Context) (gss.SecContext, error) {
			return newMIT(t, env, role, "krb5", flags), nil
		}}
	}
	strange := Mech{OID: mechA, New: func(context.Context) (gss.SecContext, error) {
		return &fake{oid: mechA, legs: 2, initiator: true}, nil
	}}
	initiate := func(flags string) func() gss.SecContext {
		return func() gss.SecContext { return newMIT(t, env, "initiate", "spnego", flags) }
	}
	accept := func() gss.SecContext { return newMIT(t, env, "accept", "spnego") }
	prefersOther := func() gss.SecContext { return NewAcceptor([]Mech{strange, krb5(gss.MechKRB5, "accept", "")}) }
	tests := []struct {
		name      string
		initiator func() gss.SecContext
		acceptor  func() gss.SecContext
		want      string
	}{
		{"initiator-mutual", func() gss.SecContext {
			return NewInitiator([]Mech{krb5(gss.MechKRB5, "initiate", "mutual_authentication,integrity")})
		}, accept, "init KRB5 tok; resp accept-completed KRB5 tok"},
		{"initiator-one-leg", func() gss.SecContext {
			return NewInitiator([]Mech{krb5(gss.MechKRB5, "initiate", "integrity")})
		}, accept, "init KRB5 tok; resp accept-completed KRB5"},
		{"initiator-dce", func() gss.SecContext {
			return NewInitiator([]Mech{krb5(gss.MechKRB5, "initiate", "mutual_authentication,dce_style,integrity")})
		}, accept, "init KRB5 tok; resp accept-incomplete KRB5 tok; resp accept-incomplete tok; resp accept-completed"},
		{"initiator-microsoft", func() gss.SecContext {
			return NewInitiator([]Mech{krb5(gss.MechMSKRB5, "initiate", "mutual_authentication,integrity"), krb5(gss.MechKRB5, "initiate", "mutual_authentication,integrity")})
		}, accept, "init MSKRB5,KRB5 tok; resp accept-completed MSKRB5 tok"},
		{"initiator-counter-proposal", func() gss.SecContext {
			return NewInitiator([]Mech{strange, krb5(gss.MechKRB5, "initiate", "mutual_authentication,integrity")})
		}, accept, "init A,KRB5 tok; resp request-mic KRB5; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic"},
		{"initiator-counter-proposal-one-leg", func() gss.SecContext {
			return NewInitiator([]Mech{strange, krb5(gss.MechKRB5, "initiate", "integrity")})
		}, accept, "init A,KRB5 tok; resp request-mic KRB5; resp accept-incomplete tok mic; resp accept-completed mic"},
		{"initiator-counter-proposal-dce", func() gss.SecContext {
			return NewInitiator([]Mech{strange, krb5(gss.MechKRB5, "initiate", "mutual_authentication,dce_style,integrity")})
		}, accept, "init A,KRB5 tok; resp request-mic KRB5; resp accept-incomplete tok; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic"},

		{"acceptor-mutual", initiate("mutual_authentication,integrity"), func() gss.SecContext {
			return NewAcceptor([]Mech{krb5(gss.MechKRB5, "accept", "")})
		}, "init KRB5 tok; resp accept-completed KRB5 tok"},
		{"acceptor-prefers-other", initiate("mutual_authentication,integrity"), prefersOther,
			"init KRB5 tok; resp request-mic KRB5 tok mic; resp accept-completed mic"},
		{"acceptor-prefers-other-one-leg", initiate("integrity"), prefersOther,
			"init KRB5 tok; resp request-mic KRB5 mic; resp accept-completed mic"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := run(t, tt.initiator(), tt.acceptor(), nil)
			if o.initErr != nil || o.accErr != nil || !o.initDone || !o.accDone {
				t.Errorf("initiator: done %t, %v; acceptor: done %t, %v", o.initDone, o.initErr, o.accDone, o.accErr)
			}
			if got := shapes(t, o.tokens); got != tt.want {
				t.Errorf("messages\n got %s\nwant %s", got, tt.want)
			}
			if *update {
				var b strings.Builder
				for _, tok := range o.tokens {
					fmt.Fprintf(&b, "%x\n", tok)
				}
				if err := os.WriteFile("testdata/mit/"+tt.name+".txt", []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
