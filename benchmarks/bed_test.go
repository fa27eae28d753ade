package benchmarks

import (
	"context"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

const (
	host = "web.krb.test"
	spn  = "HTTP/" + host
)

// bed is a realm with a logged-in client and a service, as each peer sees it.
type bed struct {
	kdc      *krbtest.KDC
	ccache   string
	tickets  string // see serviceCCache
	keytab   string
	ours     *krb5.Provider
	cred     gss.Credential
	acceptor gss.Credential
}

func newBed(b *testing.B) *bed {
	b.Helper()
	x := &bed{kdc: krbtest.NewKDC(b, krbtest.WithEnctypes("aes256-cts-hmac-sha1-96"))}
	x.kdc.AddPrincipal("alice", "")
	x.kdc.AddService(spn)
	x.ccache, x.keytab = x.kdc.CCache("alice"), x.kdc.Keytab(spn)
	x.ours = must(krb5.New(krb5.Options{Config: x.kdc.ConfigPath(), CCache: x.ccache, Keytab: x.keytab}))(b)
	x.cred = must(x.ours.Acquire(b.Context(), gss.CredentialOptions{}))(b)
	x.acceptor = must(x.ours.AcceptorFromKeytab(""))(b)
	return x
}

// must is for calls that must not fail.
func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// initiate makes the first token of a context for the host.
func (x *bed) initiate(tb testing.TB, cred gss.Credential, flags gss.Flags) (gss.SecContext, []byte) {
	sc, err := x.ours.Initiate(context.Background(), gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", host), Flags: flags})
	if err != nil {
		tb.Fatal(err)
	}
	token, _, err := sc.Step(context.Background(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return sc, token
}

func (x *bed) token(tb testing.TB, flags gss.Flags) []byte {
	_, token := x.initiate(tb, x.cred, flags)
	return token
}

// accept takes a token, and returns the AP-REP if the initiator wants one.
func (x *bed) accept(tb testing.TB, token []byte) []byte {
	sc, err := x.ours.Accept(context.Background(), gss.AcceptOptions{Credential: x.acceptor})
	if err != nil {
		tb.Fatal(err)
	}
	reply, done, err := sc.Step(context.Background(), token)
	if err != nil || !done {
		tb.Fatal(done, err)
	}
	return reply
}

// gokrb5 is the client of gokrb5 with the same tickets.
func (x *bed) gokrb5(tb testing.TB) *client.Client {
	return gokrb5Client(tb, x.kdc.ConfigPath(), x.ccache)
}

func gokrb5Client(tb testing.TB, conf, ccache string) *client.Client {
	tb.Helper()
	c := must(config.Load(conf))(tb)
	cache := must(credentials.LoadCCache(strings.TrimPrefix(ccache, "FILE:")))(tb)
	cl := must(client.NewFromCCache(cache, c, client.DisablePAFXFAST(true)))(tb)
	tb.Cleanup(cl.Destroy)
	return cl
}

func (x *bed) gokrb5Keytab(tb testing.TB) *keytab.Keytab { return must(keytab.Load(x.keytab))(tb) }

func gokrb5Token(tb testing.TB, cl *client.Client) []byte {
	s := spnego.SPNEGOClient(cl, spn)
	if err := s.AcquireCred(); err != nil {
		tb.Fatal(err)
	}
	t := must(s.InitSecContext())(tb)
	return must(t.Marshal())(tb)
}

// each measures use, with what make makes for it unmeasured. It stops the clock
// for many at a time, since that costs more than what is measured here.
func each[T any](b *testing.B, prepare func() T, use func(T)) {
	const batch = 200
	prepared := make([]T, 0, batch)
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= len(prepared) {
		b.StopTimer()
		prepared = prepared[:0]
		for range min(batch, left) {
			prepared = append(prepared, prepare())
		}
		b.StartTimer()
		for _, p := range prepared {
			use(p)
		}
	}
}
