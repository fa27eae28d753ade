//go:build !race

package krb5_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// The paths that each request takes allocate little. The bounds leave room for
// one or two allocations of the runtime.
func TestAllocations(t *testing.T) {
	p, alice, acceptor := warm(t)
	if n := testing.AllocsPerRun(200, func() { hotInitiate(t, p, alice) }); n > 9 {
		t.Errorf("the initiator's first token takes %v allocations, want at most 9", n)
	}
	if n := testing.AllocsPerRun(200, func() { hotInitiate(t, p, nil) }); n > 11 {
		t.Errorf("with the default credential it takes %v allocations, want at most 11", n)
	}
	tokens := make([][]byte, 0, 201)
	for range 201 {
		tokens = append(tokens, hotInitiate(t, p, alice))
	}
	if n := testing.AllocsPerRun(200, func() {
		hotAccept(t, p, acceptor, tokens[0])
		tokens = tokens[1:]
	}); n > 20 {
		t.Errorf("to accept a token takes %v allocations, want at most 20", n)
	}
}

// The same for tickets that the acceptor has not seen before.
func TestAllocationsOfTheFirst(t *testing.T) {
	kdc := realm(t)
	// A replay cache of one part: each part makes room when it gets its first.
	p := provider(t, kdc, func(o *krb5.Options) { o.ReplayCacheSize = 1000 })
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	const runs = 20
	var tokens [][]byte
	for range runs + 1 {
		alice, err := p.FromCCache(kdc.CCache("alice", krbtest.WithTicket(service)))
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, hotInitiate(t, p, alice))
	}
	if n := testing.AllocsPerRun(runs, func() {
		hotAccept(t, p, acceptor, tokens[0])
		tokens = tokens[1:]
	}); n > 30 {
		t.Errorf("to accept the first token of a ticket takes %v allocations, want at most 30", n)
	}
}

// A ticket that is long because of its PAC is copied once, into the token.
func TestLongTicketIsCopiedOnce(t *testing.T) {
	kdc := realm(t)
	kdc.AddPrincipal("carol", "", krbtest.Groups(slices.Repeat([]uint32{2000}, 2000)...))
	p := provider(t, kdc)
	carol, err := p.FromCCache(kdc.CCache("carol", krbtest.WithTicket(service)))
	if err != nil {
		t.Fatal(err)
	}
	token := len(hotInitiate(t, p, carol))
	const runs = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		hotInitiate(t, p, carol)
	}
	runtime.ReadMemStats(&after)
	if each := int(after.TotalAlloc-before.TotalAlloc) / runs; token < 8<<10 || each > token*3/2 {
		t.Errorf("%d octets are allocated for a token of %d, want less than half more than the token, which should be long", each, token)
	}
}

// The same for krb5 without SPNEGO.
func TestAllocationsKRB5(t *testing.T) {
	p, alice, _ := warm(t)
	if n := testing.AllocsPerRun(200, func() {
		firstToken(t, p, gss.InitiateOptions{Credential: alice, Flags: gss.FlagMutual})
	}); n > 12 { // firstToken's own Cleanup included
		t.Errorf("the initiator's first token takes %v allocations, want at most 12", n)
	}
}
