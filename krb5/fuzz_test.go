package krb5_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/spnego"
	"github.com/go-negotiate/negotiate/krb5"
)

// fixedWorld is a world in which keys and clock never change, so that tokens which
// were made once stay valid: those among the committed seeds.
type fixedWorld struct {
	tb      testing.TB
	service keytab.Entry
	now     time.Time
	options krb5.Options
}

func newFixedWorld(tb testing.TB) *fixedWorld {
	tb.Helper()
	w := &fixedWorld{tb: tb, now: time.Unix(1_800_000_000, 123456000).UTC()}
	w.service = keytab.Entry{
		Principal: principal.Service("KRB.TEST", "HTTP", "web.krb.test"), KVNO: 3, KeyType: int32(etype.AES256SHA1),
		Key: fixedKey(tb, etype.AES256SHA1, 100).Bytes(),
	}
	dir := tb.TempDir()
	kt, conf := filepath.Join(dir, "keytab"), filepath.Join(dir, "krb5.conf")
	if err := keytab.WriteFile(kt, &keytab.Keytab{Entries: []keytab.Entry{w.service}}); err != nil {
		tb.Fatal(err)
	}
	writeTo(tb, conf, "[libdefaults]\n default_realm = KRB.TEST\n dns_lookup_kdc = false\n")
	w.options = krb5.Options{Config: conf, Keytab: kt, CCache: w.forge().ccache(), Now: func() time.Time { return w.now }}
	return w
}

// forge begins a token of this world's time and keys.
func (w *fixedWorld) forge() *forgery { return forgeAt(w.tb, w.service, w.now) }

// provider has seen nothing yet.
func (w *fixedWorld) provider(tb testing.TB) *krb5.Provider {
	tb.Helper()
	p, err := krb5.New(w.options)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// bindings are what an acceptor of this world compares.
var bindings = &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:certificate")}

// requests are tokens that the acceptor takes, and some that are near to them.
func (w *fixedWorld) requests() [][]byte {
	plain, mskrb5, delegating, late := w.forge(), w.forge(), w.forge(), w.forge()
	mskrb5.oid = gss.MechMSKRB5
	tgt := w.forge()
	tgt.server = principal.TGS("KRB.TEST", "KRB.TEST")
	cred := delegating.cred(delegating.session, tgt.ticket(), krbmsg.CredInfo{Key: tgt.part.Key, Client: tgt.part.Client, Server: tgt.server, EndTime: tgt.part.EndTime})
	delegating.setChecksum(gss.FlagMutual|gss.FlagDelegate, cred)
	delegating.auth.Subkey = krbmsg.EncryptionKey{Type: 18, Value: fixedKey(w.tb, etype.AES256SHA1, 7).Bytes()}
	late.auth.Time = w.now.Add(-time.Hour)
	tokens := [][]byte{plain.token(), mskrb5.token(), delegating.token(), late.token()}
	init := spnego.NegTokenInit{MechTypes: []gss.OID{gss.MechMSKRB5, gss.MechKRB5, gss.MechNTLM}, MechToken: w.forge().token()}
	bound, _ := firstToken(w.tb, w.provider(w.tb), gss.InitiateOptions{ChannelBindings: bindings, Flags: gss.FlagMutual})
	return append(tokens, init.Append(nil), bound)
}

// FuzzAccept takes anything for the initiator's token. Whoever comes in by it is
// alice, whose keys nobody else has, and comes to this service; anything else
// leaves nobody.
func FuzzAccept(f *testing.F) {
	w := newFixedWorld(f)
	for _, token := range w.requests() {
		f.Add(token)
		f.Add(token[:len(token)/2])
	}
	for _, s := range []string{"", "NTLMSSP\x00", "\x60\x00", "\x60\x84\xff\xff\xff\xff\x06"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		for _, o := range []gss.AcceptOptions{{}, {ChannelBindings: bindings}} {
			sc, err := w.provider(t).Accept(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			out, done, err := sc.Step(t.Context(), token)
			info := sc.Info()
			switch {
			case err != nil && done:
				t.Error("done with an error")
			case done:
				if info.Initiator != gss.User("alice@KRB.TEST") || info.Acceptor != gss.Principal(service+"@KRB.TEST") {
					t.Errorf("%s came to %s", info.Initiator, info.Acceptor)
				}
				if d := info.Delegated; d != nil && d.Name() != info.Initiator {
					t.Errorf("%s delegated a credential of %s", info.Initiator, d.Name())
				}
			case !info.Initiator.IsZero() || !info.Acceptor.IsZero() || info.Delegated != nil:
				t.Errorf("not done, and %+v", info)
			case err == nil && len(out) == 0:
				t.Error("neither done nor an error nor a token")
			}
			sc.Close()
		}
	})
}

// FuzzAcceptInside takes anything for what is encrypted in a token, as somebody
// with the service's key could make it, or a KDC that has gone mad. Nothing
// panics, and whoever comes in is whom ticket and authenticator both name.
func FuzzAcceptInside(f *testing.F) {
	w := newFixedWorld(f)
	plain, delegating := w.forge(), w.forge()
	plain.auth.Subkey = krbmsg.EncryptionKey{Type: 18, Value: make([]byte, 32)}
	cred := delegating.cred(delegating.session, delegating.ticket(), krbmsg.CredInfo{Key: delegating.part.Key})
	delegating.setChecksum(gss.FlagDelegate, cred)
	delegating.part.Transited = []byte("A,B.")
	for _, v := range []*forgery{plain, delegating} {
		f.Add(v.part.Append(nil), v.auth.Append(nil))
	}
	f.Fuzz(func(t *testing.T, part, auth []byte) {
		v := forgeAt(t, w.service, w.now)
		ticket := krbmsg.Ticket{Server: v.server, Enc: v.encrypt(v.key, krbmsg.UsageTicket, part)}
		req := krbmsg.APReq{Ticket: ticket, Authenticator: v.encrypt(v.session, krbmsg.UsageAPReqAuthenticator, auth)}
		sc, err := w.provider(t).Accept(t.Context(), gss.AcceptOptions{ChannelBindings: bindings})
		if err != nil {
			t.Fatal(err)
		}
		_, done, _ := sc.Step(t.Context(), spnego.AppendInitialToken(nil, v.oid, req.Append([]byte(v.id))))
		info := sc.Info()
		if !done {
			if !info.Initiator.IsZero() || info.Delegated != nil {
				t.Errorf("not done, and %+v", info)
			}
			return
		}
		p, err1 := krbmsg.ParseEncTicketPart(part)
		a, err2 := krbmsg.ParseAuthenticator(auth)
		if err1 != nil || err2 != nil || !p.Client.Equal(a.Client) || info.Initiator.Value != p.Client.String() {
			t.Errorf("%s came in by a ticket of %s and an authenticator of %s (%v, %v)", info.Initiator, p.Client, a.Client, err1, err2)
		}
		m := sc.(gss.MessageProtector)
		if token, err := m.Wrap(true, []byte("m")); err == nil {
			m.Unwrap(token)
		}
		sc.Close()
	})
}

// replies are what the service answers in this world.
func (w *fixedWorld) replies() [][]byte {
	i := &impostor{session: fixedKey(w.tb, etype.AES256SHA1, 1)}
	i.auth.Time = w.now
	part := krbmsg.EncAPRepPart{Time: w.now, HasSeq: true, SeqNumber: 5, Subkey: krbmsg.EncryptionKey{Type: 18, Value: fixedKey(w.tb, etype.AES256SHA1, 9).Bytes()}}
	rep := i.reply(w.tb, i.session, krbmsg.UsageAPRepPart, part)
	resp := spnego.NegTokenResp{HasState: true, SupportedMech: gss.MechKRB5, ResponseToken: rep}
	return [][]byte{rep, resp.Append(nil), errorToken(krbmsg.ErrModified, "no")}
}

// FuzzInitiatorReply takes anything for the acceptor's reply. Only what was made
// with the key of the ticket proves that it is the service.
func FuzzInitiatorReply(f *testing.F) {
	w := newFixedWorld(f)
	for _, token := range w.replies() {
		f.Add(token, true)
		f.Add(token[:len(token)/2], false)
	}
	f.Fuzz(func(t *testing.T, reply []byte, spnego bool) {
		mech := gss.MechKRB5
		if spnego {
			mech = gss.MechSPNEGO
		}
		_, sc := firstToken(t, w.provider(t), gss.InitiateOptions{Mechanism: mech, Flags: gss.FlagMutual})
		_, done, err := sc.Step(t.Context(), reply)
		info := sc.Info()
		switch {
		case err != nil && done:
			t.Error("done with an error")
		case done:
			if !info.Flags.Has(gss.FlagMutual) || info.Acceptor != gss.Principal(service+"@KRB.TEST") {
				t.Errorf("established: %+v", info)
			}
		case info.Flags.Has(gss.FlagMutual) || !info.Acceptor.IsZero():
			t.Errorf("not done, and %+v", info)
		}
	})
}

// The seeds that are right are taken: else the fuzzers would see refusals only.
func TestFuzzSeeds(t *testing.T) {
	w := newFixedWorld(t)
	for i, token := range w.requests() {
		_, _, err := accept(t, w.provider(t), gss.AcceptOptions{ChannelBindings: bindings}, token)
		if (err == nil) == (i == 3) { // the late one
			t.Errorf("request %d: %v", i, err)
		}
	}
	for i, reply := range w.replies()[:2] {
		mech := []gss.OID{gss.MechKRB5, gss.MechSPNEGO}[i]
		_, sc := firstToken(t, w.provider(t), gss.InitiateOptions{Mechanism: mech, Flags: gss.FlagMutual})
		if _, done, err := sc.Step(t.Context(), reply); !done || err != nil {
			t.Errorf("reply %d: %t, %v", i, done, err)
		}
	}
}
