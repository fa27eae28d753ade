package krb5_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// overTCP is a KDC that is asked over TCP only. A test that counts requests uses
// it, since over both, or over UDP, a request may be repeated, and may even be
// counted later than the answer to the first came.
func overTCP(kdc *krbtest.KDC) string { return "tcp/" + kdc.Addr() }

// countable has a provider ask its KDC over TCP only.
func countable(t *testing.T, kdc *krbtest.KDC) func(*krb5.Options) {
	return func(o *krb5.Options) { o.Config = config(t, []string{overTCP(kdc)}, "", "") }
}

// config writes a krb5.conf for the KDCs of KRB.TEST, with more relations of
// [libdefaults], which go before its own, and further sections. On a slow machine
// too a KDC's answer comes in time.
func config(t *testing.T, kdcs []string, libdefaults, sections string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[libdefaults]\n default_realm = KRB.TEST\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n%s\n kdc_timeout = 1h\n[realms]\n KRB.TEST = {\n", libdefaults)
	for _, kdc := range kdcs {
		fmt.Fprintf(&b, "  kdc = %s\n", kdc)
	}
	fmt.Fprintf(&b, " }\n%s\n", sections)
	path := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A context that waits for the KDC, in whichever exchange and over whichever
// transport, ends as soon as the caller's does, and leaves nothing behind.
func TestCancelled(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, exchange := range []string{"AS", "TGS", "forwarded TGT"} {
			for _, fault := range []string{"silent", "held"} {
				if transport == "tcp" && fault == "silent" {
					continue // the KDC closes the connection
				}
				t.Run(strings.Join([]string{transport, exchange, fault}, " "), func(t *testing.T) {
					noGoroutines(t)
					kdc := realm(t)
					var dialed <-chan struct{}
					p := provider(t, kdc, func(o *krb5.Options) {
						o.Config = config(t, []string{transport + "/" + kdc.Addr()}, "", "")
						dialed = dials(o)
					})
					o := gss.InitiateOptions{}
					switch exchange {
					case "AS":
						cred, err := p.FromPassword("alice", "alice's password")
						if err != nil {
							t.Fatal(err)
						}
						o.Credential = cred
					case "forwarded TGT":
						firstToken(t, p, o)
						<-dialed
						o.Flags = gss.FlagDelegate
					}
					gate := make(chan struct{})
					defer close(gate)
					kdc.SetFault(map[string]krbtest.Fault{"silent": krbtest.Silent(), "held": krbtest.Held(gate)}[fault])
					cause := errors.New("the user has left")
					ctx, cancel := context.WithCancelCause(t.Context())
					go func() {
						<-dialed
						cancel(cause)
					}()
					_, _, err := initiate(ctx, t, p, o)
					wantError(t, err, []error{cause})
				})
			}
		}
	}
}

func TestKDCFaults(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault krbtest.Fault
		kinds []error
		parts []string
	}{
		{"refuses", krbtest.Refuse(), []error{gss.ErrFailure, kdcclient.ErrUnreachable}, []string{"no ticket for " + service, "no KDC answered for realm KRB.TEST", "udp 127.0.0.1:", "tcp 127.0.0.1:", "connection refused", "[realms] in krb5.conf"}},
		{"garbage", krbtest.Garbage(), []error{gss.ErrFailure, kdcclient.ErrUnreachable}, []string{"no message of Kerberos"}},
		{"truncated", krbtest.Truncated(), []error{gss.ErrFailure, kdcclient.ErrUnreachable}, []string{"no message of Kerberos"}},
		{"wrong realm", krbtest.WrongRealm("OTHER.TEST"), []error{gss.ErrFailure, krbmsg.ErrWrongRealm}, []string{"another realm"}},
		{"clock behind", krbtest.SkewedClock(-time.Hour), []error{gss.ErrFailure}, []string{"no ticket for " + service}},
		{"out of service", krbtest.Fail(29), []error{gss.ErrFailure, kdcclient.ErrUnreachable}, []string{"the KDC is not available"}},
		{"ticket expired", krbtest.Fail(32), []error{gss.ErrCredentialsExpired, krbmsg.ErrTktExpired}, []string{"run kinit"}},
		{"ticket revoked", krbtest.Fail(20), []error{gss.ErrFailure, krbmsg.ErrTGTRevoked}, []string{"run kinit"}},
		{"no such type", krbtest.Fail(14), []error{gss.ErrFailure, krbmsg.ErrETypeNoSupp}, []string{"permitted_enctypes"}},
		{"anything else", krbtest.Fail(60), []error{gss.ErrFailure, krbmsg.ErrGeneric}, []string{service + "@KRB.TEST"}},
		{"a code of the future", krbtest.Fail(4711), []error{gss.ErrFailure, krbmsg.ErrorCode(4711)}, []string{"Kerberos error 4711"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			noGoroutines(t)
			kdc := realm(t)
			p := provider(t, kdc)
			kdc.SetFault(test.fault)
			_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
			wantError(t, err, test.kinds, test.parts...)
			if _, ok := errors.AsType[*gss.Error](err); !ok {
				t.Errorf("the error is a %T", err)
			}
			kdc.SetFault(krbtest.Fault{})
			firstToken(t, p, gss.InitiateOptions{})
		})
	}
}

func TestKDCRecovers(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	// One transport, then the other.
	kdc.SetFault(krbtest.Garbage().Times(1))
	firstToken(t, p, gss.InitiateOptions{})
	// Out of service for the first attempts.
	p = provider(t, kdc)
	kdc.SetFault(krbtest.FailTimes(1, 29))
	firstToken(t, p, gss.InitiateOptions{})
}

// An answer that is too long for a datagram is fetched over TCP.
func TestLongAnswer(t *testing.T) {
	kdc := realm(t, krbtest.WithUDPLimit(100))
	firstToken(t, provider(t, kdc, func(o *krb5.Options) {
		o.Config = config(t, []string{"udp/" + kdc.Addr()}, "", "")
	}), gss.InitiateOptions{})
	if got := kdc.Requests(); got.UDP == 0 || got.TCP == 0 {
		t.Errorf("%d requests over UDP and %d over TCP, want one of each", got.UDP, got.TCP)
	}
}

// A realm has two KDCs, and the first is down.
func TestSecondKDC(t *testing.T) {
	kdc := realm(t)
	down := realm(t)
	down.SetFault(krbtest.Refuse())
	for _, limit := range []string{"", " udp_preference_limit = 1"} {
		p := provider(t, kdc, func(o *krb5.Options) { o.Config = config(t, []string{down.Addr(), kdc.Addr()}, limit, "") })
		firstToken(t, p, gss.InitiateOptions{})
	}
	if got := kdc.Requests(); got.UDP == 0 || got.TCP == 0 {
		t.Errorf("%d requests over UDP and %d over TCP, want one of each", got.UDP, got.TCP)
	}
}

// The limits of krb5.conf are obeyed. The clock is the bubble's, also for
// the ticket, and the KDC is a pipe that nobody answers.
func TestConfiguredTimeouts(t *testing.T) {
	for _, relation := range []string{" kdc_timeout = 7", " request_timeout = 7"} {
		kdc := realm(t)
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			p := provider(t, kdc, func(o *krb5.Options) {
				o.Config = config(t, []string{"tcp/127.0.0.1:88"}, relation, "")
				o.Dial = func(context.Context, string, string) (net.Conn, error) {
					client, server := net.Pipe()
					go io.Copy(io.Discard, server)
					return client, nil
				}
			})
			_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
			wantError(t, err, []error{kdcclient.ErrUnreachable}, "no answer in time")
			if took := time.Since(start); took != 7*time.Second {
				t.Errorf("with %q it took %v", relation, took)
			}
		})
	}
}

func TestNoKDC(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc, func(o *krb5.Options) { o.Config = config(t, nil, "", "") })
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
	wantError(t, err, []error{kdcclient.ErrUnreachable}, "no KDC is known for realm KRB.TEST", "[realms]", "dns_lookup_kdc")
}

// Whatever is wrong with the first KDC of a realm, a login and a ticket succeed,
// and it is asked in vain once: the exchanges after that go to the second one.
func TestBadFirstKDC(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault krbtest.Fault
		vain  int // exchanges that begin with the first
	}{
		{"dead", krbtest.Refuse(), 1},
		{"black hole", krbtest.Silent(), 1},
		{"slow", krbtest.Slow(time.Hour), 1},
		{"garbage", krbtest.Garbage(), 1},
		{"truncated", krbtest.Truncated(), 1},
		{"out of service", krbtest.Fail(29), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kdc, bad := realm(t), realm(t)
			bad.SetFault(test.fault)
			var asked asked
			p := provider(t, kdc, func(o *krb5.Options) {
				o.Config = config(t, []string{bad.Addr(), kdc.Addr()}, "", "")
				o.Dial = asked.dial
			})
			kdc.AddService("HTTP/other.krb.test")
			c, err := p.FromPassword("alice", "alice's password")
			if err != nil {
				t.Fatal(err)
			}
			firstToken(t, p, gss.InitiateOptions{Credential: c})
			// The memory is the provider's, and not the login's.
			firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", "other.krb.test")})
			if n := asked.first(bad.Addr()); n != test.vain {
				t.Errorf("the first KDC was asked %d times before the second one, want %d", n, test.vain)
			}
		})
	}
}

// asked notes whom each request goes to first. On a slow machine those that are good
// are given a second chance by asking others, too. Its zero value is ready for use.
type asked struct {
	mu       sync.Mutex
	dials    int
	requests map[string]dialed
}

// dialed is who was dialed, and as which of all.
type dialed struct {
	address string
	nth     int
}

func (a *asked) dial(ctx context.Context, network, address string) (net.Conn, error) {
	a.mu.Lock()
	a.dials++
	d := dialed{address, a.dials}
	a.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return asking{conn, func(b []byte) {
		if network == "tcp" {
			b = b[4:] // the length
		}
		a.note(string(b), d)
	}}, nil
}

func (a *asked) note(request string, d dialed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests == nil {
		a.requests = make(map[string]dialed)
	}
	if before, ok := a.requests[request]; !ok || d.nth < before.nth {
		a.requests[request] = d
	}
}

// first returns how many requests went to the address first.
func (a *asked) first(address string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.requests {
		if d.address == address {
			n++
		}
	}
	return n
}

// asking tells which request is written to a connection.
type asking struct {
	net.Conn
	tell func([]byte)
}

func (c asking) Write(b []byte) (int, error) {
	c.tell(b)
	return c.Conn.Write(b)
}

// An answer of another realm's KDC is none, and is told as it is.
func TestOtherRealmAnswers(t *testing.T) {
	kdc, b := realm(t), neighbour(t, "B.TEST")
	p := provider(t, kdc, func(o *krb5.Options) { o.Config = config(t, []string{overTCP(b)}, "", "") })
	_, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{})
	wantError(t, err, []error{gss.ErrFailure}, "no ticket for "+service)
	c, err := p.FromPassword("alice", "alice's password")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c})
	wantError(t, err, []error{gss.ErrDefectiveCredential, krbmsg.ErrCPrincipalUnknown}, "cannot log in as alice@KRB.TEST", "check the name")
}
