package benchmarks

import (
	"encoding/base64"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

const (
	host = "web.krb.test"
	spn  = "HTTP/" + host
)

// bed is a realm with a logged-in client and a service, as each peer sees it.
type bed struct {
	ours     *krb5.Provider
	cred     gss.Credential
	acceptor gss.Credential
	gokrb5   *client.Client
	keytab   *keytab.Keytab
}

func newBed(b *testing.B) *bed {
	b.Helper()
	kdc := krbtest.NewKDC(b, krbtest.WithEnctypes("aes256-cts-hmac-sha1-96"))
	kdc.AddPrincipal("alice", "")
	kdc.AddService(spn)
	ccache, keytabPath := kdc.CCache("alice"), kdc.Keytab(spn)
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	var err error
	x := &bed{}
	x.ours, err = krb5.New(krb5.Options{Config: kdc.ConfigPath(), CCache: ccache, Keytab: keytabPath})
	must(err)
	x.cred, err = x.ours.Acquire(b.Context(), gss.CredentialOptions{})
	must(err)
	x.acceptor, err = x.ours.AcceptorFromKeytab("")
	must(err)
	conf, err := config.Load(kdc.ConfigPath())
	must(err)
	cache, err := credentials.LoadCCache(trimFile(ccache))
	must(err)
	x.gokrb5, err = client.NewFromCCache(cache, conf, client.DisablePAFXFAST(true))
	must(err)
	b.Cleanup(x.gokrb5.Destroy)
	x.keytab, err = keytab.Load(keytabPath)
	must(err)
	return x
}

func trimFile(name string) string {
	const prefix = "FILE:"
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		return name[len(prefix):]
	}
	return name
}

func (x *bed) ourToken(b *testing.B, flags gss.Flags) []byte {
	sc, err := x.ours.Initiate(b.Context(), gss.InitiateOptions{Credential: x.cred, Target: gss.HostBased("HTTP", host), Flags: flags})
	if err != nil {
		b.Fatal(err)
	}
	token, _, err := sc.Step(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	return token
}

func (x *bed) gokrb5Token(b *testing.B) []byte {
	s := spnego.SPNEGOClient(x.gokrb5, spn)
	if err := s.AcquireCred(); err != nil {
		b.Fatal(err)
	}
	t, err := s.InitSecContext()
	if err != nil {
		b.Fatal(err)
	}
	token, err := t.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	return token
}

// BenchmarkInitiate makes the header's value of an authenticated request, with
// a ticket that is there already.
func BenchmarkInitiate(b *testing.B) {
	x := newBed(b)
	b.Run("negotiate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			base64.StdEncoding.EncodeToString(x.ourToken(b, 0))
		}
	})
	b.Run("negotiate-mutual", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			base64.StdEncoding.EncodeToString(x.ourToken(b, gss.FlagMutual))
		}
	})
	b.Run("gokrb5", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			base64.StdEncoding.EncodeToString(x.gokrb5Token(b))
		}
	})
}

// BenchmarkAccept verifies a token that was never seen before. Only ours proves
// the server's identity to the client.
func BenchmarkAccept(b *testing.B) {
	x := newBed(b)
	accept := func(b *testing.B, flags gss.Flags) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			token := x.ourToken(b, flags)
			b.StartTimer()
			sc, err := x.ours.Accept(b.Context(), gss.AcceptOptions{Credential: x.acceptor})
			if err != nil {
				b.Fatal(err)
			}
			if _, done, err := sc.Step(b.Context(), token); err != nil || !done {
				b.Fatal(done, err)
			}
		}
	}
	b.Run("negotiate", func(b *testing.B) { accept(b, 0) })
	b.Run("negotiate-mutual", func(b *testing.B) { accept(b, gss.FlagMutual) })
	b.Run("gokrb5", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			token := x.ourToken(b, 0)
			b.StartTimer()
			s := spnego.SPNEGOService(x.keytab, service.DecodePAC(false))
			var t spnego.SPNEGOToken
			if err := t.Unmarshal(token); err != nil {
				b.Fatal(err)
			}
			if ok, _, status := s.AcceptSecContext(&t); !ok {
				b.Fatal(status)
			}
		}
	})
}
