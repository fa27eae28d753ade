package kdc

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 MS-SFU makes a checksum with it

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// delegation is a realm with a front end, back ends and users.
func delegation(t *testing.T, front ...func(*Policy)) *Realm {
	t.Helper()
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "sensitive", "secret", func(p *Policy) { p.NoForwardable = true })
	add(t, r, "locked", "secret", func(p *Policy) { p.Locked = true })
	add(t, r, "HTTP/front.a.test", "secret", front...)
	add(t, r, "HTTP/db.a.test", "")
	add(t, r, "HTTP/open.a.test", "", func(p *Policy) { p.DelegateFrom = []string{"HTTP/front.a.test"} })
	return r
}

func frontTGT(t *testing.T, r *Realm) held {
	t.Helper()
	return login(t, r, "HTTP/front.a.test", options(krbmsg.OptForwardable))
}

// forUser adds PA-FOR-USER.
func forUser(q *tgsReq, user string) {
	f := krbmsg.ForUser{User: principal.New("A.TEST", user), Package: "Kerberos"}
	f.Checksum = krbmsg.Checksum{Type: sumHMACMD5, Sum: etype.HMACMD5(q.with.key, 17, f.ChecksumInput())}
	q.PAData = append(q.PAData, krbmsg.PAData{Type: krbmsg.PAForUser, Value: f.Append(nil)})
}

// x509User adds PA-S4U-X509-USER.
func x509User(t *testing.T, q *tgsReq, user string, edit ...func(*krbmsg.S4UX509User)) {
	t.Helper()
	s := krbmsg.S4UX509User{ID: krbmsg.S4UUserID{
		Nonce: nonce, User: principal.New("A.TEST", user), HasOptions: true, Options: optReplyKeyUsage,
	}}
	for _, e := range edit {
		e(&s)
	}
	if s.Checksum.Type == 0 {
		sum, err := q.subkey.AppendChecksum(nil, krbmsg.UsageS4UX509Request, s.ID.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		s.Checksum = krbmsg.Checksum{Type: q.subkey.Type().ChecksumType(), Sum: sum}
	}
	q.PAData = append(q.PAData, krbmsg.PAData{Type: krbmsg.PAS4UX509User, Value: s.Append(nil)})
}

// s4u2self gets a ticket of a user to the front end.
func s4u2self(t *testing.T, r *Realm, tgt held, user string) held {
	t.Helper()
	q := newTGSReq(t, r, tgt, "HTTP/front.a.test")
	q.Body.Options = krbmsg.OptForwardable
	forUser(q, user)
	return q.must(t, r)
}

func TestS4U2Self(t *testing.T) {
	for _, c := range []struct {
		name        string
		transition  bool
		user        string
		forwardable bool
	}{
		{"plain", false, "alice", false},
		{"protocol transition", true, "alice", true},
		{"protocol transition of a sensitive user", true, "sensitive", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := delegation(t, func(p *Policy) { p.OKToAuthAsDelegate = c.transition })
			got := s4u2self(t, r, frontTGT(t, r), c.user)
			if got.client.String() != c.user+"@A.TEST" || got.ticket.Server.String() != "HTTP/front.a.test@A.TEST" {
				t.Errorf("a ticket of %s for %s", got.client, got.ticket.Server)
			}
			sealed := inside(t, r, got.ticket)
			if sealed.Client.String() != c.user+"@A.TEST" {
				t.Errorf("the ticket's client is %s", sealed.Client)
			}
			if has := sealed.Flags&krbmsg.FlagForwardable != 0; has != c.forwardable {
				t.Errorf("forwardable is %v, want %v", has, c.forwardable)
			}
		})
	}
}

func TestS4U2SelfAnswersX509User(t *testing.T) {
	r := delegation(t)
	q := newTGSReq(t, r, frontTGT(t, r), "HTTP/front.a.test")
	x509User(t, q, "alice")
	forUser(q, "nobody") // the other one counts
	got := q.must(t, r)
	if got.client.String() != "alice@A.TEST" {
		t.Errorf("a ticket of %s", got.client)
	}
	value, _ := krbmsg.FindPAData(got.padata, krbmsg.PAS4UX509User)
	s, err := krbmsg.ParseS4UX509User(value)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID.Nonce != nonce || s.ID.User.String() != "alice@A.TEST" || s.ID.Options != optReplyKeyUsage {
		t.Errorf("the reply is about %+v", s.ID)
	}
	if err := q.subkey.VerifyChecksum(krbmsg.UsageS4UX509Reply, s.RawID, s.Checksum.Sum); err != nil {
		t.Error(err)
	}
}

// With RC4 the checksum has no key, so it is repeated under encryption.
func TestS4U2SelfWithRC4(t *testing.T) {
	r := newRealm(t, func(o *Options) { o.Enctypes = []etype.ID{etype.AES256SHA1, etype.RC4HMAC} })
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/front.a.test", "secret")
	tgt := login(t, r, "HTTP/front.a.test")
	q := newTGSReq(t, r, tgt, "HTTP/front.a.test")
	var err error
	if q.subkey, err = etype.RandomKey(etype.RC4HMAC); err != nil {
		t.Fatal(err)
	}
	var request []byte
	x509User(t, q, "alice", func(s *krbmsg.S4UX509User) {
		h := md4.New()
		h.Write(s.ID.Append(nil))
		request = h.Sum(nil)
		s.Checksum = krbmsg.Checksum{Type: sumRSAMD4, Sum: request}
	})
	got := q.must(t, r)
	value, _ := krbmsg.FindPAData(got.padata, krbmsg.PAS4UX509User)
	s, err := krbmsg.ParseS4UX509User(value)
	if err != nil {
		t.Fatal(err)
	}
	both, _ := krbmsg.FindPAData(got.part.PAData, krbmsg.PAS4UX509User)
	if !bytes.Equal(both, slices.Concat(request, s.Checksum.Sum)) {
		t.Errorf("the encrypted part has %x", both)
	}
}

func TestS4U2SelfRefused(t *testing.T) {
	r := delegation(t)
	tgt := frontTGT(t, r)
	breakValue := func(q *tgsReq) { q.PAData[0].Value[len(q.PAData[0].Value)-20] ^= 1 }
	for _, c := range []struct {
		name string
		edit func(*tgsReq)
		want krbmsg.ErrorCode
	}{
		{"unknown user", func(q *tgsReq) { forUser(q, "bob") }, krbmsg.ErrCPrincipalUnknown},
		{"locked user", func(q *tgsReq) { forUser(q, "locked") }, krbmsg.ErrClientRevoked},
		{"to another service", func(q *tgsReq) {
			q.Body.Server.Components = []string{"HTTP", "db.a.test"}
			forUser(q, "alice")
		}, krbmsg.ErrBadMatch},
		{"PA-FOR-USER changed", func(q *tgsReq) {
			forUser(q, "alice")
			breakValue(q)
		}, krbmsg.ErrModified},
		{"PA-FOR-USER malformed", func(q *tgsReq) {
			q.PAData = []krbmsg.PAData{{Type: krbmsg.PAForUser, Value: []byte{0x30}}}
		}, krbmsg.ErrBadIntegrity},
		{"PA-FOR-USER with another checksum", func(q *tgsReq) {
			f := krbmsg.ForUser{User: principal.New("A.TEST", "alice"), Package: "Kerberos", Checksum: krbmsg.Checksum{Type: 7, Sum: make([]byte, 16)}}
			q.PAData = []krbmsg.PAData{{Type: krbmsg.PAForUser, Value: f.Append(nil)}}
		}, krbmsg.ErrInappCksum},
		{"PA-S4U-X509-USER malformed", func(q *tgsReq) {
			q.PAData = []krbmsg.PAData{{Type: krbmsg.PAS4UX509User, Value: []byte{0x30}}}
		}, krbmsg.ErrBadIntegrity},
		{"PA-S4U-X509-USER of another request", func(q *tgsReq) {
			x509User(t, q, "alice", func(s *krbmsg.S4UX509User) { s.ID.Nonce++ })
		}, krbmsg.ErrModified},
		{"PA-S4U-X509-USER changed", func(q *tgsReq) {
			x509User(t, q, "alice", func(s *krbmsg.S4UX509User) {
				s.Checksum = krbmsg.Checksum{Type: 16, Sum: make([]byte, 12)}
			})
		}, krbmsg.ErrModified},
		{"PA-S4U-X509-USER without a key", func(q *tgsReq) {
			x509User(t, q, "alice", func(s *krbmsg.S4UX509User) {
				s.Checksum = krbmsg.Checksum{Type: sumRSAMD4, Sum: make([]byte, 16)}
			})
		}, krbmsg.ErrInappCksum},
		{"by certificate", func(q *tgsReq) {
			x509User(t, q, "alice", func(s *krbmsg.S4UX509User) {
				s.ID.User.Components, s.ID.Certificate = nil, []byte("certificate")
			})
		}, krbmsg.ErrCPrincipalUnknown},
		{"forwarded", func(q *tgsReq) {
			forUser(q, "alice")
			q.Body.Options = krbmsg.OptForwarded
		}, krbmsg.ErrBadOption},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newTGSReq(t, r, tgt, "HTTP/front.a.test")
			c.edit(q)
			_, e := q.ask(t, r)
			wantCode(t, e, c.want)
		})
	}
}

func TestS4U2Proxy(t *testing.T) {
	transition := func(p *Policy) { p.OKToAuthAsDelegate = true }
	toDB := func(p *Policy) { p.DelegateTo = []string{"HTTP/db.a.test"} }
	rbcd := krbmsg.PAData{Type: krbmsg.PAPACOptions, Value: krbmsg.AppendPACOptions(nil, krbmsg.PACOptionsRBCD)}
	own := func(t *testing.T, r *Realm, o uint32) held {
		t.Helper()
		tgt := login(t, r, "alice", options(krbmsg.OptForwardable))
		got, e := get(t, r, tgt, "HTTP/front.a.test", o)
		if e != nil {
			t.Fatal(e)
		}
		return got
	}
	for _, c := range []struct {
		name   string
		front  []func(*Policy)
		target string
		padata []krbmsg.PAData
		with   func(t *testing.T, r *Realm) held // the evidence; nil: by S4U2Self
		want   krbmsg.ErrorCode
	}{
		{name: "allowed", front: []func(*Policy){transition, toDB}, target: "HTTP/db.a.test"},
		{name: "with the user's own ticket", front: []func(*Policy){toDB}, target: "HTTP/db.a.test", with: func(t *testing.T, r *Realm) held {
			return own(t, r, krbmsg.OptForwardable)
		}},
		{
			name: "with a ticket that is not forwardable", front: []func(*Policy){toDB}, target: "HTTP/db.a.test",
			with: func(t *testing.T, r *Realm) held { return own(t, r, 0) }, want: krbmsg.ErrBadOption,
		},
		{name: "without protocol transition", front: []func(*Policy){toDB}, target: "HTTP/db.a.test", want: krbmsg.ErrBadOption},
		{name: "to a service not in the list", front: []func(*Policy){transition}, target: "HTTP/db.a.test", want: krbmsg.ErrBadOption},
		{name: "allowed by the target", target: "HTTP/open.a.test", padata: []krbmsg.PAData{rbcd}},
		{name: "allowed by the target, not asked for", front: []func(*Policy){transition}, target: "HTTP/open.a.test", want: krbmsg.ErrBadOption},
		{name: "not allowed by the target", target: "HTTP/db.a.test", padata: []krbmsg.PAData{rbcd}, want: krbmsg.ErrBadOption},
		{name: "to an unknown service", front: []func(*Policy){transition}, target: "HTTP/x.a.test", want: krbmsg.ErrSPrincipalUnknown},
		{
			name: "with a ticket to another", front: []func(*Policy){toDB}, target: "HTTP/db.a.test", want: krbmsg.ErrBadMatch,
			with: func(t *testing.T, r *Realm) held {
				tgt := login(t, r, "alice", options(krbmsg.OptForwardable))
				got, _ := get(t, r, tgt, "HTTP/open.a.test", krbmsg.OptForwardable)
				return got
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := delegation(t, c.front...)
			tgt := frontTGT(t, r)
			evidence := held{}
			if c.with != nil {
				evidence = c.with(t, r)
			} else {
				evidence = s4u2self(t, r, tgt, "alice")
			}
			q := newTGSReq(t, r, tgt, c.target)
			q.PAData = c.padata
			q.Body.Options = krbmsg.OptCNameInAddlTkt | krbmsg.OptForwardable
			q.Body.AddTickets = []krbmsg.Ticket{evidence.ticket}
			got, e := q.ask(t, r)
			if c.want != krbmsg.ErrNone {
				wantCode(t, e, c.want)
				return
			}
			if e != nil {
				t.Fatal(e)
			}
			sealed := inside(t, r, got.ticket)
			if sealed.Client.String() != "alice@A.TEST" || got.client.String() != "alice@A.TEST" {
				t.Errorf("the ticket is of %s, the reply of %s", sealed.Client, got.client)
			}
		})
	}
}

// The ticket is as if the user had asked for it, with the user's login behind
// it, and lives no longer than the evidence.
func TestS4U2ProxyFollowsTheEvidence(t *testing.T) {
	now := noon
	r := delegation(t, func(p *Policy) { p.DelegateTo = []string{"HTTP/db.a.test"} })
	r.o.Now = func() time.Time { return now }
	evidence, e := get(t, r, login(t, r, "alice", options(krbmsg.OptForwardable)), "HTTP/front.a.test", krbmsg.OptForwardable)
	if e != nil {
		t.Fatal(e)
	}
	front := r.lookup(principal.Service("A.TEST", "HTTP", "front.a.test")).current()
	part := inside(t, r, evidence.ticket)
	part.AuthData = []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: []byte("of alice")}}
	part.EndTime = noon.Add(2 * time.Hour)
	g := grant{server: evidence.ticket.Server, ticket: part, ticketKey: front.strongest(), kvno: front.kvno}
	ticket, err := r.sealTicket(&g)
	if err != nil {
		t.Fatal(err)
	}
	now = noon.Add(time.Hour)
	tgt := login(t, r, "HTTP/front.a.test", options(krbmsg.OptForwardable|krbmsg.OptRenewable))
	proxy := func(server string, o uint32) (held, *krbmsg.KRBError) {
		q := newTGSReq(t, r, tgt, server)
		q.Body.Options = krbmsg.OptCNameInAddlTkt | o
		q.Body.AddTickets = []krbmsg.Ticket{ticket}
		return q.ask(t, r)
	}
	got, e := proxy("HTTP/db.a.test", krbmsg.OptRenewable)
	if e != nil {
		t.Fatal(e)
	}
	sealed := inside(t, r, got.ticket)
	if !got.part.EndTime.Equal(part.EndTime) || !sealed.AuthTime.Equal(noon) || sealed.Flags&krbmsg.FlagRenewable != 0 {
		t.Errorf("it ends %v, the login was at %v, flags %#x", got.part.EndTime, sealed.AuthTime, sealed.Flags)
	}
	if len(sealed.AuthData) != 1 || string(sealed.AuthData[0].Data) != "of alice" {
		t.Errorf("authorization data %v, want the user's", sealed.AuthData)
	}
	other := newRealm(t, func(o *Options) { o.Realm = "B.TEST" })
	if err := Trust(r, other); err != nil {
		t.Fatal(err)
	}
	_, e = proxy("HTTP/db.b.test", krbmsg.OptCanonicalize)
	wantCode(t, e, krbmsg.ErrSPrincipalUnknown)
	now = part.EndTime
	_, e = proxy("HTTP/db.a.test", 0)
	wantCode(t, e, krbmsg.ErrTktExpired)
}

// For keys of 16 octets it is the checksum of the RC4 key type.
func TestHMACMD5(t *testing.T) {
	value, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	if err != nil {
		t.Fatal(err)
	}
	key, err := etype.NewKey(etype.RC4HMAC, value)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.VerifyChecksum(17, []byte("data"), etype.HMACMD5(key, 17, []byte("data"))); err != nil {
		t.Error(err)
	}
}
