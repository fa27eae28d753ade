package kdc

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// chain makes realms each of which trusts the next.
func chain(t *testing.T, names ...string) []*Realm {
	t.Helper()
	realms := make([]*Realm, len(names))
	for i, name := range names {
		realms[i] = newRealm(t, func(o *Options) { o.Realm = name })
		if i > 0 {
			if err := Trust(realms[i-1], realms[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return realms
}

// travel asks for a service as a client does that follows referrals. It returns
// the ticket and the realms over which it came.
func travel(t *testing.T, realms []*Realm, tgt held, server string) (held, []string) {
	t.Helper()
	at := realms[0]
	var path []string
	for range len(realms) + 1 {
		q := newTGSReq(t, at, tgt, server)
		q.Body.Options = krbmsg.OptCanonicalize
		got := q.must(t, at)
		if !got.ticket.Server.IsTGS() {
			return got, path
		}
		tgt = got
		next := got.ticket.Server.Components[1]
		path = append(path, next)
		at = realms[slices.IndexFunc(realms, func(r *Realm) bool { return r.Name() == next })]
	}
	t.Fatalf("referred in a circle: %v", path)
	return held{}, nil
}

func TestReferral(t *testing.T) {
	realms := chain(t, "A.TEST", "B.TEST", "C.TEST", "D.TEST")
	a, last := realms[0], realms[3]
	add(t, a, "alice", "secret")
	add(t, last, "HTTP/web.d.test", "")
	tgt := login(t, a, "alice")
	got, path := travel(t, realms, tgt, "HTTP/web.d.test")
	if want := []string{"B.TEST", "C.TEST", "D.TEST"}; !slices.Equal(path, want) {
		t.Errorf("the way was %v, want %v", path, want)
	}
	if got.client.String() != "alice@A.TEST" || got.ticket.Server.String() != "HTTP/web.d.test@D.TEST" {
		t.Errorf("a ticket of %s for %s", got.client, got.ticket.Server)
	}
	sealed := inside(t, last, got.ticket)
	if string(sealed.Transited) != "B.TEST,C.TEST" || sealed.TransitedType != krbmsg.TransitedX500 {
		t.Errorf("transited %q of type %d, want the realms between", sealed.Transited, sealed.TransitedType)
	}
	if sealed.Flags&krbmsg.FlagTransited == 0 {
		t.Error("the transited realms have not been checked")
	}
}

func TestReferralNeedsCanonicalize(t *testing.T) {
	realms := chain(t, "A.TEST", "B.TEST")
	add(t, realms[0], "alice", "secret")
	add(t, realms[1], "HTTP/web.b.test", "")
	tgt := login(t, realms[0], "alice")
	_, e := get(t, realms[0], tgt, "HTTP/web.b.test", 0)
	wantCode(t, e, krbmsg.ErrSPrincipalUnknown)
	_, e = get(t, realms[0], tgt, "HTTP/web.c.test", krbmsg.OptCanonicalize)
	wantCode(t, e, krbmsg.ErrSPrincipalUnknown)
	_, e = get(t, realms[0], tgt, "HTTP/web.a.test", krbmsg.OptCanonicalize)
	wantCode(t, e, krbmsg.ErrSPrincipalUnknown)
}

func TestCrossRealmTGT(t *testing.T) {
	realms := chain(t, "A.TEST", "B.TEST", "C.TEST")
	add(t, realms[0], "alice", "secret")
	tgt := login(t, realms[0], "alice")
	for asked, want := range map[string]string{
		"krbtgt/B.TEST": "krbtgt/B.TEST@A.TEST",
		"krbtgt/C.TEST": "krbtgt/B.TEST@A.TEST", // the nearest on the way
	} {
		got, e := get(t, realms[0], tgt, asked, 0)
		if e != nil || got.ticket.Server.String() != want {
			t.Errorf("asked for %s: %s, %v, want %s", asked, got.ticket.Server, e, want)
		}
	}
	_, e := get(t, realms[0], tgt, "krbtgt/D.TEST", krbmsg.OptCanonicalize)
	wantCode(t, e, krbmsg.ErrSPrincipalUnknown)

	// It is for the other realm, and this one does not take it back.
	cross, e := get(t, realms[0], tgt, "krbtgt/B.TEST", 0)
	if e != nil {
		t.Fatal(e)
	}
	_, e = get(t, realms[0], cross, "krbtgt/A.TEST", 0)
	wantCode(t, e, krbmsg.ErrNotUs)
}

// A realm that is trusted cannot vouch for clients of the realm that trusts it.
func TestForeignRealmCannotNameLocalClient(t *testing.T) {
	realms := chain(t, "A.TEST", "B.TEST")
	a, b := realms[0], realms[1]
	add(t, a, "HTTP/web.a.test", "")
	add(t, b, "mallory", "secret")
	tgt, e := get(t, b, login(t, b, "mallory"), "krbtgt/A.TEST", 0)
	if e != nil {
		t.Fatal(e)
	}
	part := inside(t, b, tgt.ticket)
	part.Client = principal.New("A.TEST", "alice")
	key := b.lookup(tgt.ticket.Server).current()
	g := grant{server: tgt.ticket.Server, ticket: part, ticketKey: key.strongest(), kvno: key.kvno}
	forged, err := b.sealTicket(&g)
	if err != nil {
		t.Fatal(err)
	}
	tgt.ticket, tgt.client = forged, part.Client
	_, e = get(t, a, tgt, "HTTP/web.a.test", 0)
	wantCode(t, e, krbmsg.ErrPolicy)
}

// A ticket that came over a realm that nobody here knows is issued, but not
// marked as checked.
func TestUnknownTransitedRealm(t *testing.T) {
	realms := chain(t, "A.TEST", "B.TEST")
	a, b := realms[0], realms[1]
	add(t, a, "alice", "secret")
	add(t, b, "HTTP/web.b.test", "")
	tgt, e := get(t, a, login(t, a, "alice"), "krbtgt/B.TEST", 0)
	if e != nil {
		t.Fatal(e)
	}
	with := func(transited string) held {
		part := inside(t, a, tgt.ticket)
		part.Transited = []byte(transited)
		key := a.lookup(tgt.ticket.Server).current()
		g := grant{server: tgt.ticket.Server, ticket: part, ticketKey: key.strongest(), kvno: key.kvno}
		ticket, err := a.sealTicket(&g)
		if err != nil {
			t.Fatal(err)
		}
		forged := tgt
		forged.ticket = ticket
		return forged
	}
	for transited, want := range map[string]bool{"": true, "A.TEST": true, "X.TEST": false, "A.TEST,X.TEST": false, "TEST.": false} {
		got, e := get(t, b, with(transited), "HTTP/web.b.test", 0)
		if e != nil {
			t.Fatal(e)
		}
		if has := got.part.Flags&krbmsg.FlagTransited != 0; has != want {
			t.Errorf("transited %q: checked is %v, want %v", transited, has, want)
		}
	}
	got, e := get(t, b, with(""), "HTTP/web.b.test", krbmsg.OptDisableTransited)
	if e != nil || got.part.Flags&krbmsg.FlagTransited != 0 {
		t.Errorf("flags %#x, %v, though no check was wanted", got.part.Flags, e)
	}
	_, e = get(t, b, with(strings.Repeat("X", maxTransited+1)), "HTTP/web.b.test", 0)
	wantCode(t, e, krbmsg.ErrPolicy)
}

func TestMapDomain(t *testing.T) {
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "krbtgt/EXT.TEST", "shared")
	if err := r.MapDomain(".example.test", "EXT.TEST"); err != nil {
		t.Fatal(err)
	}
	got, e := get(t, r, login(t, r, "alice"), "HTTP/WWW.Example.test", krbmsg.OptCanonicalize)
	if e != nil || got.ticket.Server.String() != "krbtgt/EXT.TEST@A.TEST" {
		t.Errorf("referred to %s, %v", got.ticket.Server, e)
	}
}

func TestRealmOf(t *testing.T) {
	realms := chain(t, "A.TEST", "B.TEST", "SUB.B.TEST")
	for host, want := range map[string]string{
		"web.b.test": "B.TEST", "b.test": "B.TEST", "WEB.B.TEST.": "B.TEST", "web.a.test": "A.TEST",
		"x.sub.b.test": "SUB.B.TEST", "webb.test": "", "test": "", "": "",
	} {
		if got := realms[0].realmOf(host); got != want {
			t.Errorf("host %q is in %q, want %q", host, got, want)
		}
	}
}

func TestRealmList(t *testing.T) {
	for _, realms := range [][]string{
		{"A.TEST"}, {"A.TEST", "B.TEST"}, {"/C=DE/O=X", "A,B", `A\B`}, {" x", "B"},
	} {
		var list []byte
		for _, realm := range realms {
			list = appendRealm(list, realm)
		}
		if got, ok := splitRealms(list); !ok || !slices.Equal(got, realms) {
			t.Errorf("%q were written as %q and read as %q", realms, list, got)
		}
	}
	for _, compressed := range []string{"EDU,MIT.,ATHENA.", "/COM,/HP", ",A", "A,,B", "A,", ","} {
		if realms, ok := splitRealms([]byte(compressed)); ok {
			t.Errorf("%q was read as %q, but it is compressed", compressed, realms)
		}
	}
}

func FuzzRealmList(f *testing.F) {
	for _, s := range []string{"", "A.TEST,B.TEST", `A\,B`, ` /C=DE,\\`, "EDU,MIT.", `\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		realms, ok := splitRealms(list)
		if !ok || strings.ContainsAny(string(list), "\\ ") {
			return
		}
		var again []byte
		for _, realm := range realms {
			again = appendRealm(again, realm)
		}
		if string(again) != string(list) {
			t.Errorf("%q was read as %q and written as %q", list, realms, again)
		}
	})
}
