package kdcclient_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// wire joins a client to KDCs in the same process, and may alter what passes.
type wire struct {
	realms  map[string]*kdc.Realm
	request func(req []byte) []byte // nil: unchanged
	reply   func(reply []byte) []byte
	sent    [][]byte
	got     [][]byte
}

func (w *wire) client() *kdcclient.Client {
	return &kdcclient.Client{
		Servers: func(_ context.Context, realm string) ([]kdcclient.Server, error) {
			if w.realms[realm] == nil {
				return nil, nil
			}
			return []kdcclient.Server{{Network: "tcp", Address: realm}}, nil
		},
		Dial: func(_ context.Context, _, realm string) (net.Conn, error) {
			client, server := net.Pipe()
			go w.serve(server, w.realms[realm])
			return client, nil
		},
	}
}

func (w *wire) serve(conn net.Conn, realm *kdc.Realm) {
	defer conn.Close()
	var n [4]byte
	if _, err := io.ReadFull(conn, n[:]); err != nil {
		return
	}
	req := make([]byte, binary.BigEndian.Uint32(n[:]))
	if _, err := io.ReadFull(conn, req); err != nil {
		return
	}
	if w.request != nil {
		req = w.request(req)
	}
	w.sent = append(w.sent, req)
	reply := realm.Handle(kdc.TCP, req)
	w.got = append(w.got, reply)
	if w.reply != nil {
		reply = w.reply(reply)
	}
	conn.Write(framed(reply))
}

const (
	password = "alice's password"
	service  = "HTTP/web.a.test"
)

// realmA has alice and a service; keys are of the given types.
func realmA(t *testing.T, ids ...etype.ID) *wire {
	t.Helper()
	return &wire{realms: map[string]*kdc.Realm{"A.TEST": newRealm(t, "A.TEST", ids...)}}
}

func newRealm(t *testing.T, name string, ids ...etype.ID) *kdc.Realm {
	t.Helper()
	r, err := kdc.New(kdc.Options{Realm: name, Enctypes: ids})
	if err != nil {
		t.Fatal(err)
	}
	domain := strings.ToLower(name)
	for _, e := range []kdc.Entry{
		{Name: "alice", Password: password},
		{Name: "locked", Password: password, Policy: kdc.Policy{Locked: true}},
		{Name: "old", Password: password, Policy: kdc.Policy{PasswordExpired: true}},
		{Name: "trusting", Password: password, Policy: kdc.Policy{NoPreauth: true}},
		{Name: "single", Password: password, Policy: kdc.Policy{NoPreauth: true}, Enctypes: []etype.ID{etype.AES256SHA1}},
		{Name: "HTTP/web." + domain},
	} {
		if err := r.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

var allTypes = []int32{18, 17, 20, 19}

func withPassword(text string) kdcclient.KeyFunc {
	return func(id etype.ID, salt string, params []byte) (*etype.Key, error) {
		return etype.StringToKey(id, text, salt, params)
	}
}

func asRequest(user string) kdcclient.ASRequest {
	return kdcclient.ASRequest{Client: principal.New("A.TEST", user), Key: withPassword(password), ETypes: allTypes}
}

func TestAS(t *testing.T) {
	for _, id := range []etype.ID{etype.AES256SHA1, etype.AES128SHA1, etype.AES256SHA2, etype.AES128SHA2} {
		t.Run(id.String(), func(t *testing.T) {
			w := realmA(t, id)
			for _, user := range []string{"alice", "trusting"} {
				r := asRequest(user)
				r.Lifetime, r.RenewLife, r.Options = time.Hour, 2*time.Hour, krbmsg.OptForwardable
				tgt, err := w.client().AS(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				life := tgt.EndTime.Sub(tgt.AuthTime)
				if !tgt.Client.Equal(r.Client) || !tgt.Server.Equal(principal.TGS("A.TEST", "A.TEST")) ||
					tgt.Key.Type() != id || tgt.Flags&krbmsg.FlagForwardable == 0 ||
					life < 59*time.Minute || life > time.Hour || !tgt.RenewTill.After(tgt.EndTime) {
					t.Errorf("got %+v", tgt)
				}
			}
		})
	}
}

func TestASRefused(t *testing.T) {
	rightKey := withPassword(password)
	noKey := errors.New("there is no such key")
	for _, test := range []struct {
		name, user string
		key        kdcclient.KeyFunc
		etypes     []int32
		want       error
	}{
		{"wrong password", "alice", withPassword("Alice's password"), allTypes, krbmsg.ErrPreauthFailed},
		{"wrong password, found here", "trusting", withPassword("Alice's password"), allTypes, krbmsg.ErrPreauthFailed},
		{"unknown", "nobody", rightKey, allTypes, krbmsg.ErrCPrincipalUnknown},
		{"locked", "locked", rightKey, allTypes, krbmsg.ErrClientRevoked},
		{"password expired", "old", rightKey, allTypes, krbmsg.ErrKeyExpired},
		{"no type in common", "alice", rightKey, []int32{23}, krbmsg.ErrETypeNoSupp},
		{"no key", "alice", func(etype.ID, string, []byte) (*etype.Key, error) { return nil, noKey }, allTypes, noKey},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := asRequest(test.user)
			r.Key, r.ETypes = test.key, test.etypes
			tgt, err := realmA(t).client().AS(t.Context(), r)
			if !errors.Is(err, test.want) || tgt != nil {
				t.Errorf("got %v, %v, want %v", tgt, err, test.want)
			}
		})
	}
}

// A client that is known elsewhere is followed there if it lets the KDC decide
// its name, and not otherwise (RFC 6806, section 7).
func TestASReferral(t *testing.T) {
	a, b := newRealm(t, "A.TEST"), newRealm(t, "B.TEST")
	if err := errors.Join(kdc.Trust(a, b), a.AddAlias("bob", "alice@B.TEST")); err != nil {
		t.Fatal(err)
	}
	w := &wire{realms: map[string]*kdc.Realm{"A.TEST": a, "B.TEST": b}}
	r := asRequest("bob")
	r.Options = krbmsg.OptCanonicalize
	if _, err := w.client().AS(t.Context(), r); !errors.Is(err, krbmsg.ErrCPrincipalUnknown) {
		t.Errorf("B does not know bob: got %v", err)
	}
	if len(w.got) != 2 {
		t.Errorf("%d requests, want one to each realm", len(w.got))
	}
	r.Options = 0
	if _, err := w.client().AS(t.Context(), r); !errors.Is(err, krbmsg.ErrWrongRealm) && !errors.Is(err, krbmsg.ErrCPrincipalUnknown) {
		t.Errorf("without canonicalization: got %v", err)
	}
}

// KDCs that refer a client to each other do not keep it busy for ever.
func TestASReferralLoop(t *testing.T) {
	w := &wire{realms: map[string]*kdc.Realm{"A.TEST": newRealm(t, "A.TEST"), "B.TEST": newRealm(t, "B.TEST")}}
	w.reply = func([]byte) []byte {
		there := "A.TEST"
		if len(w.got)%2 == 1 {
			there = "B.TEST"
		}
		e := krbmsg.KRBError{
			Code: krbmsg.ErrWrongRealm, ServerTime: time.Unix(0, 0),
			Client: principal.Name{Realm: there}, Server: principal.TGS("A.TEST", "A.TEST"),
		}
		return e.Append(nil)
	}
	r := asRequest("alice")
	r.Options = krbmsg.OptCanonicalize
	if _, err := w.client().AS(t.Context(), r); err == nil || !strings.Contains(err.Error(), "referrals") || len(w.got) > 10 {
		t.Errorf("after %d requests: %v", len(w.got), err)
	}
}

// alter returns a reply in which change has altered what is not encrypted.
func alter(change func(*krbmsg.KDCRep)) func(*wire) {
	return func(w *wire) {
		w.reply = func(reply []byte) []byte {
			rep, err := krbmsg.ParseKDCRep(int(reply[0]&0x1f), reply)
			if err != nil {
				return reply // a KRB-ERROR
			}
			change(&rep)
			return rep.Append(nil)
		}
	}
}

// replayed answers with what was the answer to an earlier request.
func replayed(w *wire) {
	old := slices.Clone(w.got)
	w.reply = func(reply []byte) []byte {
		for _, o := range old {
			if o[0] == reply[0] && !krbmsg.IsKRBError(o) {
				reply = o
			}
		}
		return reply
	}
}

func otherServer(rep *krbmsg.KDCRep) {
	rep.Ticket = krbmsg.Ticket{Server: principal.Service("A.TEST", "HTTP", "evil.a.test"), Enc: rep.Ticket.Enc}
}

func otherClient(rep *krbmsg.KDCRep) { rep.Client = principal.New("A.TEST", "mallory") }

// Somebody on the way asks for a session key of another type than the client.
func TestASOtherSessionKey(t *testing.T) {
	w := realmA(t)
	w.request = func(req []byte) []byte {
		m, err := krbmsg.ParseKDCReq(req)
		if err != nil {
			t.Error(err)
		}
		m.RawBody, m.Body.ETypes = nil, []int32{19, 18}
		return m.Append(nil)
	}
	r := asRequest("single")
	r.ETypes = []int32{18}
	tgt, err := w.client().AS(t.Context(), r)
	if !errors.Is(err, kdcclient.ErrBadReply) || tgt != nil || !strings.Contains(err.Error(), "session key is of type aes128-cts-hmac-sha256-128, which was not offered") {
		t.Errorf("got %v, %v", tgt, err)
	}
}

// What somebody on the way alters is found.
func TestASAltered(t *testing.T) {
	for _, test := range []struct {
		name   string
		tamper func(*wire)
		want   error
		text   string
	}{
		{"replayed", replayed, kdcclient.ErrBadReply, "nonce"},
		{"other client", alter(otherClient), kdcclient.ErrBadReply, "for mallory@A.TEST"},
		{"other service", alter(otherServer), kdcclient.ErrBadReply, "ticket for"},
		{"other ciphertext", alter(func(rep *krbmsg.KDCRep) {
			rep.Enc.Cipher = bytes.Clone(rep.Enc.Cipher)
			rep.Enc.Cipher[20] ^= 1
		}), krbmsg.ErrPreauthFailed, ""},
		{"type not offered", alter(func(rep *krbmsg.KDCRep) { rep.Enc.EType = 23 }), kdcclient.ErrBadReply, "arcfour-hmac, which was not offered"},
		{"of another kind", func(w *wire) {
			w.reply = func(reply []byte) []byte {
				if rep, err := krbmsg.ParseKDCRep(krbmsg.TypeASRep, reply); err == nil {
					rep.Type = krbmsg.TypeTGSRep
					return rep.Append(nil)
				}
				return reply
			}
		}, kdcclient.ErrBadReply, ""},
		{"cut", func(w *wire) {
			w.reply = func(reply []byte) []byte { return reply[:len(reply)-1] }
		}, kdcclient.ErrUnreachable, "no message of Kerberos"},
		{"the request asked for another type", func(w *wire) {
			w.request = func(req []byte) []byte {
				m, err := krbmsg.ParseKDCReq(req)
				if err != nil {
					t.Error(err)
				}
				m.RawBody, m.Body.ETypes = nil, []int32{19}
				return m.Append(nil)
			}
		}, kdcclient.ErrBadReply, "not offered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := realmA(t)
			r := asRequest("trusting")
			r.ETypes = []int32{18}
			if _, err := w.client().AS(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			test.tamper(w)
			tgt, err := w.client().AS(t.Context(), r)
			if !errors.Is(err, test.want) || tgt != nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, %v, want %v with %q", tgt, err, test.want, test.text)
			}
		})
	}
}

// The KDC gets its cookie back with the pre-authentication (RFC 6113, section
// 5.2).
func TestASCookie(t *testing.T) {
	w := realmA(t)
	cookie := []byte("state of the KDC")
	w.reply = func(reply []byte) []byte {
		if !krbmsg.IsKRBError(reply) {
			return reply
		}
		e, err := krbmsg.ParseKRBError(reply)
		if err != nil {
			t.Error(err)
			return reply
		}
		methods, err := krbmsg.ParseMethodData(e.Data)
		if err != nil {
			t.Error(err)
		}
		e.Data = krbmsg.AppendMethodData(nil, append(methods, krbmsg.PAData{Type: krbmsg.PAFXCookie, Value: cookie}))
		return e.Append(nil)
	}
	if _, err := w.client().AS(t.Context(), asRequest("alice")); err != nil {
		t.Fatal(err)
	}
	last, err := krbmsg.ParseKDCReq(w.sent[len(w.sent)-1])
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := krbmsg.FindPAData(last.PAData, krbmsg.PAFXCookie); !bytes.Equal(got, cookie) {
		t.Errorf("the second request has the cookie %q, want %q", got, cookie)
	}
}

// A demand for a kind of pre-authentication that is not spoken here says what
// to do instead.
func TestASOtherPreauth(t *testing.T) {
	w := realmA(t)
	w.reply = func([]byte) []byte {
		e := krbmsg.KRBError{
			Code: krbmsg.ErrPreauthRequired, ServerTime: time.Unix(0, 0), Server: principal.TGS("A.TEST", "A.TEST"),
			Data: krbmsg.AppendMethodData(nil, []krbmsg.PAData{{Type: 17}}),
		}
		return e.Append(nil)
	}
	if _, err := w.client().AS(t.Context(), asRequest("alice")); err == nil || !strings.Contains(err.Error(), "kinit") {
		t.Errorf("got %v", err)
	}
}

func tgt(t *testing.T, w *wire) *kdcclient.Ticket {
	t.Helper()
	tgt, err := w.client().AS(t.Context(), asRequest("alice"))
	if err != nil {
		t.Fatal(err)
	}
	return tgt
}

func TestTGS(t *testing.T) {
	w := realmA(t)
	r := kdcclient.TGSRequest{TGT: tgt(t, w), Server: principal.Service("", "HTTP", "web.a.test"), ETypes: []int32{17}}
	got, err := w.client().TGS(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got.Server.String() != service+"@A.TEST" || !got.Client.Equal(r.TGT.Client) || got.Key.Type() != etype.AES128SHA1 || !got.EndTime.Equal(r.TGT.EndTime) {
		t.Errorf("got %+v", got)
	}
	r.Server.Components = []string{"HTTP", "none.a.test"}
	if _, err := w.client().TGS(t.Context(), r); !errors.Is(err, krbmsg.ErrSPrincipalUnknown) {
		t.Errorf("got %v, want ErrSPrincipalUnknown", err)
	}
}

func TestTGSAltered(t *testing.T) {
	for _, test := range []struct {
		name   string
		tamper func(*wire)
		text   string
	}{
		{"replayed", replayed, "cannot be decrypted"},
		{"other client", alter(otherClient), "for mallory@A.TEST, not for alice@A.TEST"},
		{"other service", alter(otherServer), "and its ticket HTTP/evil.a.test"},
		{"other ciphertext", alter(func(rep *krbmsg.KDCRep) {
			rep.Enc.Cipher = bytes.Clone(rep.Enc.Cipher)
			rep.Enc.Cipher[20] ^= 1
		}), "cannot be decrypted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := realmA(t)
			r := kdcclient.TGSRequest{TGT: tgt(t, w), Server: principal.Service("", "HTTP", "web.a.test"), ETypes: allTypes, Options: krbmsg.OptCanonicalize}
			if _, err := w.client().TGS(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			test.tamper(w)
			got, err := w.client().TGS(t.Context(), r)
			if !errors.Is(err, kdcclient.ErrBadReply) || got != nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, %v, want ErrBadReply with %q", got, err, test.text)
			}
		})
	}
}

// mad is a KDC that knows the realm's keys and answers as change says.
func mad(t *testing.T, w *wire, change func(*krbmsg.KDCRep, *krbmsg.EncKDCRepPart)) {
	t.Helper()
	kt, err := w.realms["A.TEST"].Keytab("krbtgt/A.TEST")
	if err != nil {
		t.Fatal(err)
	}
	open := func(key *etype.Key, usage uint32, cipher []byte) []byte {
		plain, err := key.AppendDecrypt(nil, usage, cipher)
		if err != nil {
			t.Error(err)
		}
		return plain
	}
	key := func(k krbmsg.EncryptionKey) *etype.Key {
		key, err := etype.NewKey(etype.ID(k.Type), k.Value)
		if err != nil {
			t.Error(err)
		}
		return key
	}
	w.reply = func(reply []byte) []byte {
		req, err := krbmsg.ParseKDCReq(w.sent[len(w.sent)-1])
		if err != nil || req.Type != krbmsg.TypeTGSReq {
			return reply
		}
		header, _ := krbmsg.FindPAData(req.PAData, krbmsg.PATGSReq)
		ap, err := krbmsg.ParseAPReq(header)
		if err != nil {
			t.Error(err)
		}
		tgs := key(krbmsg.EncryptionKey{Type: kt.Entries[0].KeyType, Value: kt.Entries[0].Key})
		ticket, err := krbmsg.ParseEncTicketPart(open(tgs, krbmsg.UsageTicket, ap.Ticket.Enc.Cipher))
		if err != nil {
			t.Error(err)
		}
		session := key(ticket.Key)
		auth, err := krbmsg.ParseAuthenticator(open(session, krbmsg.UsageTGSReqAuthenticator, ap.Authenticator.Cipher))
		if err != nil {
			t.Error(err)
		}
		subkey := key(auth.Subkey)
		rep, err := krbmsg.ParseKDCRep(krbmsg.TypeTGSRep, reply)
		if err != nil {
			t.Error(err)
		}
		part, err := krbmsg.ParseEncKDCRepPart(open(subkey, krbmsg.UsageTGSRepSubkey, rep.Enc.Cipher))
		if err != nil {
			t.Error(err)
		}
		change(&rep, &part)
		if rep.Enc.Cipher, err = subkey.AppendEncrypt(nil, krbmsg.UsageTGSRepSubkey, part.Append(krbmsg.TypeTGSRep, nil)); err != nil {
			t.Error(err)
		}
		return rep.Append(nil)
	}
}

// Not even the KDC can have the client take what it did not ask for.
func TestTGSOfMadKDC(t *testing.T) {
	evil := principal.Service("A.TEST", "HTTP", "evil.a.test")
	for _, test := range []struct {
		name   string
		change func(*krbmsg.KDCRep, *krbmsg.EncKDCRepPart)
		text   string // of the error; "": it is taken
	}{
		{"as it is", func(*krbmsg.KDCRep, *krbmsg.EncKDCRepPart) {}, ""},
		{"another realm", func(r *krbmsg.KDCRep, p *krbmsg.EncKDCRepPart) {
			p.Server.Realm = "B.TEST"
			r.Ticket = krbmsg.Ticket{Server: p.Server, Enc: r.Ticket.Enc}
		}, "it is of realm B.TEST, and realm A.TEST was asked"},
		{"nonce", func(_ *krbmsg.KDCRep, p *krbmsg.EncKDCRepPart) { p.Nonce++ }, "nonce"},
		{"another service", func(r *krbmsg.KDCRep, p *krbmsg.EncKDCRepPart) {
			p.Server = evil
			r.Ticket = krbmsg.Ticket{Server: evil, Enc: r.Ticket.Enc}
		}, "ticket for HTTP/evil.a.test@A.TEST, not for HTTP/web.a.test@A.TEST"},
		{"another service than the ticket's", func(_ *krbmsg.KDCRep, p *krbmsg.EncKDCRepPart) { p.Server = evil }, "calls the service HTTP/evil.a.test"},
		{"a session key of a type not offered", func(_ *krbmsg.KDCRep, p *krbmsg.EncKDCRepPart) {
			p.Key = krbmsg.EncryptionKey{Type: 23, Value: make([]byte, 16)}
		}, "session key is of type arcfour-hmac"},
		{"a session key of the wrong size", func(_ *krbmsg.KDCRep, p *krbmsg.EncKDCRepPart) { p.Key.Value = p.Key.Value[:5] }, "session key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := realmA(t)
			r := kdcclient.TGSRequest{TGT: tgt(t, w), Server: principal.Service("", "HTTP", "web.a.test"), ETypes: allTypes}
			mad(t, w, test.change)
			got, err := w.client().TGS(t.Context(), r)
			if test.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, kdcclient.ErrBadReply) || got != nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, %v, want ErrBadReply with %q", got, err, test.text)
			}
		})
	}
}

// Nobody vouches for an error: a client that has not asked to be sent on is not
// sent on to another realm.
func TestASForgedReferral(t *testing.T) {
	w := realmA(t)
	w.realms["B.TEST"] = newRealm(t, "B.TEST")
	w.reply = func([]byte) []byte {
		e := krbmsg.KRBError{Code: krbmsg.ErrWrongRealm, ServerTime: time.Now(), Client: principal.New("B.TEST", "alice"), Server: principal.TGS("A.TEST", "A.TEST")}
		return e.Append(nil)
	}
	if _, err := w.client().AS(t.Context(), asRequest("alice")); !errors.Is(err, krbmsg.ErrWrongRealm) || len(w.sent) != 1 {
		t.Errorf("got %v after %d requests", err, len(w.sent))
	}
}

// A service that the client did not ask for by this name is taken only where
// it let the KDC decide.
func TestTGSCanonicalize(t *testing.T) {
	w := realmA(t)
	b := newRealm(t, "B.TEST")
	if err := kdc.Trust(w.realms["A.TEST"], b); err != nil {
		t.Fatal(err)
	}
	r := kdcclient.TGSRequest{TGT: tgt(t, w), Server: principal.Service("", "HTTP", "web.b.test"), ETypes: allTypes, Options: krbmsg.OptCanonicalize}
	got, err := w.client().TGS(t.Context(), r)
	if err != nil || !got.Server.Equal(principal.TGS("A.TEST", "B.TEST")) {
		t.Errorf("got %+v, %v, want a referral to B.TEST", got, err)
	}
	r.Options = 0
	if got, err := w.client().TGS(t.Context(), r); !errors.Is(err, krbmsg.ErrSPrincipalUnknown) {
		t.Errorf("got %+v, %v, want ErrSPrincipalUnknown", got, err)
	}
}

func TestValidAt(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	ticket := kdcclient.Ticket{StartTime: start, EndTime: start.Add(time.Hour)}
	invalid := ticket
	invalid.Flags = krbmsg.FlagInvalid
	immediate := ticket
	immediate.StartTime = time.Time{}
	for _, test := range []struct {
		name   string
		ticket kdcclient.Ticket
		at     time.Duration
		want   bool
	}{
		{"in time", ticket, time.Minute, true},
		{"ahead within the skew", ticket, -5 * time.Minute, true},
		{"ahead", ticket, -5*time.Minute - 1, false},
		{"at the end", ticket, time.Hour, false},
		{"just before the end", ticket, time.Hour - 1, true},
		{"invalid flag", invalid, time.Minute, false},
		{"no start", immediate, -24 * time.Hour, true},
	} {
		if got := test.ticket.ValidAt(start.Add(test.at), 5*time.Minute); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}
