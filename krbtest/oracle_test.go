package krbtest_test

import (
	"testing"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/go-negotiate/negotiate/krbtest"
)

// oracle is a Kerberos client that is not this module's.
func oracle(t *testing.T, k *krbtest.KDC, user, password string) *client.Client {
	t.Helper()
	c := client.NewWithPassword(user, k.Realm(), password, oracleConfig(t, k))
	t.Cleanup(c.Destroy)
	return c
}

func oracleConfig(t *testing.T, k *krbtest.KDC) *config.Config {
	t.Helper()
	c, err := config.Load(k.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoginWithPassword(t *testing.T) {
	for _, enctype := range []string{
		"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128",
	} {
		t.Run(enctype, func(t *testing.T) {
			k := krbtest.NewKDC(t, krbtest.WithEnctypes(enctype))
			k.AddPrincipal("alice", "secret")
			if err := oracle(t, k, "alice", "secret").Login(); err != nil {
				t.Error(err)
			}
			if err := oracle(t, k, "alice", "Secret").Login(); err == nil {
				t.Error("a wrong password was accepted")
			}
		})
	}
}

func TestLoginWithKeytab(t *testing.T) {
	k := krbtest.NewKDC(t)
	k.AddService("HTTP/www.krb.test")
	kt, err := keytab.Load(k.Keytab("HTTP/www.krb.test"))
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewWithKeytab("HTTP/www.krb.test", k.Realm(), kt, oracleConfig(t, k))
	defer c.Destroy()
	if err := c.Login(); err != nil {
		t.Fatal(err)
	}
}

func TestServiceTicketFromCCache(t *testing.T) {
	k := krbtest.NewKDC(t)
	k.AddPrincipal("alice", "secret")
	k.AddService("HTTP/www.krb.test")
	cc, err := credentials.LoadCCache(k.CCache("alice"))
	if err != nil {
		t.Fatal(err)
	}
	conf := oracleConfig(t, k)
	conf.LibDefaults.UDPPreferenceLimit = 1 // TCP only: nothing is asked for twice
	c, err := client.NewFromCCache(cc, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Destroy()
	if _, _, err := c.GetServiceTicket("HTTP/www.krb.test"); err != nil {
		t.Fatal(err)
	}
	if got := k.Requests(); got.AS != 0 || got.TGS != 1 || got.Service != 1 || got.Errors != 0 {
		t.Errorf("the KDC got %+v, want one TGS-REQ for a service and nothing else", got)
	}
}
