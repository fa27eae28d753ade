//go:build linux && (amd64 || arm64)

package libgssapi

import (
	"errors"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/go-negotiate/negotiate/gss"
)

// Names of the fake library.
const (
	fakeSource = 11
	fakeTarget = 12
)

// fakeLibrary is a library whose functions are Go's. It establishes each context
// at once, and counts how often a name is released.
type fakeLibrary struct {
	released map[uintptr]int
	deleted  atomic.Int32
	unnamed  bool                     // names cannot be displayed
	wrapping func()                   // called by wrap
	text     *[len(fakeName) + 1]byte // every name's
	creds    uintptr
}

const fakeName = "alice@FAKE.TEST"

// status is that of a call that went well or failed.
func fakeStatus(failed bool) uintptr {
	if failed {
		return uintptr(gss.ErrBadNameType)
	}
	return 0
}

func put(at uintptr, v uintptr) {
	if at != 0 {
		*(*uintptr)(pointerTo(at)) = v
	}
}

func (f *fakeLibrary) library() *library {
	f.released = make(map[uintptr]int)
	f.text = new([len(fakeName) + 1]byte)
	copy(f.text[:], fakeName)
	l := &library{layout: hostLayout(), vendor: vendorMIT}
	l.nameTypes = map[gss.NameType]uintptr{gss.NameHostBased: uintptr(unsafe.Pointer(new(uint64)))}
	l.mechs = map[gss.OID]unsafe.Pointer{}
	l.functions.importName = purego.NewCallback(func(minor, text, typ, name uintptr) uintptr {
		put(name, fakeTarget+1)
		return 0
	})
	l.releaseName = purego.NewCallback(func(minor, name uintptr) uintptr {
		f.released[*(*uintptr)(pointerTo(name))]++
		return 0
	})
	l.displayName = purego.NewCallback(func(minor, name, text, typ uintptr) uintptr {
		*(*buffer)(pointerTo(text)) = buffer{uintptr(len(fakeName)), unsafe.Pointer(f.text)}
		return fakeStatus(f.unnamed)
	})
	l.releaseBuffer = purego.NewCallback(func(minor, b uintptr) uintptr {
		*(*buffer)(pointerTo(b)) = buffer{}
		return 0
	})
	l.acquireCred = purego.NewCallback(func(minor, name, time, mechs, usage, handle, actual, rec uintptr) uintptr {
		f.creds++
		put(handle, f.creds)
		return 0
	})
	l.releaseCred = purego.NewCallback(func(minor, handle uintptr) uintptr { return 0 })
	l.inquireCred = purego.NewCallback(func(minor, handle, name, lifetime, usage, mechs uintptr) uintptr {
		put(name, fakeSource)
		return 0
	})
	l.wrap = purego.NewCallback(func(minor, context, conf, qop, in, state, out uintptr) uintptr {
		f.wrapping()
		return 0
	})
	l.displayStatus = purego.NewCallback(func(minor, status, kind, mech, context, text uintptr) uintptr {
		return fakeStatus(true)
	})
	l.acceptSecContext = purego.NewCallback(func(minor, context, cred, in, bindings, source, mech, out, flags, lifetime, delegated uintptr) uintptr {
		put(context, 1)
		return 0
	})
	l.inquireContext = purego.NewCallback(func(minor, context, source, target, lifetime, mech, flags, local, open uintptr) uintptr {
		put(source, fakeSource)
		put(target, fakeTarget)
		return 0
	})
	l.deleteSecContext = purego.NewCallback(func(minor, context, out uintptr) uintptr {
		f.deleted.Add(1)
		return 0
	})
	return l
}

// A library that establishes a context and cannot tell a name, as when memory is
// short, gets each name back once: a second time it would free what it has given
// to another thread.
func TestNamesReleasedOnce(t *testing.T) {
	fake := &fakeLibrary{unnamed: true}
	p := newProvider(fake.library())
	c, err := p.Accept(t.Context(), gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, done, err := c.Step(t.Context(), []byte("token"))
	if done || !errors.Is(err, gss.ErrBadNameType) || !c.Info().Initiator.IsZero() {
		t.Errorf("got done %t, %v, initiator %s; want an error and no name", done, err, c.Info().Initiator)
	}
	c.Close()
	c.Close()
	if fake.released[fakeSource] != 1 || fake.released[fakeTarget] != 1 || fake.deleted.Load() != 1 {
		t.Errorf("names released %v times, contexts deleted %d times; want once each", fake.released, fake.deleted.Load())
	}
}

// Whoever closes a context under the calls of others does not free it under them.
func TestCloseDuringCalls(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	fake := &fakeLibrary{wrapping: func() { entered <- struct{}{}; <-leave }}
	p := newProvider(fake.library())
	c, err := p.Accept(t.Context(), gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, done, err := c.Step(t.Context(), []byte("token")); !done || err != nil {
		t.Fatalf("got done %t, %v", done, err)
	}
	returned := make(chan error)
	for range 2 {
		go func() {
			_, err := c.(gss.MessageProtector).Wrap(false, []byte("x"))
			returned <- err
		}()
		<-entered
	}
	c.Close()
	for _, want := range []int32{0, 1} {
		if got := fake.deleted.Load(); got != 0 {
			t.Fatalf("the context was deleted %d times under a call", got)
		}
		leave <- struct{}{}
		if err := <-returned; err != nil {
			t.Error(err)
		}
		if got := fake.deleted.Load(); got != want {
			t.Errorf("the context was deleted %d times, want %d", got, want)
		}
	}
	if _, err := c.(gss.MessageProtector).Wrap(false, []byte("x")); !errors.Is(err, gss.ErrNoContext) {
		t.Errorf("after Close: %v, want ErrNoContext", err)
	}
}

// A credential that follows a cache outlives who closes what it was resolved to.
func TestResolvedAndClosed(t *testing.T) {
	p := newProvider(new(fakeLibrary).library())
	follows := p.FromCCache("").(gss.Resolver)
	first, err := follows.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := follows.Resolve(t.Context())
	if err != nil || again != first {
		t.Errorf("got %v, %v; want the same credential for the same login", again, err)
	}
	first.Close()
	c, err := p.credentialOf(t.Context(), "initiate", follows.(gss.Credential))
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	c.release()
}

// A credential that follows a cache tells when it is closed; what it was resolved
// to ends by itself.
func TestFollowingTellsOfItsEnd(t *testing.T) {
	c := newProvider(new(fakeLibrary).library()).FromCCache("")
	told := 0
	if _, open := c.(gss.CloseNotifier).OnClose(func() { told++ }); !open {
		t.Error("the credential is closed before it is")
	}
	resolved, err := c.(gss.Resolver).Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	resolved.Close()
	if told != 0 {
		t.Error("the credential has told of the end of what it was resolved to")
	}
	c.Close()
	c.Close()
	if told != 1 {
		t.Errorf("the credential has told of its end %d times, want once", told)
	}
}
