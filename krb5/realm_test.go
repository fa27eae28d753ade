package krb5_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// neighbour is another realm with a service on web in its domain.
func neighbour(t *testing.T, name string, o ...krbtest.Option) *krbtest.KDC {
	t.Helper()
	kdc := krbtest.NewKDC(t, append([]krbtest.Option{krbtest.WithRealm(name)}, o...)...)
	kdc.AddService(webOf(name))
	return kdc
}

func webOf(realm string) string { return "HTTP/web." + strings.ToLower(realm) }

// alsoRealms are sections that name further KDCs.
func alsoRealms(kdcs ...*krbtest.KDC) string {
	var b strings.Builder
	for _, k := range kdcs {
		fmt.Fprintf(&b, "[realms]\n %s = {\n  kdc = %s\n }\n", k.Realm(), overTCP(k))
	}
	return b.String()
}

// A client gets tickets of other realms, wherever the way to them is told.
func TestOtherRealms(t *testing.T) {
	for _, test := range []struct {
		name     string
		sections string
		target   gss.Name
		last     string // the service's realm
		a, b, c  int    // TGS-REQs to each realm
		second   int    // TGS-REQs for another service there
	}{
		{"referral", "", gss.HostBased("HTTP", "web.b.test"), "B.TEST", 1, 1, 0, 1},
		{"two referrals", "", gss.HostBased("HTTP", "web.c.test"), "C.TEST", 1, 1, 1, 3},
		{"domain_realm", "[domain_realm]\n .b.test = B.TEST\n", gss.HostBased("HTTP", "web.b.test"), "B.TEST", 1, 1, 0, 1},
		{"domain_realm, far", "[domain_realm]\n .c.test = C.TEST\n", gss.HostBased("HTTP", "web.c.test"), "C.TEST", 1, 1, 1, 1},
		{"named realm", "", gss.Principal("HTTP/web.c.test@C.TEST"), "C.TEST", 1, 1, 1, 1},
		{"named realm, then referral", "", gss.Principal("HTTP/web.c.test@B.TEST"), "C.TEST", 1, 1, 1, 3},
		{"capaths", "[domain_realm]\n .c.test = C.TEST\n[capaths]\n KRB.TEST = {\n  C.TEST = B.TEST\n }\n", gss.HostBased("HTTP", "web.c.test"), "C.TEST", 1, 1, 1, 1},
		{"capaths, direct", "[domain_realm]\n .b.test = B.TEST\n[capaths]\n KRB.TEST = {\n  B.TEST = .\n }\n", gss.HostBased("HTTP", "web.b.test"), "B.TEST", 1, 1, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b, c := realm(t), neighbour(t, "B.TEST"), neighbour(t, "C.TEST")
			a.Trust(b)
			b.Trust(c)
			p := provider(t, a, func(o *krb5.Options) {
				o.Config = config(t, []string{overTCP(a)}, "", alsoRealms(b, c)+test.sections)
			})
			last := map[string]*krbtest.KDC{"B.TEST": b, "C.TEST": c}[test.last]
			last.AddService("HTTP/second." + strings.ToLower(test.last))
			i, acceptor := establish(t, p, last.Acceptor(webOf(test.last)), gss.InitiateOptions{Target: test.target, Flags: gss.FlagMutual}, gss.AcceptOptions{})
			if got := acceptor.Info().Initiator.Value; got != "alice@KRB.TEST" {
				t.Errorf("the acceptor sees %s", got)
			}
			if got, want := i.Info().Acceptor.Value, webOf(test.last)+"@"+test.last; got != want {
				t.Errorf("the initiator sees %s, want %s", got, want)
			}
			if got := [3]int{a.Requests().TGS, b.Requests().TGS, c.Requests().TGS}; got != [3]int{test.a, test.b, test.c} {
				t.Errorf("TGS-REQs to each realm: %v, want %v", got, [3]int{test.a, test.b, test.c})
			}
			// The way is known now, and another service of that realm costs one
			// request, unless only another realm's KDC has told of it.
			for _, k := range []*krbtest.KDC{a, b, c} {
				k.ResetRequests()
			}
			firstToken(t, p, gss.InitiateOptions{Target: gss.Principal("HTTP/second." + strings.ToLower(test.last) + "@" + test.last)})
			if n := a.Requests().TGS + b.Requests().TGS + c.Requests().TGS; n != test.second {
				t.Errorf("a second service costs %d requests, want %d", n, test.second)
			}
		})
	}
}

// What a realm says of a third one holds for the service that it was asked for.
// It has chosen the session key of that ticket, and could speak for every service
// there.
func TestReferralIsNotForOtherServices(t *testing.T) {
	a, b, c := realm(t), neighbour(t, "B.TEST"), neighbour(t, "C.TEST")
	a.Trust(b)
	b.Trust(c)
	a.Trust(c)
	b.MapDomain("away.b.test", "C.TEST")
	c.AddService("HTTP/web.away.b.test")
	p := provider(t, a, func(o *krb5.Options) {
		o.Config = config(t, []string{overTCP(a)}, "", alsoRealms(b, c))
	})
	firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "web.away.b.test")})
	if b.Requests().Referral != 1 {
		t.Fatalf("realm B was to refer the client to C: %+v", b.Requests())
	}
	a.ResetRequests()
	firstToken(t, p, gss.InitiateOptions{Target: gss.Principal("HTTP/web.c.test@C.TEST")})
	if got := a.Requests().TGS; got != 1 {
		t.Errorf("the client's own realm got %d requests for its way to C, want 1: B's ticket was used", got)
	}
}

// A host that the client's realm knows nothing of is looked for in the realm of
// its domain's name, or in the one that the DNS tells if krb5.conf asks for that.
func TestFallbackRealm(t *testing.T) {
	a := realm(t)
	b := neighbour(t, "B.TEST", krbtest.WithDomains("nowhere.test"))
	b.AddService("HTTP/odd.example")
	a.Trust(b)
	z := &zone{records: map[string][]string{"TXT _kerberos.example": {"B.TEST"}}}
	p := provider(t, a, func(o *krb5.Options) {
		o.Config, o.Resolver = config(t, []string{a.Addr()}, "", alsoRealms(b)), z.resolver(t)
	})
	firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "web.b.test")})
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "odd.example")})
	wantError(t, err, []error{krbmsg.ErrSPrincipalUnknown}, "HTTP/odd.example", "check the host name")
	if q := z.questions(); len(q) != 0 {
		t.Errorf("the DNS was asked unbidden: %v", q)
	}
	p = provider(t, a, func(o *krb5.Options) {
		o.Config, o.Resolver = config(t, []string{a.Addr()}, " dns_lookup_realm = true", alsoRealms(b)), z.resolver(t)
	})
	firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "odd.example")})
}

// An unknown service costs as many requests as there are places to look, and an
// address none but the first.
func TestUnknownService(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc, countable(t, kdc))
	for host, requests := range map[string]int{"none.krb.test": 1, "10.1.2.3": 1, "short": 1, "web.other.test": 2} {
		kdc.ResetRequests()
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", host)})
		wantError(t, err, []error{gss.ErrFailure, krbmsg.ErrSPrincipalUnknown}, "HTTP/"+host, "the KDC does not know the service", "check the host name in the URL")
		if got := kdc.Requests().TGS; got != requests {
			t.Errorf("%s: %d requests, want %d", host, got, requests)
		}
	}
}

func TestNoTrust(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Target: gss.Principal("HTTP/web.far.test@FAR.TEST")})
	wantError(t, err, []error{gss.ErrFailure}, "HTTP/web.far.test@FAR.TEST", "no trust", "realm KRB.TEST has none with FAR.TEST", "[capaths]", "[domain_realm]")
}

// KDCs that refer the client to each other are found out, and spoil nothing: in
// particular the client keeps its own ticket-granting ticket.
func TestReferralCircle(t *testing.T) {
	a, b, c := realm(t), neighbour(t, "B.TEST"), neighbour(t, "C.TEST")
	a.Trust(b)
	b.Trust(c)
	a.MapDomain("circle.test", "B.TEST")
	b.MapDomain("circle.test", "C.TEST")
	c.MapDomain("circle.test", "B.TEST")
	b.MapDomain("home.test", "KRB.TEST")
	p := provider(t, a, func(o *krb5.Options) { o.Config = config(t, []string{a.Addr()}, "", alsoRealms(b, c)) })
	for _, test := range []struct {
		target gss.Name
		parts  []string
	}{
		{gss.HostBased("HTTP", "x.circle.test"), []string{"HTTP/x.circle.test", "in a circle", "from realm C.TEST back to B.TEST"}},
		{gss.Principal("HTTP/x.home.test@B.TEST"), []string{"HTTP/x.home.test@B.TEST", "in a circle", "back to KRB.TEST"}},
	} {
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Target: test.target})
		wantError(t, err, []error{gss.ErrFailure}, test.parts...)
	}
	firstToken(t, p, gss.InitiateOptions{})
	firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "web.c.test")})
}

// What a realm says about trust in a service counts as far as that realm itself
// is trusted (RFC 4120, section 2.8).
func TestDelegationAcrossRealms(t *testing.T) {
	trusted := krbtest.OKAsDelegate()
	for _, test := range []struct {
		name      string
		toB, toC  bool // krbtgt/B@A and krbtgt/C@B are trusted
		target    gss.Name
		delegated bool
	}{
		{"one step, untrusted", false, false, gss.HostBased("HTTP", "web.b.test"), false},
		{"one step, trusted", true, false, gss.HostBased("HTTP", "web.b.test"), true},
		{"two steps, first untrusted", false, true, gss.HostBased("HTTP", "web.c.test"), false},
		{"two steps, second untrusted", true, false, gss.HostBased("HTTP", "web.c.test"), false},
		{"two steps, trusted", true, true, gss.HostBased("HTTP", "web.c.test"), true},
		{"two steps without referral, first untrusted", false, true, gss.Principal("HTTP/web.c.test@C.TEST"), false},
		{"two steps without referral, trusted", true, true, gss.Principal("HTTP/web.c.test@C.TEST"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b, c := realm(t), neighbour(t, "B.TEST"), neighbour(t, "C.TEST")
			a.Trust(b)
			b.Trust(c)
			if test.toB {
				a.Change("krbtgt/B.TEST", trusted)
			}
			if test.toC {
				b.Change("krbtgt/C.TEST", trusted)
			}
			b.Change(webOf("B.TEST"), trusted)
			c.Change(webOf("C.TEST"), trusted)
			p := provider(t, a, func(o *krb5.Options) { o.Config = config(t, []string{a.Addr()}, "", alsoRealms(b, c)) })
			_, sc := firstToken(t, p, gss.InitiateOptions{Target: test.target, Flags: gss.FlagDelegatePolicy})
			if got := sc.Info().Flags.Has(gss.FlagDelegate); got != test.delegated {
				t.Errorf("delegated is %t, want %t", got, test.delegated)
			}
		})
	}
}

// Host names are used as they are written, unless krb5.conf wants the DNS to be
// asked.
func TestCanonicalHost(t *testing.T) {
	records := map[string][]string{
		"CNAME www.krb.test": {"web.krb.test"}, "A web.krb.test": {"192.0.2.1"}, "A alias.krb.test": {"192.0.2.1"},
		"PTR 1.2.0.192.in-addr.arpa": {"web.krb.test"},
	}
	www, alias := gss.HostBased("HTTP", "www.krb.test"), gss.HostBased("HTTP", "alias.krb.test")
	unknown := gss.HostBased("HTTP", "unknown.krb.test")
	for _, test := range []struct {
		name, libdefaults string
		target            gss.Name
		want              string // the acceptor; "" for an unknown service
		dns               bool
	}{
		{"by default", "", www, "", false},
		{"false", " dns_canonicalize_hostname = false", www, "", false},
		{"true, CNAME", " dns_canonicalize_hostname = true\n rdns = false", www, service, true},
		{"true, address", " dns_canonicalize_hostname = true", alias, service, true},
		{"true, address without rdns", " dns_canonicalize_hostname = true\n rdns = false", alias, "", true},
		{"true, unknown to the DNS", " dns_canonicalize_hostname = true", unknown, "", true},
		{"true, principal", " dns_canonicalize_hostname = true", gss.Principal("HTTP/www.krb.test"), "", false},
		{"fallback, known as it is", " dns_canonicalize_hostname = fallback", target, service, false},
		{"fallback, CNAME", " dns_canonicalize_hostname = fallback\n rdns = false", www, service, true},
		{"fallback, unknown to the DNS", " dns_canonicalize_hostname = fallback", unknown, "", true},
		{"fallback, principal", " dns_canonicalize_hostname = fallback", gss.Principal("HTTP/www.krb.test"), "", false},
		{"short name", "", gss.HostBased("HTTP", "web"), "", false},
		{"short name, qualified", " qualify_shortname = krb.test", gss.HostBased("HTTP", "web"), service, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			kdc := realm(t)
			z := &zone{records: records}
			p := provider(t, kdc, func(o *krb5.Options) {
				conf := config(t, []string{kdc.Addr()}, "", "")
				o.Config = strings.Join([]string{writeFile(t, "[libdefaults]\n"+test.libdefaults+"\n"), conf}, ":")
				o.Resolver = z.resolver(t)
			})
			_, sc, err := initiate(t.Context(), t, p, gss.InitiateOptions{Target: test.target})
			switch {
			case test.want == "":
				wantError(t, err, []error{krbmsg.ErrSPrincipalUnknown})
			case err != nil:
				t.Error(err)
			case sc.Info().Acceptor.Value != test.want+"@KRB.TEST":
				t.Errorf("the ticket is for %s, want %s", sc.Info().Acceptor, test.want)
			}
			if q := z.questions(); (len(q) > 0) != test.dns {
				t.Errorf("the DNS was asked %v", q)
			}
		})
	}
}

// KDCs are found by the DNS if krb5.conf names none and allows it.
func TestKDCsByDNS(t *testing.T) {
	kdc := realm(t)
	_, port, err := net.SplitHostPort(kdc.Addr())
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{records: map[string][]string{"SRV _kerberos._udp.krb.test": {"kdc.krb.test:" + port}}}
	libdefaults := "[libdefaults]\n default_realm = KRB.TEST\n dns_canonicalize_hostname = false\n"
	withDNS := func(text string) *krb5.Provider {
		return provider(t, kdc, func(o *krb5.Options) {
			o.Config, o.Resolver = writeFile(t, libdefaults+text), z.resolver(t)
			o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if address != "kdc.krb.test:"+port {
					t.Errorf("dialed %s", address)
				}
				return new(net.Dialer).DialContext(ctx, network, kdc.Addr())
			}
		})
	}
	firstToken(t, withDNS(""), gss.InitiateOptions{})
	if q := z.questions(); !slices.Contains(q, "SRV _kerberos._udp.krb.test") || !slices.Contains(q, "SRV _kerberos._tcp.krb.test") {
		t.Errorf("the DNS was asked %v", q)
	}
	_, _, err = initiate(t.Context(), t, withDNS(" dns_lookup_kdc = false\n"), gss.InitiateOptions{})
	wantError(t, err, []error{kdcclient.ErrUnreachable}, "no KDC is known for realm KRB.TEST")
	z.records = nil
	_, _, err = initiate(t.Context(), t, withDNS(""), gss.InitiateOptions{})
	wantError(t, err, []error{kdcclient.ErrUnreachable}, "names no KDC of realm KRB.TEST and the DNS knows none")
}

func TestBadTarget(t *testing.T) {
	p := provider(t, realm(t))
	for _, test := range []struct {
		target gss.Name
		kind   error
		parts  []string
	}{
		{gss.Name{}, gss.ErrInvalidName, []string{"a name is missing", "gss.HostBased"}},
		{gss.HostBased("HTTP", ""), gss.ErrInvalidName, []string{`"HTTP@"`, "service@host"}},
		{gss.HostBased("HTTP", "."), gss.ErrInvalidName, []string{`"HTTP@."`, "service@host"}},
		{gss.HostBased("", "web.krb.test"), gss.ErrInvalidName, []string{"service@host"}},
		{gss.Name{Type: gss.NameHostBased, Value: "web"}, gss.ErrInvalidName, []string{`"web"`, "service@host"}},
		{gss.Principal("a@b@c"), gss.ErrInvalidName, []string{"second @"}},
		{gss.Principal(`ends with \`), gss.ErrInvalidName, []string{"backslash"}},
		{gss.Principal(strings.Repeat("x", 2000)), gss.ErrInvalidName, []string{"2000 characters"}},
		{gss.Name{Type: 99, Value: "x"}, gss.ErrBadNameType, []string{`"x"`}},
	} {
		_, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: test.target})
		wantError(t, err, []error{test.kind}, test.parts...)
	}
}

// Realms whose KDCs know their neighbours only: krb5.conf of the client tells the
// way, and that of the service which way is acceptable (RFC 4120, section 2.7).
func TestCapaths(t *testing.T) {
	a, b, c := realm(t), neighbour(t, "B.TEST"), neighbour(t, "C.TEST")
	a.AddPrincipal("krbtgt/B.TEST", "between a and b")
	b.AddPrincipal("krbtgt/B.TEST@KRB.TEST", "between a and b")
	b.AddPrincipal("krbtgt/C.TEST", "between b and c")
	c.AddPrincipal("krbtgt/C.TEST@B.TEST", "between b and c")
	capaths := "[capaths]\n KRB.TEST = {\n  C.TEST = B.TEST\n }\n"
	client := func(sections string) *krb5.Provider {
		return provider(t, a, func(o *krb5.Options) {
			o.Config = config(t, []string{a.Addr()}, "", alsoRealms(b, c)+sections)
		})
	}
	o := gss.InitiateOptions{Target: gss.Principal("HTTP/web.c.test@C.TEST")}
	_, _, err := initiate(t.Context(), t, client(""), o)
	wantError(t, err, []error{gss.ErrFailure}, "no trust", "KRB.TEST has none with C.TEST")

	token, _ := firstToken(t, client(capaths), o)
	server := func(sections string) *krb5.Provider {
		return provider(t, a, func(o *krb5.Options) {
			o.Config, o.Keytab = config(t, nil, "", sections), c.Keytab(webOf("C.TEST"))
		})
	}
	_, _, err = accept(t, server(""), gss.AcceptOptions{}, token)
	wantError(t, err, []error{gss.ErrUnauthorized}, "alice@KRB.TEST", "from KRB.TEST to C.TEST through realm B.TEST", "[capaths]")
	_, sc, err := accept(t, server(capaths), gss.AcceptOptions{}, token)
	if err != nil || sc.Info().Initiator.Value != "alice@KRB.TEST" {
		t.Errorf("with [capaths]: %v", err)
	}
}

// A ticket by which another realm leads back to the client's own is in some
// caches. It is no substitute for the client's own one.
func TestTicketBackHome(t *testing.T) {
	kdc := realm(t)
	cc := kdc.CCache("alice")
	c, _, err := ccache.ReadFile(cc)
	if err != nil {
		t.Fatal(err)
	}
	back := c.Creds[0]
	back.Server, back.EndTime = principal.TGS("B.TEST", "KRB.TEST"), back.EndTime.Add(time.Hour)
	back.Ticket = bytes.Replace(back.Ticket, []byte("KRB.TEST"), []byte("BAD.TEST"), 1)
	c.Creds = append(c.Creds, back)
	if err := ccache.WriteFile(cc, c); err != nil {
		t.Fatal(err)
	}
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache = cc })
	firstToken(t, p, gss.InitiateOptions{})
}
