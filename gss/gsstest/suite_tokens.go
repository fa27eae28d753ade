package gsstest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-negotiate/negotiate/gss"
)

// sampled bounds how many alterations of one token are tried.
const sampled = 200

// checkError asserts that err is a *gss.Error, fit for a person to read, and
// shows nothing of secret.
func checkError(t testing.TB, err error, secret []byte) {
	t.Helper()
	if _, ok := errors.AsType[*gss.Error](err); !ok {
		t.Errorf("the error is a %T, want a *gss.Error in its tree: %v", err, err)
	}
	text := err.Error()
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
		t.Errorf("the error's text is not printable: %q", text)
	}
	if showsBytes(text, secret) {
		t.Errorf("the error shows bytes of the token: %q", text)
	}
}

// Runs of text that may be bytes in hex, in base64 and in Go's notation. Nine
// bytes in a row are no coincidence.
var (
	hexRun     = regexp.MustCompile(`[0-9a-f]{18,}`)
	base64Run  = regexp.MustCompile(`[0-9A-Za-z+/]{12,}`)
	decimalRun = regexp.MustCompile(`\d+( \d+){8,}`)
)

// showsBytes reports whether text has nine bytes of secret in a row.
func showsBytes(text string, secret []byte) bool {
	lower := strings.ReplaceAll(strings.ToLower(text), " ", "")
	if sharesRun(hexRun.FindAllString(lower, -1), 18, hex.EncodeToString(secret)) {
		return true
	}
	for offset := range min(3, len(secret)) {
		encoded := base64.StdEncoding.EncodeToString(secret[offset:])
		if sharesRun(base64Run.FindAllString(text, -1), 12, encoded) {
			return true
		}
	}
	for _, run := range decimalRun.FindAllString(text, -1) {
		if strings.Contains(fmt.Sprint(secret), run) {
			return true
		}
	}
	return false
}

// sharesRun reports whether n characters of one of the runs are in encoded.
func sharesRun(runs []string, n int, encoded string) bool {
	for _, run := range runs {
		for i := range len(run) - n + 1 {
			if strings.Contains(encoded, run[i:i+n]) {
				return true
			}
		}
	}
	return false
}

func (s Suite) testOptions(t *testing.T) {
	t.Run("unknown mechanism", func(t *testing.T) {
		sc, err := s.Provider.Initiate(t.Context(), gss.InitiateOptions{
			Credential: s.Initiator, Target: s.Target, Mechanism: "\x2a\x03\x04\x05",
		})
		if err == nil {
			defer sc.Close()
			_, _, err = sc.Step(t.Context(), nil)
		}
		if !errors.Is(err, gss.ErrBadMech) {
			t.Fatalf("got %v, want ErrBadMech", err)
		}
		checkError(t, err, nil)
	})
	t.Run("no target", func(t *testing.T) {
		sc, err := s.Provider.Initiate(t.Context(), gss.InitiateOptions{Credential: s.Initiator})
		if err == nil {
			defer sc.Close()
			_, _, err = sc.Step(t.Context(), nil)
		}
		if err == nil {
			t.Fatal("a context without a target was begun")
		}
		checkError(t, err, nil)
	})
}

func (s Suite) testNoEarlyIdentity(t *testing.T, mech gss.OID) {
	p := s.begin(t, options{mech: mech, flags: gss.FlagMutual})
	checkNobody(t, p.initiator)
	checkNobody(t, p.acceptor)
	_, done, err := p.initiator.Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if done {
		t.Error("the initiator of a mutual context is done before any reply")
	}
	checkNobody(t, p.initiator)
	if p.initiator.Info().Flags.Has(gss.FlagMutual) {
		t.Error("FlagMutual is set before any reply")
	}
}

func (s Suite) testGarbage(t *testing.T, mech gss.OID) {
	garbage := map[string][]byte{
		"nil":          nil,
		"empty":        {},
		"one byte":     {0x60},
		"text":         []byte("Negotiate, please"),
		"NTLM":         []byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2\x00\x00\x00\x00\x00\x00\x00\x00"),
		"zeros":        make([]byte, 4096),
		"huge length":  {0x60, 0x84, 0xff, 0xff, 0xff, 0xff, 0x06, 0x06},
		"indefinite":   {0x60, 0x80, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02, 0x00, 0x00},
		"empty SPNEGO": {0x60, 0x0e, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02, 0xa0, 0x04, 0x30, 0x02, 0xa0, 0x00},
		"no mechTypes": {0x60, 0x10, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02, 0xa0, 0x06, 0x30, 0x04, 0xa0, 0x02, 0x30, 0x00},
		"a megabyte":   bytes.Repeat([]byte{0x60, 0x83, 0x0f, 0xff}, 1<<18),
	}
	for name, tok := range garbage {
		t.Run("acceptor/"+name, func(t *testing.T) {
			sc := s.accept(t, options{})
			_, done, err := sc.Step(t.Context(), tok)
			checkRefused(t, sc, done, err, tok)
		})
		t.Run("initiator/"+name, func(t *testing.T) {
			_, sc := s.firstToken(t, options{mech: mech, flags: gss.FlagMutual})
			_, done, err := sc.Step(t.Context(), tok)
			checkRefused(t, sc, done, err, tok)
			if sc.Info().Flags.Has(gss.FlagMutual) {
				t.Error("FlagMutual is set by garbage")
			}
		})
	}
}

// alteration changes a token.
type alteration struct {
	name  string
	apply func(tok []byte) []byte
	must  bool // it has to be refused by every mechanism
}

// alterations are sampled prefixes and single flipped bits, for tokens of about n
// bytes.
func alterations(n int) []alteration {
	var as []alteration
	for i := 0; i < n; i += max(1, n/sampled) {
		as = append(as,
			alteration{fmt.Sprintf("first %d bytes", i), func(tok []byte) []byte { return tok[:min(i, len(tok)-1)] }, true},
			alteration{fmt.Sprintf("byte %d flipped", i), func(tok []byte) []byte { return flip(tok, i, i%8) }, false},
		)
	}
	return append(as, alteration{"last byte flipped", func(tok []byte) []byte { return flip(tok, len(tok)-1, 0) }, true})
}

func flip(tok []byte, i, bit int) []byte {
	tok = bytes.Clone(tok)
	tok[min(i, len(tok)-1)] ^= 1 << bit
	return tok
}

// testAltered alters the initiator's first token. Not each of its bits is
// protected in every mechanism, but whatever is accepted must name the true
// initiator, and a truncated token or one with an altered end is refused.
func (s Suite) testAltered(t *testing.T, mech gss.OID) {
	whole := s.establish(t, options{mech: mech})
	want := whole.acceptor.Info().Initiator
	for _, a := range alterations(len(whole.toAcceptor[0])) {
		tok, initiator := s.firstToken(t, options{mech: mech})
		initiator.Close()
		tok = a.apply(tok)
		sc := s.accept(t, options{})
		_, done, err := sc.Step(t.Context(), tok)
		switch {
		case err != nil:
			checkRefused(t, sc, done, err, tok)
		case a.must:
			t.Errorf("%s: no error (done=%t)", a.name, done)
		case !done:
			checkNobody(t, sc)
		case sc.Info().Initiator != want:
			t.Errorf("%s: the acceptor sees %q, want %q or an error", a.name, sc.Info().Initiator, want)
		}
		sc.Close()
		if t.Failed() {
			t.Fatalf("failed for the token with %s", a.name)
		}
	}
}

// testAlteredReply alters the acceptor's last token in a mutual context. What the
// initiator believes must be the acceptor's proof: no altered end, no prefix, and
// nothing of another context.
func (s Suite) testAlteredReply(t *testing.T, mech gss.OID) {
	whole := s.establish(t, options{mech: mech, flags: gss.FlagMutual})
	for _, a := range alterations(len(whole.lastReply(t))) {
		p := s.begin(t, options{mech: mech, flags: gss.FlagMutual})
		reply := a.apply(p.untilReply(t))
		_, done, err := p.initiator.Step(t.Context(), reply)
		switch {
		case err != nil:
			checkRefused(t, p.initiator, done, err, reply)
			if p.initiator.Info().Flags.Has(gss.FlagMutual) {
				t.Error("FlagMutual is set after an error")
			}
		case a.must && done:
			t.Error("no error")
		}
		p.initiator.Close()
		p.acceptor.Close()
		if t.Failed() {
			t.Fatalf("failed for the reply with %s", a.name)
		}
	}
}

func (s Suite) testForeignReply(t *testing.T, mech gss.OID) {
	o := options{mech: mech, flags: gss.FlagMutual}
	other := s.begin(t, o)
	reply := other.untilReply(t)
	p := s.begin(t, o)
	p.untilReply(t)
	_, done, err := p.initiator.Step(t.Context(), reply)
	checkRefused(t, p.initiator, done, err, reply)
	if p.initiator.Info().Flags.Has(gss.FlagMutual) {
		t.Error("FlagMutual is set by the reply of another context")
	}
}

// untilReply runs both sides until the acceptor is done, and returns its last
// token undelivered.
func (p *pair) untilReply(t testing.TB) []byte {
	t.Helper()
	var in []byte
	for range maxPumped {
		out, _, err := p.initiator.Step(t.Context(), in)
		if err != nil {
			t.Fatalf("the initiator's Step: %v", err)
		}
		reply, done, err := p.acceptor.Step(t.Context(), out)
		if err != nil {
			t.Fatalf("the acceptor's Step: %v", err)
		}
		if len(reply) == 0 {
			t.Fatal("the acceptor of a mutual context made no reply")
		}
		if done {
			return reply
		}
		checkNobody(t, p.acceptor)
		in = reply
	}
	t.Fatalf("the acceptor is not done after %d legs", maxPumped)
	return nil
}

// lastReply is the acceptor's last token of a finished context.
func (p *pair) lastReply(t testing.TB) []byte {
	t.Helper()
	last := p.toInitiator[len(p.toInitiator)-1]
	if len(last) == 0 {
		t.Fatal("the acceptor of a mutual context made no reply")
	}
	return last
}

func (s Suite) testReplay(t *testing.T, mech gss.OID) {
	p := s.establish(t, options{mech: mech, flags: gss.FlagMutual})
	sc := s.accept(t, options{})
	_, done, err := sc.Step(t.Context(), p.toAcceptor[0])
	checkRefused(t, sc, done, err, p.toAcceptor[0])
	if !errors.Is(err, gss.ErrDuplicateToken) {
		t.Errorf("a replayed token gave %v, want ErrDuplicateToken", err)
	}
}

func (s Suite) testStepAfterEnd(t *testing.T, mech gss.OID) {
	t.Run("done", func(t *testing.T) {
		p := s.establish(t, options{mech: mech, flags: gss.FlagMutual})
		for _, sc := range []gss.SecContext{p.initiator, p.acceptor} {
			if _, _, err := sc.Step(t.Context(), p.toAcceptor[0]); err == nil {
				t.Error("a finished context took another Step")
			} else {
				checkError(t, err, p.toAcceptor[0])
			}
		}
	})
	t.Run("failed", func(t *testing.T) {
		sc := s.accept(t, options{})
		if _, _, err := sc.Step(t.Context(), []byte("garbage")); err == nil {
			t.Fatal("garbage was accepted")
		}
		tok, _ := s.firstToken(t, options{mech: mech})
		_, done, err := sc.Step(t.Context(), tok)
		checkRefused(t, sc, done, err, tok)
	})
	t.Run("closed", func(t *testing.T) {
		tok, _ := s.firstToken(t, options{mech: mech})
		sc := s.accept(t, options{})
		sc.Close()
		_, done, err := sc.Step(t.Context(), tok)
		checkRefused(t, sc, done, err, tok)
	})
}
