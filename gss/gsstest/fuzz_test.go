package gsstest_test

import (
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// FuzzAccept holds that an acceptor knows nobody by a token that its realm did
// not make.
func FuzzAccept(f *testing.F) {
	stranger := gsstest.New(gsstest.Options{Secret: "guessed", Now: func() time.Time { return time.Unix(1e9, 0) }})
	sc, err := stranger.Initiate(f.Context(), gss.InitiateOptions{Target: web})
	if err != nil {
		f.Fatal(err)
	}
	defer sc.Close()
	tok, _, err := sc.Step(f.Context(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok)
	f.Add([]byte("GSSTEST1{}0123456789abcdef0123456789abcdef"))
	f.Add([]byte(`GSSTEST1{"Kind":"init","Leg":1,"Initiator":"alice","Legs":-1}0123456789abcdef0123456789abcdef`))
	p := gsstest.New(gsstest.Options{})
	f.Fuzz(func(t *testing.T, tok []byte) {
		sc, err := p.Accept(t.Context(), gss.AcceptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer sc.Close()
		if _, done, err := sc.Step(t.Context(), tok); err == nil || done {
			t.Errorf("the token was taken: done=%t", done)
		}
		if info := sc.Info(); !info.Initiator.IsZero() || info.Delegated != nil {
			t.Errorf("the context names %q", info.Initiator)
		}
	})
}
