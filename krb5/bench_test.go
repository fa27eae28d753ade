package krb5_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

func BenchmarkInitiate(b *testing.B) {
	p := provider(b, realm(b))
	cred, err := p.Acquire(b.Context(), gss.CredentialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := firstToken(b, p, cred); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccept(b *testing.B) {
	p := provider(b, realm(b))
	cred, err := p.Acquire(b.Context(), gss.CredentialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		token, err := firstToken(b, p, cred)
		b.StartTimer()
		if err != nil {
			b.Fatal(err)
		}
		sc, err := p.Accept(b.Context(), gss.AcceptOptions{Credential: acceptor})
		if err != nil {
			b.Fatal(err)
		}
		if _, done, err := sc.Step(b.Context(), token); err != nil || !done {
			b.Fatal(done, err)
		}
	}
}

func firstToken(tb testing.TB, p gss.Provider, cred gss.Credential) ([]byte, error) {
	sc, err := p.Initiate(tb.Context(), gss.InitiateOptions{Credential: cred, Target: target, Flags: gss.FlagMutual})
	if err != nil {
		return nil, err
	}
	token, _, err := sc.Step(tb.Context(), nil)
	return token, err
}
