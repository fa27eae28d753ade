//go:build interop

package interop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/interop"
)

func TestMITCounts(t *testing.T) {
	leavesNothing(t)
	kdc := interop.NewMIT(t, interop.MITOptions{Realm: "COUNT.TEST"})
	kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	kdc.AddService(t, "HTTP/web.count.test", interop.PrincipalOptions{})
	ccache := kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"})
	before := kdc.Count(t)
	if want := (interop.KDCCount{ASReq: 2, ASIssued: 1}); before != want {
		t.Errorf("after a login the KDC counts %+v, want %+v", before, want)
	}
	kdc.Kvno(t, ccache, "HTTP/web.count.test")
	kdc.Kvno(t, ccache, "HTTP/web.count.test") // from the cache
	if got, want := kdc.Count(t).Sub(before), (interop.KDCCount{TGSReq: 1, TGSIssued: 1}); got != want {
		t.Errorf("for a service ticket the KDC counts %+v, want %+v", got, want)
	}
}

func TestMITEnctypes(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	ccache := bed.Alice(t)
	for _, enctype := range []string{interop.AES256SHA1, interop.AES128SHA1, interop.AES256SHA2, interop.AES128SHA2} {
		spn := "HTTP/" + bed.KDC.Unique() + ".bed.test"
		keytab := bed.KDC.AddService(t, spn, interop.PrincipalOptions{Enctypes: []string{enctype}})
		bed.KDC.Kvno(t, ccache, "-k", keytab, spn) // decrypts the ticket
		_, entry, found := strings.Cut(bed.KDC.Klist(t, ccache), spn)
		if want := ", " + enctype + " \n"; !found || !strings.Contains(entry, want) {
			t.Errorf("klist shows no key type %q for %s:\n%s", want, spn, entry)
		}
	}
}

func TestMITKinit(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	keytab := bed.KDC.Keytab(t, "alice")
	ccache := bed.KDC.Kinit(t, interop.KinitOptions{Principal: "alice", Keytab: keytab, Renewable: 48 * time.Hour})
	if list := bed.KDC.Klist(t, ccache); !strings.Contains(list, alice) || !strings.Contains(list, "renew until") || strings.Contains(list, "Flags: F") {
		t.Errorf("want a renewable ticket of alice that is not forwardable:\n%s", list)
	}
}

func TestMITExpiredCCache(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	ccache := bed.KDC.ExpiredCCache(t, interop.KinitOptions{Principal: "alice", Password: interop.AlicePassword})
	if list := bed.KDC.Klist(t, ccache); !strings.Contains(list, alice) {
		t.Errorf("klist cannot read the expired cache:\n%s", list)
	}
	status := interop.CurlNegotiate(t, bed.KDC.Env(ccache), "--output", "/dev/null", "--write-out", "%{http_code}", bed.Apache.HTTP)
	if status != "401" {
		t.Errorf("curl got status %s with an expired ticket, want 401", status)
	}
}

func TestMITRekey(t *testing.T) {
	leavesNothing(t)
	kdc := interop.NewMIT(t, interop.MITOptions{})
	kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	server := interop.NewApache(t, interop.ApacheOptions{KDC: kdc})
	status := func() string {
		env := kdc.Env(kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"}))
		return interop.CurlNegotiate(t, env, "--output", "/dev/null", "--write-out", "%{http_code}", server.HTTP)
	}
	if got := status(); got != "200" {
		t.Errorf("got status %s before the service has new keys, want 200", got)
	}
	kdc.Rekey(t, "HTTP/"+server.Host)
	if got := status(); got != "401" {
		t.Errorf("got status %s with a ticket for keys that the server does not have, want 401", got)
	}
}

func TestMITTrust(t *testing.T) {
	leavesNothing(t)
	a := interop.NewMIT(t, interop.MITOptions{Realm: "A.TEST"})
	b := interop.NewMIT(t, interop.MITOptions{Realm: "B.TEST"})
	interop.Trust(t, a, b)
	a.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	server := interop.NewApache(t, interop.ApacheOptions{KDC: b})
	page := interop.CurlNegotiate(t, a.Env(a.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"})), server.HTTP)
	if !strings.Contains(page, "alice@A.TEST") {
		t.Errorf("got %q, want the page of alice@A.TEST", page)
	}
}
