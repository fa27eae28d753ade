package gsstest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

func (s Suite) testClose(t *testing.T, mech gss.OID) {
	fresh := s.begin(t, options{mech: mech})
	done := s.establish(t, options{mech: mech, flags: gss.FlagMutual})
	for _, sc := range []gss.SecContext{fresh.initiator, fresh.acceptor, done.initiator, done.acceptor} {
		for i := range 2 {
			if err := sc.Close(); err != nil {
				t.Errorf("Close number %d: %v", i+1, err)
			}
		}
		sc.Info() // must not panic
	}
}

func (s Suite) testCancelled(t *testing.T, mech gss.OID) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Run("initiator", func(t *testing.T) {
		sc, err := s.Provider.Initiate(ctx, gss.InitiateOptions{Credential: s.Initiator, Target: s.Target, Mechanism: mech})
		if err == nil {
			defer sc.Close()
			_, _, err = sc.Step(ctx, nil)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	t.Run("acceptor", func(t *testing.T) {
		tok, _ := s.firstToken(t, options{mech: mech})
		sc, err := s.AcceptorProvider.Accept(ctx, gss.AcceptOptions{Credential: s.Acceptor})
		if err == nil {
			defer sc.Close()
			_, _, err = sc.Step(ctx, tok)
			checkNobody(t, sc)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func (s Suite) testBindings(t *testing.T, mech gss.OID) {
	binding := func(text string) *gss.ChannelBindings {
		return &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:" + text)}
	}
	a, b := binding("one certificate's hash, 32 bytes"), binding("other certificate's hash 32 byte")
	for _, test := range []struct {
		name                string
		initiator, acceptor *gss.ChannelBindings
		bound, refused      bool
	}{
		{name: "none, none"},
		{name: "given, ignored", initiator: a},
		{name: "absent, known", acceptor: a},
		{name: "same", initiator: a, acceptor: binding("one certificate's hash, 32 bytes"), bound: true},
		{name: "other", initiator: b, acceptor: a, refused: true},
		{name: "empty, known", initiator: binding(""), acceptor: a, refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := s.begin(t, options{
				mech: mech, flags: gss.FlagMutual,
				initiatorCB: test.initiator, acceptorCB: test.acceptor,
			})
			err := p.pump(t.Context())
			if test.refused {
				checkRefused(t, p.acceptor, false, err, nil)
				if !errors.Is(err, gss.ErrBadBindings) {
					t.Errorf("got %v, want ErrBadBindings", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info := p.acceptor.Info()
			s.checkIdentity(t, info)
			if got, want := info.Flags.Has(gss.FlagChannelBound), test.bound && !s.NoChannelBoundFlag; got != want {
				t.Errorf("the acceptor's FlagChannelBound is %t, want %t", got, want)
			}
		})
	}
}

func (s Suite) testDelegation(t *testing.T, mech gss.OID) {
	p := s.establish(t, options{mech: mech, flags: gss.FlagMutual | gss.FlagDelegate})
	info := p.acceptor.Info()
	if info.Delegated == nil {
		t.Fatal("the acceptor has no delegated credential")
	}
	defer info.Delegated.Close()
	if !info.Flags.Has(gss.FlagDelegate) {
		t.Errorf("the acceptor's flags are %s, want FlagDelegate among them", info.Flags)
	}
	if got := info.Delegated.Name().Value; got != info.Initiator.Value {
		t.Errorf("the delegated credential is of %q, want %q", got, info.Initiator)
	}
	p.acceptor.Close() // the credential must outlive the context

	onward := s
	onward.Provider, onward.Initiator = s.AcceptorProvider, info.Delegated
	second := onward.establish(t, options{mech: mech, flags: gss.FlagMutual})
	if got := second.acceptor.Info().Initiator; got != info.Initiator {
		t.Errorf("used onward, the delegated credential shows %q, want %q", got, info.Initiator)
	}
	checkClose(t, info.Delegated)
}

func (s Suite) testNoDelegation(t *testing.T, mech gss.OID) {
	p := s.establish(t, options{mech: mech, flags: gss.FlagMutual})
	if info := p.acceptor.Info(); info.Delegated != nil {
		info.Delegated.Close()
		t.Error("a credential was delegated without FlagDelegate")
	}
}

func (s Suite) testMessages(t *testing.T, mech gss.OID) {
	p := s.establish(t, options{mech: mech, flags: gss.FlagMutual | gss.FlagIntegrity | gss.FlagConfidentiality})
	i, ok := p.initiator.(gss.MessageProtector)
	if !ok {
		t.Skip("the provider does not protect messages")
	}
	a, ok := p.acceptor.(gss.MessageProtector)
	if !ok {
		t.Fatal("the acceptor does not protect messages, and the initiator does")
	}
	for name, dir := range map[string][2]gss.MessageProtector{"to the acceptor": {i, a}, "to the initiator": {a, i}} {
		for _, msg := range [][]byte{{}, []byte("x"), []byte("a message"), bytes.Repeat([]byte("long "), 5000)} {
			checkWrap(t, name, dir[0], dir[1], false, msg)
			if p.initiator.Info().Flags.Has(gss.FlagConfidentiality) {
				checkWrap(t, name, dir[0], dir[1], true, msg)
			}
			checkMIC(t, name, dir[0], dir[1], msg)
		}
	}
	checkReflected(t, i)
	s.checkForeignMessage(t, mech, a)
}

func checkWrap(t *testing.T, name string, from, to gss.MessageProtector, conf bool, msg []byte) {
	t.Helper()
	tok, err := from.Wrap(conf, msg)
	if err != nil {
		t.Fatalf("%s: Wrap(%t): %v", name, conf, err)
	}
	if conf && len(msg) > 8 && bytes.Contains(tok, msg) {
		t.Errorf("%s: the encrypted message can be read", name)
	}
	for i := 0; i < len(tok); i += max(1, len(tok)/50) {
		if got, _, err := to.Unwrap(flip(tok, i, i%8)); err == nil && !bytes.Equal(got, msg) {
			t.Fatalf("%s: Unwrap took a token with byte %d flipped for another message", name, i)
		}
		if _, _, err := to.Unwrap(tok[:i]); err == nil {
			t.Fatalf("%s: Unwrap took the first %d of %d bytes", name, i, len(tok))
		}
	}
	tok, err = from.Wrap(conf, msg)
	if err != nil {
		t.Fatalf("%s: Wrap(%t): %v", name, conf, err)
	}
	got, gotConf, err := to.Unwrap(tok)
	if err != nil {
		t.Fatalf("%s: Unwrap: %v", name, err)
	}
	if !bytes.Equal(got, msg) || gotConf != conf {
		t.Errorf("%s: Unwrap gave %d bytes, conf %t; want %d bytes, conf %t", name, len(got), gotConf, len(msg), conf)
	}
}

func checkMIC(t *testing.T, name string, from, to gss.MessageProtector, msg []byte) {
	t.Helper()
	mic, err := from.GetMIC(msg)
	if err != nil {
		t.Fatalf("%s: GetMIC: %v", name, err)
	}
	if err := to.VerifyMIC(append(bytes.Clone(msg), '!'), mic); err == nil {
		t.Errorf("%s: the signature holds for another message", name)
	} else {
		checkError(t, err, nil)
	}
	if err := to.VerifyMIC(msg, mic[:len(mic)-1]); err == nil {
		t.Errorf("%s: a truncated signature holds", name)
	}
	if err := to.VerifyMIC(msg, flip(mic, len(mic)-1, 3)); err == nil {
		t.Errorf("%s: an altered signature holds", name)
	}
	if err := to.VerifyMIC(msg, nil); err == nil {
		t.Errorf("%s: no signature holds", name)
	}
	if mic, err = from.GetMIC(msg); err != nil {
		t.Fatalf("%s: GetMIC: %v", name, err)
	}
	if err := to.VerifyMIC(msg, mic); err != nil {
		t.Errorf("%s: VerifyMIC: %v", name, err)
	}
}

// checkReflected sends a side its own messages.
func checkReflected(t *testing.T, m gss.MessageProtector) {
	t.Helper()
	msg := []byte("to whom it may concern")
	tok, err := m.Wrap(false, msg)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Unwrap(tok); err == nil {
		t.Error("a context took its own message for the peer's")
	}
	mic, err := m.GetMIC(msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.VerifyMIC(msg, mic); err == nil {
		t.Error("a context took its own signature for the peer's")
	}
}

// checkForeignMessage sends an acceptor a message of another context, and asks a
// context that is not done to protect one.
func (s Suite) checkForeignMessage(t *testing.T, mech gss.OID, a gss.MessageProtector) {
	t.Helper()
	other := s.establish(t, options{mech: mech, flags: gss.FlagMutual})
	tok, err := other.initiator.(gss.MessageProtector).Wrap(false, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Unwrap(tok); err == nil {
		t.Error("a context took a message of another context")
	}
	if fresh, ok := s.accept(t, options{}).(gss.MessageProtector); ok {
		if _, err := fresh.GetMIC([]byte("hello")); !errors.Is(err, gss.ErrNoContext) {
			t.Errorf("GetMIC before the context began: %v, want ErrNoContext", err)
		}
	}
}

func (s Suite) testConcurrent(t *testing.T, mech gss.OID) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 4 {
				if err := s.roundTrip(t, mech); err != nil {
					t.Errorf("one of many contexts: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// roundTrip is establish for any goroutine.
func (s Suite) roundTrip(t *testing.T, mech gss.OID) error {
	o := options{mech: mech, flags: gss.FlagMutual}
	initiator, err := s.newInitiator(t.Context(), o)
	if err != nil {
		return err
	}
	defer initiator.Close()
	acceptor, err := s.newAcceptor(t.Context(), o)
	if err != nil {
		return err
	}
	defer acceptor.Close()
	p := &pair{initiator: initiator, acceptor: acceptor}
	if err := p.pump(t.Context()); err != nil {
		return err
	}
	s.checkIdentity(t, acceptor.Info())
	return nil
}
