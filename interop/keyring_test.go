//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// TestKeyring follows MIT's kinit, kswitch and kdestroy in the kernel's keys, and
// klist and kvno find what was written back.
func TestKeyring(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	for _, anchor := range []string{"persistent", "user", "session"} {
		t.Run(anchor, func(t *testing.T) {
			collection := fmt.Sprintf("KEYRING:%s:negotiate-%d", anchor, os.Getpid())
			if anchor == "persistent" {
				collection = fmt.Sprintf("KEYRING:persistent:%d", os.Getuid())
			}
			config := bed.KDC.ConfigWith(t, "default_ccache_name = "+strings.Replace(collection, fmt.Sprintf("persistent:%d", os.Getuid()), "persistent:%{uid}", 1))
			t.Setenv("KRB5CCNAME", "")
			// Nothing of an earlier run.
			bed.KDC.Tool(t, config, "kdestroy", "-A")
			defer bed.KDC.Tool(t, config, "kdestroy", "-A")
			p := newProvider(t, krb5.Options{Config: config, StoreTickets: true})
			if _, err := token(t, p, nil); err == nil || !strings.Contains(err.Error(), "there is no credential cache "+collection) {
				t.Errorf("before kinit: %v", err)
			}
			kinit := func(user, password string) {
				t.Helper()
				bed.KDC.Kinit(t, interop.KinitOptions{Principal: user, Password: password, Default: true, Config: config, Forwardable: true})
			}
			want := func(user string) {
				t.Helper()
				if got, err := token(t, p, nil); err != nil || got.Value != user {
					t.Errorf("got %v, %v; want %s", got, err, user)
				}
			}
			kinit("alice", interop.AlicePassword)
			want(alice)
			before := bed.KDC.Count(t)
			for range 3 {
				want(alice)
			}
			if asked := bed.KDC.Count(t).Sub(before); asked.TGSReq != 0 {
				t.Errorf("%d TGS-REQs for a ticket that is there", asked.TGSReq)
			}
			if out := bed.KDC.Tool(t, config, "klist"); !strings.Contains(out, "HTTP/"+webHost) {
				t.Errorf("the ticket was not written back:\n%s", out)
			}
			bed.KDC.Tool(t, config, "kvno", "--cached-only", "HTTP/"+webHost)
			kinit("bob", interop.BobPassword) // the primary one now
			want(bob)
			for _, user := range []string{alice, bob} {
				c, err := p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(user)})
				if err != nil {
					t.Fatal(err)
				}
				if got, err := token(t, p, c); err != nil || got.Value != user {
					t.Errorf("by name: got %v, %v; want %s", got, err, user)
				}
			}
			bed.KDC.Tool(t, config, "kswitch", "-p", alice)
			want(alice)
			bed.KDC.Tool(t, config, "kdestroy", "-A")
			if got, err := token(t, p, nil); err == nil {
				t.Errorf("after kdestroy: %v", got)
			}

			// The other way round: what StoreCCache makes, MIT reads.
			cred, err := p.FromPassword("bob", interop.BobPassword)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.StoreCCache(t.Context(), cred, ""); err != nil {
				t.Fatal(err)
			}
			if out := bed.KDC.Tool(t, config, "klist"); !strings.Contains(out, "Default principal: "+bob) {
				t.Errorf("klist does not find bob's tickets:\n%s", out)
			}
			bed.KDC.Tool(t, config, "kvno", "HTTP/"+webHost)
			want(bob)
		})
	}
}
