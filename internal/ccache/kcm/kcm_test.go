package kcm

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
)

func TestReplaceAndRead(t *testing.T) {
	_, d := start(t)
	s := d.Cache("7:1")
	if _, _, err := s.Read(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "KCM:7:1") {
		t.Errorf("before it exists: %v", err)
	}
	if _, err := s.Version(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the version before it exists: %v", err)
	}
	want := content(alice, "web", "mail")
	want.KDCOffset = -90 * time.Second
	want.SetConfig("fast_avail", "krbtgt/X.TEST@X.TEST", []byte("yes"))
	if err := s.Replace(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, v, err := s.Read(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if now, err := s.Version(t.Context()); err != nil || now != v {
		t.Errorf("the version is another one, and nothing has changed (%v)", err)
	}

	if err := s.Add(t.Context(), ticket(alice, "files")); err != nil {
		t.Fatal(err)
	}
	if now, _ := s.Version(t.Context()); now == v {
		t.Error("the version is the same, and there is a ticket more")
	}
	if got, _, _ = s.Read(t.Context()); len(got.Creds) != 3 {
		t.Errorf("%d tickets, want 3", len(got.Creds))
	}
	if err := s.Add(t.Context(), ticket(bob, "files")); !errors.Is(err, ccache.ErrOtherClient) {
		t.Errorf("bob's ticket for alice's cache: %v", err)
	}
	_, v, _ = s.Read(t.Context())
	if err := s.Replace(t.Context(), content(alice, "web", "mail", "files")); err != nil {
		t.Fatal(err)
	}
	if now, _ := s.Version(t.Context()); now == v {
		t.Error("the version is the same after the cache was written anew")
	}
}

func TestCollection(t *testing.T) {
	f, d := start(t)
	if stores, err := d.Stores(t.Context()); err != nil || len(stores) != 0 {
		t.Errorf("nothing there: %v, %v", stores, err)
	}
	for name, c := range map[string]*ccache.Cache{"7:1": content(alice, "web"), "7": content(bob, "web")} {
		if err := d.Cache(name).Replace(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for primary, others := range map[string]string{"7": "7:1", "7:1": "7"} {
		f.mu.Lock()
		f.primary = primary
		f.mu.Unlock()
		s, err := d.Primary(t.Context())
		if err != nil || s.String() != "KCM:"+primary {
			t.Errorf("the primary is %v, %v", s, err)
		}
		stores, err := d.Stores(t.Context())
		if err != nil || !reflect.DeepEqual(stores, []ccache.Store{d.Cache(primary), d.Cache(others)}) {
			t.Errorf("got %v, %v", stores, err)
		}
	}
	if s, err := ccache.Find(t.Context(), d, alice); err != nil || s.String() != "KCM:7:1" {
		t.Errorf("alice's: %v, %v", s, err)
	}
	s, err := ccache.StoreFor(t.Context(), d, alice)
	if err != nil || s.String() != "KCM:7:1" {
		t.Errorf("where alice's go: %v, %v", s, err)
	}
	other := alice
	other.Realm = "Y.TEST"
	if s, err = ccache.StoreFor(t.Context(), d, other); err != nil || !strings.HasPrefix(s.String(), "KCM:7:new") {
		t.Errorf("where those of a stranger go: %v, %v", s, err)
	}
}

// A cache that changes while it is read, at whichever point, is never mixed, and
// never half. One that does not settle is told.
func TestChangesWhileRead(t *testing.T) {
	change := func(f *fake) {
		f.do(opInitialize, append(nameArg("7"), ccache.EncodePrincipal(bob)...))
		for _, service := range []string{"web", "mail", "files"} {
			f.do(opStore, append(nameArg("7"), ccache.EncodeCredential(ticket(bob, service))...))
		}
	}
	for at := range 24 {
		f, d := start(t)
		f.sssd = at >= 12
		at %= 12
		s := d.Cache("7")
		if err := s.Replace(t.Context(), content(alice, "web", "mail")); err != nil {
			t.Fatal(err)
		}
		calls := 0
		f.mu.Lock()
		f.answer = func(opcode, []byte) ([]byte, bool) {
			if calls++; calls == at {
				change(f)
			}
			return nil, false
		}
		f.mu.Unlock()
		got, _, err := s.Read(t.Context())
		if err != nil || !reflect.DeepEqual(got, content(alice, "web", "mail")) && !reflect.DeepEqual(got, content(bob, "web", "mail", "files")) {
			t.Errorf("changed at call %d: got %+v, %v", at, got, err)
		}
	}
	// Many changes in a row are those of a kinit that the daemon is slow for.
	for changes, want := range map[int]error{8: nil, 1000: ErrProtocol} {
		f, d := start(t)
		s := d.Cache("7")
		if err := s.Replace(t.Context(), content(alice, "web")); err != nil {
			t.Fatal(err)
		}
		f.mu.Lock()
		left := changes
		f.answer = func(op opcode, _ []byte) ([]byte, bool) {
			if op == opGetCredByUUID && left > 0 {
				left--
				change(f)
			}
			return nil, false
		}
		f.mu.Unlock()
		if _, _, err := s.Read(t.Context()); !errors.Is(err, want) {
			t.Errorf("a cache that changes %d times: got %v, want %v", changes, err, want)
		}
	}
}

// What a daemon sends that it should not is told, and costs neither memory nor
// time.
func TestFaults(t *testing.T) {
	huge := binary.BigEndian.AppendUint32(nil, 0xfffffff0)
	many := make([]byte, 16*(maxUUIDs+1))
	for _, test := range []struct {
		name   string
		op     opcode
		answer []byte
		want   error
		says   string
	}{
		{"closes", opGetPrincipal, nil, ErrProtocol, "ends too early"},
		{"half a length", opGetPrincipal, []byte{0, 0}, ErrSilent, "does not answer"},
		{"a length alone", opGetPrincipal, []byte{0, 0, 0, 9}, nil, "does not answer"},
		{"a huge length", opGetPrincipal, huge, ErrProtocol, "at most 10485760"},
		{"10 MiB announced", opGetPrincipal, []byte{0, 0xa0, 0, 0, 0, 0, 0, 0}, nil, "does not answer"},
		{"no result", opGetPrincipal, make([]byte, 8), ErrProtocol, "no result"},
		{"a status", opGetPrincipal, []byte{0, 0, 0, 0, 0, 0, 0, 13}, fs.ErrPermission, "denies"},
		{"an error", opGetPrincipal, reply(4711, nil), nil, "error 4711"},
		{"permission", opGetPrincipal, reply(codePermission, nil), fs.ErrPermission, "denies"},
		{"no principal", opGetPrincipal, reply(0, nil), fs.ErrNotExist, "no such cache"},
		{"garbage for a principal", opGetPrincipal, reply(0, []byte("garbage")), ccache.ErrFormat, "principal"},
		{"half a UUID", opGetCredUUIDList, reply(0, make([]byte, 17)), ErrProtocol, "UUIDs"},
		{"too many", opGetCredUUIDList, reply(0, many), ErrProtocol, "at most 4096"},
		{"garbage for a ticket", opGetCredByUUID, reply(0, []byte("garbage")), ccache.ErrFormat, "credential"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, d := start(t)
			d.Timeout = time.Hour
			if err := d.Cache("7").Replace(t.Context(), content(alice, "web")); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(test.says, "does not answer") {
				d.Timeout = 50 * time.Millisecond
			}
			s := d.Cache("7")
			f.mu.Lock()
			f.answer = func(op opcode, _ []byte) ([]byte, bool) { return test.answer, op == test.op }
			f.mu.Unlock()
			_, _, err := s.Read(t.Context())
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v; want %v, with %q", err, test.want, test.says)
			}
		})
	}
	for _, name := range [][]byte{nil, {0}, []byte("unterminated"), append(make([]byte, maxName+1), 0)} {
		f, d := start(t)
		f.answer = func(opcode, []byte) ([]byte, bool) { return reply(0, name), true }
		if s, err := d.Primary(t.Context()); !errors.Is(err, ErrProtocol) {
			t.Errorf("a name of %d octets: %v, %v", len(name), s, err)
		}
	}
}

// Tickets that are within the bound each are refused when all of them are more
// than a cache has.
func TestReadIsBounded(t *testing.T) {
	f, d := start(t)
	s := d.Cache("7")
	if err := s.Replace(t.Context(), content(alice, "a", "b", "c", "d")); err != nil {
		t.Fatal(err)
	}
	big := ticket(alice, "web")
	big.Ticket = make([]byte, 5<<20)
	answer := reply(0, ccache.EncodeCredential(big))
	asked := 0
	f.mu.Lock()
	f.answer = func(op opcode, _ []byte) ([]byte, bool) {
		if op == opGetCredByUUID {
			asked++
		}
		return answer, op == opGetCredByUUID
	}
	f.mu.Unlock()
	_, _, err := s.Read(t.Context())
	if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "at most 16777216") {
		t.Errorf("got %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if asked != 4 {
		t.Errorf("%d tickets were read, want 4", asked)
	}
}

// A daemon that does not answer is left as soon as the caller leaves.
func TestCancelled(t *testing.T) {
	f, d := start(t)
	asked := make(chan struct{})
	f.answer = func(opcode, []byte) ([]byte, bool) {
		close(asked)
		return []byte{}, true
	}
	cause := errors.New("the user has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		cancel(cause)
	}()
	if _, err := d.Primary(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	_, err := Daemon{Socket: path}.Primary(t.Context())
	if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no KCM daemon listens at "+path) {
		t.Errorf("got %v", err)
	}
	if _, err := (Daemon{Socket: "-"}).Primary(t.Context()); err == nil || !strings.Contains(err.Error(), "kcm_socket = -") {
		t.Errorf("turned off: %v", err)
	}
}
