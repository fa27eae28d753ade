//go:build interop

package interop_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/interop/remote"
	"github.com/go-negotiate/negotiate/krb5"
)

// TestMessageTokens has package krb5 and MIT's library read each other's tokens of
// RFC 4121, with each encryption type of AES.
func TestMessageTokens(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	program := remote.Build(t, "linux")
	ccache := bed.Alice(t)
	for _, enctype := range []string{interop.AES256SHA1, interop.AES128SHA1, interop.AES256SHA2, interop.AES128SHA2} {
		t.Run(enctype, func(t *testing.T) {
			// The KDC takes the first type that is asked for.
			p, err := krb5.New(krb5.Options{Config: bed.KDC.ConfigWith(t, "default_tgs_enctypes = "+enctype), CCache: ccache})
			if err != nil {
				t.Fatal(err)
			}
			host := bed.KDC.Unique() + ".bed.test"
			keytab := bed.KDC.AddService(t, "HTTP/"+host, interop.PrincipalOptions{Enctypes: []string{enctype}})
			env := append(bed.KDC.Env(""), "KRB5_KTNAME=FILE:"+keytab, "NEGOTIATE_LIBGSSAPI=libgssapi_krb5.so.2")
			mit := remote.Start(t, env, program, "libgssapi")
			ours, theirs := establishPair(t, p, mit, gss.HostBased("HTTP", host))
			log, err := os.ReadFile(bed.KDC.LogFile)
			if err != nil {
				t.Fatal(err)
			}
			if _, issued, ok := lastLine(string(log), "for HTTP/"+host); !ok || !strings.Contains(issued, "ses="+enctype) {
				t.Fatalf("the session key is of another type: %s", issued)
			}
			for name, way := range map[string][2]gss.MessageProtector{"to MIT": {ours, theirs}, "from MIT": {theirs, ours}} {
				checkTokens(t, name, way[0], way[1])
			}
		})
	}
}

func lastLine(text, with string) (before, line string, ok bool) {
	i := strings.LastIndex(text, with)
	if i < 0 {
		return "", "", false
	}
	start := strings.LastIndexByte(text[:i], '\n') + 1
	line, _, _ = strings.Cut(text[start:], "\n")
	return text[:start], line, true
}

// establishPair makes a context with everything that protects messages.
func establishPair(t *testing.T, initiator, acceptor gss.Provider, target gss.Name) (i, a gss.MessageProtector) {
	t.Helper()
	flags := gss.FlagMutual | gss.FlagReplay | gss.FlagSequence | gss.FlagConfidentiality | gss.FlagIntegrity
	ic, err := initiator.Initiate(t.Context(), gss.InitiateOptions{Target: target, Mechanism: gss.MechKRB5, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ic.Close() })
	ac, err := acceptor.Accept(t.Context(), gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ac.Close() })
	token, _, err := ic.Step(t.Context(), nil)
	if err == nil {
		token, _, err = ac.Step(t.Context(), token)
	}
	if err == nil {
		_, _, err = ic.Step(t.Context(), token)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ic.(gss.MessageProtector), ac.(gss.MessageProtector)
}

func checkTokens(t *testing.T, name string, from, to gss.MessageProtector) {
	t.Helper()
	wrap := func(conf bool, msg string) []byte {
		token, err := from.Wrap(conf, []byte(msg))
		if err != nil {
			t.Fatalf("%s: Wrap: %v", name, err)
		}
		return token
	}
	read := func(what string, token []byte, conf bool, want string) {
		got, gotConf, err := to.Unwrap(token)
		if err != nil || gotConf != conf || string(got) != want {
			t.Errorf("%s: %s: got %d octets, sealed %t, %v; want %d, sealed %t", name, what, len(got), gotConf, err, len(want), conf)
		}
	}
	for _, conf := range []bool{true, false} {
		for _, msg := range []string{"", "x", "sixteen octets..", strings.Repeat("long ", 5000)} {
			read("in order", wrap(conf, msg), conf, msg)
			for _, count := range []int{1, 28, 1000} {
				read("rotated", rotate(wrap(conf, msg), count), conf, msg)
			}
		}
	}
	for _, msg := range [][]byte{{}, []byte("a message")} {
		mic, err := from.GetMIC(msg)
		if err != nil {
			t.Fatalf("%s: GetMIC: %v", name, err)
		}
		if err := to.VerifyMIC(msg, mic); err != nil {
			t.Errorf("%s: VerifyMIC: %v", name, err)
		}
		if err := to.VerifyMIC(msg, mic); !errors.Is(err, gss.ErrDuplicateToken) {
			t.Errorf("%s: the same signature again: %v, want ErrDuplicateToken", name, err)
		}
	}
	if name == "to MIT" {
		return // libgssapi lets MIT's messages come in any order
	}
	altered := wrap(true, "a message")
	altered[len(altered)-1] ^= 1
	if _, _, err := to.Unwrap(altered); !errors.Is(err, gss.ErrBadMIC) {
		t.Errorf("%s: an altered message: %v, want ErrBadMIC", name, err)
	}
	first, second := wrap(true, "first"), wrap(true, "second")
	if _, _, err := to.Unwrap(second); !errors.Is(err, gss.ErrGapToken) {
		t.Errorf("%s: the second before the first: %v, want ErrGapToken", name, err)
	}
	if _, _, err := to.Unwrap(first); !errors.Is(err, gss.ErrUnseqToken) {
		t.Errorf("%s: the first after the second: %v, want ErrUnseqToken", name, err)
	}
	if _, _, err := to.Unwrap(second); !errors.Is(err, gss.ErrDuplicateToken) {
		t.Errorf("%s: the second again: %v, want ErrDuplicateToken", name, err)
	}
}

// rotate turns what follows the header to the right, as RRC allows.
func rotate(token []byte, count int) []byte {
	const header = 16
	token = bytes.Clone(token)
	body := token[header:]
	n := count % len(body)
	copy(body, append(bytes.Clone(body[len(body)-n:]), body[:len(body)-n]...))
	binary.BigEndian.PutUint16(token[6:], uint16(count))
	return token
}
