//go:build interop

package interop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// webHost is that of the shared bed.
const webHost = "web.bed.test"

// daemons are the implementations of KCM.
var daemons = []struct {
	name  string
	start func(testing.TB) *interop.KCM
}{
	{"sssd", interop.NewSSSDKCM},
	{"heimdal", interop.NewHeimdalKCM},
}

// newProvider makes a provider of the bed's realm, which has time.
func newProvider(t *testing.T, o krb5.Options) *krb5.Provider {
	t.Helper()
	p, err := krb5.New(o)
	if err != nil {
		t.Fatal(err)
	}
	krb5.BePatient(p)
	return p
}

// token makes a token for the web server and returns whose it is.
func token(t *testing.T, p *krb5.Provider, cred gss.Credential) (gss.Name, error) {
	t.Helper()
	sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", webHost), Mechanism: gss.MechKRB5})
	if err != nil {
		return gss.Name{}, err
	}
	defer sc.Close()
	if _, _, err := sc.Step(t.Context(), nil); err != nil {
		return gss.Name{}, err
	}
	return sc.Info().Initiator, nil
}

// TestKCM follows MIT's kinit, kswitch and kdestroy, and klist and kvno find what
// was written back.
func TestKCM(t *testing.T) {
	leavesNothing(t)
	for _, daemon := range daemons {
		t.Run(daemon.name, func(t *testing.T) {
			kcm := daemon.start(t)
			bed := interop.Shared(t)
			config := bed.KDC.ConfigWith(t, "kcm_socket = "+kcm.Socket, "default_ccache_name = KCM:")
			t.Setenv("KRB5CCNAME", "")
			// The clock moves on, so that the daemon is asked again.
			ahead := time.Duration(0)
			p := newProvider(t, krb5.Options{Config: config, StoreTickets: true, Now: func() time.Time { return time.Now().Add(ahead) }})
			if _, err := token(t, p, nil); err == nil || !strings.Contains(err.Error(), "there is no credential cache KCM:") {
				t.Errorf("before kinit: %v", err)
			}
			kinit := func(user, password string) {
				t.Helper()
				bed.KDC.Kinit(t, interop.KinitOptions{Principal: user, Password: password, Default: true, Config: config, Forwardable: true})
			}
			want := func(user string) {
				t.Helper()
				ahead += 2 * time.Second
				if got, err := token(t, p, nil); err != nil || got.Value != user {
					t.Errorf("got %v, %v; want %s", got, err, user)
				}
			}
			kinit("alice", interop.AlicePassword)
			want(alice)
			out := bed.KDC.Tool(t, config, "klist", "-c", "KCM:")
			if !strings.Contains(out, "HTTP/"+webHost) {
				t.Errorf("the ticket was not written back:\n%s", out)
			}
			bed.KDC.Tool(t, config, "kvno", "--cached-only", "-c", "KCM:", "HTTP/"+webHost)
			kinit("bob", interop.BobPassword) // the primary one now
			want(bob)
			for user := range map[string]bool{alice: true, bob: true} {
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
			ahead += 2 * time.Second
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
