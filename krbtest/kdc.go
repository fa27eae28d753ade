package krbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/internal/kdc"
)

// DefaultRealm is the realm of a KDC that is made without [WithRealm]. Its hosts
// are those of the domain krb.test.
const DefaultRealm = "KRB.TEST"

// KDC is a realm that is up on loopback, with UDP and TCP on the same port. It
// is safe for concurrent use. Its methods end the test when they cannot do what
// they are asked for, such as a keytab of a principal that does not exist; so
// they are for the test's own goroutine, as t.Fatal is.
type KDC struct {
	tb     testing.TB
	realm  *kdc.Realm
	server *kdc.Server
	dir    string

	mu       sync.Mutex
	files    int
	hasConf  bool
	trusting []*KDC
}

// NewKDC starts a KDC for a test, a benchmark or a fuzz target. It is down, and
// its files are gone, when the test and its subtests are complete.
func NewKDC(tb testing.TB, o ...Option) *KDC {
	tb.Helper()
	k := &KDC{tb: tb, dir: tb.TempDir()}
	k.start(o)
	tb.Cleanup(k.Close)
	return k
}

// Start starts a KDC where there is no test: in TestMain, for all tests of a
// package, or in an example. It panics if it cannot, and so do the methods of
// the KDC. The caller must close it.
func Start(o ...Option) *KDC {
	k := &KDC{tb: noTest{}}
	k.start(o)
	var err error
	k.dir, err = os.MkdirTemp("", "krbtest-")
	k.check(err)
	return k
}

// noTest is what a KDC has in place of a test. Of its methods only those here
// are called.
type noTest struct{ testing.TB }

func (noTest) Helper() {}

func (noTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (k *KDC) start(o []Option) {
	k.tb.Helper()
	s := settings{options: kdc.Options{Realm: DefaultRealm}}
	for _, option := range o {
		option(&s)
	}
	k.check(s.err)
	var err error
	k.realm, err = kdc.New(s.options)
	k.check(err)
	k.server, err = kdc.Listen(k.realm, "127.0.0.1:0")
	k.check(err)
	k.SetFault(s.fault)
}

// Close stops the KDC and waits until nothing of it runs. It need not be called
// for a KDC of [NewKDC]. Calling it twice is harmless.
func (k *KDC) Close() {
	_ = k.server.Close() // it returns nil
	if _, ok := k.tb.(noTest); ok {
		_ = os.RemoveAll(k.dir) // what is left is in the folder for such things
	}
}

// Realm returns the realm's name.
func (k *KDC) Realm() string { return k.realm.Name() }

// Addr returns host and port, for krb5.conf and for firewalls.
func (k *KDC) Addr() string { return k.server.Addr() }

// check ends the test if err is not nil.
func (k *KDC) check(err error) {
	if err == nil {
		return
	}
	k.tb.Helper()
	k.tb.Fatalf("krbtest: %v", err)
}

// newPath returns the path of a file that does not exist yet.
func (k *KDC) newPath(suffix string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files++
	return filepath.Join(k.dir, fmt.Sprintf("%d.%s", k.files, suffix))
}
