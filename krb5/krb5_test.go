package krb5_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

const service = "HTTP/web.krb.test"

var target = gss.HostBased("HTTP", "web.krb.test")

// realm is a KDC with alice and the service.
func realm(tb testing.TB, o ...krbtest.Option) *krbtest.KDC {
	kdc := krbtest.NewKDC(tb, o...)
	kdc.AddPrincipal("alice", "alice's password")
	kdc.AddService(service)
	return kdc
}

// provider returns a provider whose defaults are alice and the service.
func provider(tb testing.TB, kdc *krbtest.KDC, change ...func(*krb5.Options)) *krb5.Provider {
	tb.Helper()
	o := krb5.Options{Config: kdc.ConfigPath(), CCache: kdc.CCache("alice"), Keytab: kdc.Keytab(service)}
	for _, c := range change {
		c(&o)
	}
	p, err := krb5.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	krb5.BePatient(p)
	return p
}

func TestConformance(t *testing.T) {
	for _, enctype := range []string{
		"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128",
	} {
		t.Run(enctype, func(t *testing.T) {
			kdc := realm(t, krbtest.WithEnctypes(enctype))
			gsstest.Run(t, gsstest.Suite{
				Provider:   provider(t, kdc),
				Target:     target,
				Principal:  "alice@KRB.TEST",
				Delegation: true,
			})
		})
	}
}

// initiate makes the first token for the target.
func initiate(ctx context.Context, tb testing.TB, p gss.Provider, o gss.InitiateOptions) ([]byte, gss.SecContext, error) {
	tb.Helper()
	if o.Target.IsZero() {
		o.Target = target
	}
	if o.Mechanism == "" {
		o.Mechanism = gss.MechKRB5
	}
	sc, err := p.Initiate(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	tb.Cleanup(func() { sc.Close() })
	token, _, err := sc.Step(ctx, nil)
	return token, sc, err
}

// firstToken makes a token of krb5 or fails the test.
func firstToken(tb testing.TB, p gss.Provider, o gss.InitiateOptions) ([]byte, gss.SecContext) {
	tb.Helper()
	token, sc, err := initiate(tb.Context(), tb, p, o)
	if err != nil {
		tb.Fatal(err)
	}
	return token, sc
}

// accept takes one token.
func accept(tb testing.TB, p gss.Provider, o gss.AcceptOptions, token []byte) ([]byte, gss.SecContext, error) {
	tb.Helper()
	sc, err := p.Accept(tb.Context(), o)
	if err != nil {
		return nil, nil, err
	}
	tb.Cleanup(func() { sc.Close() })
	out, done, err := sc.Step(tb.Context(), token)
	switch info := sc.Info(); {
	case err == nil && !done:
		tb.Error("the acceptor is not done")
	case err != nil && (done || !info.Initiator.IsZero() || !info.Acceptor.IsZero() || info.Delegated != nil || info.Flags != 0):
		tb.Errorf("after the error %v: done is %t and the context is %+v", err, done, info)
	}
	return out, sc, err
}

// establish makes both sides of a context.
func establish(tb testing.TB, initiator, acceptor gss.Provider, o gss.InitiateOptions, a gss.AcceptOptions) (i, c gss.SecContext) {
	tb.Helper()
	token, i := firstToken(tb, initiator, o)
	reply, c, err := accept(tb, acceptor, a, token)
	if err != nil {
		tb.Fatal(err)
	}
	if len(reply) > 0 {
		if _, done, err := i.Step(tb.Context(), reply); err != nil || !done {
			tb.Fatalf("the initiator's second Step: %t, %v", done, err)
		}
	}
	return i, c
}

// wantError asserts that err is of the given kinds and says each of the parts.
func wantError(tb testing.TB, err error, kinds []error, parts ...string) {
	tb.Helper()
	if err == nil {
		tb.Fatal("no error")
	}
	for _, kind := range kinds {
		if !errors.Is(err, kind) {
			tb.Errorf("the error is not %q: %v", kind, err)
		}
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

// noGoroutines asserts that by the end of the test nothing is left that began
// during it. What is about to end is given the time to.
func noGoroutines(tb testing.TB) {
	tb.Helper()
	before := runtime.NumGoroutine()
	tb.Cleanup(func() {
		patience := time.NewTimer(time.Minute)
		defer patience.Stop()
		for runtime.NumGoroutine() > before {
			select {
			case <-patience.C:
				buf := make([]byte, 1<<16)
				tb.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
				return
			default:
				runtime.Gosched()
			}
		}
	})
}
