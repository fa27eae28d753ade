package spnego

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// Numbers of mechanisms that exist in these tests only.
const (
	mechA gss.OID = "\x2a\x03\x01"
	mechB gss.OID = "\x2a\x03\x02"
	mechC gss.OID = "\x2a\x03\x03"
)

var (
	errFake     = errors.New("the fake mechanism refuses")
	errFakeMIC  = errors.New("the fake signature is wrong")
	alice, host = gss.User("alice@TEST"), gss.HostBased("HTTP", "web.test")
)

// fake is a mechanism that exchanges legs tokens, "OID leg n", and signs with
// HMAC. Its context is done on a side that has seen or sent the last token.
type fake struct {
	oid       gss.OID
	legs      int
	initiator bool
	flags     gss.Flags
	failAt    int    // leg at whose receipt Step fails
	key       string // of the signatures

	leg            int // of the last token seen or sent
	done           bool
	closed, forgot bool
}

func (f *fake) token(leg int) []byte {
	return AppendInitialToken(nil, canonical(f.oid), fmt.Appendf(nil, "leg %d", leg))
}

func (f *fake) Step(_ context.Context, in []byte) ([]byte, bool, error) {
	if f.done || f.closed {
		return nil, false, &gss.Error{Major: gss.ErrDefectiveToken, Mech: f.oid, Op: "fake", Err: errors.New("a token after the last")}
	}
	if in == nil != (f.initiator && f.leg == 0) {
		return nil, false, errors.New("fake: a token is missing or too much")
	}
	if in != nil {
		f.leg++
		if f.leg == f.failAt {
			return f.token(99), false, &gss.Error{Major: gss.ErrBadBindings, Minor: 7, Mech: f.oid, Op: "fake", Err: errFake}
		}
		if bytes.HasSuffix(in, []byte("leg 99")) {
			return nil, false, &gss.Error{Major: gss.ErrOldToken, Minor: 37, Mech: f.oid, Op: "fake", Err: errFake}
		}
		if !bytes.Equal(in, f.token(f.leg)) {
			return nil, false, &gss.Error{Major: gss.ErrDefectiveToken, Mech: f.oid, Op: "fake"}
		}
	}
	if f.leg == f.legs {
		f.done = true
		return nil, true, nil
	}
	f.leg++
	f.done = f.leg == f.legs
	return f.token(f.leg), f.done, nil
}

func (f *fake) Info() gss.ContextInfo {
	return gss.ContextInfo{Mechanism: f.oid, Initiator: alice, Acceptor: host, Flags: f.flags}
}
func (f *fake) Close() error { f.closed = true; return nil }
func (f *fake) Forget()      { f.forgot = true }

// signing is a fake with per-message protection.
type signing struct{ *fake }

func (s signing) GetMIC(msg []byte) ([]byte, error) {
	if !s.done {
		return nil, gss.ErrNoContext
	}
	h := hmac.New(sha256.New, fmt.Appendf(nil, "%s %s %t", s.key, canonical(s.oid), s.initiator))
	h.Write(msg)
	return h.Sum(nil), nil
}

func (s signing) VerifyMIC(msg, mic []byte) error {
	peer := *s.fake
	peer.initiator = !s.initiator
	want, err := signing{&peer}.GetMIC(msg)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, mic) {
		return errFakeMIC
	}
	return nil
}

func (s signing) Wrap(_ bool, msg []byte) ([]byte, error) { return append([]byte("w"), msg...), nil }
func (s signing) Unwrap(tok []byte) ([]byte, bool, error) { return tok[1:], true, nil }

// offer describes a mechanism of one side.
type offer struct {
	oid    gss.OID
	legs   int
	bare   bool // no message protection at all
	noFlag bool // no integrity negotiated
	failAt int
	key    string
	broken error // New fails
}

// side is one side of a negotiation, with the contexts it began.
type side struct {
	gss.SecContext
	begun []*fake
}

func newSide(initiator bool, offers ...offer) *side {
	s := new(side)
	var mechs []Mech
	for _, o := range offers {
		mechs = append(mechs, Mech{OID: o.oid, New: func(context.Context) (gss.SecContext, error) {
			if o.broken != nil {
				return nil, o.broken
			}
			f := &fake{oid: o.oid, legs: o.legs, initiator: initiator, failAt: o.failAt, key: o.key, flags: gss.FlagIntegrity}
			s.begun = append(s.begun, f)
			if o.noFlag {
				f.flags = 0
			}
			if o.bare {
				return f, nil
			}
			return signing{f}, nil
		}})
	}
	if initiator {
		s.SecContext = NewInitiator(mechs)
	} else {
		s.SecContext = NewAcceptor(mechs)
	}
	return s
}

// outcome is what a run of both sides came to.
type outcome struct {
	initDone, accDone bool
	initErr, accErr   error
	tokens            [][]byte
}

// run lets both sides talk until none has anything to say. meddle may change
// each token on its way.
func run(t testing.TB, i, a gss.SecContext, meddle func(n int, tok []byte) []byte) outcome {
	t.Helper()
	var o outcome
	var tok []byte
	for n := 0; n < 20; n++ {
		if n%2 == 0 {
			tok, o.initDone, o.initErr = i.Step(t.Context(), tok)
			checkInfo(t, i, o.initDone, o.initErr)
		} else {
			tok, o.accDone, o.accErr = a.Step(t.Context(), tok)
			checkInfo(t, a, o.accDone, o.accErr)
		}
		if tok == nil {
			return o
		}
		o.tokens = append(o.tokens, tok)
		if meddle != nil {
			tok = meddle(n, tok)
		}
	}
	t.Fatal("the two sides talk without end")
	return o
}

// checkInfo asserts that names are known exactly when the context is done.
func checkInfo(t testing.TB, sc gss.SecContext, done bool, err error) {
	t.Helper()
	if done && err != nil {
		t.Errorf("done together with the error %v", err)
	}
	info := sc.Info()
	if named := !info.Initiator.IsZero() || !info.Acceptor.IsZero(); named != done {
		t.Errorf("done is %t, but Info gives %v and %v", done, info.Initiator, info.Acceptor)
	}
}

// shape writes the fields of a token for comparison, as "init A,B tok" or
// "resp request-mic B tok mic".
func shape(t testing.TB, tok []byte) string {
	t.Helper()
	name := func(o gss.OID) string {
		switch o {
		case mechA:
			return "A"
		case mechB:
			return "B"
		case mechC:
			return "C"
		case gss.MechKRB5:
			return "KRB5"
		case gss.MechMSKRB5:
			return "MSKRB5"
		}
		return o.String()
	}
	var parts []string
	switch kind, _ := Sniff(tok); kind {
	case KindInit:
		m, err := ParseInit(tok)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range m.MechTypes {
			names = append(names, name(o))
		}
		parts = append(parts, "init", strings.Join(names, ","))
		if m.MechToken != nil {
			parts = append(parts, "tok")
		}
		if m.MechListMIC != nil {
			parts = append(parts, "mic")
		}
	case KindResp:
		m, err := ParseResp(tok)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, "resp")
		if m.HasState {
			parts = append(parts, m.State.String())
		}
		if m.SupportedMech != "" {
			parts = append(parts, name(m.SupportedMech))
		}
		if m.ResponseToken != nil {
			parts = append(parts, "tok")
		}
		if m.MechListMIC != nil {
			parts = append(parts, "mic")
		}
	default:
		return kind.String()
	}
	return strings.Join(parts, " ")
}

func shapes(t testing.TB, toks [][]byte) string {
	var all []string
	for _, tok := range toks {
		all = append(all, shape(t, tok))
	}
	return strings.Join(all, "; ")
}
