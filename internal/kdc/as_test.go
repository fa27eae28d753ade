package kdc

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

func TestLogin(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	got := login(t, r, "alice")
	p := got.part
	if want := krbmsg.FlagInitial | krbmsg.FlagPreAuth; p.Flags != want {
		t.Errorf("flags %#x, want %#x: initial and pre-authenticated", p.Flags, want)
	}
	if !p.AuthTime.Equal(noon) || !p.StartTime.Equal(noon) || !p.EndTime.Equal(noon.Add(DefaultMaxLife)) || !p.RenewTill.IsZero() {
		t.Errorf("times %v, %v, %v, %v: want a day from noon on, not renewable", p.AuthTime, p.StartTime, p.EndTime, p.RenewTill)
	}
	if got.client.String() != "alice@A.TEST" || !p.Server.Equal(r.tgs) || !got.ticket.Server.Equal(r.tgs) {
		t.Errorf("client %s, server %s, ticket for %s", got.client, p.Server, got.ticket.Server)
	}
	sealed := inside(t, r, got.ticket)
	if sealed.Client.String() != "alice@A.TEST" || !bytes.Equal(sealed.Key.Value, p.Key.Value) ||
		sealed.Flags != p.Flags || !sealed.EndTime.Equal(p.EndTime) {
		t.Errorf("the ticket says %+v, the reply %+v", sealed, p)
	}
}

func TestPreauthRequired(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	q := asReq(r, "alice", func(q *krbmsg.KDCReq) { q.Body.ETypes = []int32{3, 19, 23, 17, 19, 18} })
	_, e := ask(t, r, q)
	wantCode(t, e, krbmsg.ErrPreauthRequired)
	methods, err := krbmsg.ParseMethodData(e.Data)
	if err != nil {
		t.Fatal(err)
	}
	if value, ok := krbmsg.FindPAData(methods, krbmsg.PAEncTimestamp); !ok || len(value) != 0 {
		t.Errorf("PA-ENC-TIMESTAMP is not offered, or not empty: %x", value)
	}
	value, _ := krbmsg.FindPAData(methods, krbmsg.PAETypeInfo2)
	info, err := krbmsg.ParseETypeInfo2(value)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int32
	for _, i := range info {
		ids = append(ids, i.EType)
		if !i.HasSalt || i.Salt != "A.TESTalice" || i.Params != nil {
			t.Errorf("etype %d: salt %q, parameters %x, want the default ones", i.EType, i.Salt, i.Params)
		}
	}
	if want := []int32{19, 17, 18}; !slices.Equal(ids, want) {
		t.Errorf("encryption types %v, want those in common in the client's order %v", ids, want)
	}
	if !e.ServerTime.Equal(noon) || !e.Server.Equal(r.tgs) || e.Client.String() != "alice@A.TEST" {
		t.Errorf("the error is of %v about %s and %s", e.ServerTime, e.Client, e.Server)
	}
}

func TestLoginRefused(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "locked", "secret", func(p *Policy) { p.Locked = true })
	add(t, r, "stale", "secret", func(p *Policy) { p.PasswordExpired = true })
	add(t, r, "gone", "secret", func(p *Policy) { p.Expires = noon })
	add(t, r, "staying", "secret", func(p *Policy) { p.Expires = noon.Add(time.Second) })
	add(t, r, "HTTP/locked", "", func(p *Policy) { p.Locked = true })
	add(t, r, "HTTP/gone", "", func(p *Policy) { p.Expires = noon.Add(-time.Hour) })
	if err := r.Add(Entry{Name: "old", Password: "secret", Enctypes: []etype.ID{etype.RC4HMAC}}); err != nil {
		t.Fatal(err)
	}
	server := func(components ...string) func(*krbmsg.KDCReq) {
		return func(q *krbmsg.KDCReq) { q.Body.Server = principal.New(q.Body.Realm, components...) }
	}
	for _, c := range []struct {
		name, client string
		edit         func(*krbmsg.KDCReq)
		want         krbmsg.ErrorCode
	}{
		{"unknown client", "bob", nil, krbmsg.ErrCPrincipalUnknown},
		{"no client", "alice", func(q *krbmsg.KDCReq) { q.Body.Client = principal.Name{} }, krbmsg.ErrCPrincipalUnknown},
		{"unknown server", "alice", server("HTTP", "nowhere"), krbmsg.ErrSPrincipalUnknown},
		{"no server", "alice", func(q *krbmsg.KDCReq) { q.Body.Server = principal.Name{} }, krbmsg.ErrSPrincipalUnknown},
		{"password change", "alice", server("kadmin", "changepw"), krbmsg.ErrSPrincipalUnknown},
		{"locked", "locked", nil, krbmsg.ErrClientRevoked},
		{"password expired", "stale", nil, krbmsg.ErrKeyExpired},
		{"expired", "gone", nil, krbmsg.ErrNameExp},
		{"not yet expired", "staying", nil, krbmsg.ErrPreauthRequired},
		{"locked service", "alice", server("HTTP", "locked"), krbmsg.ErrServiceRevoked},
		{"expired service", "alice", server("HTTP", "gone"), krbmsg.ErrServiceExp},
		{"no common enctype", "alice", func(q *krbmsg.KDCReq) { q.Body.ETypes = []int32{23, 3, 1} }, krbmsg.ErrETypeNoSupp},
		{"no enctype", "alice", func(q *krbmsg.KDCReq) { q.Body.ETypes = nil }, krbmsg.ErrETypeNoSupp},
		{"user has RC4 only", "old", nil, krbmsg.ErrETypeNoSupp},
		{"renew", "alice", options(krbmsg.OptRenew), krbmsg.ErrBadOption},
		{"forwarded", "alice", options(krbmsg.OptForwarded), krbmsg.ErrBadOption},
		{"anonymous", "alice", options(krbmsg.OptRequestAnonymous), krbmsg.ErrBadOption},
		{"post-dated", "alice", options(krbmsg.OptPostdated), krbmsg.ErrCannotPostdate},
		{"from the future", "alice", func(q *krbmsg.KDCReq) { q.Body.From = noon.Add(time.Hour) }, krbmsg.ErrCannotPostdate},
		{"another realm", "alice@B.TEST", func(q *krbmsg.KDCReq) { q.Body.Realm = "B.TEST" }, krbmsg.ErrCPrincipalUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := asReq(r, c.client)
			if c.edit != nil {
				c.edit(q)
			}
			_, e := ask(t, r, q)
			wantCode(t, e, c.want)
		})
	}
}

func TestPreauthFailed(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	for _, c := range []struct {
		name     string
		password string
		at       time.Time
		edit     func(*krbmsg.KDCReq)
		want     krbmsg.ErrorCode
	}{
		{"wrong password", "Secret", noon, nil, krbmsg.ErrPreauthFailed},
		{"slow clock", "secret", noon.Add(-DefaultSkew - time.Second), nil, krbmsg.ErrSkew},
		{"fast clock", "secret", noon.Add(DefaultSkew + time.Second), nil, krbmsg.ErrSkew},
		{"garbage", "secret", noon, func(q *krbmsg.KDCReq) { q.PAData[0].Value = []byte{1, 2} }, krbmsg.ErrPreauthFailed},
		{"type not offered", "secret", noon, func(q *krbmsg.KDCReq) { q.Body.ETypes = []int32{17} }, krbmsg.ErrPreauthFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := asReq(r, "alice")
			stamp(t, q, etype.AES256SHA1, c.password, "A.TESTalice", c.at)
			if c.edit != nil {
				c.edit(q)
			}
			_, e := ask(t, r, q)
			wantCode(t, e, c.want)
			if !e.ServerTime.Equal(noon) {
				t.Errorf("the error has server time %v, want %v", e.ServerTime, noon)
			}
		})
	}
	loginAt(t, r, "alice", noon.Add(DefaultSkew))
	loginAt(t, r, "alice", noon.Add(-DefaultSkew))
}

// A client that pre-authenticates with another type than its first gets the
// reply under the key that it has shown to know.
func TestReplyKeyFollowsPreauth(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	q := asReq(r, "alice")
	stamp(t, q, etype.AES128SHA2, "secret", "A.TESTalice", noon)
	rep, e := ask(t, r, q)
	if e != nil {
		t.Fatal(e)
	}
	if rep.Enc.EType != int32(etype.AES128SHA2) {
		t.Errorf("the reply is of type %d, want %d", rep.Enc.EType, etype.AES128SHA2)
	}
}

func TestNoPreauth(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret", func(p *Policy) { p.NoPreauth = true })
	rep, e := ask(t, r, asReq(r, "alice"))
	if e != nil {
		t.Fatal(e)
	}
	key, err := etype.StringToKey(etype.AES256SHA1, "secret", "A.TESTalice", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, rep, key, krbmsg.UsageASRepPart); got.part.Flags&krbmsg.FlagPreAuth != 0 {
		t.Error("the ticket claims pre-authentication")
	}
}

func TestTicketTimes(t *testing.T) {
	const hour = time.Hour
	week := 7 * 24 * hour
	for _, c := range []struct {
		name        string
		options     uint32
		till        time.Duration // 0: the longest
		renewTill   time.Duration
		end, renew  time.Duration // renew 0: not renewable
		realm, user func(*Options, *Policy)
	}{
		{name: "longest", end: 24 * hour},
		{name: "shorter", till: hour, end: hour},
		{name: "longer than allowed", till: 100 * hour, end: 24 * hour},
		{name: "renewable", options: krbmsg.OptRenewable, renewTill: 48 * hour, end: 24 * hour, renew: 48 * hour},
		{name: "renewable as long as allowed", options: krbmsg.OptRenewable, end: 24 * hour, renew: week},
		{name: "renewable longer than allowed", options: krbmsg.OptRenewable, renewTill: 2 * week, end: 24 * hour, renew: week},
		{name: "renewable shorter than valid", options: krbmsg.OptRenewable, renewTill: hour, end: 24 * hour},
		{name: "renewable if too long", options: krbmsg.OptRenewableOK, till: 100 * hour, end: 24 * hour, renew: 100 * hour},
		{name: "renewable if too long, and is not", options: krbmsg.OptRenewableOK, till: hour, end: hour},
		{
			name: "short life in the realm", till: 100 * hour, end: hour,
			realm: func(o *Options, _ *Policy) { o.MaxLife = hour },
		},
		{
			name: "never renewable in the realm", options: krbmsg.OptRenewable, renewTill: 48 * hour, end: 24 * hour,
			realm: func(o *Options, _ *Policy) { o.MaxRenew = -1 },
		},
		{
			name: "short life of the user", options: krbmsg.OptRenewable, end: hour, renew: 2 * hour,
			user: func(_ *Options, p *Policy) { p.MaxLife, p.MaxRenew = hour, 2*hour },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRealm(t, func(o *Options) {
				if c.realm != nil {
					c.realm(o, nil)
				}
			})
			add(t, r, "alice", "secret", func(p *Policy) {
				if c.user != nil {
					c.user(nil, p)
				}
			})
			got := login(t, r, "alice", options(c.options), func(q *krbmsg.KDCReq) {
				if c.till != 0 {
					q.Body.Till = noon.Add(c.till)
				}
				if c.renewTill != 0 {
					q.Body.RenewTill = noon.Add(c.renewTill)
				}
			}).part
			if !got.EndTime.Equal(noon.Add(c.end)) {
				t.Errorf("it ends after %v, want %v", got.EndTime.Sub(noon), c.end)
			}
			if c.renew == 0 {
				if !got.RenewTill.IsZero() || got.Flags&krbmsg.FlagRenewable != 0 {
					t.Errorf("it is renewable until %v, flags %#x, want not at all", got.RenewTill, got.Flags)
				}
				return
			}
			if !got.RenewTill.Equal(noon.Add(c.renew)) || got.Flags&krbmsg.FlagRenewable == 0 {
				t.Errorf("it is renewable for %v, flags %#x, want %v", got.RenewTill.Sub(noon), got.Flags, c.renew)
			}
		})
	}
	t.Run("in the past", func(t *testing.T) {
		r := newRealm(t)
		add(t, r, "alice", "secret")
		q := asReq(r, "alice", func(q *krbmsg.KDCReq) { q.Body.Till = noon })
		stamp(t, q, etype.AES256SHA1, "secret", "A.TESTalice", noon)
		_, e := ask(t, r, q)
		wantCode(t, e, krbmsg.ErrNeverValid)
	})
}

func TestLoginFlags(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "sensitive", "secret", func(p *Policy) { p.NoForwardable = true })
	both := options(krbmsg.OptForwardable | krbmsg.OptProxiable)
	if got := login(t, r, "alice", both).part.Flags; got&krbmsg.FlagForwardable == 0 || got&krbmsg.FlagProxiable == 0 {
		t.Errorf("flags %#x, want forwardable and proxiable", got)
	}
	if got := login(t, r, "sensitive", both).part.Flags; got&krbmsg.FlagForwardable != 0 {
		t.Errorf("flags %#x of a user whose tickets must not be forwardable", got)
	}
	add(t, r, "HTTP/closed", "", func(p *Policy) { p.NoForwardable = true })
	closed := func(q *krbmsg.KDCReq) { q.Body.Server = principal.New("A.TEST", "HTTP", "closed") }
	if got := login(t, r, "alice", both, closed).part.Flags; got&krbmsg.FlagForwardable != 0 {
		t.Errorf("flags %#x for a service whose tickets must not be forwardable", got)
	}
}

func TestLoginForService(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "", func(p *Policy) { p.OKAsDelegate = true })
	web := principal.Service("A.TEST", "HTTP", "web.a.test")
	got := login(t, r, "alice", func(q *krbmsg.KDCReq) { q.Body.Server = web })
	if !got.ticket.Server.Equal(web) || got.part.Flags&krbmsg.FlagOKAsDelegate == 0 {
		t.Errorf("a ticket for %s with flags %#x", got.ticket.Server, got.part.Flags)
	}
	inside(t, r, got.ticket)
}

func TestAddressesAreKept(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	addresses := []krbmsg.TypedData{{Type: 2, Data: []byte{127, 0, 0, 1}}}
	got := login(t, r, "alice", func(q *krbmsg.KDCReq) { q.Body.Addresses = addresses })
	sealed := inside(t, r, got.ticket).Addresses
	if len(got.part.Addresses) != 1 || len(sealed) != 1 || !bytes.Equal(sealed[0].Data, addresses[0].Data) {
		t.Errorf("addresses %v in the reply, %v in the ticket", got.part.Addresses, sealed)
	}
}

// What a KDC does not know it passes over. That includes PA-REQ-ENC-PA-REP: a
// reply with its checksum, but without FAST, is refused by gokrb5.
func TestUnknownPADataIsIgnored(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	got := login(t, r, "alice", func(q *krbmsg.KDCReq) {
		q.PAData = []krbmsg.PAData{{Type: krbmsg.PAReqEncPARep}, {Type: krbmsg.PAFXFast, Value: []byte("?")}, {Type: 4711}}
	})
	if got.part.Flags&krbmsg.FlagEncPARep != 0 || len(got.part.PAData) != 0 {
		t.Errorf("flags %#x, encrypted padata %v, want none", got.part.Flags, got.part.PAData)
	}
}

func TestBigReplyOverUDP(t *testing.T) {
	r := newRealm(t, func(o *Options) { o.MaxUDPReply = 500 })
	add(t, r, "alice", "secret")
	q := asReq(r, "alice")
	stamp(t, q, etype.AES256SHA1, "secret", "A.TESTalice", noon)
	e, err := krbmsg.ParseKRBError(r.Handle(UDP, q.Append(nil)))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, e, krbmsg.ErrResponseTooBig)
	if _, e := ask(t, r, q); e != nil {
		t.Errorf("over TCP: %v", e)
	}
}

func TestCanonicalization(t *testing.T) {
	r := newRealm(t)
	b := newRealm(t, func(o *Options) { o.Realm = "B.TEST" })
	if err := Trust(r, b); err != nil {
		t.Fatal(err)
	}
	add(t, r, "alice", "secret")
	for alias, target := range map[string]string{
		"al": "alice", "bob": "bob@B.TEST", `alice\@mail.test`: "alice",
	} {
		if err := r.AddAlias(alias, target); err != nil {
			t.Fatal(err)
		}
	}
	enterprise := func(name string) func(*krbmsg.KDCReq) {
		return func(q *krbmsg.KDCReq) {
			q.Body.Client = principal.Name{Type: principal.TypeEnterprise, Realm: "A.TEST", Components: []string{name}}
		}
	}
	canonicalize := options(krbmsg.OptCanonicalize)
	for _, c := range []struct {
		name, client string
		edit         []func(*krbmsg.KDCReq)
		want         krbmsg.ErrorCode
		named        string // the client in the error
	}{
		{"alias", "al", []func(*krbmsg.KDCReq){canonicalize}, krbmsg.ErrPreauthRequired, "alice@A.TEST"},
		{"alias without canonicalization", "al", nil, krbmsg.ErrCPrincipalUnknown, "al@A.TEST"},
		{"alias into another realm", "bob", []func(*krbmsg.KDCReq){canonicalize}, krbmsg.ErrWrongRealm, "bob@B.TEST"},
		{"enterprise name", "x", []func(*krbmsg.KDCReq){enterprise("alice@a.test")}, krbmsg.ErrPreauthRequired, "alice@A.TEST"},
		{"enterprise alias", "x", []func(*krbmsg.KDCReq){enterprise("alice@mail.test")}, krbmsg.ErrPreauthRequired, "alice@A.TEST"},
		{"enterprise name elsewhere", "x", []func(*krbmsg.KDCReq){enterprise("bob@b.test")}, krbmsg.ErrWrongRealm, "bob@B.TEST"},
		{"enterprise name nowhere", "x", []func(*krbmsg.KDCReq){enterprise("bob@c.test")}, krbmsg.ErrCPrincipalUnknown, `bob\@c.test@A.TEST`},
		{
			"client of a trusted realm", "bob@B.TEST",
			[]func(*krbmsg.KDCReq){canonicalize, func(q *krbmsg.KDCReq) { q.Body.Realm = "B.TEST" }},
			krbmsg.ErrWrongRealm, "bob@B.TEST",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, e := ask(t, r, asReq(r, c.client, c.edit...))
			wantCode(t, e, c.want)
			if e.Client.String() != c.named {
				t.Errorf("the error names %s, want %s", e.Client, c.named)
			}
		})
	}
	q := asReq(r, "al", canonicalize)
	stamp(t, q, etype.AES256SHA1, "secret", "A.TESTalice", noon)
	if rep, e := ask(t, r, q); e != nil || rep.Client.String() != "alice@A.TEST" {
		t.Errorf("logged in as %s, %v", rep.Client, e)
	}
}
