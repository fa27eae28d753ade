package krb5_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// However many goroutines want one ticket, the KDC is asked once, whatever the
// credential.
func TestOneRequestForManyGoroutines(t *testing.T) {
	kdc := realm(t)
	for _, test := range []struct {
		name string
		cred func(*krb5.Provider) (gss.Credential, error)
		as   int
	}{
		{"default", func(*krb5.Provider) (gss.Credential, error) { return nil, nil }, 0},
		{"cache", func(p *krb5.Provider) (gss.Credential, error) { return p.FromCCache("") }, 0},
		{"resolved", func(p *krb5.Provider) (gss.Credential, error) {
			return p.Acquire(t.Context(), gss.CredentialOptions{})
		}, 0},
		{"password", func(p *krb5.Provider) (gss.Credential, error) { return p.FromPassword("alice", "alice's password") }, 2},
		{"keytab", func(p *krb5.Provider) (gss.Credential, error) { return p.FromKeytab(service, kdc.Keytab(service)) }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := provider(t, kdc, countable(t, kdc))
			cred, err := test.cred(p)
			if err != nil {
				t.Fatal(err)
			}
			kdc.ResetRequests()
			var wg sync.WaitGroup
			tokens := make(chan string, 100)
			for range 100 {
				wg.Go(func() {
					token, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cred})
					if err != nil {
						t.Error(err)
					}
					tokens <- string(token)
				})
			}
			wg.Wait()
			close(tokens)
			if got := kdc.Requests(); got.TGS != 1 || got.AS != test.as {
				t.Errorf("%d TGS-REQs and %d AS-REQs, want 1 and %d", got.TGS, got.AS, test.as)
			}
			seen := make(map[string]bool)
			for token := range tokens {
				if seen[token] {
					t.Error("two contexts have the same token")
				}
				seen[token] = true
			}
		})
	}
}

// held lets requests wait at the KDC, and returns what releases them.
func held(kdc *krbtest.KDC) (release func()) {
	gate := make(chan struct{})
	kdc.SetFault(krbtest.Held(gate))
	return sync.OnceFunc(func() { close(gate) })
}

// dials returns a channel that has an element for each connection to a KDC.
func dials(o *krb5.Options) <-chan struct{} {
	c := make(chan struct{}, 100)
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c <- struct{}{}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return c
}

// Where the goroutine that asks the KDC gives up, one of those that wait with it
// goes on.
func TestLeaderGivesUp(t *testing.T) {
	cause := errors.New("the leader has no time")
	for name, cancelled := range map[string]struct{ cause, want error }{
		"cancelled":    {nil, context.Canceled},
		"with a cause": {cause, cause},
	} {
		t.Run(name, func(t *testing.T) {
			kdc := realm(t)
			var dialed <-chan struct{}
			p := provider(t, kdc, countable(t, kdc), func(o *krb5.Options) { dialed = dials(o) })
			release := held(kdc)
			defer release()
			ctx, cancel := context.WithCancelCause(t.Context())
			leader := make(chan error, 1)
			go func() {
				_, _, err := initiate(ctx, t, p, gss.InitiateOptions{})
				leader <- err
			}()
			<-dialed
			followers := make(chan error, 10)
			for range cap(followers) {
				go func() {
					_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
					followers <- err
				}()
			}
			cancel(cancelled.cause)
			if err := <-leader; !errors.Is(err, cancelled.want) {
				t.Errorf("the leader got %v, want %v", err, cancelled.want)
			}
			release()
			for range cap(followers) {
				if err := <-followers; err != nil {
					t.Errorf("a follower got %v", err)
				}
			}
			if got := kdc.Requests().TGS; got > 2 {
				t.Errorf("%d TGS-REQs, want one of the leader and one of a follower", got)
			}
		})
	}
}

// A goroutine that waits for the ticket that another fetches leaves when its own
// context ends.
func TestFollowerGivesUp(t *testing.T) {
	noGoroutines(t)
	kdc := realm(t)
	var dialed <-chan struct{}
	p := provider(t, kdc, func(o *krb5.Options) { dialed = dials(o) })
	release := held(kdc)
	leader := make(chan error, 1)
	go func() {
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
		leader <- err
	}()
	<-dialed
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := initiate(ctx, t, p, gss.InitiateOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the follower got %v, want context.DeadlineExceeded", err)
	}
	release()
	if err := <-leader; err != nil {
		t.Errorf("the leader got %v", err)
	}
}

// A failure is told to all who wait, and the next one asks again.
func TestFailureIsNotKept(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	kdc.SetFault(krbtest.Fail(int(krbmsg.ErrPolicy)))
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrFailure}, "no ticket for "+service+"@KRB.TEST", "policy")
	if e, ok := errors.AsType[*gss.Error](err); !ok || e.Minor != uint32(krbmsg.ErrPolicy) {
		t.Errorf("the minor code is not that of the KRB-ERROR: %#v", err)
	}
	kdc.SetFault(krbtest.Fault{})
	firstToken(t, p, gss.InitiateOptions{})
}

// kinit as somebody else: the following credential follows, the resolved one
// stays who it was.
func TestCacheChangesItsOwner(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("bob", "")
	cc := kdc.CCache("alice")
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache = cc })
	following, err := p.FromCCache(cc)
	if err != nil {
		t.Fatal(err)
	}
	resolve := func() gss.Credential {
		t.Helper()
		c, err := following.(gss.Resolver).Resolve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := resolve()
	firstToken(t, p, gss.InitiateOptions{Credential: old})

	kdc.WriteCCache(cc, "bob")
	now := resolve()
	for cred, want := range map[gss.Credential]string{following: "bob@KRB.TEST", now: "bob@KRB.TEST", old: "alice@KRB.TEST", nil: "bob@KRB.TEST"} {
		if cred != nil && cred.Name().Value != want {
			t.Errorf("%v is named %s, want %s", cred, cred.Name(), want)
		}
		_, acceptor := establish(t, p, p, gss.InitiateOptions{Credential: cred, Flags: gss.FlagMutual}, gss.AcceptOptions{})
		if got := acceptor.Info().Initiator.Value; got != want {
			t.Errorf("with %v the acceptor sees %s, want %s", cred, got, want)
		}
	}
}

// movable is a clock that a test sets.
type movable struct {
	mu  sync.Mutex
	off time.Duration
}

func (m *movable) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.off)
}

func (m *movable) advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off += d
}

// A resolved credential outlives its tickets where kinit has renewed the cache,
// or where it has a secret to log in with again.
func TestExpiredTicketIsRenewed(t *testing.T) {
	clock := new(movable)
	kdc := realm(t, krbtest.WithClock(clock.now))
	kdc.AddPrincipal("bob", "")
	cc := kdc.CCache("alice", krbtest.ExpiresIn(time.Hour))
	p := provider(t, kdc, countable(t, kdc), func(o *krb5.Options) { o.CCache, o.Now = cc, clock.now })
	cached, err := p.Acquire(t.Context(), gss.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	password, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	for _, cred := range []gss.Credential{cached, password} {
		firstToken(t, p, gss.InitiateOptions{Credential: cred})
	}
	clock.advance(48 * time.Hour)
	firstToken(t, p, gss.InitiateOptions{Credential: password})

	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cached})
	wantError(t, err, []error{gss.ErrCredentialsExpired}, "alice@KRB.TEST", cc, "expired at", "kinit")
	// Asking again says the same, and costs the KDC nothing.
	kdc.ResetRequests()
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cached})
	wantError(t, err, []error{gss.ErrCredentialsExpired}, "expired at")
	if got := kdc.Requests(); got.TGS != 0 {
		t.Errorf("%d TGS-REQs with an expired ticket", got.TGS)
	}

	kdc.WriteCCache(cc, "alice")
	_, acceptor := establish(t, p, p, gss.InitiateOptions{Credential: cached}, gss.AcceptOptions{})
	if got := acceptor.Info().Initiator.Value; got != "alice@KRB.TEST" {
		t.Errorf("the acceptor sees %s", got)
	}

	clock.advance(48 * time.Hour)
	kdc.WriteCCache(cc, "bob")
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cached})
	wantError(t, err, []error{gss.ErrNoCred}, cc, "no valid tickets of alice@KRB.TEST any more", "belongs to bob@KRB.TEST", "kinit alice@KRB.TEST")
	if err := os.Remove(cc); err != nil {
		t.Fatal(err)
	}
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: cached})
	wantError(t, err, []error{gss.ErrNoCred}, "there is no credential cache "+cc, "kinit")
}

func TestTicketNotYetValid(t *testing.T) {
	kdc := realm(t, krbtest.WithClock(func() time.Time { return time.Now().Add(time.Hour) }))
	_, _, err := initiate(t.Context(), t, provider(t, kdc), gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrCredentialsExpired}, "valid only from", "check the clock")
}

// A service ticket that is in the cache is used, and no KDC is needed.
func TestServiceTicketOfTheCache(t *testing.T) {
	kdc := realm(t)
	cc := kdc.CCache("alice", krbtest.WithTicket(service))
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache = cc })
	kdc.SetFault(krbtest.Refuse())
	for _, name := range []gss.Name{
		target, gss.HostBased("HTTP", "WEB.krb.test."), gss.Principal(service + "@KRB.TEST"), gss.Principal(service),
	} {
		firstToken(t, p, gss.InitiateOptions{Target: name})
	}
}

// Programs that share a cache add their tickets to it. That costs us none of
// ours.
func TestCacheGrows(t *testing.T) {
	kdc := realm(t)
	kdc.AddService("HTTP/other.krb.test")
	cc := kdc.CCache("alice")
	p := provider(t, kdc, countable(t, kdc), func(o *krb5.Options) { o.CCache = cc })
	firstToken(t, p, gss.InitiateOptions{})
	other, _, err := ccache.ReadFile(kdc.CCache("alice", krbtest.WithTicket("HTTP/other.krb.test")))
	if err != nil {
		t.Fatal(err)
	}
	if err := ccache.AppendCredential(t.Context(), cc, other.Creds[1]); err != nil {
		t.Fatal(err)
	}
	kdc.ResetRequests()
	firstToken(t, p, gss.InitiateOptions{})
	firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "other.krb.test")})
	if got := kdc.Requests().TGS; got != 0 {
		t.Errorf("%d TGS-REQs, want none: one ticket is ours, the other is in the cache now", got)
	}
}

// kinit empties the file before it fills it.
func TestCacheIsBeingWritten(t *testing.T) {
	kdc := realm(t)
	whole, err := os.ReadFile(kdc.CCache("alice"))
	if err != nil {
		t.Fatal(err)
	}
	cc := filepath.Join(t.TempDir(), "cc")
	if err := os.WriteFile(cc, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache = cc })
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrNoCred}, cc, "cannot be read")
	if err := os.WriteFile(cc, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	firstToken(t, p, gss.InitiateOptions{})
}

// Tickets with keys of types that are not permitted are as good as none.
func TestTicketOfForbiddenType(t *testing.T) {
	kdc := krbtest.NewKDC(t, krbtest.WithRC4())
	kdc.AddPrincipal("alice", "")
	kdc.AddService(service)
	cc := kdc.CCache("alice", krbtest.SessionEnctype("arcfour-hmac"), krbtest.WithTicket(service))
	aes := realm(t) // its krb5.conf permits AES only
	p := provider(t, aes, func(o *krb5.Options) { o.CCache = cc })
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrNoCred}, cc, "no ticket of a permitted encryption type, but one with a key of type arcfour-hmac", "kinit", "give the account of alice@KRB.TEST AES keys", "allow_weak_crypto = true")
	p = provider(t, kdc, func(o *krb5.Options) { o.CCache = cc })
	firstToken(t, p, gss.InitiateOptions{})
}

// The service was rekeyed: the ticket is of no use any more, Forget heals it.
func TestForgetAfterRekey(t *testing.T) {
	for _, mech := range []gss.OID{gss.MechKRB5, gss.MechSPNEGO} {
		for _, flags := range []gss.Flags{gss.FlagMutual, 0} {
			t.Run(fmt.Sprintf("%s, %s", mech.Describe(), flags), func(t *testing.T) {
				kdc := realm(t)
				kt := kdc.Keytab(service)
				p := provider(t, kdc, func(o *krb5.Options) { o.Keytab = kt })
				o := gss.InitiateOptions{Mechanism: mech, Flags: flags}
				token, sc := firstToken(t, p, o)
				kdc.Remove(service)
				kdc.AddService(service)
				kdc.WriteKeytab(kt, service)
				refusal, _, err := accept(t, p, gss.AcceptOptions{}, token)
				wantError(t, err, nil, service, kt, "export the keytab again")
				if e, ok := errors.AsType[*gss.Error](err); !ok || e.Minor != uint32(krbmsg.ErrModified) {
					t.Errorf("the minor code is not KRB_AP_ERR_MODIFIED: %v", err)
				}
				_, _, err = sc.Step(t.Context(), refusal)
				wantError(t, err, nil, service, "KRB_AP_ERR_MODIFIED")
				if e, ok := errors.AsType[*gss.Error](err); !ok || e.Minor != uint32(krbmsg.ErrModified) {
					t.Errorf("the initiator's minor code is not KRB_AP_ERR_MODIFIED: %v", err)
				}
				if !sc.Info().Initiator.IsZero() {
					t.Error("the refused context has an identity")
				}
				token, _ = firstToken(t, p, o)
				if _, _, err := accept(t, p, gss.AcceptOptions{}, token); err == nil {
					t.Fatal("the old ticket was not kept")
				}
				sc.(gss.Forgetter).Forget()
				establishWith(t, p, o)
			})
		}
	}
}

func establishWith(t *testing.T, p *krb5.Provider, o gss.InitiateOptions) {
	t.Helper()
	token, _ := firstToken(t, p, o)
	if _, _, err := accept(t, p, gss.AcceptOptions{}, token); err != nil {
		t.Fatal(err)
	}
}

// A rekeyed service takes the tickets of before while its keytab has the old
// key.
func TestRekeyKeepsOldTickets(t *testing.T) {
	kdc := realm(t)
	kt := kdc.Keytab(service)
	p := provider(t, kdc, func(o *krb5.Options) { o.Keytab = kt })
	establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{})
	kdc.Rekey(service, "")
	establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{}) // nobody knows yet
	kdc.WriteKeytab(kt, service)
	establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{}) // the old ticket
	_, sc := firstToken(t, p, gss.InitiateOptions{})
	sc.(gss.Forgetter).Forget()
	establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{}) // a new one
}

// Forget of a context that got nowhere, and Forget again, are harmless.
func TestForgetNothing(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc, countable(t, kdc))
	sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: target, Mechanism: gss.MechKRB5})
	if err != nil {
		t.Fatal(err)
	}
	sc.(gss.Forgetter).Forget()
	if _, _, err := sc.Step(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	sc.(gss.Forgetter).Forget()
	sc.(gss.Forgetter).Forget()
	if _, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := kdc.Requests().TGS; got != 2 {
		t.Errorf("%d TGS-REQs, want 2", got)
	}
}

// The times of authenticators differ, also by a clock that stands still or runs
// back, so that the answer to one is none to another with the same ticket.
func TestAuthenticatorsDiffer(t *testing.T) {
	kdc := realm(t)
	for name, back := range map[string]time.Duration{"stands still": 0, "runs back": time.Microsecond} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			p := provider(t, kdc, func(o *krb5.Options) {
				o.Now = func() time.Time { now = now.Add(-back); return now }
			})
			acceptor := provider(t, kdc)
			var contexts []gss.SecContext
			var replies [][]byte
			for range 20 {
				token, sc := firstToken(t, p, gss.InitiateOptions{Flags: gss.FlagMutual})
				reply, _, err := accept(t, acceptor, gss.AcceptOptions{}, token)
				if err != nil {
					t.Fatal(err)
				}
				contexts, replies = append(contexts, sc), append(replies, reply)
			}
			for i, sc := range contexts {
				_, done, err := sc.Step(t.Context(), replies[(i+1)%len(replies)])
				if done {
					t.Fatal("a context took another one's answer")
				}
				wantError(t, err, []error{gss.ErrBadMIC}, "answers another request")
			}
		})
	}
}

// The tickets of very many services are remembered; TestEviction is about those
// that are too many.
func TestManyServices(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc, countable(t, kdc))
	alice, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	const services = 1100
	for i := range services {
		host := fmt.Sprintf("h%d.krb.test", i)
		kdc.AddService("HTTP/" + host)
		firstToken(t, p, gss.InitiateOptions{Credential: alice, Target: gss.HostBased("HTTP", host)})
	}
	if got := kdc.Requests(); got.TGS != services || got.AS != 2 {
		t.Errorf("%d TGS-REQs and %d AS-REQs, want %d and 2", got.TGS, got.AS, services)
	}
	kdc.ResetRequests()
	for i := range services {
		firstToken(t, p, gss.InitiateOptions{Credential: alice, Target: gss.HostBased("HTTP", fmt.Sprintf("h%d.krb.test", i))})
	}
	if got := kdc.Requests(); got.TGS != 0 || got.AS != 0 {
		t.Errorf("the second time %d TGS-REQs and %d AS-REQs, want none", got.TGS, got.AS)
	}
}

// Names that look like what the login files its other tickets under are only
// names.
func TestOddTargets(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	firstToken(t, p, gss.InitiateOptions{Flags: gss.FlagDelegate})
	for _, name := range []string{"tgt KRB.TEST", "forward " + service + "@KRB.TEST", "HTTP/web.krb.test/more", `HTTP\/web.krb.test`} {
		_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Target: gss.Principal(name)})
		wantError(t, err, []error{krbmsg.ErrSPrincipalUnknown}, "check the host name")
	}
}

// Nothing of a token is in another's.
func TestTokensShareNothing(t *testing.T) {
	p := provider(t, realm(t))
	a, _ := firstToken(t, p, gss.InitiateOptions{})
	before := bytes.Clone(a)
	firstToken(t, p, gss.InitiateOptions{})
	if !bytes.Equal(a, before) {
		t.Error("a second context changed the first one's token")
	}
}
