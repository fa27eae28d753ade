//go:build interop

package interop_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// TestShortTickets has tickets of eight seconds end under the load of a hundred
// goroutines: of a keytab, of a password and of a cache whose ticket is renewable. A
// machine that stands still for longer than that finds them ended on their way.
// No request is lost, and the KDC is asked once for each of the next tickets.
func TestShortTickets(t *testing.T) {
	leavesNothing(t)
	const life = 8 * time.Second
	kdc := interop.NewMIT(t, interop.MITOptions{})
	kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: interop.AlicePassword})
	apache := interop.NewApache(t, interop.ApacheOptions{KDC: kdc})
	keytab := kdc.Keytab(t, "alice")
	config := kdc.ConfigWith(t, "ticket_lifetime = 8s", "clockskew = 1", "udp_preference_limit = 1")
	for _, test := range []struct {
		name       string
		credential func(p *krb5.Provider) (gss.Credential, error)
		logins     int // AS-REQs of one login
	}{
		{"password", func(p *krb5.Provider) (gss.Credential, error) {
			return p.FromPassword("alice", interop.AlicePassword)
		}, 2},
		{"keytab", func(p *krb5.Provider) (gss.Credential, error) {
			return p.FromKeytab("", keytab)
		}, 2},
		{"renewable", func(p *krb5.Provider) (gss.Credential, error) {
			return p.FromCCache(kdc.Kinit(t, interop.KinitOptions{
				Principal: "alice", Password: interop.AlicePassword, Lifetime: life, Renewable: time.Hour,
			}))
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProvider(t, krb5.Options{Config: config})
			cred, err := test.credential(p)
			if err != nil {
				t.Fatal(err)
			}
			base := apache.Transport()
			base.MaxIdleConnsPerHost = 100
			defer base.CloseIdleConnections()
			tr := &negotiate.Transport{
				Base: base, Provider: p, Credential: cred,
				Mutual: negotiate.MutualRequired, Opportunistic: negotiate.OpportunisticLearned,
			}
			defer tr.CloseIdleConnections()
			before := kdc.Count(t)
			start := time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var requests atomic.Int64
			var load sync.WaitGroup
			for range 100 {
				load.Go(func() {
					for ctx.Err() == nil && !t.Failed() {
						if _, err := remoteUser(t, tr, apache.HTTP+interop.PathPlain); err != nil {
							t.Error(err)
							return
						}
						requests.Add(1)
					}
				})
			}
			// On a slow machine it takes longer until tickets were replaced.
			replaced := func() bool { return kdc.Count(t).Sub(before).TGSReq >= 2 }
			for time.Since(start) < life+life/2 || !t.Failed() && !replaced() && time.Since(start) < 2*time.Minute {
				time.Sleep(100 * time.Millisecond)
			}
			cancel()
			load.Wait()
			// A ticket is replaced after three quarters of its life at the earliest,
			// of which the KDC's full seconds take one.
			most := 2 + int(time.Since(start)/(life-time.Second)*4/3)
			asked := kdc.Count(t).Sub(before)
			t.Logf("%d requests, the KDC was asked %+v", requests.Load(), asked)
			if asked.ASReq > test.logins*most || asked.TGSReq > 2*most || asked.TGSReq < 2 {
				t.Errorf("the KDC was asked %+v, want at most %d times for each ticket", asked, most)
			}
		})
	}
}
