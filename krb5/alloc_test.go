//go:build !race

package krb5_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// The paths that each request takes allocate little. The bounds leave room for
// one or two allocations of the runtime.
func TestAllocations(t *testing.T) {
	p, alice, acceptor := warm(t)
	if n := testing.AllocsPerRun(200, func() { hotInitiate(t, p, alice) }); n > 10 {
		t.Errorf("the initiator's first token takes %v allocations, want at most 10", n)
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
	p := provider(t, kdc)
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

// The same for krb5 without SPNEGO.
func TestAllocationsKRB5(t *testing.T) {
	p, alice, _ := warm(t)
	if n := testing.AllocsPerRun(200, func() {
		firstToken(t, p, gss.InitiateOptions{Credential: alice, Flags: gss.FlagMutual})
	}); n > 12 { // firstToken's own Cleanup included
		t.Errorf("the initiator's first token takes %v allocations, want at most 12", n)
	}
}
