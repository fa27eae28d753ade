//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// clientConfig writes a krb5.conf that names the KDCs of realms and, unlike that
// of a KDC, no hosts.
func clientConfig(t *testing.T, sections string, realms ...*interop.MIT) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n[realms]\n", realms[0].Realm)
	for _, r := range realms {
		fmt.Fprintf(&b, " %s = {\n  kdc = %s\n }\n", r.Realm, r.Addr)
	}
	path := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(path, []byte(b.String()+sections), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Three realms in a row, of which each trusts its neighbours only. Alice of the
// first is let in by an Apache of the second and by a Python server of the third,
// whichever way is told: by a referral of her own KDC alone, by [domain_realm],
// and by [capaths] through the realm between.
func TestClientThreeRealms(t *testing.T) {
	leavesNothing(t)
	const capaths = "[capaths]\n A.TEST = {\n  C.TEST = B.TEST\n }\n"
	a := interop.NewMIT(t, interop.MITOptions{Realm: "A.TEST"})
	b := interop.NewMIT(t, interop.MITOptions{Realm: "B.TEST", Sections: capaths})
	c := interop.NewMIT(t, interop.MITOptions{Realm: "C.TEST", Sections: capaths})
	interop.Trust(t, a, b)
	interop.Trust(t, b, c)
	a.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	ccache := a.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"})
	apache := interop.NewApache(t, interop.ApacheOptions{KDC: b})
	python := interop.NewAcceptor(t, interop.AcceptorOptions{KDC: c, Bindings: endPoint})
	toC := "[domain_realm]\n .c.test = C.TEST\n"
	for _, test := range []struct {
		name, sections string
		far            bool
		want           string // in the page
		counts         [3]int // TGS-REQs to each KDC
	}{
		{"referral", "", false, "alice@A.TEST", [3]int{1, 1, 0}},
		{"domain_realm", "[domain_realm]\n .b.test = B.TEST\n", false, "alice@A.TEST", [3]int{1, 1, 0}},
		{"capaths", toC + capaths, true, "alice@A.TEST unbound", [3]int{1, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := [3]interop.KDCCount{a.Count(t), b.Count(t), c.Count(t)}
			base, url := apache.Transport(), apache.HTTP
			if test.far {
				base, url = interop.Transport(python.Certificate), python.URL
			}
			tr := newTransport(t, clientConfig(t, test.sections, a, b, c), ccache, base)
			tr.Mutual = negotiate.MutualRequired
			if resp, page := get(t, tr, url); !strings.Contains(page, test.want) {
				x, _ := negotiate.ExchangeFrom(resp)
				t.Errorf("got %s and %q (%v), want %q", resp.Status, page, x.Err, test.want)
			}
			for i, k := range []*interop.MIT{a, b, c} {
				if got := k.Count(t).Sub(before[i]).TGSReq; got != test.counts[i] {
					t.Errorf("the KDC of %s got %d TGS-REQs, want %d", k.Realm, got, test.counts[i])
				}
			}
		})
	}
	// Without [capaths] there is no way, which is told.
	tr := newTransport(t, clientConfig(t, toC, a, b, c), ccache, interop.Transport(python.Certificate))
	resp, _ := get(t, tr, python.URL)
	x, ok := negotiate.ExchangeFrom(resp)
	if !ok || x.Err == nil || !strings.Contains(x.Err.Error(), "A.TEST has none with C.TEST (set [capaths]") {
		t.Errorf("got %s and %+v", resp.Status, x)
	}
	// The service's own KDC has to accept the realm between.
	strict := interop.NewMIT(t, interop.MITOptions{Realm: "D.TEST"})
	interop.Trust(t, b, strict)
	keytab := strict.AddService(t, "HTTP/web.d.test", interop.PrincipalOptions{})
	config := clientConfig(t, "[domain_realm]\n .d.test = D.TEST\n[capaths]\n A.TEST = {\n  D.TEST = B.TEST\n }\n", a, b, strict)
	if err := letIn(t, config, ccache, strict.Config, keytab, "web.d.test"); err == nil {
		t.Error("a ticket by way of a realm that nobody approves of was accepted")
	}
}

// letIn has the client of a cache establish a context with a service.
func letIn(t *testing.T, config, ccache, serverConfig, keytab, host string) error {
	t.Helper()
	client, err := krb5.New(krb5.Options{Config: config, CCache: ccache})
	if err != nil {
		t.Fatal(err)
	}
	server, err := krb5.New(krb5.Options{Config: serverConfig, Keytab: keytab})
	if err != nil {
		t.Fatal(err)
	}
	i, err := client.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", host)})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	token, _, err := i.Step(t.Context(), nil)
	if err != nil {
		return err
	}
	a, err := server.Accept(t.Context(), gss.AcceptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	_, _, err = a.Step(t.Context(), token)
	return err
}

// A KDC that is reached over HTTPS only, through FreeIPA's kdcproxy.
func TestClientKDCProxy(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	proxy := interop.NewKDCProxy(t, bed.KDC.Realm, bed.KDC.Addr)
	conf := fmt.Sprintf("[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n[realms]\n %[1]s = {\n  kdc = %s\n  http_anchors = FILE:%s\n }\n",
		bed.KDC.Realm, proxy.URL, proxy.Certificate.CA)
	path := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := newTransport(t, path, "", bed.Apache.Transport())
	provider := tr.Provider.(*krb5.Provider)
	cred, err := provider.FromPassword("alice", interop.AlicePassword)
	if err != nil {
		t.Fatal(err)
	}
	tr.Credential = cred
	if resp, page := get(t, tr, bed.Apache.HTTP); !strings.Contains(page, alice) {
		x, _ := negotiate.ExchangeFrom(resp)
		t.Errorf("got %s and %q (%v)", resp.Status, page, x.Err)
	}
	if got := proxy.Requests(t); got != 3 {
		t.Errorf("the proxy got %d requests, want two for the login and one for the ticket", got)
	}
}

// A client whose clock is wrong by ten minutes is let in by Apache, which goes by
// the KDC's clock.
func TestClientWrongClock(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		tr := newTransport(t, bed.KDC.Config, "", bed.Apache.Transport())
		provider, err := krb5.New(krb5.Options{Config: bed.KDC.Config, Now: func() time.Time { return time.Now().Add(off) }})
		if err != nil {
			t.Fatal(err)
		}
		tr.Provider = provider
		if tr.Credential, err = provider.FromPassword("alice", interop.AlicePassword); err != nil {
			t.Fatal(err)
		}
		tr.Mutual = negotiate.MutualRequired
		if resp, page := get(t, tr, bed.Apache.HTTP); !strings.Contains(page, alice) {
			x, _ := negotiate.ExchangeFrom(resp)
			t.Errorf("off by %v: got %s and %q (%v)", off, resp.Status, page, x.Err)
		}
	}
}
