package krb5_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/spnego"
	"github.com/go-negotiate/negotiate/krb5"
)

// impostor is somebody who answers an initiator. The session key it has is that
// of the ticket, as only the service can have it, unless a test takes another.
type impostor struct {
	session *etype.Key
	auth    krbmsg.Authenticator
}

// spy opens a token with the service's key.
func spy(tb testing.TB, keytab string, token []byte) *impostor {
	tb.Helper()
	_, inner, err := spnego.ParseInitialToken(token)
	if err != nil {
		tb.Fatal(err)
	}
	req, err := krbmsg.ParseAPReq(inner[2:])
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range keysIn(tb, keytab) {
		if e.KeyType != req.Ticket.Enc.EType || e.KVNO != req.Ticket.Enc.KVNO {
			continue
		}
		plain, err := newKey(tb, e.KeyType, e.Key).AppendDecrypt(nil, krbmsg.UsageTicket, req.Ticket.Enc.Cipher)
		if err != nil {
			tb.Fatal(err)
		}
		part, err := krbmsg.ParseEncTicketPart(plain)
		if err != nil {
			tb.Fatal(err)
		}
		i := &impostor{session: newKey(tb, part.Key.Type, part.Key.Value)}
		if plain, err = i.session.AppendDecrypt(nil, krbmsg.UsageAPReqAuthenticator, req.Authenticator.Cipher); err != nil {
			tb.Fatal(err)
		}
		if i.auth, err = krbmsg.ParseAuthenticator(plain); err != nil {
			tb.Fatal(err)
		}
		return i
	}
	tb.Fatal("the keytab does not open the ticket")
	return nil
}

// reply makes an AP-REP token.
func (i *impostor) reply(tb testing.TB, key *etype.Key, usage uint32, part krbmsg.EncAPRepPart) []byte {
	tb.Helper()
	cipher, err := key.AppendEncrypt(nil, usage, part.Append(nil))
	if err != nil {
		tb.Fatal(err)
	}
	rep := krbmsg.APRep{Enc: krbmsg.EncryptedData{EType: int32(key.Type()), Cipher: cipher}}
	return spnego.AppendInitialToken(nil, gss.MechKRB5, rep.Append([]byte("\x02\x00")))
}

func errorToken(code krbmsg.ErrorCode, text string) []byte {
	e := krbmsg.KRBError{Code: code, Text: text, ServerTime: time.Now(), Server: principal.Service("KRB.TEST", "HTTP", "web.krb.test")}
	return spnego.AppendInitialToken(nil, gss.MechKRB5, e.Append([]byte("\x03\x00")))
}

// Only the holder of the ticket's key, answering this very request, is taken for
// the service.
func TestInitiatorRefusesReply(t *testing.T) {
	kdc := realm(t)
	kt := kdc.Keytab(service)
	p := provider(t, kdc, func(o *krb5.Options) { o.Keytab = kt })
	mutual := gss.InitiateOptions{Flags: gss.FlagMutual}
	oldToken, _ := firstToken(t, p, mutual)
	oldReply, _, err := accept(t, p, gss.AcceptOptions{}, oldToken)
	if err != nil {
		t.Fatal(err)
	}
	right := func(i *impostor) krbmsg.EncAPRepPart { return krbmsg.EncAPRepPart{Time: i.auth.Time} }
	at := func(i *impostor, d time.Duration) krbmsg.EncAPRepPart {
		return krbmsg.EncAPRepPart{Time: i.auth.Time.Add(d)}
	}
	for _, test := range []struct {
		name  string
		reply func(i *impostor, token []byte) []byte
		kind  gss.Major
		part  string
	}{
		{"nothing", func(*impostor, []byte) []byte { return nil }, gss.ErrDefectiveToken, "empty"},
		{"garbage", func(*impostor, []byte) []byte { return []byte("garbage") }, gss.ErrDefectiveToken, ""},
		{"its own token", func(_ *impostor, token []byte) []byte { return token }, gss.ErrDefectiveToken, "neither an AP-REP nor an error"},
		{"reply of another context", func(*impostor, []byte) []byte { return oldReply }, gss.ErrBadMIC, "answers another request"},
		{"a microsecond later", func(i *impostor, _ []byte) []byte {
			return i.reply(t, i.session, krbmsg.UsageAPRepPart, at(i, time.Microsecond))
		}, gss.ErrBadMIC, "answers another request"},
		{"a second earlier", func(i *impostor, _ []byte) []byte {
			return i.reply(t, i.session, krbmsg.UsageAPRepPart, at(i, -time.Second))
		}, gss.ErrBadMIC, "answers another request"},
		{"other key", func(i *impostor, _ []byte) []byte {
			return i.reply(t, fixedKey(t, etype.AES256SHA1, 3), krbmsg.UsageAPRepPart, right(i))
		}, gss.ErrBadMIC, "has not proved that it is " + service},
		{"key of another type", func(i *impostor, _ []byte) []byte {
			return i.reply(t, fixedKey(t, etype.RC4HMAC, 3), krbmsg.UsageAPRepPart, right(i))
		}, gss.ErrBadMIC, "has not proved"},
		{"the client's own sub-key", func(i *impostor, _ []byte) []byte {
			return i.reply(t, newKey(t, i.auth.Subkey.Type, i.auth.Subkey.Value), krbmsg.UsageAPRepPart, right(i))
		}, gss.ErrBadMIC, "has not proved"},
		{"other usage", func(i *impostor, _ []byte) []byte {
			return i.reply(t, i.session, krbmsg.UsageAPReqAuthenticator, right(i))
		}, gss.ErrBadMIC, "has not proved"},
		{"under a false label", func(i *impostor, _ []byte) []byte {
			_, inner, _ := spnego.ParseInitialToken(i.reply(t, i.session, krbmsg.UsageAPRepPart, right(i)))
			rep, err := krbmsg.ParseAPRep(inner[2:])
			if err != nil {
				t.Fatal(err)
			}
			rep.Enc.EType = int32(etype.AES128SHA1)
			return spnego.AppendInitialToken(nil, gss.MechKRB5, rep.Append([]byte("\x02\x00")))
		}, gss.ErrBadMIC, "has not proved"},
		{"sub-key too long", func(i *impostor, _ []byte) []byte {
			part := right(i)
			part.Subkey = krbmsg.EncryptionKey{Type: 18, Value: make([]byte, 33)}
			return i.reply(t, i.session, krbmsg.UsageAPRepPart, part)
		}, gss.ErrDefectiveToken, "sub-key"},
		{"trailer", func(i *impostor, _ []byte) []byte {
			return append(i.reply(t, i.session, krbmsg.UsageAPRepPart, right(i)), 0)
		}, gss.ErrDefectiveToken, ""},
		{"of another mechanism", func(i *impostor, _ []byte) []byte {
			_, inner, _ := spnego.ParseInitialToken(i.reply(t, i.session, krbmsg.UsageAPRepPart, right(i)))
			return spnego.AppendInitialToken(nil, "\x2a\x03", inner)
		}, gss.ErrBadMech, "1.2.3"},
		{"too long", func(*impostor, []byte) []byte { return make([]byte, 1<<18) }, gss.ErrDefectiveToken, "at most 131072"},
	} {
		t.Run(test.name, func(t *testing.T) {
			token, sc := firstToken(t, p, mutual)
			out, done, err := sc.Step(t.Context(), test.reply(spy(t, kt, token), token))
			if done || len(out) > 0 {
				t.Errorf("done is %t, and there is a token of %d octets", done, len(out))
			}
			wantError(t, err, []error{test.kind}, test.part)
			if info := sc.Info(); info.Flags != 0 || !info.Initiator.IsZero() || !info.Acceptor.IsZero() {
				t.Errorf("the context is %+v", info)
			}
			// It is dead, also for the right answer.
			i := spy(t, kt, token)
			if _, done, err := sc.Step(t.Context(), i.reply(t, i.session, krbmsg.UsageAPRepPart, right(i))); done || err == nil {
				t.Error("a dead context takes the right answer")
			}
		})
	}
	t.Run("the right one", func(t *testing.T) {
		token, sc := firstToken(t, p, mutual)
		i := spy(t, kt, token)
		reply := i.reply(t, i.session, krbmsg.UsageAPRepPart, right(i))
		if _, done, err := sc.Step(t.Context(), reply); !done || err != nil {
			t.Fatal(done, err)
		}
		if !sc.Info().Flags.Has(gss.FlagMutual) {
			t.Error("it is not mutual")
		}
		_, done, err := sc.Step(t.Context(), reply)
		wantError(t, err, []error{gss.ErrDefectiveToken}, "after the context was finished")
		if done || !sc.Info().Initiator.IsZero() {
			t.Error("the replayed answer left a context")
		}
	})
}

// An acceptor that refuses says why, during the context and, if that needs no
// answer, after it. Nothing it says changes what is cached.
func TestInitiatorIsRefused(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc, countable(t, kdc))
	for _, test := range []struct {
		code  krbmsg.ErrorCode
		text  string
		minor uint32
		parts []string
	}{
		{krbmsg.ErrModified, "", 41, []string{"refused the ticket for " + service, "KRB_AP_ERR_MODIFIED", "export the keytab again"}},
		{krbmsg.ErrSkew, "", 37, []string{"its clock says 20", "and ours 20"}},
		{krbmsg.ErrTktExpired, "", 32, []string{"the ticket ends at 20", "its clock says 20"}},
		{krbmsg.ErrRepeat, "", 34, []string{"KRB_AP_ERR_REPEAT"}},
		{krbmsg.ErrGeneric, "go away\x1b[2J\n", 60, []string{`go away`}},
		{0, "", 60, []string{service}},
		{4711, "", 4711, []string{"Kerberos error 4711"}},
	} {
		for _, flags := range []gss.Flags{0, gss.FlagMutual} {
			kdc.ResetRequests()
			_, sc := firstToken(t, p, gss.InitiateOptions{Flags: flags})
			_, done, err := sc.Step(t.Context(), errorToken(test.code, test.text))
			wantError(t, err, []error{gss.ErrFailure}, test.parts...)
			e, ok := errors.AsType[*gss.Error](err)
			if !ok || e.Minor != test.minor || e.Mech != gss.MechKRB5 {
				t.Errorf("minor %d of %s, want %d", e.Minor, e.Mech.Describe(), test.minor)
			}
			if done || !sc.Info().Initiator.IsZero() || sc.Info().Flags != 0 {
				t.Errorf("after the refusal the context is %+v", sc.Info())
			}
			if strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("the error repeats what disturbs a terminal: %q", err)
			}
			_, _, err = sc.Step(t.Context(), errorToken(test.code, test.text))
			wantError(t, err, []error{gss.ErrDefectiveToken}, "after the context had ended")
			firstToken(t, p, gss.InitiateOptions{})
			if n := kdc.Requests().TGS; n > 1 {
				t.Errorf("%v: %d TGS-REQs: what somebody said had a ticket dropped", test.code, n)
			}
		}
	}
	t.Run("garbage", func(t *testing.T) {
		_, sc := firstToken(t, p, gss.InitiateOptions{Flags: gss.FlagMutual})
		_, _, err := sc.Step(t.Context(), spnego.AppendInitialToken(nil, gss.MechKRB5, []byte("\x03\x00garbage")))
		wantError(t, err, []error{gss.ErrDefectiveToken})
	})
	t.Run("after a mutual context", func(t *testing.T) {
		i, _ := establish(t, p, p, gss.InitiateOptions{Flags: gss.FlagMutual}, gss.AcceptOptions{})
		_, _, err := i.Step(t.Context(), errorToken(krbmsg.ErrModified, ""))
		wantError(t, err, []error{gss.ErrDefectiveToken}, "after the context was finished")
	})
	t.Run("another token after a context that needed none", func(t *testing.T) {
		token, sc := firstToken(t, p, gss.InitiateOptions{})
		_, _, err := sc.Step(t.Context(), token)
		wantError(t, err, []error{gss.ErrDefectiveToken}, "after the context was finished")
	})
}

// Who wants to stay unknown is not named instead.
func TestNotAnonymous(t *testing.T) {
	p := provider(t, realm(t))
	_, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: target, Flags: gss.FlagMutual | gss.FlagAnonymous})
	wantError(t, err, []error{gss.ErrUnavailable}, "FlagAnonymous")
}

// A token of the acceptor comes after the first of the initiator, not before.
func TestInitiatorSpeaksFirst(t *testing.T) {
	p := provider(t, realm(t))
	for _, in := range [][]byte{{}, []byte("x")} {
		sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: target, Mechanism: gss.MechKRB5})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = sc.Step(t.Context(), in)
		wantError(t, err, []error{gss.ErrDefectiveToken}, "before the first of the initiator")
	}
}

// Until it is done a context tells nothing, and once closed neither.
func TestInfo(t *testing.T) {
	p := provider(t, realm(t))
	sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: target, Mechanism: gss.MechKRB5, Flags: gss.FlagMutual})
	if err != nil {
		t.Fatal(err)
	}
	nobody := gss.ContextInfo{Mechanism: gss.MechKRB5}
	if got := sc.Info(); got != nobody {
		t.Errorf("before the first Step: %+v", got)
	}
	token, _, err := sc.Step(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := sc.Info(); got != nobody {
		t.Errorf("before the answer: %+v", got)
	}
	reply, a, err := accept(t, p, gss.AcceptOptions{}, token)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := sc.Step(t.Context(), reply); err != nil {
		t.Fatal(err)
	}
	for _, c := range []gss.SecContext{sc, a} {
		info := c.Info()
		if info.Initiator != gss.User("alice@KRB.TEST") || info.Acceptor != gss.Principal(service+"@KRB.TEST") ||
			!info.Flags.Has(gss.FlagMutual|gss.FlagIntegrity|gss.FlagConfidentiality) || time.Until(info.Expires) < 23*time.Hour {
			t.Errorf("established: %+v", info)
		}
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := c.Info(); got != nobody {
			t.Errorf("closed: %+v", got)
		}
		if _, err := c.(gss.MessageProtector).GetMIC(nil); !errors.Is(err, gss.ErrNoContext) {
			t.Errorf("closed: GetMIC: %v", err)
		}
		if _, _, err := c.Step(t.Context(), reply); err == nil {
			t.Error("closed: Step succeeded")
		}
	}
}

// A context that ends while the target's ticket is in the cache is not begun.
func TestContextEnded(t *testing.T) {
	p := provider(t, realm(t))
	token, _ := firstToken(t, p, gss.InitiateOptions{})
	cause := errors.New("too late")
	ctx, cancel := context.WithCancelCause(t.Context())
	sc, err := p.Accept(ctx, gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if _, err := p.Initiate(ctx, gss.InitiateOptions{Target: target}); !errors.Is(err, cause) {
		t.Errorf("Initiate: %v", err)
	}
	if _, err := p.Accept(ctx, gss.AcceptOptions{}); !errors.Is(err, cause) {
		t.Errorf("Accept: %v", err)
	}
	if _, _, err := sc.Step(ctx, token); !errors.Is(err, cause) || !sc.Info().Initiator.IsZero() {
		t.Errorf("Step: %v", err)
	}
	if _, err := p.Acquire(ctx, gss.CredentialOptions{}); !errors.Is(err, cause) {
		t.Errorf("Acquire: %v", err)
	}
}

// Each authenticator has a key and a number of its own.
func TestFreshSecrets(t *testing.T) {
	kdc := realm(t)
	kt := kdc.Keytab(service)
	p := provider(t, kdc)
	numbers := make(map[uint32]bool)
	var keys [][]byte
	for range 50 {
		token, _ := firstToken(t, p, gss.InitiateOptions{})
		i := spy(t, kt, token)
		if n := i.auth.SeqNumber; numbers[n] || n >= 1<<30 || !i.auth.HasSeq {
			t.Errorf("sequence number %d", n)
		}
		numbers[i.auth.SeqNumber] = true
		for _, k := range append(keys, i.session.Bytes()) {
			if bytes.Equal(k, i.auth.Subkey.Value) {
				t.Error("a sub-key is used twice")
			}
		}
		keys = append(keys, i.auth.Subkey.Value)
	}
}
