//go:build interop

package interop_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

const bob = "bob@BED.TEST"

// countConns has base count its open connections.
func countConns(base *http.Transport) *atomic.Int64 {
	open := new(atomic.Int64)
	dial := base.DialContext
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &countedConn{Conn: conn, open: open}, nil
	}
	return open
}

type countedConn struct {
	net.Conn
	once sync.Once
	open *atomic.Int64
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within a minute: " + what)
		}
	}
}

// TestBoundUnderLoad has two users, callers without a credential and somebody
// else share one http.Transport, two hundred at a time, on a page where Apache
// takes whoever holds a connection for whoever has authenticated on it.
func TestBoundUnderLoad(t *testing.T) {
	leavesNothing(t)
	for _, scheme := range schemes {
		t.Run(scheme.name, func(t *testing.T) {
			bed := interop.Shared(t)
			base := bed.Apache.Transport()
			if scheme.setup != nil {
				scheme.setup(base)
			}
			base.MaxIdleConnsPerHost, base.MaxConnsPerHost = 10, 30
			open := countConns(base)
			tr := newTransport(t, bed.KDC.Config, "FILE:"+t.TempDir()+"/none", base)
			provider := tr.Provider.(*krb5.Provider)
			creds := map[string]gss.Credential{"": nil}
			for user, ccache := range map[string]string{alice: bed.Alice(t), bob: bed.Bob(t)} {
				c, err := provider.FromCCache(ccache)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				creds[user] = c
			}
			url := scheme.url(bed.Apache) + interop.PathBound
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					want := []string{alice, bob, "", ""}[i%4]
					var rt http.RoundTripper = tr
					if i%4 == 3 {
						rt = base
					}
					req, err := http.NewRequestWithContext(negotiate.WithCredential(t.Context(), creds[want]), "GET", url, nil)
					if err != nil {
						t.Error(err)
						return
					}
					resp, err := rt.RoundTrip(req)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					status := map[bool]int{true: 401, false: 200}[want == ""]
					if got := resp.Header.Get("X-Remote-User"); got != want || resp.StatusCode != status || resp.Proto != scheme.proto {
						t.Errorf("a request of %q was answered as %q: %s %s", want, got, resp.Proto, resp.Status)
					}
				})
			}
			wg.Wait()
			tr.CloseIdleConnections()
			base.CloseIdleConnections()
			waitUntil(t, "all connections are closed", func() bool { return open.Load() == 0 })
		})
	}
}

// TestKinitAsSomebodyElse rewrites the credential cache under a running
// Transport, and takes it away.
func TestKinitAsSomebodyElse(t *testing.T) {
	leavesNothing(t)
	for _, scheme := range schemes {
		t.Run(scheme.name, func(t *testing.T) {
			bed := interop.Shared(t)
			caches := map[string]string{alice: bed.Alice(t), bob: bed.Bob(t)}
			path := t.TempDir() + "/krb5cc"
			login := func(user string) {
				content, err := os.ReadFile(strings.TrimPrefix(caches[user], "FILE:"))
				if err == nil {
					err = os.WriteFile(path+".new", content, 0o600)
				}
				if err == nil {
					err = os.Rename(path+".new", path)
				}
				if err != nil {
					t.Error(err)
				}
			}
			base := bed.Apache.Transport()
			if scheme.setup != nil {
				scheme.setup(base)
			}
			base.MaxConnsPerHost = 20
			open := countConns(base)
			tr := newTransport(t, bed.KDC.Config, "FILE:"+path, base)
			url := scheme.url(bed.Apache) + interop.PathBound
			for _, user := range []string{alice, bob, alice} {
				login(user)
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
						resp, err := tr.RoundTrip(req)
						if err != nil {
							t.Error(err)
							return
						}
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if got := resp.Header.Get("X-Remote-User"); got != user {
							t.Errorf("after the login of %s a request was answered as %q", user, got)
						}
					})
				}
				wg.Wait()
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			resp, _ := get(t, tr, url)
			if user := resp.Header.Get("X-Remote-User"); resp.StatusCode != 401 || user != "" {
				t.Errorf("after kdestroy: %s as %q", resp.Status, user)
			}
			// What is left is the connection of nobody, at most.
			waitUntil(t, "the connections of those who were logged in are closed", func() bool { return open.Load() <= 1 })
		})
	}
}

// TestKinitUnderLoad rewrites the cache while requests are under way. Each is of
// one of the two, and of whom its token was.
func TestKinitUnderLoad(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	caches := []string{bed.Alice(t), bed.Bob(t)}
	path := t.TempDir() + "/krb5cc"
	login := func(i int) error {
		content, err := os.ReadFile(strings.TrimPrefix(caches[i%2], "FILE:"))
		if err == nil {
			err = os.WriteFile(path+".new", content, 0o600)
		}
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		return err
	}
	if err := login(0); err != nil {
		t.Fatal(err)
	}
	base := bed.Apache.Transport()
	base.MaxConnsPerHost = 20
	tr := newTransport(t, bed.KDC.Config, "FILE:"+path, base)
	tr.Mutual = negotiate.MutualRequired // so that each request has a token
	for _, url := range []string{bed.Apache.HTTP + interop.PathBound, bed.Apache.HTTPS + interop.PathBound} {
		done := make(chan struct{})
		var logins, requests sync.WaitGroup
		logins.Go(func() {
			for i := 1; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if err := login(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for range 100 {
			requests.Go(func() {
				req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				x, _ := negotiate.ExchangeFrom(resp)
				if got := resp.Header.Get("X-Remote-User"); got == "" || got != x.Initiator.Value {
					t.Errorf("the token was of %q, the answer for %q", x.Initiator.Value, got)
				}
			})
		}
		requests.Wait()
		close(done)
		logins.Wait()
	}
}
