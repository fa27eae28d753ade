package krb5_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

func BenchmarkPACFrom(b *testing.B) {
	var rids []uint32
	for n := range uint32(400) {
		rids = append(rids, 2000+n)
	}
	kdc := krbtest.NewKDC(b)
	kdc.AddPrincipal("alice", "alice's password", krbtest.Groups(rids...))
	kdc.AddService(service)
	p := provider(b, kdc)
	_, a := establish(b, p, p, gss.InitiateOptions{}, gss.AcceptOptions{})
	auth := a.(gss.Authorizer).Authorization()
	for b.Loop() {
		if _, err := krb5.PACFrom(auth); err != nil {
			b.Fatal(err)
		}
	}
}
