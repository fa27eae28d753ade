package kdc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

func newServer(t testing.TB, edit ...func(*Options)) *Server {
	t.Helper()
	r := newRealm(t, edit...)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/web.a.test", "")
	s, err := Listen(r, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// dial returns a connection that fails rather than wait for ever.
func dial(t *testing.T, s *Server, network string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, c net.Conn, msg []byte) {
	t.Helper()
	if _, tcp := c.(*net.TCPConn); tcp {
		msg = append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)
	}
	if _, err := c.Write(msg); err != nil {
		t.Fatal(err)
	}
}

// receive returns a reply, or how much of it came and the error.
func receive(c net.Conn) ([]byte, error) {
	if _, tcp := c.(*net.TCPConn); tcp {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return nil, err
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		n, err := io.ReadFull(c, b)
		return b[:n], err
	}
	b := make([]byte, maxDatagram)
	n, err := c.Read(b)
	return b[:n], err
}

// exchange sends a request and returns the KRB-ERROR that comes back.
func exchange(t *testing.T, c net.Conn, msg []byte) *krbmsg.KRBError {
	t.Helper()
	send(t, c, msg)
	b, err := receive(c)
	if err != nil {
		t.Fatal(err)
	}
	e, err := krbmsg.ParseKRBError(b)
	if err != nil {
		t.Fatalf("%d octets came back: %v", len(b), err)
	}
	return e
}

// plainRequest is an AS-REQ that is answered by a demand for pre-authentication.
func plainRequest(s *Server) []byte { return asReq(s.realm, "alice").Append(nil) }

var networks = []string{"udp", "tcp"}

func TestServerAnswers(t *testing.T) {
	s := newServer(t)
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			c := dial(t, s, network)
			for range 3 { // on one connection
				wantCode(t, exchange(t, c, plainRequest(s)), krbmsg.ErrPreauthRequired)
			}
		})
	}
	if got, want := s.Counts(), (Counts{AS: 6, UDP: 3, TCP: 3}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestCountsByKind(t *testing.T) {
	s := newServer(t)
	r := s.realm
	other := newRealm(t, func(o *Options) { o.Realm = "B.TEST" })
	if err := Trust(r, other); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s, "tcp")
	tgt := login(t, r, "alice", options(krbmsg.OptForwardable|krbmsg.OptRenewable))
	for _, ask := range []struct {
		server  string
		options uint32
		edit    func(*tgsReq)
	}{
		{"HTTP/web.a.test", 0, nil},
		{"HTTP/web.b.test", krbmsg.OptCanonicalize, nil},
		{"krbtgt/B.TEST", 0, nil},
		{"krbtgt/A.TEST", krbmsg.OptRenew, nil},
		{"krbtgt/A.TEST", krbmsg.OptForwarded, nil},
		{"HTTP/web.a.test", krbmsg.OptCNameInAddlTkt, nil},
		{"HTTP/web.a.test", krbmsg.OptEncTktInSKey, nil},
		{"alice", 0, func(q *tgsReq) { forUser(q, "alice") }},
		{"HTTP/unknown", 0, nil},
	} {
		q := newTGSReq(t, r, tgt, ask.server)
		q.Body.Options = ask.options
		if ask.edit != nil {
			ask.edit(q)
		}
		send(t, c, q.seal(t).Append(nil))
		if _, err := receive(c); err != nil {
			t.Fatal(err)
		}
	}
	want := Counts{
		TGS: 9, Service: 2, Referral: 2, Renew: 1, Forward: 1, S4U2Proxy: 1, UserToUser: 1, S4U2Self: 1,
		TCP: 9, Errors: 3,
	}
	if got := s.Counts(); got != want {
		t.Errorf("counted %+v,\nwant %+v", got, want)
	}
	s.ResetCounts()
	if got := s.Counts(); got != (Counts{}) {
		t.Errorf("counted %+v after a reset", got)
	}
}

// A datagram that is no request has no answer; the next one does.
func TestServerIgnoresGarbage(t *testing.T) {
	s := newServer(t)
	c := dial(t, s, "udp")
	send(t, c, []byte("GET / HTTP/1.1\r\n\r\n"))
	send(t, c, nil)
	wantCode(t, exchange(t, c, plainRequest(s)), krbmsg.ErrPreauthRequired)
	c = dial(t, s, "tcp")
	send(t, c, []byte("GET / HTTP/1.1\r\n\r\n"))
	if b, err := receive(c); !errors.Is(err, io.EOF) {
		t.Errorf("%d octets came back, %v, want the connection to be closed", len(b), err)
	}
}

func TestServerBoundsMessages(t *testing.T) {
	s := newServer(t)
	for _, length := range []uint32{maxMessage + 1, 1 << 31, 1<<32 - 1} {
		c := dial(t, s, "tcp")
		if _, err := c.Write(binary.BigEndian.AppendUint32(nil, length)); err != nil {
			t.Fatal(err)
		}
		b, err := receive(c)
		if err != nil {
			t.Fatal(err)
		}
		e, err := krbmsg.ParseKRBError(b)
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, e, krbmsg.ErrFieldTooLong)
		if _, err := receive(c); !errors.Is(err, io.EOF) {
			t.Errorf("after a message of %d octets: %v, want the connection to be closed", length, err)
		}
	}
}

// What a message announces is not allocated before it has come.
func TestFrameIsReadAsItComes(t *testing.T) {
	var body bytes.Buffer
	frame := binary.BigEndian.AppendUint32(nil, maxMessage)
	if err := readFrame(bytes.NewReader(append(frame, 1, 2, 3)), &body); !errors.Is(err, io.EOF) {
		t.Errorf("a message that is cut off: %v, want io.EOF", err)
	}
	if body.Cap() > 4096 {
		t.Errorf("%d octets were allocated for 3", body.Cap())
	}
}

func FuzzFrame(f *testing.F) {
	for _, s := range []string{"", "\x00\x00\x00\x02ab", "\x00\x00\x00\x03ab", "\x00\x02\x00\x01", "\xff\xff\xff\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var body bytes.Buffer
		if err := readFrame(bytes.NewReader(b), &body); err != nil {
			return
		}
		if n := binary.BigEndian.Uint32(b); n > maxMessage || !bytes.Equal(body.Bytes(), b[4:4+n]) {
			t.Errorf("a frame of %d octets was read as %d", n, body.Len())
		}
	})
}

func TestFaults(t *testing.T) {
	const ahead = 3 * time.Hour
	s := newServer(t)
	request := plainRequest(s)
	for _, network := range networks {
		for _, c := range []struct {
			name  string
			fault Fault
			check func(t *testing.T, reply []byte, err error)
		}{
			{"garbage", Fault{Kind: FaultGarbage}, func(t *testing.T, reply []byte, err error) {
				if err != nil || len(reply) != garbageSize || krbmsg.IsKRBError(reply) {
					t.Errorf("got %x, %v", reply, err)
				}
			}},
			{"truncated", Fault{Kind: FaultTruncated}, func(t *testing.T, reply []byte, err error) {
				whole := s.realm.Handle(UDP, request)
				if len(reply) != len(whole)/2 || (network == "tcp") != errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("got %d octets, %v, want half of %d", len(reply), err, len(whole))
				}
			}},
			{"error", Fault{Kind: FaultError, Code: krbmsg.ErrSvcUnavailable}, wantError(krbmsg.ErrSvcUnavailable, "A.TEST", noon)},
			{"wrong realm", Fault{Kind: FaultRealm, Realm: "B.TEST"}, wantError(krbmsg.ErrWrongRealm, "B.TEST", noon)},
			{"clock ahead", Fault{Kind: FaultSkew, Delay: ahead}, wantError(krbmsg.ErrPreauthRequired, "A.TEST", noon.Add(ahead))},
			{"clock behind", Fault{Kind: FaultSkew, Delay: -ahead}, wantError(krbmsg.ErrPreauthRequired, "A.TEST", noon.Add(-ahead))},
			{"slow", Fault{Kind: FaultSlow, Delay: time.Microsecond}, wantError(krbmsg.ErrPreauthRequired, "A.TEST", noon)},
			{"none", Fault{}, wantError(krbmsg.ErrPreauthRequired, "A.TEST", noon)},
		} {
			t.Run(network+" "+c.name, func(t *testing.T) {
				if err := s.SetFault(c.fault); err != nil {
					t.Fatal(err)
				}
				conn := dial(t, s, network)
				send(t, conn, request)
				reply, err := receive(conn)
				c.check(t, reply, err)
			})
		}
	}
}

func wantError(code krbmsg.ErrorCode, realm string, at time.Time) func(*testing.T, []byte, error) {
	return func(t *testing.T, reply []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		e, err := krbmsg.ParseKRBError(reply)
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, e, code)
		if e.Client.Realm != realm || !e.ServerTime.Equal(at) {
			t.Errorf("the error is of %v about a client of %s, want %v and %s", e.ServerTime, e.Client.Realm, at, realm)
		}
	}
}

func TestFaultForSomeRequests(t *testing.T) {
	s := newServer(t)
	c := dial(t, s, "udp")
	if err := s.SetFault(Fault{Kind: FaultError, Code: krbmsg.ErrSvcUnavailable, Times: 2}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []krbmsg.ErrorCode{krbmsg.ErrSvcUnavailable, krbmsg.ErrSvcUnavailable, krbmsg.ErrPreauthRequired} {
		wantCode(t, exchange(t, c, plainRequest(s)), want)
	}
	if err := s.SetFault(Fault{Kind: FaultSilent, Times: 1}); err != nil {
		t.Fatal(err)
	}
	send(t, c, asReq(s.realm, "nobody").Append(nil))
	waitFor(t, func() bool { return s.Counts().AS == 4 }) // else one may overtake the other
	wantCode(t, exchange(t, c, plainRequest(s)), krbmsg.ErrPreauthRequired)
	if got, want := s.Counts(), (Counts{AS: 5, UDP: 5, Errors: 2}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// A KDC that is silent keeps the connection, on which the next request is
// answered.
func TestSilentOverTCP(t *testing.T) {
	s := newServer(t)
	if err := s.SetFault(Fault{Kind: FaultSilent, Times: 1}); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s, "tcp")
	send(t, c, plainRequest(s))
	wantCode(t, exchange(t, c, plainRequest(s)), krbmsg.ErrPreauthRequired)
	if got := s.Counts(); got.AS != 2 {
		t.Errorf("counted %+v, want two requests", got)
	}
}

// A request that is held is counted already, and answered when it is released.
func TestHeld(t *testing.T) {
	s := newServer(t)
	release := make(chan struct{})
	if err := s.SetFault(Fault{Kind: FaultHeld, Release: release}); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s, "tcp")
	send(t, c, plainRequest(s))
	waitFor(t, func() bool { return s.Counts().AS == 1 })
	close(release)
	if _, err := receive(c); err != nil {
		t.Error(err)
	}
}

// waitFor yields until something is true that is about to become true.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within a minute")
		}
	}
}

func TestRefuse(t *testing.T) {
	s := newServer(t)
	open := dial(t, s, "tcp")
	if err := s.SetFault(Fault{Kind: FaultRefuse}); err != nil {
		t.Fatal(err)
	}
	if _, err := receive(open); err == nil {
		t.Error("an open connection stays open")
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		c.Close()
		t.Error("a TCP connection is accepted")
	}
	c := dial(t, s, "udp")
	send(t, c, plainRequest(s))
	if _, err := receive(c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("UDP: %v, want the datagram to be refused", err)
	}
	if err := s.SetFault(Fault{}); err != nil {
		t.Fatal(err)
	}
	for _, network := range networks {
		wantCode(t, exchange(t, dial(t, s, network), plainRequest(s)), krbmsg.ErrPreauthRequired)
	}
}

// Close ends what is in work, and nothing goes on behind it.
func TestCloseWaits(t *testing.T) {
	s := newServer(t)
	if err := s.SetFault(Fault{Kind: FaultSlow, Delay: 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, network := range networks {
		send(t, dial(t, s, network), plainRequest(s))
	}
	idle := dial(t, s, "tcp")
	half := dial(t, s, "tcp")
	if _, err := half.Write([]byte{0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return s.Counts().AS == 2 })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := receive(idle); err == nil {
		t.Error("an idle connection survives Close")
	}
	if err := s.SetFault(Fault{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetFault on a closed server: %v", err)
	}
	waitFor(t, func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !strings.Contains(string(stacks), "kdc.(*sockets)")
	})
}

func TestManyClients(t *testing.T) {
	s := newServer(t)
	tgt := login(t, s.realm, "alice")
	var wg sync.WaitGroup
	for i := range 64 {
		c := dial(t, s, networks[i%2])
		msg := newTGSReq(t, s.realm, tgt, "HTTP/web.a.test").seal(t).Append(nil)
		wg.Go(func() {
			send(t, c, msg)
			b, err := receive(c)
			if err != nil {
				t.Error(err)
			}
			if _, err := krbmsg.ParseKDCRep(krbmsg.TypeTGSRep, b); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := s.Counts().Service; got != 64 {
		t.Errorf("%d requests were counted, want 64", got)
	}
}

func TestBigReplyOverNetwork(t *testing.T) {
	s := newServer(t, func(o *Options) { o.MaxUDPReply = 100 })
	q := asReq(s.realm, "alice")
	stamp(t, q, etype.AES256SHA1, "secret", "A.TESTalice", noon)
	wantCode(t, exchange(t, dial(t, s, "udp"), q.Append(nil)), krbmsg.ErrResponseTooBig)
	c := dial(t, s, "tcp")
	send(t, c, q.Append(nil))
	b, err := receive(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := krbmsg.ParseKDCRep(krbmsg.TypeASRep, b); err != nil {
		t.Error(err)
	}
}
