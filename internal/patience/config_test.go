package patience_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// TestConfigFile has a client of such a krb5.conf use TCP only.
func TestConfigFile(t *testing.T) {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddService("HTTP/www.krb.test")
	p, err := krb5.New(krb5.Options{Config: patience.ConfigFile(t, kdc.ConfigPath()), CCache: kdc.CCache("alice")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", "www.krb.test")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := c.Step(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n := kdc.Requests(); n.TCP != 1 || n.UDP != 0 {
		t.Errorf("the KDC was asked %+v, want once over TCP", n)
	}
}
