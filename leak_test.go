package negotiate

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// census counts what a test may leave behind.
type census struct{ goroutines, sockets int }

// takeCensus lets what is about to end do so: the goroutine of the test before,
// for one.
func takeCensus() census {
	c := census{runtime.NumGoroutine(), openSockets()}
	for range 20 {
		runtime.Gosched()
		c.goroutines = min(c.goroutines, runtime.NumGoroutine())
	}
	return c
}

// openSockets counts the sockets of this process; zero where the system does not
// tell.
func openSockets() (n int) {
	const fds = "/proc/self/fd"
	entries, err := os.ReadDir(fds)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// exceeded tells what there is more of now than in c, also after patience; empty
// for nothing.
func (c census) exceeded(patience time.Duration) string {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		now := takeCensus()
		if now.goroutines <= c.goroutines && now.sockets <= c.sockets {
			return ""
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			return fmt.Sprintf("%d goroutines, there were %d; %d sockets, there were %d:\n%s",
				now.goroutines, c.goroutines, now.sockets, c.sockets, buf[:runtime.Stack(buf, true)])
		}
	}
}

// leavesNothing has the test fail if goroutines or sockets are left when it is
// over, and all that it cleans up from here on.
func leavesNothing(t testing.TB) {
	t.Helper()
	before := takeCensus()
	t.Cleanup(func() {
		t.Helper()
		if left := before.exceeded(10 * time.Second); left != "" {
			t.Errorf("it leaves something behind: %s", left)
		}
	})
}

// LeavesNothing is leavesNothing for the tests outside the package.
var LeavesNothing = leavesNothing

// CountConns has srv, which is yet to serve, count its open connections. The
// result waits until all are closed, by their clients if srv is not closed yet.
func CountConns(srv *http.Server) (wantNone func(testing.TB)) {
	n, before := new(connCount), srv.ConnState
	srv.ConnState = func(conn net.Conn, state http.ConnState) {
		n.changed(conn, state)
		if before != nil {
			before(conn, state)
		}
	}
	return n.wantNone
}

// TestLeaksAreNoticed leaves a goroutine and a connection behind, each for a
// while.
func TestLeaksAreNoticed(t *testing.T) {
	leavesNothing(t)
	const soon = 20 * time.Millisecond
	before := takeCensus()
	if left := before.exceeded(soon); left != "" {
		t.Errorf("nothing was left, and it finds %s", left)
	}
	end := make(chan struct{})
	for range 5 { // of others some may end
		go func() { <-end }()
	}
	if left := before.exceeded(soon); !strings.Contains(left, "TestLeaksAreNoticed") {
		t.Errorf("goroutines were left, and it finds %q", left)
	}
	close(end)
	if left := before.exceeded(10 * time.Second); left != "" {
		t.Errorf("the goroutines have ended, and it finds %s", left)
	}
	if openSockets() == 0 {
		if _, err := os.Stat("/proc/self/fd"); err != nil {
			return // the servers of the tests count their connections, too
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if before.exceeded(soon) == "" {
		t.Error("a socket was left, and it finds nothing")
	}
	l.Close()
	if left := before.exceeded(10 * time.Second); left != "" {
		t.Errorf("the socket is closed, and it finds %s", left)
	}
}

// connectionTests are the files whose tests are about connections.
var connectionTests = []string{
	"allow", "binding", "bindingchannel", "bindingpolicy", "body", "challenge", "conn", "cve", "handler", "handler_krb5",
	"identity_cross", "isolation", "leak", "learned", "legs", "mutual", "mutual_krb5", "opportunism", "pool", "proxy_krb5",
	"proxyforward", "proxylogin", "rejected", "requestsapi", "serverconn", "targethost", "timeout", "transport",
	"transportlog", "tunnel", "uploads",
}

// TestEachTestLeavesNothing sees that each of them begins with leavesNothing.
func TestEachTestLeavesNothing(t *testing.T) {
	leavesNothing(t)
	for _, name := range connectionTests {
		path := name + "_test.go"
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && !beginsWith(fn, "leavesNothing") {
				t.Errorf("%s: %s does not begin with leavesNothing(t)", path, fn.Name.Name)
			}
		}
	}
}

// beginsWith reports whether the first statement of fn calls the function, in any
// case, of this package or another.
func beginsWith(fn *ast.FuncDecl, name string) bool {
	if len(fn.Body.List) == 0 {
		return false
	}
	s, ok := fn.Body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := s.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return strings.EqualFold(f.Name, name)
	case *ast.SelectorExpr:
		return strings.EqualFold(f.Sel.Name, name)
	}
	return false
}
