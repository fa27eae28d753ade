//go:build interop

package interop_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// TestWriteBackBesideKvno has MIT's kvno and the provider put tickets into one
// cache at the same time. Each ticket arrives, and each side finds all of them.
func TestWriteBackBesideKvno(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	const each = 6
	var ours, theirs []string
	for range each {
		ours = append(ours, "u."+bed.KDC.Unique()+".bed.test")
		theirs = append(theirs, "k."+bed.KDC.Unique()+".bed.test")
	}
	for _, host := range append(ours[:each:each], theirs...) {
		bed.KDC.AddPrincipal(t, "HTTP/"+host, interop.PrincipalOptions{})
	}
	for _, test := range []struct {
		name   string
		config func() []string
	}{
		{"FILE", func() []string { return []string{"default_ccache_name = FILE:" + t.TempDir() + "/krb5cc"} }},
		{"DIR", func() []string { return []string{"default_ccache_name = DIR:" + t.TempDir()} }},
		{"KEYRING", func() []string {
			return []string{"default_ccache_name = KEYRING:user:negotiate-" + bed.KDC.Unique()}
		}},
		{"KCM of sssd", func() []string {
			return []string{"default_ccache_name = KCM:", "kcm_socket = " + interop.NewSSSDKCM(t).Socket}
		}},
		{"KCM of Heimdal", func() []string {
			return []string{"default_ccache_name = KCM:", "kcm_socket = " + interop.NewHeimdalKCM(t).Socket}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("KRB5CCNAME", "")
			config := bed.KDC.ConfigWith(t, test.config()...)
			bed.KDC.Kinit(t, interop.KinitOptions{Principal: "alice", Password: interop.AlicePassword, Default: true, Config: config})
			defer bed.KDC.Tool(t, config, "kdestroy", "-A")
			p := newProvider(t, krb5.Options{Config: config, StoreTickets: true})
			initiate := func(p *krb5.Provider, host string) error {
				sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", host), Mechanism: gss.MechKRB5})
				if err != nil {
					return err
				}
				defer sc.Close()
				_, _, err = sc.Step(t.Context(), nil)
				return err
			}
			var both sync.WaitGroup
			for i := range each {
				both.Go(func() {
					if err := initiate(p, ours[i]); err != nil {
						t.Error(err)
					}
				})
				both.Go(func() { bed.KDC.Tool(t, config, "kvno", "HTTP/"+theirs[i]) })
			}
			both.Wait()
			list := bed.KDC.Tool(t, config, "klist")
			for _, host := range append(ours[:each:each], theirs...) {
				if n := strings.Count(list, fmt.Sprintf("HTTP/%s@", host)); n != 1 {
					t.Errorf("klist shows %d tickets for %s, want 1", n, host)
				}
				bed.KDC.Tool(t, config, "kvno", "--cached-only", "HTTP/"+host)
			}
			before := bed.KDC.Count(t)
			other := newProvider(t, krb5.Options{Config: config})
			for _, host := range append(ours[:each:each], theirs...) {
				if err := initiate(other, host); err != nil {
					t.Error(err)
				}
			}
			if n := bed.KDC.Count(t).Sub(before).TGSReq; n != 0 {
				t.Errorf("%d TGS-REQs for tickets that are in the cache", n)
			}
		})
	}
}
