package krbtest_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/krbtest"
)

// BenchmarkNewKDC is what a test pays for a realm of its own: one user, one
// service, their files, and the end of it all.
func BenchmarkNewKDC(b *testing.B) {
	for b.Loop() {
		k := krbtest.Start()
		k.AddPrincipal("alice", "secret")
		k.AddService("HTTP/www.krb.test")
		k.ConfigPath()
		k.Keytab("HTTP/www.krb.test")
		k.CCache("alice")
		k.Close()
	}
}
