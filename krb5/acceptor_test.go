package krb5_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/spnego"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// errorOf reads a KRB-ERROR token.
func errorOf(t *testing.T, token []byte) *krbmsg.KRBError {
	t.Helper()
	_, inner, err := spnego.ParseInitialToken(token)
	if err != nil || len(inner) < 2 || string(inner[:2]) != "\x03\x00" {
		t.Fatalf("no error token of % x: %v", token, err)
	}
	e, err := krbmsg.ParseKRBError(inner[2:])
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Whatever is wrong with a token that its maker could make, it is refused, the
// client is told with the right code, and nobody is named.
func TestRefused(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	own := principal.Service("KRB.TEST", "HTTP", "web.krb.test")
	for _, test := range []struct {
		name   string
		change func(*forgery)
		code   krbmsg.ErrorCode
		kind   gss.Major
		parts  []string
	}{
		{"other service", func(f *forgery) {
			f.server, f.key = principal.Service("KRB.TEST", "HTTP", "other.krb.test"), fixedKey(t, etype.AES256SHA1, 9)
		}, krbmsg.ErrNotUs, gss.ErrFailure, []string{"HTTP/other.krb.test@KRB.TEST", "no such principal", own.String()}},
		{"same service of another realm", func(f *forgery) { f.server.Realm, f.key = "OTHER.TEST", fixedKey(t, etype.AES256SHA1, 9) }, krbmsg.ErrNotUs, gss.ErrFailure, []string{"@OTHER.TEST"}},
		{"other key", func(f *forgery) { f.key = fixedKey(t, etype.AES256SHA1, 9) }, krbmsg.ErrModified, gss.ErrFailure, []string{own.String(), "rekeyed", "export the keytab again"}},
		{"type without key", func(f *forgery) { f.key = fixedKey(t, etype.RC4HMAC, 9) }, krbmsg.ErrNoKey, gss.ErrFailure, []string{"encrypted with arcfour-hmac, which is not permitted", "give the account of " + service, "allow_weak_crypto"}},
		{"RC4 session key", func(f *forgery) {
			f.session = fixedKey(t, etype.RC4HMAC, 1)
			f.part.Key = krbmsg.EncryptionKey{Type: 23, Value: f.session.Bytes()}
		}, krbmsg.ErrETypeNoSupp, gss.ErrDefectiveToken, []string{"session key", "arcfour-hmac", "not permitted"}},
		{"session key of no type", func(f *forgery) { f.part.Key.Type = 1 }, krbmsg.ErrETypeNoSupp, gss.ErrDefectiveToken, []string{"session key"}},
		{"session key too short", func(f *forgery) { f.part.Key.Value = f.part.Key.Value[:8] }, krbmsg.ErrETypeNoSupp, gss.ErrDefectiveToken, []string{"session key"}},
		{"user-to-user", func(f *forgery) { f.options |= krbmsg.APUseSessionKey }, krbmsg.ErrNoKey, gss.ErrDefectiveToken, []string{"user-to-user"}},
		{"expired", func(f *forgery) { f.part.EndTime = time.Now().Add(-6 * time.Minute) }, krbmsg.ErrTktExpired, gss.ErrCredentialsExpired, []string{"alice@KRB.TEST", "expired at"}},
		{"not yet valid", func(f *forgery) { f.part.StartTime = time.Now().Add(6 * time.Minute) }, krbmsg.ErrTktNYV, gss.ErrFailure, []string{"valid only from"}},
		{"not yet valid by authtime", func(f *forgery) { f.part.AuthTime = time.Now().Add(6 * time.Minute) }, krbmsg.ErrTktNYV, gss.ErrFailure, []string{"valid only from"}},
		{"invalid flag", func(f *forgery) { f.part.Flags |= krbmsg.FlagInvalid }, krbmsg.ErrTktNYV, gss.ErrFailure, []string{"post-dated"}},
		{"ticket without client", func(f *forgery) { f.part.Client.Components, f.auth.Client.Components = nil, nil }, krbmsg.ErrModified, gss.ErrDefectiveToken, nil},
		{"ticket without realm", func(f *forgery) { f.part.Client.Realm, f.auth.Client.Realm = "", "" }, krbmsg.ErrBadMatch, gss.ErrDefectiveToken, []string{"names no client"}},
		{"clock ahead", func(f *forgery) { f.auth.Time = time.Now().Add(6 * time.Minute) }, krbmsg.ErrSkew, gss.ErrFailure, []string{"the client's clock says", "5m0s"}},
		{"clock behind", func(f *forgery) { f.auth.Time = time.Now().Add(-6 * time.Minute) }, krbmsg.ErrSkew, gss.ErrFailure, []string{"the client's clock says"}},
		{"other client", func(f *forgery) { f.auth.Client = principal.New("KRB.TEST", "bob") }, krbmsg.ErrBadMatch, gss.ErrFailure, []string{"alice@KRB.TEST", "bob@KRB.TEST"}},
		{"same client of another realm", func(f *forgery) { f.auth.Client.Realm = "OTHER.TEST" }, krbmsg.ErrBadMatch, gss.ErrFailure, []string{"alice@OTHER.TEST"}},
		{"client with more components", func(f *forgery) { f.auth.Client = principal.New("KRB.TEST", "alice", "admin") }, krbmsg.ErrBadMatch, gss.ErrFailure, nil},
		{"authenticator under another key", func(f *forgery) { f.session = fixedKey(t, etype.AES256SHA1, 7) }, krbmsg.ErrBadIntegrity, gss.ErrBadMIC, []string{"has not got the ticket from the KDC"}},
		{"authenticator under a key of another type", func(f *forgery) { f.session = fixedKey(t, etype.AES128SHA1, 1) }, krbmsg.ErrBadIntegrity, gss.ErrDefectiveToken, []string{"aes128-cts-hmac-sha1-96"}},
		{"no checksum", func(f *forgery) { f.auth.Checksum = krbmsg.Checksum{} }, krbmsg.ErrInappCksum, gss.ErrDefectiveToken, []string{"GSS-API checksum"}},
		{"checksum of another type", func(f *forgery) { f.auth.Checksum.Type = 16 }, krbmsg.ErrInappCksum, gss.ErrDefectiveToken, []string{"GSS-API checksum"}},
		{"short checksum", func(f *forgery) { f.auth.Checksum.Sum = f.auth.Checksum.Sum[:23] }, krbmsg.ErrInappCksum, gss.ErrDefectiveToken, []string{"malformed"}},
		{"checksum with another length", func(f *forgery) { f.auth.Checksum.Sum[0] = 17 }, krbmsg.ErrInappCksum, gss.ErrDefectiveToken, []string{"malformed"}},
		{"delegation without credential", func(f *forgery) { f.setChecksum(gss.FlagDelegate, nil) }, krbmsg.ErrInappCksum, gss.ErrDefectiveToken, []string{"malformed"}},
		{"delegation cut off", func(f *forgery) {
			f.setChecksum(gss.FlagDelegate, make([]byte, 10))
			f.auth.Checksum.Sum = f.auth.Checksum.Sum[:30]
		}, krbmsg.ErrInappCksum, gss.ErrDefectiveToken, []string{"malformed"}},
		{"delegation of garbage", func(f *forgery) { f.setChecksum(gss.FlagDelegate, make([]byte, 100)) }, krbmsg.ErrModified, gss.ErrDefectiveToken, []string{"delegated credential of alice@KRB.TEST"}},
		{"sub-key too long", func(f *forgery) { f.auth.Subkey = krbmsg.EncryptionKey{Type: 18, Value: make([]byte, 33)} }, krbmsg.ErrETypeNoSupp, gss.ErrDefectiveToken, []string{"sub-key"}},
		{"from a realm that nobody approved", func(f *forgery) {
			f.part.Client.Realm, f.auth.Client.Realm = "FAR.TEST", "FAR.TEST"
			f.part.Transited = []byte("EVIL.TEST")
		}, 51, gss.ErrUnauthorized, []string{"alice@FAR.TEST", "EVIL.TEST"}},
		{"from a realm by an unknown encoding", func(f *forgery) {
			f.part.Client.Realm, f.auth.Client.Realm = "FAR.TEST", "FAR.TEST"
			f.part.TransitedType, f.part.Transited = 2, []byte("x")
		}, 51, gss.ErrUnauthorized, []string{"cannot be understood"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := forge(t, kdc)
			test.change(f)
			refusal, _, err := accept(t, p, gss.AcceptOptions{}, f.token())
			wantError(t, err, []error{test.kind}, test.parts...)
			e, ok := errors.AsType[*gss.Error](err)
			if !ok || e.Minor != uint32(test.code) {
				t.Errorf("the minor code is not %d: %#v", test.code, err)
			}
			if told := errorOf(t, refusal); told.Code != test.code || !told.Server.Equal(f.server) {
				t.Errorf("the client is told %v about %v", told.Code, told.Server)
			}
		})
	}
}

// What is unusual and right is accepted.
func TestAccepted(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	const mutual = gss.FlagMutual
	for _, test := range []struct {
		name   string
		change func(*forgery)
		flags  gss.Flags // beside integrity
		reply  bool
		client string // "": alice
	}{
		{"ordinary", func(*forgery) {}, mutual, true, ""},
		{"Microsoft's number", func(f *forgery) { f.oid = gss.MechMSKRB5 }, mutual, true, ""},
		{"no key version", func(f *forgery) { f.kvno = 0 }, mutual, true, ""},
		{"renumbered key", func(f *forgery) { f.kvno = 77 }, mutual, true, ""},
		{"alias of the service", func(f *forgery) { f.server = principal.Service("KRB.TEST", "HTTP", "alias.krb.test") }, mutual, true, ""},
		{"expired a moment ago", func(f *forgery) { f.part.EndTime = time.Now().Add(-4 * time.Minute) }, mutual, true, ""},
		{"valid in a moment", func(f *forgery) { f.part.StartTime = time.Now().Add(4 * time.Minute) }, mutual, true, ""},
		{"clock ahead", func(f *forgery) { f.auth.Time = time.Now().Add(4 * time.Minute) }, mutual, true, ""},
		{"clock behind", func(f *forgery) { f.auth.Time = time.Now().Add(-4 * time.Minute) }, mutual, true, ""},
		// The option is not protected, the flag is.
		{"mutual by flag", func(f *forgery) { f.options = 0 }, mutual, true, ""},
		{"mutual by option only", func(f *forgery) { f.setChecksum(gss.FlagIntegrity, nil) }, 0, false, ""},
		{"reserved options", func(f *forgery) { f.options |= 1 }, mutual, true, ""},
		{"no sequence number", func(f *forgery) { f.auth.HasSeq = false }, mutual, true, ""},
		{"sub-key of no type", func(f *forgery) {
			f.auth.Subkey = krbmsg.EncryptionKey{Type: 1, Value: make([]byte, 8)}
			f.setChecksum(gss.FlagIntegrity, nil)
		}, 0, false, ""},
		{"unknown flags", func(f *forgery) {
			f.setChecksum(mutual|gss.FlagIntegrity|gss.FlagDelegatePolicy|gss.FlagAnonymous|gss.FlagChannelBound|1<<12|1<<30, nil)
		}, mutual, true, ""},
		{"extensions of the checksum", func(f *forgery) { f.auth.Checksum.Sum = append(f.auth.Checksum.Sum, 0, 0, 0, 1, 0, 0, 0, 0) }, mutual, true, ""},
		{"anonymous by flag", func(f *forgery) { f.part.Flags |= krbmsg.FlagAnonymousTick }, mutual | gss.FlagAnonymous, true, ""},
		{"anonymous by name", func(f *forgery) {
			f.part.Client = principal.New("WELLKNOWN:ANONYMOUS", "WELLKNOWN", "ANONYMOUS")
			f.auth.Client = f.part.Client
		}, mutual | gss.FlagAnonymous, true, "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS"},
		{"approved realms on the way", func(f *forgery) {
			f.part.Client.Realm, f.auth.Client.Realm = "FAR.TEST", "FAR.TEST"
			f.part.Transited, f.part.Flags = []byte("X.TEST,Y.TEST"), krbmsg.FlagTransited
		}, mutual, true, "alice@FAR.TEST"},
		{"realms on the way that the names tell", func(f *forgery) {
			f.part.Client.Realm, f.auth.Client.Realm = "FAR.AWAY.KRB.TEST", "FAR.AWAY.KRB.TEST"
			f.part.Transited = []byte("AWAY.KRB.TEST")
		}, mutual, true, "alice@FAR.AWAY.KRB.TEST"},
		{"a name that needs escapes", func(f *forgery) {
			f.part.Client = principal.New("KRB.TEST", "bob@KRB.TEST", "x/y\x00")
			f.auth.Client = f.part.Client
		}, mutual, true, `bob\@KRB.TEST/x\/y\0@KRB.TEST`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := forge(t, kdc)
			test.change(f)
			reply, sc, err := accept(t, p, gss.AcceptOptions{}, f.token())
			if err != nil {
				t.Fatal(err)
			}
			if (len(reply) > 0) != test.reply {
				t.Errorf("a reply of %d octets", len(reply))
			}
			info := sc.Info()
			want := gss.ContextInfo{
				Mechanism: f.oid, Initiator: gss.User("alice@KRB.TEST"), Acceptor: gss.Principal(service + "@KRB.TEST"),
				Flags: test.flags | gss.FlagIntegrity, Expires: f.part.EndTime.UTC().Truncate(time.Second),
			}
			if test.client != "" {
				want.Initiator.Value = test.client
				if len(f.part.Client.Components) > 1 {
					want.Initiator.Type = gss.NamePrincipal
				}
			}
			if info != want {
				t.Errorf("got %+v\nwant %+v", info, want)
			}
			sc.(gss.MessageProtector).GetMIC(nil) // must not panic
		})
	}
}

// RC4 is taken where krb5.conf permits it, and there only.
func TestRC4(t *testing.T) {
	kdc := krbtest.NewKDC(t, krbtest.WithRC4())
	kdc.AddPrincipal("alice", "")
	kdc.AddService(service, krbtest.Enctypes("arcfour-hmac"))
	p := provider(t, kdc)
	establish(t, p, p, gss.InitiateOptions{Flags: gss.FlagMutual}, gss.AcceptOptions{})
	token, _ := firstToken(t, p, gss.InitiateOptions{})
	for libdefaults, want := range map[string]bool{
		"": false, " allow_weak_crypto = false": false, " allow_rc4 = true": true, " allow_weak_crypto = true": true,
		" permitted_enctypes = arcfour-hmac aes256-cts": false,
	} {
		o := krb5.Options{Config: config(t, nil, libdefaults, ""), Keytab: kdc.Keytab(service)}
		strict, err := krb5.New(o)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = accept(t, strict, gss.AcceptOptions{}, token)
		if want && err != nil {
			t.Errorf("with %q: %v", libdefaults, err)
		}
		if !want {
			wantError(t, err, []error{gss.ErrNoCred}, o.Keytab, "no key of a permitted encryption type, only arcfour-hmac", "give the account of "+service+"@KRB.TEST AES keys")
		}
	}
}

// A keytab is read again when it has changed, and only what it has now opens
// tickets, also those that were opened before.
func TestKeytabChanges(t *testing.T) {
	kdc := realm(t)
	kdc.AddService("HTTP/other.krb.test")
	kt := kdc.Keytab(service)
	p := provider(t, kdc, func(o *krb5.Options) { o.Keytab = kt })
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	o := gss.AcceptOptions{Credential: acceptor}
	try := func() error {
		token, _ := firstToken(t, p, gss.InitiateOptions{})
		_, _, err := accept(t, p, o, token)
		return err
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	kdc.WriteKeytab(kt, "HTTP/other.krb.test")
	wantError(t, try(), nil, service, kt, "HTTP/other.krb.test@KRB.TEST")
	if err := os.Remove(kt); err != nil {
		t.Fatal(err)
	}
	wantError(t, try(), []error{gss.ErrNoCred}, "there is no keytab "+kt, "ktadd")
	if err := os.WriteFile(kt, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, try(), []error{gss.ErrNoCred}, kt, "not a keytab")
	kdc.WriteKeytab(kt, service)
	if err := try(); err != nil {
		t.Fatal(err)
	}
}

// A credential of one service takes no ticket of another that is in the same
// keytab, also if that was taken by a credential of any service.
func TestCredentialOfOneService(t *testing.T) {
	kdc := realm(t)
	kdc.AddService("HTTP/other.krb.test")
	p := provider(t, kdc, func(o *krb5.Options) { o.Keytab = kdc.Keytab(service, "HTTP/other.krb.test") })
	one, err := p.Acquire(t.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Name: gss.HostBased("HTTP", "other.krb.test")})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		token, _ := firstToken(t, p, gss.InitiateOptions{})
		_, _, err = accept(t, p, gss.AcceptOptions{Credential: one}, token)
		wantError(t, err, nil, "for "+service+"@KRB.TEST", "only those for HTTP/other.krb.test")
		establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{})
	}
	establish(t, p, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "other.krb.test")}, gss.AcceptOptions{Credential: one})

	lax := provider(t, kdc, func(o *krb5.Options) {
		o.Config, o.Keytab = config(t, []string{kdc.Addr()}, " ignore_acceptor_hostname = true", ""), kdc.Keytab(service, "HTTP/other.krb.test")
	})
	if one, err = lax.Acquire(t.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Name: gss.HostBased("HTTP", "cluster.krb.test")}); err != nil {
		t.Fatal(err)
	}
	establish(t, p, lax, gss.InitiateOptions{}, gss.AcceptOptions{Credential: one})
}

// A ticket that was opened before expires all the same.
func TestOpenedTicketExpires(t *testing.T) {
	clock := new(movable)
	kdc := realm(t)
	p := provider(t, kdc, func(o *krb5.Options) { o.Now = clock.now })
	f := forge(t, kdc)
	f.part.EndTime = time.Now().Add(10 * time.Minute)
	ticket := f.ticket()
	again := func() []byte {
		f.auth.Time = clock.now()
		req := krbmsg.APReq{Options: f.options, Ticket: ticket, Authenticator: f.encrypt(f.session, krbmsg.UsageAPReqAuthenticator, f.auth.Append(nil))}
		return spnego.AppendInitialToken(nil, f.oid, req.Append([]byte(f.id)))
	}
	for range 2 {
		if _, _, err := accept(t, p, gss.AcceptOptions{}, again()); err != nil {
			t.Fatal(err)
		}
	}
	clock.advance(14 * time.Minute)
	if _, _, err := accept(t, p, gss.AcceptOptions{}, again()); err != nil {
		t.Fatal("within the skew:", err)
	}
	clock.advance(2 * time.Minute)
	_, _, err := accept(t, p, gss.AcceptOptions{}, again())
	wantError(t, err, []error{gss.ErrCredentialsExpired}, "expired at")
	clock.advance(-time.Hour)
	_, _, err = accept(t, p, gss.AcceptOptions{}, again())
	wantError(t, err, nil, "valid only from")
}

// One of many submissions of a token is taken, whatever carries it.
func TestReplay(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	token, _ := firstToken(t, p, gss.InitiateOptions{})
	reframed := func() []byte {
		_, inner, err := spnego.ParseInitialToken(token)
		if err != nil {
			t.Fatal(err)
		}
		return spnego.AppendInitialToken(nil, gss.MechMSKRB5, inner)
	}()
	init := spnego.NegTokenInit{MechTypes: []gss.OID{gss.MechKRB5}, MechToken: token}
	wrapped := init.Append(nil)
	var taken atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			sc, err := p.Accept(t.Context(), gss.AcceptOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			defer sc.Close()
			_, done, err := sc.Step(t.Context(), [][]byte{token, reframed, wrapped}[i%3])
			switch {
			case done:
				taken.Add(1)
			case !errors.Is(err, gss.ErrDuplicateToken):
				t.Errorf("got %v, want ErrDuplicateToken", err)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 {
		t.Errorf("the token was taken %d times, want once", taken.Load())
	}
	refusal, _, err := accept(t, p, gss.AcceptOptions{}, token)
	wantError(t, err, []error{gss.ErrDuplicateToken}, "used before")
	if e := errorOf(t, refusal); e.Code != krbmsg.ErrRepeat {
		t.Errorf("the client is told %v", e.Code)
	}
}

// The size of the replay cache is a bound.
func TestReplayCacheSize(t *testing.T) {
	kdc := realm(t)
	clock := new(movable)
	p := provider(t, kdc, func(o *krb5.Options) { o.ReplayCacheSize, o.Now = 5, clock.now })
	var tokens [][]byte
	for range 20 {
		token, _ := firstToken(t, p, gss.InitiateOptions{})
		if _, _, err := accept(t, p, gss.AcceptOptions{}, token); err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
		clock.advance(10 * time.Second)
	}
	for i, token := range tokens {
		_, _, err := accept(t, p, gss.AcceptOptions{}, token)
		switch {
		case err == nil:
			t.Errorf("token %d passed twice", i)
		case !errors.Is(err, gss.ErrDuplicateToken) && !errors.Is(err, gss.ErrOldToken):
			t.Errorf("token %d: %v", i, err)
		}
	}
}

func TestChannelBindings(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	a := &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:a")}
	b := &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:b")}
	address := &gss.ChannelBindings{InitiatorAddrType: 2, InitiatorAddress: []byte{127, 0, 0, 1}, AcceptorAddrType: 2, AcceptorAddress: []byte{127, 0, 0, 2}, ApplicationData: []byte("tls-server-end-point:a")}
	for _, test := range []struct {
		name              string
		client, server    *gss.ChannelBindings
		bound, badBinding bool
	}{
		{"neither", nil, nil, false, false},
		{"client only", a, nil, false, false},
		{"server only", nil, a, false, false},
		{"same", a, &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:a")}, true, false},
		{"other", a, b, false, true},
		{"addresses, same", address, address, true, false},
		{"addresses of the client only", address, a, false, true},
		{"empty of both", &gss.ChannelBindings{}, &gss.ChannelBindings{}, true, false},
		{"empty of the client", &gss.ChannelBindings{}, a, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			token, _ := firstToken(t, p, gss.InitiateOptions{ChannelBindings: test.client})
			_, sc, err := accept(t, p, gss.AcceptOptions{ChannelBindings: test.server}, token)
			switch {
			case test.badBinding:
				wantError(t, err, []error{gss.ErrBadBindings}, "alice@KRB.TEST", "another channel", "in the middle")
			case err != nil:
				t.Error(err)
			case sc.Info().Flags.Has(gss.FlagChannelBound) != test.bound:
				t.Errorf("flags %s, want bound: %t", sc.Info().Flags, test.bound)
			}
		})
	}
	// A client that says it presents bindings whenever it can, and presents none,
	// was relayed.
	var option [4]byte
	binary.LittleEndian.PutUint32(option[:], krbmsg.APOptionsCBT)
	inner := krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: krbmsg.ADAPOptions, Data: option[:]}})
	for _, test := range []struct {
		name    string
		data    []krbmsg.TypedData
		refused bool
	}{
		{"CBT", []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: inner}}, true},
		{"CBT among others", []krbmsg.TypedData{{Type: 99}, {Type: krbmsg.ADIfRelevant, Data: []byte("garbage")}, {Type: krbmsg.ADIfRelevant, Data: inner}}, true},
		{"garbage", []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: []byte("garbage")}}, false},
		{"other option", []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: krbmsg.ADAPOptions, Data: []byte{1, 0, 0, 0}}})}}, false},
		{"cut option", []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: krbmsg.ADAPOptions, Data: []byte{0, 0x40}}})}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := forge(t, kdc)
			f.auth.AuthData = test.data
			_, _, err := accept(t, p, gss.AcceptOptions{ChannelBindings: a}, f.token())
			if test.refused {
				wantError(t, err, []error{gss.ErrBadBindings}, "presents channel bindings as a rule")
			} else if err != nil {
				t.Error(err)
			}
			f = forge(t, kdc)
			f.auth.AuthData = test.data
			if _, _, err := accept(t, p, gss.AcceptOptions{}, f.token()); err != nil {
				t.Errorf("to an acceptor without bindings it makes no difference: %v", err)
			}
		})
	}
}

// What is no token of a mechanism that is spoken here says so.
func TestNoToken(t *testing.T) {
	p := provider(t, realm(t))
	token, _ := firstToken(t, p, gss.InitiateOptions{})
	_, inner, _ := spnego.ParseInitialToken(token)
	for name, test := range map[string]struct {
		token []byte
		kind  gss.Major
		part  string
	}{
		"nil":          {nil, gss.ErrDefectiveToken, "0 octets"},
		"empty":        {[]byte{}, gss.ErrDefectiveToken, "0 octets"},
		"text":         {[]byte("Negotiate"), gss.ErrDefectiveToken, "9 octets"},
		"NTLM":         {[]byte("NTLMSSP\x00\x01\x00\x00\x00"), gss.ErrBadMech, "no Kerberos ticket for this service"},
		"NTLM, SPNEGO": {(&spnego.NegTokenInit{MechTypes: []gss.OID{gss.MechNTLM}, MechToken: []byte("NTLMSSP\x00")}).Append(nil), gss.ErrBadMech, "NTLM"},
		"other":        {spnego.AppendInitialToken(nil, "\x2a\x03", []byte("\x01\x00")), gss.ErrBadMech, "SPNEGO and krb5 are accepted"},
		"AP-REP":       {spnego.AppendInitialToken(nil, gss.MechKRB5, append([]byte("\x02\x00"), inner[2:]...)), gss.ErrDefectiveToken, "no AP-REQ"},
		"bare AP-REQ":  {inner[2:], gss.ErrDefectiveToken, ""},
		"trailer":      {append(bytes.Clone(token), 0), gss.ErrDefectiveToken, ""},
		"too long":     {spnego.AppendInitialToken(nil, gss.MechKRB5, make([]byte, 1<<17)), gss.ErrDefectiveToken, "at most 131072"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := accept(t, p, gss.AcceptOptions{}, test.token)
			wantError(t, err, []error{test.kind}, test.part)
		})
	}
}

// However a token is cut or one bit of it flipped, nobody comes in by it but
// alice herself, to nobody but the service.
func TestMangledTokens(t *testing.T) {
	kdc := realm(t)
	for _, mech := range []gss.OID{gss.MechKRB5, gss.MechSPNEGO} {
		p := provider(t, kdc)
		token, _ := firstToken(t, p, gss.InitiateOptions{Mechanism: mech, Flags: gss.FlagMutual | gss.FlagDelegate})
		for n := range token {
			if _, _, err := accept(t, p, gss.AcceptOptions{}, token[:n]); err == nil {
				t.Fatalf("%s: the first %d octets were accepted", mech.Describe(), n)
			}
		}
		accepted := 0
		for bit := range 8 * len(token) {
			mangled := bytes.Clone(token)
			mangled[bit/8] ^= 1 << (bit % 8)
			sc, err := p.Accept(t.Context(), gss.AcceptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, done, _ := sc.Step(t.Context(), mangled)
			info := sc.Info()
			sc.Close()
			if !done { // an error, or SPNEGO wants its list signed
				if !info.Initiator.IsZero() || !info.Acceptor.IsZero() || info.Delegated != nil {
					t.Fatalf("%s: with bit %d flipped it is not done and names %s", mech.Describe(), bit, info.Initiator)
				}
				continue
			}
			accepted++
			if info.Initiator != gss.User("alice@KRB.TEST") || info.Acceptor != gss.Principal(service+"@KRB.TEST") {
				t.Fatalf("%s: with bit %d flipped it names %s and %s", mech.Describe(), bit, info.Initiator, info.Acceptor)
			}
		}
		if accepted > 1 {
			t.Errorf("%s: %d tokens were accepted that are one and the same", mech.Describe(), accepted)
		}
	}
}

// A delegated credential is that of the client, whoever made the message.
func TestDelegatedForgeries(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "")
	p := provider(t, kdc)
	tgs := keysIn(t, kdc.Keytab("krbtgt/KRB.TEST"))[0]
	alice, bob := principal.New("KRB.TEST", "alice"), principal.New("KRB.TEST", "bob")
	newTGT := func(client principal.Name) (krbmsg.Ticket, krbmsg.CredInfo) {
		f := forgeAt(t, tgs, time.Now())
		f.part.Client = client
		return f.ticket(), krbmsg.CredInfo{Key: f.part.Key, Client: client, Server: f.server, Flags: f.part.Flags, AuthTime: f.part.AuthTime, EndTime: f.part.EndTime}
	}
	subkey := fixedKey(t, etype.AES256SHA1, 50)
	for _, test := range []struct {
		name    string
		cred    func(f *forgery) []byte
		parts   []string // of the error; nil: it is delegated
		without bool     // the context comes about without
	}{
		{"under the session key", func(f *forgery) []byte { tkt, info := newTGT(alice); return f.cred(f.session, tkt, info) }, nil, false},
		{"not encrypted by itself, as Heimdal sends it", func(f *forgery) []byte { tkt, info := newTGT(alice); return f.cred(nil, tkt, info) }, nil, false},
		{"under the sub-key", func(f *forgery) []byte {
			f.auth.Subkey = krbmsg.EncryptionKey{Type: int32(subkey.Type()), Value: subkey.Bytes()}
			tkt, info := newTGT(alice)
			return f.cred(subkey, tkt, info)
		}, nil, false},
		{"without names", func(f *forgery) []byte {
			tkt, info := newTGT(alice)
			info.Client, info.Server = principal.Name{}, principal.Name{}
			return f.cred(f.session, tkt, info)
		}, nil, false},
		{"under another key", func(f *forgery) []byte { tkt, info := newTGT(alice); return f.cred(subkey, tkt, info) }, []string{"delegated credential of alice"}, false},
		{"of another client", func(f *forgery) []byte { tkt, info := newTGT(bob); return f.cred(f.session, tkt, info) }, []string{"alice@KRB.TEST delegates a credential of bob@KRB.TEST"}, false},
		{"with a key of no type", func(f *forgery) []byte {
			tkt, info := newTGT(alice)
			info.Key = krbmsg.EncryptionKey{Type: 1, Value: make([]byte, 8)}
			return f.cred(f.session, tkt, info)
		}, nil, true},
		{"two tickets and one key", func(f *forgery) []byte {
			tkt, info := newTGT(alice)
			part := krbmsg.EncCredPart{Info: []krbmsg.CredInfo{info}}
			msg := krbmsg.Cred{Tickets: []krbmsg.Ticket{tkt, tkt}, Enc: f.encrypt(f.session, krbmsg.UsageCredPart, part.Append(nil))}
			return msg.Append(nil)
		}, []string{"2 tickets and 1 keys"}, false},
		{"nothing", func(f *forgery) []byte {
			msg := krbmsg.Cred{Enc: f.encrypt(f.session, krbmsg.UsageCredPart, (&krbmsg.EncCredPart{}).Append(nil))}
			return msg.Append(nil)
		}, []string{"0 tickets"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := forge(t, kdc)
			f.setChecksum(gss.FlagIntegrity|gss.FlagDelegate, test.cred(f))
			_, sc, err := accept(t, p, gss.AcceptOptions{}, f.token())
			if test.parts != nil {
				wantError(t, err, []error{gss.ErrDefectiveToken}, test.parts...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			delegated := sc.Info().Delegated
			if (delegated == nil) != test.without || sc.Info().Flags.Has(gss.FlagDelegate) == test.without {
				t.Fatalf("delegated: %v, %s", delegated, sc.Info().Flags)
			}
			if test.without {
				return
			}
			sc.Close()
			if got := seen(t, p, delegated); got != "alice@KRB.TEST" {
				t.Errorf("the next service sees %s", got)
			}
		})
	}
	// The name that the message claims is not what the KDC goes by.
	t.Run("bob's ticket under alice's name", func(t *testing.T) {
		f := forge(t, kdc)
		tkt, info := newTGT(bob)
		info.Client = alice
		f.setChecksum(gss.FlagDelegate, f.cred(f.session, tkt, info))
		_, sc, err := accept(t, p, gss.AcceptOptions{}, f.token())
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: sc.Info().Delegated})
		wantError(t, err, nil, "ticket")
	})
}

// Only a ticket-granting ticket of the client's own realm is taken from what a
// client delegates. The keys in the message are of its choice: with a "ticket" for
// another service it could pose as that service towards this one.
func TestDelegatedTicketsForServices(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	tgs := keysIn(t, kdc.Keytab("krbtgt/KRB.TEST"))[0]
	alice, invented := principal.New("KRB.TEST", "alice"), fixedKey(t, etype.AES256SHA1, 70)
	for _, other := range []principal.Name{
		principal.Service("KRB.TEST", "HTTP", "backend.krb.test"),
		principal.TGS("KRB.TEST", "ELSEWHERE.TEST"),
		principal.TGS("ELSEWHERE.TEST", "KRB.TEST"),
	} {
		t.Run(other.String(), func(t *testing.T) {
			bogus := krbmsg.Ticket{Server: other, Enc: krbmsg.EncryptedData{EType: int32(etype.AES256SHA1), Cipher: make([]byte, 64)}}
			info := krbmsg.CredInfo{
				Key:    krbmsg.EncryptionKey{Type: int32(invented.Type()), Value: invented.Bytes()},
				Client: alice, Server: other, EndTime: time.Now().Add(time.Hour),
			}
			f := forge(t, kdc)
			f.setChecksum(gss.FlagDelegate, f.cred(f.session, bogus, info))
			_, sc, err := accept(t, p, gss.AcceptOptions{}, f.token())
			if err != nil {
				t.Fatal(err)
			}
			if got := sc.Info(); got.Delegated != nil || got.Flags.Has(gss.FlagDelegate) {
				t.Errorf("a credential was made of a ticket for %s alone: %v, %s", other, got.Delegated, got.Flags)
			}

			// Beside a ticket-granting ticket it is left out.
			tgt := forgeAt(t, tgs, time.Now())
			part := krbmsg.EncCredPart{Info: []krbmsg.CredInfo{info, {Key: tgt.part.Key, Client: alice, Server: tgt.server, EndTime: tgt.part.EndTime}}}
			f = forge(t, kdc)
			msg := krbmsg.Cred{Tickets: []krbmsg.Ticket{bogus, tgt.ticket()}, Enc: f.encrypt(f.session, krbmsg.UsageCredPart, part.Append(nil))}
			f.setChecksum(gss.FlagDelegate, msg.Append(nil))
			if _, sc, err = accept(t, p, gss.AcceptOptions{}, f.token()); err != nil {
				t.Fatal(err)
			}
			if got := seen(t, p, sc.Info().Delegated); got != "alice@KRB.TEST" {
				t.Errorf("the next service sees %s", got)
			}
			_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: sc.Info().Delegated, Target: gss.Principal(other.String())})
			wantError(t, err, nil, other.Components[1])
		})
	}
}

// The key that answers is the one of the ticket, and the answer names the
// request.
func TestReplyOfTheAcceptor(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	f := forge(t, kdc)
	reply, _, err := accept(t, p, gss.AcceptOptions{}, f.token())
	if err != nil {
		t.Fatal(err)
	}
	_, inner, err := spnego.ParseInitialToken(reply)
	if err != nil || string(inner[:2]) != "\x02\x00" {
		t.Fatalf("% x, %v", inner, err)
	}
	rep, err := krbmsg.ParseAPRep(inner[2:])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := f.session.AppendDecrypt(nil, krbmsg.UsageAPRepPart, rep.Enc.Cipher)
	if err != nil {
		t.Fatal(err)
	}
	part, err := krbmsg.ParseEncAPRepPart(plain)
	if err != nil {
		t.Fatal(err)
	}
	if !part.Time.Equal(f.auth.Time) || part.Subkey.Type != int32(f.session.Type()) || len(part.Subkey.Value) != 32 || bytes.Equal(part.Subkey.Value, f.session.Bytes()) || !part.HasSeq {
		t.Errorf("got %s, %s, %t", part.Time, fmt.Sprint(part.Subkey.Type), part.HasSeq)
	}
}
