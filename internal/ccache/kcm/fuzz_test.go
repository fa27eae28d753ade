package kcm

import (
	"bytes"
	"net"
	"testing"
	"testing/iotest"

	"github.com/go-negotiate/negotiate/internal/ccache"
)

// FuzzReply has a daemon send anything: nothing of it may panic, and what is read
// is bounded.
func FuzzReply(f *testing.F) {
	f.Add(reply(0, ccache.EncodePrincipal(alice)))
	f.Add(reply(0, ccache.EncodeCredential(ticket(alice, "web"))))
	f.Add(reply(0, make([]byte, 32)))
	f.Add(reply(0, nameArg("1000:4711")))
	f.Add(reply(codeNoFile, nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		fresh := func() *conn { return &conn{Conn: oneReply{Reader: bytes.NewReader(b)}} }
		if name, err := fresh().name(opGetDefaultCache, nil); err == nil && (name == "" || len(name) > maxName) {
			t.Errorf("a name of %d octets", len(name))
		}
		if ids, err := fresh().uuids(opGetCredUUIDList, nil); err == nil && len(ids) > maxUUIDs {
			t.Errorf("%d UUIDs", len(ids))
		}
		fresh().principal("7")
		fresh().offset("7")
		reply, err := readReply(iotest.OneByteReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if body, err := openReply(reply); err == nil {
			ccache.DecodeCredential(body)
		}
	})
}

// oneReply takes every request and answers with what it has.
type oneReply struct {
	net.Conn
	*bytes.Reader
}

func (oneReply) Write(b []byte) (int, error)  { return len(b), nil }
func (r oneReply) Read(b []byte) (int, error) { return r.Reader.Read(b) }
