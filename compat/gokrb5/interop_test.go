//go:build interop

package spnego

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/jcmturner/goidentity/v6"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/service"

	"github.com/go-negotiate/negotiate/interop"
)

// TestInteropClients has curl, and requests-kerberos with its default of
// requiring a proof, talk to a server that was written for gokrb5.
func TestInteropClients(t *testing.T) {
	kdc := newRealm(t)
	kdc.AddService("HTTP/localhost")
	s := oldSite(t, loadKeytab(t, kdc, "HTTP/localhost"))
	url := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	env := append(os.Environ(), "KRB5_CONFIG="+kdc.ConfigPath(), "KRB5CCNAME="+kdc.CCache("alice"))
	if body := interop.CurlNegotiate(t, env, url); body != helloAlice {
		t.Errorf("curl gets %q, want %q", body, helloAlice)
	}
	for _, mutual := range []string{"required", "optional", "disabled"} {
		if got := interop.RequestsKerberosGet(t, env, url, mutual, ""); got[0] != "200" || got[2] != helloAlice {
			t.Errorf("requests-kerberos, %s: %q, want 200 and %q", mutual, got, helloAlice)
		}
	}
}

// TestInteropGroups has a client and a server that were written for gokrb5 meet
// in a domain, whose tickets tell the user's groups.
func TestInteropGroups(t *testing.T) {
	const groups = 30
	domain := interop.NewSamba(t, interop.SambaOptions{Accounts: []interop.SambaAccount{
		{Name: "alice", Password: "Alice.password1", Groups: groups},
		{Name: "svc-web", Password: "Service.password1", SPNs: []string{"HTTP/web.ad.test"}},
	}})
	kt, err := keytab.Load(domain.Keytab(t, "HTTP/web.ad.test"))
	if err != nil {
		t.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		creds := goidentity.FromHTTPRequestContext(r).(*credentials.Credentials)
		ad := creds.GetADCredentials()
		fmt.Fprintf(w, "%s %s %t", ad.EffectiveName, creds.Domain(), len(creds.AuthzAttributes()) > groups)
	})
	s := httptest.NewServer(SPNEGOKRB5Authenticate(app, kt, service.Logger(discardLogger)))
	defer s.Close()
	conf, err := config.Load(domain.Config)
	if err != nil {
		t.Fatal(err)
	}
	cl := client.NewWithPassword("alice", "AD.TEST", "Alice.password1", conf, client.DisablePAFXFAST(true))
	defer cl.Destroy()
	resp, body := do(t, quietly(t, NewClient(cl, nil, "HTTP/web.ad.test")), http.MethodGet, s.URL, "")
	if want := "alice AD.TEST true"; body != want {
		t.Errorf("%d %q, want %q", resp.StatusCode, body, want)
	}
}
