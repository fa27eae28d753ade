package kdc

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate/internal/etype"
)

// load is a login and a ticket request, as they travel.
func load(b *testing.B) (r *Realm, as, tgs []byte) {
	b.Helper()
	r = newRealm(b)
	add(b, r, "alice", "secret")
	add(b, r, "HTTP/web.a.test", "")
	q := asReq(r, "alice")
	stamp(b, q, etype.AES256SHA1, "secret", "A.TESTalice", noon)
	as = q.Append(nil)
	tgs = newTGSReq(b, r, login(b, r, "alice"), "HTTP/web.a.test").seal(b).Append(nil)
	return r, as, tgs
}

func BenchmarkAS(b *testing.B) {
	r, as, _ := load(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Handle(UDP, as)
	}
}

func BenchmarkTGS(b *testing.B) {
	r, _, tgs := load(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Handle(UDP, tgs)
	}
}

// BenchmarkUDP is a login and a ticket by as many clients at once as there are
// processors, over loopback.
func BenchmarkUDP(b *testing.B) {
	r, as, tgs := load(b)
	s, err := Listen(r, "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var failed atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("udp", s.Addr())
		if err != nil {
			failed.Add(1)
			return
		}
		defer c.Close()
		buf := make([]byte, maxDatagram)
		for pb.Next() {
			for _, msg := range [][]byte{as, tgs} {
				if _, err := c.Write(msg); err != nil {
					failed.Add(1)
				}
				if _, err := c.Read(buf); err != nil {
					failed.Add(1)
				}
			}
		}
	})
	if n := failed.Load(); n > 0 {
		b.Errorf("%d exchanges failed", n)
	}
}
