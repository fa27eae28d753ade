package kdc

import (
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// noon is when most tests take place.
var noon = time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)

const nonce = 77

func newRealm(t testing.TB, edit ...func(*Options)) *Realm {
	t.Helper()
	o := Options{Realm: "A.TEST", Now: func() time.Time { return noon }}
	for _, e := range edit {
		e(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func add(t testing.TB, r *Realm, name, password string, edit ...func(*Policy)) {
	t.Helper()
	e := Entry{Name: name, Password: password}
	for _, f := range edit {
		f(&e.Policy)
	}
	if err := r.Add(e); err != nil {
		t.Fatal(err)
	}
}

// held is a ticket with what its client knows about it.
type held struct {
	ticket krbmsg.Ticket
	client principal.Name
	key    *etype.Key
	part   krbmsg.EncKDCRepPart
	padata []krbmsg.PAData
}

// asReq is an AS-REQ for a ticket-granting ticket.
func asReq(r *Realm, client string, edit ...func(*krbmsg.KDCReq)) *krbmsg.KDCReq {
	name, err := principal.Parse(client, r.Name())
	if err != nil {
		panic(err)
	}
	q := &krbmsg.KDCReq{Type: krbmsg.TypeASReq, Body: krbmsg.KDCReqBody{
		Client: name, Realm: r.Name(), Server: r.tgs, Nonce: nonce,
		ETypes: []int32{18, 17, 20, 19},
	}}
	for _, e := range edit {
		e(q)
	}
	return q
}

// options adds KDC options.
func options(o uint32) func(*krbmsg.KDCReq) {
	return func(q *krbmsg.KDCReq) { q.Body.Options |= o }
}

// ask sends a request and returns the reply or what the KRB-ERROR says.
func ask(t testing.TB, r *Realm, q *krbmsg.KDCReq) (krbmsg.KDCRep, *krbmsg.KRBError) {
	t.Helper()
	b := r.Handle(TCP, q.Append(nil))
	if krbmsg.IsKRBError(b) {
		e, err := krbmsg.ParseKRBError(b)
		if err != nil {
			t.Fatal(err)
		}
		return krbmsg.KDCRep{}, e
	}
	typ := krbmsg.TypeASRep
	if q.Type == krbmsg.TypeTGSReq {
		typ = krbmsg.TypeTGSRep
	}
	rep, err := krbmsg.ParseKDCRep(typ, b)
	if err != nil {
		t.Fatalf("reply of %d octets: %v", len(b), err)
	}
	return rep, nil
}

// open decrypts a reply.
func open(t testing.TB, rep krbmsg.KDCRep, key *etype.Key, usage uint32) held {
	t.Helper()
	plain, err := key.AppendDecrypt(nil, usage, rep.Enc.Cipher)
	if err != nil {
		t.Fatalf("the reply does not decrypt: %v", err)
	}
	part, err := krbmsg.ParseEncKDCRepPart(plain)
	if err != nil {
		t.Fatal(err)
	}
	if part.Nonce != nonce {
		t.Errorf("the reply has nonce %d, want %d", part.Nonce, nonce)
	}
	session, err := etype.NewKey(etype.ID(part.Key.Type), part.Key.Value)
	if err != nil {
		t.Fatal(err)
	}
	return held{rep.Ticket, rep.Client, session, part, rep.PAData}
}

// stamp pre-authenticates a request with a password, at some time.
func stamp(t testing.TB, q *krbmsg.KDCReq, id etype.ID, password, salt string, at time.Time) {
	t.Helper()
	key, err := etype.StringToKey(id, password, salt, nil)
	if err != nil {
		t.Fatal(err)
	}
	cipher, err := key.AppendEncrypt(nil, krbmsg.UsageASReqTimestamp, krbmsg.AppendPAEncTSEnc(nil, at))
	if err != nil {
		t.Fatal(err)
	}
	value := krbmsg.AppendEncryptedData(nil, krbmsg.EncryptedData{EType: int32(id), Cipher: cipher})
	q.PAData = append(q.PAData, krbmsg.PAData{Type: krbmsg.PAEncTimestamp, Value: value})
}

// login logs in with the password "secret".
func login(t testing.TB, r *Realm, client string, edit ...func(*krbmsg.KDCReq)) held {
	t.Helper()
	return loginAt(t, r, client, r.Now(), edit...)
}

func loginAt(t testing.TB, r *Realm, client string, at time.Time, edit ...func(*krbmsg.KDCReq)) held {
	t.Helper()
	q := asReq(r, client, edit...)
	saltOf := salt(q.Body.Client)
	stamp(t, q, etype.AES256SHA1, "secret", saltOf, at)
	rep, e := ask(t, r, q)
	if e != nil {
		t.Fatalf("login as %s: %v", client, e)
	}
	key, err := etype.StringToKey(etype.ID(rep.Enc.EType), "secret", saltOf, nil)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, rep, key, krbmsg.UsageASRepPart)
}

// tgsReq is a TGS-REQ in the making.
type tgsReq struct {
	krbmsg.KDCReq
	with     held
	subkey   *etype.Key
	auth     krbmsg.Authenticator
	afterSum func(*krbmsg.KDCReq) // changes the request when its checksum is made
}

func newTGSReq(t testing.TB, r *Realm, with held, server string) *tgsReq {
	t.Helper()
	name, err := principal.Parse(server, r.Name())
	if err != nil {
		t.Fatal(err)
	}
	subkey, err := etype.RandomKey(with.key.Type())
	if err != nil {
		t.Fatal(err)
	}
	return &tgsReq{
		KDCReq: krbmsg.KDCReq{Type: krbmsg.TypeTGSReq, Body: krbmsg.KDCReqBody{
			Realm: r.Name(), Server: name, Nonce: nonce, ETypes: []int32{18, 17, 20, 19, 23},
		}},
		with: with, subkey: subkey,
		auth: krbmsg.Authenticator{Client: with.client, Time: r.Now()},
	}
}

// seal adds PA-TGS-REQ.
func (q *tgsReq) seal(t testing.TB) *krbmsg.KDCReq {
	t.Helper()
	if q.auth.Checksum.Type == 0 {
		sum, err := q.with.key.AppendChecksum(nil, krbmsg.UsageTGSReqChecksum, q.Body.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		q.auth.Checksum = krbmsg.Checksum{Type: q.with.key.Type().ChecksumType(), Sum: sum}
	}
	if q.subkey != nil {
		q.auth.Subkey = krbmsg.EncryptionKey{Type: int32(q.subkey.Type()), Value: q.subkey.Bytes()}
	}
	cipher, err := q.with.key.AppendEncrypt(nil, krbmsg.UsageTGSReqAuthenticator, q.auth.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	ap := krbmsg.APReq{
		Ticket:        q.with.ticket,
		Authenticator: krbmsg.EncryptedData{EType: int32(q.with.key.Type()), Cipher: cipher},
	}
	q.PAData = append([]krbmsg.PAData{{Type: krbmsg.PATGSReq, Value: ap.Append(nil)}}, q.PAData...)
	if q.afterSum != nil {
		q.afterSum(&q.KDCReq)
	}
	return &q.KDCReq
}

// ask sends the request and opens the reply.
func (q *tgsReq) ask(t testing.TB, r *Realm) (held, *krbmsg.KRBError) {
	t.Helper()
	rep, e := ask(t, r, q.seal(t))
	if e != nil {
		return held{}, e
	}
	key, usage := q.subkey, uint32(krbmsg.UsageTGSRepSubkey)
	if key == nil {
		key, usage = q.with.key, krbmsg.UsageTGSRepKey
	}
	return open(t, rep, key, usage), nil
}

// must is ask for requests that succeed.
func (q *tgsReq) must(t testing.TB, r *Realm) held {
	t.Helper()
	h, e := q.ask(t, r)
	if e != nil {
		t.Fatalf("TGS-REQ for %s: %v", q.Body.Server, e)
	}
	return h
}

// get asks for a service ticket.
func get(t testing.TB, r *Realm, with held, server string, o uint32) (held, *krbmsg.KRBError) {
	t.Helper()
	q := newTGSReq(t, r, with, server)
	q.Body.Options = o
	return q.ask(t, r)
}

// inside is what a ticket says to its service.
func inside(t testing.TB, r *Realm, ticket krbmsg.Ticket) krbmsg.EncTicketPart {
	t.Helper()
	q := &request{realm: r}
	part, err := q.openTicket(&ticket)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

func wantCode(t testing.TB, e *krbmsg.KRBError, want krbmsg.ErrorCode) {
	t.Helper()
	switch {
	case e == nil:
		t.Errorf("the request was granted, want %s", want.Name())
	case e.Code != want:
		t.Errorf("got %s (%q), want %s", e.Code.Name(), e.Text, want.Name())
	}
}
