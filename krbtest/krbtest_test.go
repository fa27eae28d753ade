package krbtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

var www = gss.HostBased("HTTP", "www.krb.test")

// newRealm is a KDC with a user and a service.
func newRealm(t *testing.T, o ...krbtest.Option) *krbtest.KDC {
	t.Helper()
	k := krbtest.NewKDC(t, o...)
	k.AddPrincipal("alice", "secret")
	k.AddService("HTTP/www.krb.test")
	return k
}

// initiate makes a first token and returns the context behind it.
func initiate(t *testing.T, p *krb5.Provider, o gss.InitiateOptions) (gss.SecContext, []byte, error) {
	t.Helper()
	if o.Target.IsZero() {
		o.Target = www
	}
	c, err := p.Initiate(t.Context(), o)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { c.Close() })
	token, _, err := c.Step(t.Context(), nil)
	return c, token, err
}

// patient is a provider like that of k.Provider, which asks the KDC once and waits
// however long it takes. Over UDP it would ask again after a second.
func patient(t *testing.T, k *krbtest.KDC, ccache string) *krb5.Provider {
	t.Helper()
	p, err := krb5.New(krb5.Options{Config: patience.ConfigFile(t, k.ConfigPath()), CCache: "FILE:" + ccache, Keytab: "FILE:" + ccache + ".none"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// accept gives a token to the service and returns what it knows then.
func accept(t *testing.T, p *krb5.Provider, token []byte) (gss.ContextInfo, error) {
	t.Helper()
	c, err := p.Accept(t.Context(), gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, _, err = c.Step(t.Context(), token)
	return c.Info(), err
}

// code is the number of the KRB-ERROR in an error.
func code(err error) uint32 {
	if e, ok := errors.AsType[*gss.Error](err); ok {
		return e.Minor
	}
	return 0
}

func TestClientAndServer(t *testing.T) {
	k := newRealm(t)
	_, token, err := initiate(t, k.Provider("alice"), gss.InitiateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := accept(t, k.Acceptor("HTTP/www.krb.test"), token)
	if err != nil || info.Initiator != gss.User("alice@KRB.TEST") {
		t.Errorf("the service sees %v, %v", info.Initiator, err)
	}
}

func TestTicketOptions(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	k := newRealm(t, krbtest.WithClock(func() time.Time { return now }))
	for _, c := range []struct {
		name    string
		options []krbtest.TicketOption
		want    error
		tgs     int
	}{
		{"plain", nil, nil, 1},
		{"expires soon", []krbtest.TicketOption{krbtest.ExpiresIn(time.Minute)}, nil, 1},
		{"has expired", []krbtest.TicketOption{krbtest.ExpiresIn(-time.Minute)}, gss.ErrNoCred, 0},
		{"has a service ticket", []krbtest.TicketOption{krbtest.WithTicket("HTTP/www.krb.test")}, nil, 0},
		{"other session key", []krbtest.TicketOption{krbtest.SessionEnctype("aes128-sha2")}, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k.ResetRequests()
			_, token, err := initiate(t, patient(t, k, k.CCache("alice", c.options...)), gss.InitiateOptions{})
			if got := k.Requests(); got.TGS != c.tgs || got.AS != 0 {
				t.Errorf("the KDC got %+v, want %d TGS-REQs", got, c.tgs)
			}
			if c.want != nil {
				if !errors.Is(err, c.want) && !errors.Is(err, gss.ErrCredentialsExpired) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := accept(t, k.Acceptor("HTTP/www.krb.test"), token); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDelegation(t *testing.T) {
	for _, c := range []struct {
		name    string
		service []krbtest.PrincipalOption
		ticket  []krbtest.TicketOption
		flags   gss.Flags
		want    bool
	}{
		{name: "always", flags: gss.FlagDelegate, want: true},
		{name: "not forwardable", flags: gss.FlagDelegate, ticket: []krbtest.TicketOption{krbtest.WithoutForwarding()}},
		{name: "trusted only, not trusted", flags: gss.FlagDelegatePolicy},
		{name: "trusted only", flags: gss.FlagDelegatePolicy, service: []krbtest.PrincipalOption{krbtest.OKAsDelegate()}, want: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newRealm(t)
			k.Change("HTTP/www.krb.test", c.service...)
			_, token, err := initiate(t, patient(t, k, k.CCache("alice", c.ticket...)), gss.InitiateOptions{Flags: c.flags | gss.FlagMutual})
			if err != nil {
				t.Fatal(err)
			}
			info, err := accept(t, k.Acceptor("HTTP/www.krb.test"), token)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Delegated != nil; got != c.want {
				t.Errorf("a credential was delegated: %v, want %v", got, c.want)
			}
			forwards := 0
			if c.want {
				forwards = 1
			}
			if got := k.Requests().Forward; got != forwards {
				t.Errorf("%d forwarded tickets were asked for, want %d", got, forwards)
			}
		})
	}
}

func TestPrincipalOptions(t *testing.T) {
	k := krbtest.NewKDC(t)
	past := time.Now().Add(-time.Hour)
	for name, o := range map[string]krbtest.PrincipalOption{
		"locked": krbtest.Locked(), "stale": krbtest.PasswordExpired(), "gone": krbtest.ExpiresAt(past),
		"open": krbtest.NoPreauth(), "old": krbtest.Enctypes("arcfour-hmac"), "short": krbtest.MaxLifetime(time.Minute),
	} {
		k.AddPrincipal(name, "secret", o)
	}
	k.AddService("HTTP/www.krb.test")
	for name, want := range map[string]uint32{
		"nobody": 6, "locked": 18, "stale": 23, "gone": 1, "old": 14, "open": 0, "short": 0,
	} {
		p := k.Acceptor("HTTP/www.krb.test")
		cred, err := p.FromPassword(name, "secret")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = initiate(t, p, gss.InitiateOptions{Credential: cred})
		if code(err) != want || (want == 0) != (err == nil) {
			t.Errorf("%s: %v, want code %d", name, err, want)
		}
	}
	k.Change("locked")
	k.AddAlias("lock", "locked")
	k.Remove("gone")
	p := k.Acceptor("HTTP/www.krb.test")
	cred, err := p.FromPassword("locked", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = initiate(t, p, gss.InitiateOptions{Credential: cred}); err != nil {
		t.Errorf("after Change: %v", err)
	}
}

func TestRekey(t *testing.T) {
	k := newRealm(t)
	path := k.Keytab("HTTP/www.krb.test")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k.Rekey("HTTP/www.krb.test", "")
	_, token, err := initiate(t, k.Provider("alice"), gss.InitiateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := krb5.New(krb5.Options{Config: k.ConfigPath(), Keytab: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accept(t, p, token); err == nil {
		t.Error("a keytab without the new key reads the ticket")
	}
	k.WriteKeytab(path, "HTTP/www.krb.test")
	after, err := os.ReadFile(path)
	if err != nil || len(after) <= len(before) {
		t.Errorf("the keytab has %d octets, before %d, %v", len(after), len(before), err)
	}
	if _, err := accept(t, p, token); err != nil {
		t.Errorf("with the new keytab: %v", err)
	}
	k.ForgetOldKeys("HTTP/www.krb.test")
	k.WriteKeytab(path, "HTTP/www.krb.test")
	again, err := os.ReadFile(path)
	if err != nil || len(again) != len(before) {
		t.Errorf("without the old keys the keytab has %d octets, at first it had %d, %v", len(again), len(before), err)
	}
}

func TestLifetimes(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	k := newRealm(t,
		krbtest.WithLifetime(time.Hour), krbtest.WithRenewLifetime(-1), krbtest.WithSkew(time.Minute),
		krbtest.WithClock(func() time.Time { return now }))
	cred, err := k.Provider("alice").FromCCache("FILE:" + k.CCache("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if got := cred.Expires(); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("it expires at %v, want %v", got, now.Add(time.Hour))
	}
}

func TestUDPLimit(t *testing.T) {
	k := newRealm(t, krbtest.WithUDPLimit(1))
	if _, _, err := initiate(t, k.Provider("alice"), gss.InitiateOptions{}); err != nil {
		t.Fatal(err)
	}
	// What is not answered within a second is asked again.
	if got := k.Requests(); got.UDP == 0 || got.TCP == 0 || got.Errors != 0 {
		t.Errorf("the KDC got %+v, want a request over UDP and its repetition over TCP", got)
	}
	k.AddPrincipal("open", "secret", krbtest.NoPreauth())
	k.ResetRequests()
	request := krbmsg.KDCReq{Type: krbmsg.TypeASReq, Body: krbmsg.KDCReqBody{
		Client: principal.New("KRB.TEST", "open"), Realm: "KRB.TEST", Server: principal.TGS("KRB.TEST", "KRB.TEST"),
		Till: time.Now().Add(time.Hour), ETypes: []int32{18},
	}}
	conn, err := net.Dial("udp", k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(request.Append(nil)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1<<16)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := krbmsg.ParseKRBError(answer[:n]); err != nil || e.Code != krbmsg.ErrResponseTooBig {
		t.Errorf("over UDP the KDC answers %+v, %v; want that the answer is too big", e, err)
	}
	if got := k.Requests(); got.UDP != 1 || got.TCP != 0 || got.Errors != 0 {
		t.Errorf("the KDC got %+v, want one request, which has no error", got)
	}
}

func TestRC4OnlyWhenAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		options []krbtest.Option
		want    bool
	}{
		"default":  {nil, false},
		"WithRC4":  {[]krbtest.Option{krbtest.WithRC4()}, true},
		"by name":  {[]krbtest.Option{krbtest.WithEnctypes("aes256-cts", "rc4-hmac")}, true},
		"SHA-2":    {[]krbtest.Option{krbtest.WithEnctypes("aes256-sha2")}, false},
		"RC4 only": {[]krbtest.Option{krbtest.WithEnctypes("arcfour-hmac")}, true},
	} {
		k := newRealm(t, c.options...)
		conf, err := os.ReadFile(k.ConfigPath())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(conf), "arcfour"); got != c.want {
			t.Errorf("%s: RC4 is permitted: %v, want %v", name, got, c.want)
		}
		kt, err := os.ReadFile(k.Keytab("HTTP/www.krb.test"))
		if err != nil {
			t.Fatal(err)
		}
		// The type number 23 before a key of 16 octets.
		if got := bytes.Contains(kt, []byte{0, 23, 0, 16}); got != c.want {
			t.Errorf("%s: the keytab has an RC4 key: %v, want %v", name, got, c.want)
		}
		_, token, err := initiate(t, k.Provider("alice"), gss.InitiateOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := accept(t, k.Acceptor("HTTP/www.krb.test"), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault krbtest.Fault
		code  uint32
	}{
		{"refuse", krbtest.Refuse(), 0},
		{"garbage", krbtest.Garbage(), 0},
		{"truncated", krbtest.Truncated(), 0},
		{"error", krbtest.Fail(60), 60},
		{"wrong realm", krbtest.WrongRealm("ELSE.TEST"), 68},
		{"skewed clock", krbtest.SkewedClock(-time.Hour), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newRealm(t, krbtest.WithFault(c.fault))
			p := k.Provider("alice")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := ticket(ctx, p)
			if c.name != "skewed clock" && (err == nil || ctx.Err() != nil) {
				t.Errorf("got %v, want the client to notice", err)
			}
			if c.code != 0 && code(err) != c.code {
				t.Errorf("got %v, want code %d", err, c.code)
			}
			k.SetFault(krbtest.Fault{})
			if _, err := ticket(ctx, p); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// ticket is initiate with a context.
func ticket(ctx context.Context, p *krb5.Provider) ([]byte, error) {
	c, err := p.Initiate(ctx, gss.InitiateOptions{Target: www})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	token, _, err := c.Step(ctx, nil)
	return token, err
}

// A client stops waiting for a KDC that does not answer when its caller does.
func TestFaultsThatHang(t *testing.T) {
	release := make(chan struct{})
	for name, fault := range map[string]krbtest.Fault{
		"silent": krbtest.Silent(), "slow": krbtest.Slow(time.Hour), "held": krbtest.Held(release),
	} {
		k := newRealm(t, krbtest.WithFault(fault))
		p := k.Provider("alice")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := ticket(ctx, p); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want context.Canceled", name, err)
			}
		})
		for k.Requests().TGS == 0 { // what hangs is counted
			runtime.Gosched()
		}
		cancel()
		wg.Wait()
	}
	close(release)
}

func TestTrust(t *testing.T) {
	a := krbtest.NewKDC(t)
	config := a.ConfigPath()
	b := krbtest.NewKDC(t, krbtest.WithRealm("B.TEST"), krbtest.WithDomains("b.test", "bee.test"))
	c := krbtest.NewKDC(t, krbtest.WithRealm("C.TEST"))
	a.Trust(b)
	b.Trust(c)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*krbtest.KDC{a, b, c} {
		if !strings.Contains(string(text), fmt.Sprintf("%s = {\n\t\tkdc = %s", k.Realm(), k.Addr())) {
			t.Errorf("krb5.conf, written before the realms trusted each other, lacks %s:\n%s", k.Realm(), text)
		}
	}
	a.AddPrincipal("alice", "")
	p := a.Provider("alice")
	for _, s := range []struct {
		k    *krbtest.KDC
		host string
	}{{b, "www.bee.test"}, {c, "www.c.test"}} {
		s.k.AddService("HTTP/" + s.host)
		_, token, err := initiate(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", s.host)})
		if err != nil {
			t.Errorf("%s: %v", s.host, err)
			continue
		}
		info, err := accept(t, s.k.Acceptor("HTTP/"+s.host), token)
		if err != nil || info.Initiator != gss.User("alice@KRB.TEST") {
			t.Errorf("%s sees %v, %v", s.host, info.Initiator, err)
		}
	}
	if got := a.Requests().Referral; got < 2 {
		t.Errorf("%d referrals, want one for each host at least", got)
	}
}

// A logger gets no secrets.
func TestLogger(t *testing.T) {
	var log bytes.Buffer
	k := newRealm(t, krbtest.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	p := k.Acceptor("HTTP/www.krb.test")
	cred, err := p.FromPassword("alice", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := initiate(t, p, gss.InitiateOptions{Credential: cred}); err != nil {
		t.Fatal(err)
	}
	k.Close()
	if got := log.String(); !strings.Contains(got, "alice@KRB.TEST") || strings.Contains(got, "secret") {
		t.Errorf("the log says:\n%s", got)
	}
}

// failing records how a KDC ends a test.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

func TestMistakesEndTheTest(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(k *krbtest.KDC)
		want string
	}{
		"keytab of nobody":     {func(k *krbtest.KDC) { k.Keytab("HTTP/x") }, "no such principal"},
		"acceptor of nothing":  {func(k *krbtest.KDC) { k.Acceptor() }, "no principals"},
		"ccache of nobody":     {func(k *krbtest.KDC) { k.CCache("bob") }, "no such principal"},
		"added twice":          {func(k *krbtest.KDC) { k.AddPrincipal("alice", ""); k.AddPrincipal("alice", "") }, "exists already"},
		"enctype":              {func(k *krbtest.KDC) { k.AddPrincipal("x", "", krbtest.Enctypes("des")) }, "des"},
		"enctype of a ticket":  {func(k *krbtest.KDC) { k.AddPrincipal("y", ""); k.CCache("y", krbtest.SessionEnctype("des")) }, "des"},
		"rekey nobody":         {func(k *krbtest.KDC) { k.Rekey("bob", "") }, "no such principal"},
		"trust itself":         {func(k *krbtest.KDC) { k.Trust(k) }, "itself"},
		"change nobody":        {func(k *krbtest.KDC) { k.Change("bob") }, "no such principal"},
		"alias of nobody":      {func(k *krbtest.KDC) { k.AddAlias("x", "bob") }, "no such principal"},
		"remove nobody":        {func(k *krbtest.KDC) { k.Remove("bob") }, "no such principal"},
		"heal a closed server": {func(k *krbtest.KDC) { k.Close(); k.SetFault(krbtest.Fault{}) }, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{TB: t}
			func() {
				defer func() { recover() }()
				c.do(krbtest.NewKDC(f))
			}()
			if !strings.Contains(f.message, c.want) || !strings.HasPrefix(f.message, "krbtest: ") {
				t.Errorf("the test ended with %q, want a message about %q", f.message, c.want)
			}
		})
	}
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "des") {
			t.Errorf("Start panicked with %q", r)
		}
	}()
	krbtest.Start(krbtest.WithEnctypes("des"))
}

func TestStartLeavesNothing(t *testing.T) {
	k := krbtest.Start()
	k.AddPrincipal("alice", "")
	path := k.CCache("alice")
	k.Close()
	k.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close, the credential cache: %v", err)
	}
}
