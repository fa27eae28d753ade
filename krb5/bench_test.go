package krb5_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// warm returns a provider that has its ticket, alice's credential and the
// service's.
func warm(tb testing.TB) (p *krb5.Provider, alice, acceptor gss.Credential) {
	tb.Helper()
	p = provider(tb, realm(tb))
	alice, err := p.Acquire(tb.Context(), gss.CredentialOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	if acceptor, err = p.AcceptorFromKeytab(""); err != nil {
		tb.Fatal(err)
	}
	token := hotInitiate(tb, p, alice)
	hotAccept(tb, p, acceptor, token)
	return p, alice, acceptor
}

// hotInitiate is the way of each request: SPNEGO, with mutual authentication.
func hotInitiate(tb testing.TB, p gss.Provider, alice gss.Credential) []byte {
	sc, err := p.Initiate(tb.Context(), gss.InitiateOptions{Credential: alice, Target: target, Flags: gss.FlagMutual})
	if err != nil {
		tb.Fatal(err)
	}
	token, _, err := sc.Step(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func hotAccept(tb testing.TB, p gss.Provider, acceptor gss.Credential, token []byte) {
	sc, err := p.Accept(tb.Context(), gss.AcceptOptions{Credential: acceptor})
	if err != nil {
		tb.Fatal(err)
	}
	if reply, done, err := sc.Step(tb.Context(), token); err != nil || !done || len(reply) == 0 {
		tb.Fatal(done, err)
	}
}

func BenchmarkInitiate(b *testing.B) {
	p, alice, _ := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		hotInitiate(b, p, alice)
	}
}

// BenchmarkAccept is of a client that comes again with the same ticket.
func BenchmarkAccept(b *testing.B) {
	p, alice, acceptor := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		token := hotInitiate(b, p, alice)
		b.StartTimer()
		hotAccept(b, p, acceptor, token)
	}
}

// BenchmarkAcceptNew is of a client that comes for the first time.
func BenchmarkAcceptNew(b *testing.B) {
	kdc := realm(b)
	p := provider(b, kdc)
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		alice, err := p.FromCCache(kdc.CCache("alice", krbtest.WithTicket(service)))
		if err != nil {
			b.Fatal(err)
		}
		token := hotInitiate(b, p, alice)
		b.StartTimer()
		hotAccept(b, p, acceptor, token)
	}
}
