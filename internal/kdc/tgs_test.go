package kdc

import (
	"bytes"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

func TestServiceTicket(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "")
	tgt := login(t, r, "alice", func(q *krbmsg.KDCReq) { q.Body.Till = noon.Add(time.Hour) })
	for _, c := range []struct {
		name string
		edit func(*tgsReq)
	}{
		{"with a subkey", func(*tgsReq) {}},
		{"without a subkey", func(q *tgsReq) { q.subkey = nil }},
		{"with a subkey of another type", func(q *tgsReq) {
			q.subkey, _ = etype.RandomKey(etype.AES128SHA2)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newTGSReq(t, r, tgt, "HTTP/web.a.test")
			c.edit(q)
			got := q.must(t, r)
			if got.client.String() != "alice@A.TEST" || got.ticket.Server.String() != "HTTP/web.a.test@A.TEST" {
				t.Errorf("client %s, ticket for %s", got.client, got.ticket.Server)
			}
			if p := got.part; !p.EndTime.Equal(noon.Add(time.Hour)) || !p.AuthTime.Equal(noon) {
				t.Errorf("it ends at %v, want no later than the TGT", p.EndTime)
			}
			if want := krbmsg.FlagPreAuth | krbmsg.FlagTransited; got.part.Flags != want {
				t.Errorf("flags %#x, want %#x", got.part.Flags, want)
			}
			sealed := inside(t, r, got.ticket)
			if sealed.Client.String() != "alice@A.TEST" || !bytes.Equal(sealed.Key.Value, got.part.Key.Value) {
				t.Errorf("the ticket says %+v", sealed)
			}
		})
	}
}

func TestEnctypesOfServiceTicket(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	sha2 := []etype.ID{etype.AES256SHA2, etype.AES128SHA1}
	if err := r.Add(Entry{Name: "HTTP/new.a.test", Enctypes: sha2}); err != nil {
		t.Fatal(err)
	}
	tgt := login(t, r, "alice")
	q := newTGSReq(t, r, tgt, "HTTP/new.a.test")
	q.Body.ETypes = []int32{18, 17, 20}
	got := q.must(t, r)
	if got.part.Key.Type != 17 {
		t.Errorf("session key of type %d, want 17: the client's first that the service has", got.part.Key.Type)
	}
	if got.ticket.Enc.EType != 20 || got.ticket.Enc.KVNO != 1 {
		t.Errorf("ticket of type %d, kvno %d, want the service's preferred 20, kvno 1", got.ticket.Enc.EType, got.ticket.Enc.KVNO)
	}
	q = newTGSReq(t, r, tgt, "HTTP/new.a.test")
	q.Body.ETypes = []int32{18, 23}
	_, e := q.ask(t, r)
	wantCode(t, e, krbmsg.ErrETypeNoSupp)
}

func TestTGSRefused(t *testing.T) {
	now := noon
	r := newRealm(t, func(o *Options) { o.Now = func() time.Time { return now } })
	add(t, r, "alice", "secret")
	add(t, r, "bob", "secret")
	add(t, r, "HTTP/web.a.test", "")
	add(t, r, "HTTP/locked.a.test", "", func(p *Policy) { p.Locked = true })
	tgt := login(t, r, "alice")
	web := newTGSReq(t, r, tgt, "HTTP/web.a.test").must(t, r)
	other, err := etype.RandomKey(etype.AES256SHA1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		edit func(*tgsReq)
		want krbmsg.ErrorCode
	}{
		{"unknown service", func(q *tgsReq) { q.Body.Server.Components = []string{"HTTP", "x"} }, krbmsg.ErrSPrincipalUnknown},
		{"no service", func(q *tgsReq) { q.Body.Server = principal.Name{} }, krbmsg.ErrSPrincipalUnknown},
		{"locked service", func(q *tgsReq) { q.Body.Server.Components = []string{"HTTP", "locked.a.test"} }, krbmsg.ErrServiceRevoked},
		{"body changed", func(q *tgsReq) {
			q.afterSum = func(m *krbmsg.KDCReq) { m.Body.Server.Components = []string{"bob"} }
		}, krbmsg.ErrModified},
		{"no checksum", func(q *tgsReq) { q.auth.Checksum = krbmsg.Checksum{Type: 7, Sum: make([]byte, 16)} }, krbmsg.ErrInappCksum},
		{"empty checksum", func(q *tgsReq) { q.auth.Checksum = krbmsg.Checksum{Type: 16} }, krbmsg.ErrModified},
		{"no ticket", func(q *tgsReq) { q.afterSum = func(m *krbmsg.KDCReq) { m.PAData = nil } }, krbmsg.ErrPADataTypeNoSupp},
		{"malformed AP-REQ", func(q *tgsReq) {
			q.afterSum = func(m *krbmsg.KDCReq) { m.PAData[0].Value = m.PAData[0].Value[:20] }
		}, krbmsg.ErrBadIntegrity},
		{"another's name", func(q *tgsReq) { q.auth.Client.Components = []string{"bob"} }, krbmsg.ErrBadMatch},
		{"another's realm", func(q *tgsReq) { q.auth.Client.Realm = "B.TEST" }, krbmsg.ErrBadMatch},
		{"slow clock", func(q *tgsReq) { q.auth.Time = noon.Add(-DefaultSkew - time.Second) }, krbmsg.ErrSkew},
		{"fast clock", func(q *tgsReq) { q.auth.Time = noon.Add(DefaultSkew + time.Second) }, krbmsg.ErrSkew},
		{"wrong session key", func(q *tgsReq) { q.with.key = other }, krbmsg.ErrBadIntegrity},
		{"service ticket in place of a TGT", func(q *tgsReq) { q.with = web }, krbmsg.ErrNotUs},
		{"ticket of nobody here", func(q *tgsReq) { q.with.ticket = retarget(tgt.ticket, principal.TGS("C.TEST", "C.TEST")) }, krbmsg.ErrNotUs},
		{"ticket of another service", func(q *tgsReq) { q.with.ticket = retarget(web.ticket, r.tgs) }, krbmsg.ErrBadIntegrity},
		{"unknown key version", func(q *tgsReq) {
			q.with.ticket = retarget(tgt.ticket, r.tgs)
			q.with.ticket.Enc.KVNO = 9
		}, krbmsg.ErrBadKeyVer},
		{"unknown key type", func(q *tgsReq) {
			q.with.ticket = retarget(tgt.ticket, r.tgs)
			q.with.ticket.Enc.EType = 99
		}, krbmsg.ErrNoKey},
		{"forwardable", func(q *tgsReq) { q.Body.Options = krbmsg.OptForwardable }, krbmsg.ErrBadOption},
		{"forwarded", func(q *tgsReq) { q.Body.Options = krbmsg.OptForwarded }, krbmsg.ErrBadOption},
		{"proxiable", func(q *tgsReq) { q.Body.Options = krbmsg.OptProxiable }, krbmsg.ErrBadOption},
		{"renewable", func(q *tgsReq) { q.Body.Options = krbmsg.OptRenewable }, krbmsg.ErrBadOption},
		{"validate", func(q *tgsReq) { q.Body.Options = krbmsg.OptValidate }, krbmsg.ErrBadOption},
		{"bad authorization data", func(q *tgsReq) {
			q.Body.AuthData = &krbmsg.EncryptedData{EType: 18, Cipher: make([]byte, 60)}
		}, krbmsg.ErrBadIntegrity},
		{"second ticket missing", func(q *tgsReq) { q.Body.Options = krbmsg.OptEncTktInSKey }, krbmsg.ErrBadOption},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newTGSReq(t, r, tgt, "HTTP/web.a.test")
			c.edit(q)
			_, e := q.ask(t, r)
			wantCode(t, e, c.want)
		})
	}
	now = noon.Add(DefaultMaxLife)
	_, e := get(t, r, tgt, "HTTP/web.a.test", 0)
	wantCode(t, e, krbmsg.ErrTktExpired)
	now = noon.Add(-time.Hour)
	_, e = get(t, r, tgt, "HTTP/web.a.test", 0)
	wantCode(t, e, krbmsg.ErrTktNYV)
}

// retarget lets a ticket claim to be for another service.
func retarget(t krbmsg.Ticket, server principal.Name) krbmsg.Ticket {
	return krbmsg.Ticket{Server: server, Enc: t.Enc}
}

func TestForward(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "")
	add(t, r, "HTTP/closed.a.test", "", func(p *Policy) { p.NoForwardable = true })
	tgt := login(t, r, "alice", options(krbmsg.OptForwardable), func(q *krbmsg.KDCReq) {
		q.Body.Addresses = []krbmsg.TypedData{{Type: 2, Data: []byte{127, 0, 0, 1}}}
	})
	got, e := get(t, r, tgt, "krbtgt/A.TEST", krbmsg.OptForwarded|krbmsg.OptForwardable)
	if e != nil {
		t.Fatal(e)
	}
	if want := krbmsg.FlagForwarded | krbmsg.FlagForwardable; got.part.Flags&want != want || len(got.part.Addresses) != 0 {
		t.Errorf("flags %#x, addresses %v: want forwarded, forwardable, none", got.part.Flags, got.part.Addresses)
	}
	service, e := get(t, r, got, "HTTP/web.a.test", krbmsg.OptForwardable)
	if e != nil {
		t.Fatal(e)
	}
	if want := krbmsg.FlagForwarded | krbmsg.FlagForwardable; service.part.Flags&want != want {
		t.Errorf("flags %#x of the service ticket had by a forwarded TGT", service.part.Flags)
	}
	service, e = get(t, r, got, "HTTP/closed.a.test", krbmsg.OptForwardable)
	if e != nil || service.part.Flags&krbmsg.FlagForwardable != 0 {
		t.Errorf("flags %#x, %v for a service whose tickets are not forwardable", service.part.Flags, e)
	}
	if _, e = get(t, r, tgt, "HTTP/web.a.test", krbmsg.OptProxiable); e == nil {
		t.Error("a proxiable ticket was had by a TGT that is not proxiable")
	}
}

func TestOKAsDelegate(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/trusted.a.test", "", func(p *Policy) { p.OKAsDelegate = true })
	add(t, r, "HTTP/other.a.test", "")
	tgt := login(t, r, "alice")
	for server, want := range map[string]bool{"HTTP/trusted.a.test": true, "HTTP/other.a.test": false} {
		got := newTGSReq(t, r, tgt, server).must(t, r)
		if has := got.part.Flags&krbmsg.FlagOKAsDelegate != 0; has != want {
			t.Errorf("%s: OK-AS-DELEGATE is %v, want %v", server, has, want)
		}
	}
}

func TestRenew(t *testing.T) {
	now := noon
	r := newRealm(t, func(o *Options) {
		o.Now = func() time.Time { return now }
		o.MaxLife, o.MaxRenew = time.Hour, 150*time.Minute
	})
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "")
	tgt := login(t, r, "alice", options(krbmsg.OptRenewable|krbmsg.OptForwardable))
	now = noon.Add(50 * time.Minute)
	renewed, e := get(t, r, tgt, "krbtgt/A.TEST", krbmsg.OptRenew)
	if e != nil {
		t.Fatal(e)
	}
	p := renewed.part
	if !p.EndTime.Equal(now.Add(time.Hour)) || !p.RenewTill.Equal(noon.Add(150*time.Minute)) || !p.AuthTime.Equal(noon) {
		t.Errorf("authenticated %v, ends %v, renewable until %v", p.AuthTime, p.EndTime, p.RenewTill)
	}
	if want := krbmsg.FlagRenewable | krbmsg.FlagForwardable | krbmsg.FlagPreAuth; p.Flags != want {
		t.Errorf("flags %#x, want %#x: as before, but not initial", p.Flags, want)
	}
	if bytes.Equal(p.Key.Value, tgt.part.Key.Value) {
		t.Error("the session key is the old one")
	}
	service, e := get(t, r, renewed, "HTTP/web.a.test", krbmsg.OptRenewable)
	if e != nil || service.part.Flags&krbmsg.FlagRenewable == 0 || !service.part.RenewTill.Equal(p.RenewTill) {
		t.Errorf("a service ticket: %v, flags %#x, renewable until %v, want it as long as the TGT is", e, service.part.Flags, service.part.RenewTill)
	}
	again, e := get(t, r, service, "HTTP/web.a.test", krbmsg.OptRenew)
	if e != nil || !again.ticket.Server.Equal(service.ticket.Server) {
		t.Errorf("renewing the service ticket: %v", e)
	}
	_, e = get(t, r, renewed, "HTTP/web.a.test", krbmsg.OptRenew)
	wantCode(t, e, krbmsg.ErrServerNoMatch)
	now = now.Add(59 * time.Minute)
	last, e := get(t, r, renewed, "krbtgt/A.TEST", krbmsg.OptRenew)
	if e != nil || !last.part.EndTime.Equal(noon.Add(150*time.Minute)) {
		t.Errorf("the last renewal ends %v, %v, want it to end when renewing does", last.part.EndTime, e)
	}
	now = noon.Add(150 * time.Minute)
	_, e = get(t, r, last, "krbtgt/A.TEST", krbmsg.OptRenew)
	wantCode(t, e, krbmsg.ErrTktExpired)

	now = noon
	_, e = get(t, r, login(t, r, "alice"), "krbtgt/A.TEST", krbmsg.OptRenew)
	wantCode(t, e, krbmsg.ErrBadOption)
	if err := r.SetPolicy("krbtgt/A.TEST", Policy{Locked: true}); err != nil {
		t.Fatal(err)
	}
	_, e = get(t, r, tgt, "krbtgt/A.TEST", krbmsg.OptRenew)
	wantCode(t, e, krbmsg.ErrServiceRevoked)
}

func TestRekey(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "")
	tgt := login(t, r, "alice")
	for _, name := range []string{"HTTP/web.a.test", "krbtgt/A.TEST"} {
		if err := r.Rekey(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	got := newTGSReq(t, r, tgt, "HTTP/web.a.test").must(t, r)
	if got.ticket.Enc.KVNO != 2 {
		t.Errorf("the ticket has kvno %d, want 2", got.ticket.Enc.KVNO)
	}
	k, err := r.Keytab("HTTP/web.a.test")
	if err != nil {
		t.Fatal(err)
	}
	kvnos := map[uint32]int{}
	for _, e := range k.Entries {
		kvnos[e.KVNO]++
	}
	if kvnos[1] != 4 || kvnos[2] != 4 || len(kvnos) != 2 {
		t.Errorf("the keytab has keys by version %v, want four of 1 and 2 each", kvnos)
	}
	if err := r.Forget("krbtgt/A.TEST"); err != nil {
		t.Fatal(err)
	}
	_, e := get(t, r, tgt, "HTTP/web.a.test", 0)
	wantCode(t, e, krbmsg.ErrBadKeyVer)
	for range 2 * maxVersions {
		if err := r.Rekey("alice", "other"); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := r.find("alice"); err != nil || len(c.versions) != maxVersions || c.current().kvno != 1+2*maxVersions {
		t.Errorf("%d versions are kept, %v", len(c.versions), err)
	}
}

func TestAuthorizationDataIsCopied(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "")
	tgt := login(t, r, "alice")
	added := []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: []byte("added")}}
	for _, subkey := range []bool{true, false} {
		q := newTGSReq(t, r, tgt, "HTTP/web.a.test")
		key, usage := q.subkey, uint32(krbmsg.UsageTGSReqAuthDataSub)
		if !subkey {
			q.subkey, key, usage = nil, tgt.key, krbmsg.UsageTGSReqAuthDataKey
		}
		cipher, err := key.AppendEncrypt(nil, usage, krbmsg.AppendTypedData(nil, added))
		if err != nil {
			t.Fatal(err)
		}
		q.Body.AuthData = &krbmsg.EncryptedData{EType: int32(key.Type()), Cipher: cipher}
		sealed := inside(t, r, q.must(t, r).ticket)
		if len(sealed.AuthData) != 1 || string(sealed.AuthData[0].Data) != "added" {
			t.Errorf("the ticket has authorization data %v", sealed.AuthData)
		}
	}
}

func TestUserToUser(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "bob", "secret")
	alice, bob := login(t, r, "alice"), login(t, r, "bob")
	q := newTGSReq(t, r, alice, "bob")
	q.Body.Options = krbmsg.OptEncTktInSKey
	q.Body.AddTickets = []krbmsg.Ticket{bob.ticket}
	got := q.must(t, r)
	part, err := decryptTicket(bob.key, &got.ticket)
	if err != nil || part.Client.String() != "alice@A.TEST" || got.ticket.Enc.KVNO != 0 {
		t.Errorf("bob reads %v, %v, kvno %d", part.Client, err, got.ticket.Enc.KVNO)
	}
	add(t, r, "HTTP/web.a.test", "")
	for name, c := range map[string]struct {
		second held
		want   krbmsg.ErrorCode
	}{
		"another user's TGT":   {alice, krbmsg.ErrServerNoMatch},
		"bob's service ticket": {newTGSReq(t, r, bob, "HTTP/web.a.test").must(t, r), krbmsg.ErrPolicy},
	} {
		q = newTGSReq(t, r, alice, "bob")
		q.Body.Options = krbmsg.OptEncTktInSKey
		q.Body.AddTickets = []krbmsg.Ticket{c.second.ticket}
		_, e := q.ask(t, r)
		t.Run(name, func(t *testing.T) { wantCode(t, e, c.want) })
	}
}

func TestServiceAlias(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "")
	if err := r.AddAlias("HTTP/www.a.test", "HTTP/web.a.test"); err != nil {
		t.Fatal(err)
	}
	got := newTGSReq(t, r, login(t, r, "alice"), "HTTP/www.a.test").must(t, r)
	if got.ticket.Server.String() != "HTTP/www.a.test@A.TEST" {
		t.Errorf("the ticket is for %s", got.ticket.Server)
	}
	inside(t, r, retarget(got.ticket, principal.Service("A.TEST", "HTTP", "web.a.test")))
}
