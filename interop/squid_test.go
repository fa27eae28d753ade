//go:build interop

package interop_test

import (
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

func TestSquid(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	kdc := interop.NewMIT(t, interop.MITOptions{Realm: "PROXY.TEST"})
	kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	squid := interop.NewSquid(t, interop.SquidOptions{KDC: kdc})
	env := kdc.Env(kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"}))
	get := func(url string, more ...string) (string, error) {
		args := append([]string{"--proxy", squid.URL, "--cacert", bed.Apache.Certificate.CA, url}, more...)
		return interop.CurlE(t, env, args...)
	}
	for _, base := range []string{bed.Apache.HTTP, bed.Apache.HTTPS} {
		url := base + interop.PathAnonymous + "?" + bed.KDC.Unique()
		// For a tunnel curl fails, for http it shows the proxy's 407.
		if page, _ := get(url); strings.Contains(page, "You are") {
			t.Errorf("%s: the proxy lets a client through that has not authenticated: %q", base, page)
		}
		page, err := get(url, "--proxy-negotiate", "--proxy-user", ":")
		if err != nil || !strings.Contains(page, "You are (none).") {
			t.Errorf("%s: got %q, %v through the proxy, want nobody's page", base, page, err)
		}
	}
	log := squid.Accesses(t, "bed.test", 4)
	if last := log[len(log)-1]; last.Method != "CONNECT" || last.Status != 200 || last.User != "alice@PROXY.TEST" {
		t.Errorf("the proxy's last request is %+v, want a tunnel of alice@PROXY.TEST", last)
	}
}
