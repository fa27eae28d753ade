//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// TestKinitEvery200Milliseconds has MIT's kinit log in alternately as two users
// beside a hundred goroutines with requests. None of these is lost, and each is of
// whom its token was.
func TestKinitEvery200Milliseconds(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	keyring := fmt.Sprintf("KEYRING:user:negotiate-load-%d", os.Getpid())
	for _, test := range []struct {
		name   string
		life   time.Duration
		config func(t *testing.T) []string
		store  bool
		turn   int // logins of one user in a row: what a daemon has is looked at once a second
	}{
		{"FILE", 30 * time.Second, func(t *testing.T) []string {
			return []string{"default_ccache_name = FILE:" + t.TempDir() + "/krb5cc"}
		}, false, 1},
		{"FILE, written back", 3 * time.Second, func(t *testing.T) []string {
			return []string{"default_ccache_name = FILE:" + t.TempDir() + "/krb5cc"}
		}, true, 1},
		{"DIR", 3 * time.Second, func(t *testing.T) []string {
			return []string{"default_ccache_name = DIR:" + t.TempDir()}
		}, true, 1},
		{"KEYRING", 3 * time.Second, func(t *testing.T) []string {
			return []string{"default_ccache_name = " + keyring}
		}, true, 1},
		{"KCM of sssd", 5 * time.Second, func(t *testing.T) []string {
			return []string{"default_ccache_name = KCM:", "kcm_socket = " + interop.NewSSSDKCM(t).Socket}
		}, true, 8},
		{"KCM of Heimdal", 5 * time.Second, func(t *testing.T) []string {
			return []string{"default_ccache_name = KCM:", "kcm_socket = " + interop.NewHeimdalKCM(t).Socket}
		}, true, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("KRB5CCNAME", "")
			config := bed.KDC.ConfigWith(t, test.config(t)...)
			kinit := func(i int) {
				user, password := "alice", interop.AlicePassword
				if i/test.turn%2 == 1 {
					user, password = "bob", interop.BobPassword
				}
				bed.KDC.Kinit(t, interop.KinitOptions{Principal: user, Password: password, Default: true, Config: config, Forwardable: true})
			}
			kinit(0)
			defer bed.KDC.Tool(t, config, "kdestroy", "-A")
			base := bed.Apache.Transport()
			base.MaxIdleConnsPerHost = 100
			defer base.CloseIdleConnections()
			provider := newProvider(t, krb5.Options{Config: config, StoreTickets: test.store})
			krb5.WaitForCaches(provider) // kinit may be slow
			tr := &negotiate.Transport{
				Base: base, Provider: provider,
				Mutual: negotiate.MutualRequired, Opportunistic: negotiate.OpportunisticLearned,
			}
			defer tr.CloseIdleConnections()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var requests [2]atomic.Int64
			var load sync.WaitGroup
			for range 100 {
				load.Go(func() {
					for ctx.Err() == nil && !t.Failed() {
						user, err := remoteUser(t, tr, bed.Apache.HTTP+interop.PathPlain)
						if err != nil {
							t.Error(err)
							return
						}
						requests[map[string]int{alice: 0, bob: 1}[user]].Add(1)
					}
				})
			}
			kinits := 0
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			// On a slow machine it takes longer until both have come.
			both := func() bool { return requests[0].Load() > 0 && requests[1].Load() > 0 }
			for start := time.Now(); !t.Failed() && (time.Since(start) < test.life || !both() && time.Since(start) < 2*time.Minute); {
				<-tick.C
				kinits++
				kinit(kinits)
			}
			cancel()
			load.Wait()
			t.Logf("%d requests of alice, %d of bob, %d logins", requests[0].Load(), requests[1].Load(), kinits)
			if !both() {
				t.Error("one of the two never came")
			}
		})
	}
}

// remoteUser is whom Apache takes a request for.
func remoteUser(t *testing.T, tr *negotiate.Transport, url string) (string, error) {
	// Not the test's end, but its own.
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	x, ok := negotiate.ExchangeFrom(resp)
	switch user := resp.Header.Get("X-Remote-User"); {
	case resp.StatusCode != http.StatusOK:
		if ok && x.Err != nil {
			return "", fmt.Errorf("%s: %w", resp.Status, x.Err)
		}
		return "", errors.New(resp.Status)
	case !ok || user == "" || user != x.Initiator.Value:
		return "", fmt.Errorf("the answer is for %q", user)
	default:
		return user, nil
	}
}
