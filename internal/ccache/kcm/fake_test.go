package kcm

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// fake is a daemon that keeps what it is told, and answers otherwise where a test
// wants it to.
type fake struct {
	t *testing.T
	// answer, if set, may answer in the daemon's place: with all octets of it, or
	// false. Nil octets end the connection.
	answer func(op opcode, args []byte) ([]byte, bool)

	// sssd has it answer as sssd does for a ticket that is gone.
	sssd bool

	mu      sync.Mutex
	caches  map[string]*fakeCache
	order   []string
	primary string
	calls   []opcode
	next    byte
}

type fakeCache struct {
	id     uuid
	client []byte
	offset []byte
	ids    []uuid
	creds  map[uuid][]byte
}

// start runs the daemon for the duration of the test.
func start(t *testing.T) (*fake, Daemon) {
	t.Helper()
	// Paths of sockets are short.
	dir, err := os.MkdirTemp("", "kcm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, caches: make(map[string]*fakeCache), primary: "7"}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				for f.serve(c) {
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return f, Daemon{Socket: l.Addr().String()}
}

// serve answers one request.
func (f *fake) serve(c net.Conn) bool {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return false
	}
	req := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, req); err != nil {
		return false
	}
	if req[0] != 2 || req[1] != 0 {
		f.t.Errorf("a request of version %d.%d", req[0], req[1])
	}
	op, args := opcode(binary.BigEndian.Uint16(req[2:])), req[4:]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, op)
	if f.answer != nil {
		if b, ok := f.answer(op, args); ok {
			c.Write(b)
			return b != nil
		}
	}
	code, body := f.do(op, args)
	_, err := c.Write(reply(code, body))
	return err == nil
}

// reply frames an answer.
func reply(code int32, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(code))
	return append(b, body...)
}

func (f *fake) do(op opcode, args []byte) (code int32, body []byte) {
	switch op {
	case opGetDefaultCache:
		return 0, nameArg(f.primary)
	case opGenNew:
		f.next++
		return 0, nameArg("7:new" + strconv.Itoa(int(f.next)))
	case opGetCacheUUIDList:
		for _, name := range f.order {
			id := f.caches[name].id
			body = append(body, id[:]...)
		}
		return 0, body
	case opGetCacheByUUID:
		for name, c := range f.caches {
			if bytes.Equal(c.id[:], args) {
				return 0, nameArg(name)
			}
		}
		return codeCCEnd, nil
	}
	name, rest, _ := bytes.Cut(args, []byte{0})
	c := f.caches[string(name)]
	if op == opInitialize {
		if c == nil {
			c = &fakeCache{id: f.newID()}
			f.order = append(f.order, string(name))
			f.caches[string(name)] = c
		}
		c.client, c.ids, c.creds = rest, nil, make(map[uuid][]byte)
		return 0, nil
	}
	if c == nil {
		return codeNoFile, nil
	}
	switch op {
	case opGetPrincipal:
		return 0, c.client
	case opGetCredUUIDList:
		for _, id := range c.ids {
			body = append(body, id[:]...)
		}
		return 0, body
	case opGetCredByUUID:
		if b, ok := c.creds[uuid(rest)]; ok {
			return 0, b
		}
		if f.sssd {
			return 0, nil
		}
		return codeCCEnd, nil
	case opStore:
		id := f.newID()
		c.ids = append(c.ids, id)
		c.creds[id] = rest
		return 0, nil
	case opGetKDCOffset:
		if c.offset == nil {
			return 0, make([]byte, 4)
		}
		return 0, c.offset
	case opSetKDCOffset:
		c.offset = rest
		return 0, nil
	}
	return 22, nil
}

func (f *fake) newID() (id uuid) {
	f.next++
	id[0] = f.next
	return id
}

var (
	alice = principal.New("X.TEST", "alice")
	bob   = principal.New("X.TEST", "bob")
)

// content is a cache of a client with tickets for services.
func content(client principal.Name, services ...string) *ccache.Cache {
	c := &ccache.Cache{Principal: client}
	for _, s := range services {
		c.Creds = append(c.Creds, ticket(client, s))
	}
	return c
}

func ticket(client principal.Name, service string) ccache.Credential {
	return ccache.Credential{
		Client: client, Server: principal.New("X.TEST", "HTTP", service), KeyType: 18,
		Key: bytes.Repeat([]byte{7}, 32), Ticket: []byte("a ticket for " + service),
	}
}
