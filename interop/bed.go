//go:build interop

package interop

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// AlicePassword is the password of alice in the shared bed.
const AlicePassword = "alice's password"

// Bed is an MIT realm and an Apache in it. In the realm are the users alice
// and bob, each with AlicePassword or BobPassword, and HTTP/web.bed.test.
type Bed struct {
	KDC    *MIT
	Apache *Apache
}

// BobPassword is the password of bob in the shared bed.
const BobPassword = "bob's password"

// shared is the bed of a test binary. It is the package's one variable: a test
// binary has one TestMain, and what that ends must be known to it.
var shared struct {
	sync.Mutex
	bed *Bed
	err error
}

// Shared returns the bed that all tests of the binary share, and starts it for
// the first of them. Tests may add principals of their own to it and must not
// change what is there. [Main] ends it.
func Shared(tb testing.TB) *Bed {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.bed == nil && shared.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		shared.bed, shared.err = startBed(ctx)
	}
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	logsOnFailure(tb, shared.bed.KDC.LogFile, shared.bed.Apache.ErrorLog, shared.bed.Apache.AccessLog)
	return shared.bed
}

// Main runs the tests and ends the shared bed. It is for a package's TestMain,
// which exits with what it returns.
func Main(m *testing.M) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.bed != nil {
			shared.bed.close()
			shared.bed = nil
		}
		shared.err = fmt.Errorf("interop: the shared bed has ended")
	}()
	return m.Run()
}

func startBed(ctx context.Context) (*Bed, error) {
	kdc, err := startMIT(ctx, MITOptions{})
	if err != nil {
		return nil, err
	}
	b := &Bed{KDC: kdc}
	if err := b.fill(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *Bed) fill(ctx context.Context) (err error) {
	for name, password := range map[string]string{"alice": AlicePassword, "bob": BobPassword} {
		if err := b.KDC.addPrincipal(ctx, name, PrincipalOptions{Password: password}); err != nil {
			return err
		}
	}
	b.Apache, err = startApache(ctx, ApacheOptions{KDC: b.KDC})
	return err
}

func (b *Bed) close() {
	if b.Apache != nil {
		b.Apache.close()
	}
	b.KDC.close()
}

// Alice logs alice in, with a forwardable ticket, and returns the credential
// cache's name. Each call makes a new one.
func (b *Bed) Alice(tb testing.TB) (ccache string) {
	tb.Helper()
	return b.KDC.Kinit(tb, KinitOptions{Principal: "alice", Password: AlicePassword, Forwardable: true})
}

// Bob is Alice for bob.
func (b *Bed) Bob(tb testing.TB) (ccache string) {
	tb.Helper()
	return b.KDC.Kinit(tb, KinitOptions{Principal: "bob", Password: BobPassword, Forwardable: true})
}
