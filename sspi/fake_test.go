// Wine 8 lacks an option of UDP sockets that Go sets on Windows, and so krbtest.
//go:build !windows

package sspi

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// fakeSystem is secur32.dll as its documentation has it, over package krb5. It
// keeps count of handles: one that is used after its end, or is never released,
// fails the test.
type fakeSystem struct {
	t        testing.TB
	client   *krb5.Provider // whose default credential is the session's
	server   *krb5.Provider
	session  string
	wine     bool
	ntlm     bool // Negotiate falls back to NTLM
	late     bool // Negotiate shows in the end only that it has
	unnamed  bool
	early    bool   // the flag of mutual authentication comes with the first leg
	refuse   status // of every leg
	blocking chan struct{}
	entered  chan struct{}
	signing  func() // called by sign
	naming   func() // called by names

	mu        sync.Mutex
	next      uintptr
	creds     map[handle]gss.Credential
	contexts  map[handle]*fakeContext
	unbound   map[string]*fakeContext // by token
	passwords [][]uint16
	lists     []string
	requests  []uint32
	targets   []string
	freed     int
}

// fakeContext is a context of the fake.
type fakeContext struct {
	gss.SecContext
}

const fakeMaxToken = 12000

func newFake(t testing.TB) *fakeSystem {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "alice's password")
	kdc.AddService("HTTP/web.krb.test")
	f := &fakeSystem{
		t: t, client: kdc.Provider("alice"), server: kdc.Acceptor("HTTP/web.krb.test"), session: "alice@KRB.TEST",
		creds: make(map[handle]gss.Credential), contexts: make(map[handle]*fakeContext), unbound: make(map[string]*fakeContext),
	}
	t.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.creds) > 0 || len(f.contexts) > 0 {
			t.Errorf("%d credentials and %d contexts were never released", len(f.creds), len(f.contexts))
		}
	})
	return f
}

func (f *fakeSystem) provider() *Provider {
	p, err := newProvider(f)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f *fakeSystem) newHandle() handle {
	f.next++
	return handle{f.next, 7}
}

func (f *fakeSystem) packages() (map[string]uint32, status) {
	return map[string]uint32{"Negotiate": fakeMaxToken, "Kerberos": 4000, "NTLM": 2000, "Schannel": 1 << 20}, secOK
}

func (f *fakeSystem) acquire(pkg string, use uint32, id *authIdentity) (handle, int64, status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passwords = append(f.passwords, id.password)
	f.lists = append(f.lists, id.packageList)
	var cred gss.Credential
	var err error
	switch {
	case use == useInbound:
		cred, err = f.server.Acquire(context.Background(), gss.CredentialOptions{Usage: gss.UsageAccept})
	case id.set:
		runes := make([]rune, len(id.password))
		for i, u := range id.password {
			runes[i] = rune(u)
		}
		cred, err = f.client.FromPassword(id.user+"@"+id.domain, string(runes))
	default:
		cred, err = f.client.Acquire(context.Background(), gss.CredentialOptions{})
	}
	if err != nil {
		return handle{}, 0, secNoCredentials
	}
	h := f.newHandle()
	f.creds[h] = cred
	return h, stampOf(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)), secOK
}

// stampOf is the TimeStamp of the digits that t shows.
func stampOf(t time.Time) int64 { return (t.Unix() + epoch1601) * ticksPerSecond }

func (f *fakeSystem) freeCredential(h handle) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.creds[h]; !ok {
		f.t.Errorf("credential %v is freed twice", h)
	}
	delete(f.creds, h)
	f.freed++
}

func (f *fakeSystem) credentialName(h handle) (string, status) {
	if f.session == "" {
		return "", secUnsupported
	}
	return f.session, secOK
}

func (f *fakeSystem) initialize(c contextCall) contextResult {
	return f.leg(c, func(cred gss.Credential) (gss.SecContext, error) {
		f.targets = append(f.targets, c.target)
		return f.client.Initiate(context.Background(), gss.InitiateOptions{
			Credential: cred, Target: gss.Principal(c.target), Flags: initiatorFlags(c.request), ChannelBindings: decodeBindings(c.bindings),
		})
	}, func(flags gss.Flags) uint32 { return initiatorRequest(flags) })
}

func (f *fakeSystem) accept(c contextCall) contextResult {
	f.mu.Lock()
	missing := f.unbound[string(c.token)]
	f.mu.Unlock()
	r := f.leg(c, func(cred gss.Credential) (gss.SecContext, error) {
		if missing != nil && c.request&ascAllowMissingBindings != 0 {
			return missing.SecContext, nil
		}
		return f.server.Accept(context.Background(), gss.AcceptOptions{Credential: cred, ChannelBindings: decodeBindings(c.bindings)})
	}, func(flags gss.Flags) uint32 {
		req := initiatorRequest(flags) &^ (iscIntegrity | iscNullSession)
		if flags.Has(gss.FlagIntegrity) {
			req |= ascIntegrity
		}
		return req
	})
	if r.status == secOK && c.bindings != nil && c.request&ascAllowMissingBindings == 0 && !f.contexts[r.ctx].Info().Flags.Has(gss.FlagChannelBound) {
		// A second acceptance would be a replay for package krb5.
		f.mu.Lock()
		f.unbound[string(c.token)] = &fakeContext{SecContext: &finished{f.contexts[r.ctx].SecContext, r.out}}
		f.contexts[r.ctx].SecContext = nil
		f.mu.Unlock()
		r.out, r.attrs, r.status = nil, 0, secBadBindings
	}
	return r
}

// finished is a context that has taken its only token.
type finished struct {
	gss.SecContext
	out []byte
}

func (s *finished) Step(context.Context, []byte) ([]byte, bool, error) { return s.out, true, nil }

func (f *fakeSystem) leg(c contextCall, begin func(gss.Credential) (gss.SecContext, error), attrs func(gss.Flags) uint32) (r contextResult) {
	if f.blocking != nil {
		f.entered <- struct{}{}
		<-f.blocking
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r = contextResult{ctx: c.ctx}
	f.requests = append(f.requests, c.request)
	cred, ok := f.creds[c.cred]
	if !ok {
		f.t.Errorf("a context uses credential %v, which is freed", c.cred)
	}
	if c.maxToken != fakeMaxToken {
		f.t.Errorf("a leg has room for %d bytes, want those of the largest package", c.maxToken)
	}
	if c.ctx == (handle{}) {
		sc, err := begin(cred)
		if err != nil {
			r.status = statusOf(err)
			return r
		}
		r.ctx = f.newHandle()
		f.contexts[r.ctx] = &fakeContext{SecContext: sc}
	}
	if f.refuse != secOK {
		r.status = f.refuse
		return r
	}
	sc, ok := f.contexts[r.ctx]
	if !ok {
		f.t.Errorf("context %v is used after its end", r.ctx)
		r.status = 0x80090301
		return r
	}
	out, done, err := sc.Step(context.Background(), c.token)
	r.out = out
	switch {
	case err != nil:
		r.status = statusOf(err)
	case !done:
		r.status = secContinueNeeded
	default:
		r.attrs = attrs(sc.Info().Flags)
		if f.early {
			r.attrs |= reqMutual
		}
		r.expires = stampOf(sc.Info().Expires)
	}
	if f.ntlm {
		r.out = []byte("NTLMSSP\x00\x01\x00\x00\x00")
	}
	return r
}

func statusOf(err error) status {
	for _, known := range []struct {
		err error
		s   status
	}{
		{gss.ErrDuplicateToken, secOutOfSequence},
		{gss.ErrOldToken, secOutOfSequence},
		{gss.ErrUnseqToken, secOutOfSequence},
		{gss.ErrGapToken, secOutOfSequence},
		{gss.ErrBadBindings, secBadBindings},
		{gss.ErrNoCred, secNoCredentials},
		{gss.ErrDefectiveToken, secInvalidToken},
		{gss.ErrBadMIC, secMessageAltered},
	} {
		if errors.Is(err, known.err) {
			return known.s
		}
	}
	return secLogonDenied
}

// decodeBindings reads a SEC_CHANNEL_BINDINGS, as Windows does.
func decodeBindings(b []byte) *gss.ChannelBindings {
	if b == nil {
		return nil
	}
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
	part := func(i int) []byte {
		if at(i) == 0 {
			return nil
		}
		return b[at(i+1):][:at(i)]
	}
	return &gss.ChannelBindings{
		InitiatorAddrType: at(0), InitiatorAddress: part(1),
		AcceptorAddrType: at(3), AcceptorAddress: part(4),
		ApplicationData: part(6),
	}
}

func (f *fakeSystem) deleteContext(h handle) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sc, ok := f.contexts[h]
	if !ok {
		f.t.Errorf("context %v is deleted twice", h)
		return
	}
	if sc.SecContext != nil {
		sc.Close()
	}
	delete(f.contexts, h)
}

func (f *fakeSystem) get(h handle) *fakeContext {
	f.mu.Lock()
	defer f.mu.Unlock()
	sc, ok := f.contexts[h]
	if !ok {
		f.t.Errorf("context %v is used after its end", h)
	}
	return sc
}

func (f *fakeSystem) names(h handle) (client, server string, s status) {
	if f.naming != nil {
		f.naming()
	}
	if f.unnamed {
		return "", "", secUnsupported
	}
	info := f.get(h).Info()
	return info.Initiator.Value, info.Acceptor.Value, secOK
}

func (f *fakeSystem) negotiated(h handle) (string, status) {
	f.get(h)
	if f.late {
		return "NTLM", secOK
	}
	return "Kerberos", secOK
}

func (f *fakeSystem) delegated(ctx handle, _ string) (handle, int64, status) {
	cred := f.get(ctx).Info().Delegated
	if cred == nil {
		return handle{}, 0, secNoCredentials
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.newHandle()
	f.creds[h] = cred
	return h, 0, secOK
}

func (f *fakeSystem) sizes(h handle) (contextSizes, status) {
	f.get(h)
	return contextSizes{fakeMaxToken, 60, 16, 60}, secOK
}

func (f *fakeSystem) protector(h handle) gss.MessageProtector {
	sc := f.get(h).SecContext
	if s, ok := sc.(*finished); ok {
		sc = s.SecContext
	}
	return sc.(gss.MessageProtector)
}

// encrypt puts what it adds into the first buffer and leaves the padding empty.
func (f *fakeSystem) encrypt(h handle, qop uint32, b []buffer) status {
	tok, err := f.protector(h).Wrap(qop != noEncrypt, b[1].data)
	if err != nil {
		return statusOf(err)
	}
	more := len(tok) - len(b[1].data)
	if b[0].kind != bufferToken || b[1].kind != bufferData || b[2].kind != bufferPadding || more > len(b[0].data) {
		f.t.Errorf("EncryptMessage has the wrong buffers")
	}
	b[0].data = b[0].data[:copy(b[0].data, tok[:more])]
	copy(b[1].data, tok[more:])
	b[2].data = b[2].data[:0]
	return secOK
}

func (f *fakeSystem) decrypt(h handle, b []buffer) (uint32, status) {
	if b[0].kind != bufferStream || b[1].kind != bufferData || b[1].data != nil {
		f.t.Errorf("DecryptMessage has the wrong buffers")
	}
	msg, conf, err := f.protector(h).Unwrap(b[0].data)
	if err != nil {
		return 0, statusOf(err)
	}
	b[1].data = b[0].data[:copy(b[0].data, msg)]
	if !conf {
		return noEncrypt, secOK
	}
	return 0, secOK
}

func (f *fakeSystem) sign(h handle, b []buffer) status {
	if f.signing != nil {
		f.signing()
	}
	mic, err := f.protector(h).GetMIC(b[0].data)
	if err != nil {
		return statusOf(err)
	}
	b[1].data = b[1].data[:copy(b[1].data, mic)]
	return secOK
}

func (f *fakeSystem) verify(h handle, b []buffer) status {
	if err := f.protector(h).VerifyMIC(b[0].data, bytes.Clone(b[1].data)); err != nil {
		return statusOf(err)
	}
	return secOK
}

func (f *fakeSystem) isWine() bool { return f.wine }
