package krb5_test

import (
	"errors"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// TestMessageSequence has messages with FlagSequence: they come in order, and a gap is told of once.
func TestMessageSequence(t *testing.T) {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddService("HTTP/web.krb.test")
	p, acceptor := kdc.Provider("alice"), kdc.Acceptor("HTTP/web.krb.test")
	ic, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", "web.krb.test"), Flags: gss.FlagMutual | gss.FlagSequence})
	if err != nil {
		t.Fatal(err)
	}
	defer ic.Close()
	ac, err := acceptor.Accept(t.Context(), gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer ac.Close()
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
	i, a := ic.(gss.MessageProtector), ac.(gss.MessageProtector)
	for _, way := range [][2]gss.MessageProtector{{i, a}, {a, i}} {
		var mics [][]byte
		for range 5 {
			mic, err := way[0].GetMIC([]byte("m"))
			if err != nil {
				t.Fatal(err)
			}
			mics = append(mics, mic)
		}
		for _, step := range []struct {
			n    int
			want error
		}{{0, nil}, {2, gss.ErrGapToken}, {1, gss.ErrUnseqToken}, {2, gss.ErrDuplicateToken}, {1, gss.ErrDuplicateToken}, {3, nil}, {4, nil}} {
			if err := way[1].VerifyMIC([]byte("m"), mics[step.n]); !errors.Is(err, step.want) {
				t.Errorf("message %d: %v, want %v", step.n, err, step.want)
			}
		}
	}
}
