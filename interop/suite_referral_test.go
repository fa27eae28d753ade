//go:build interop

package interop_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// sambaReferral has alice of the directory go to hosts of an MIT realm that
// trusts it. Nothing tells the client whose hosts they are but the referral: its
// guess, from a host's name, would be SUB.PARTNER.TEST.
func sambaReferral(t *testing.T, kdc *interop.Samba, r *suiteRealm) {
	const host = "web.sub.partner.test"
	partner := interop.NewMIT(t, interop.MITOptions{Realm: "PARTNER.TEST"})
	kdc.TrustedBy(t, partner)
	keytab := partner.AddService(t, "HTTP/"+host, interop.PrincipalOptions{})
	config := r.settings(t, "[realms]\n", fmt.Sprintf("[realms]\n %s = {\n  kdc = %s\n }\n", partner.Realm, partner.Addr))
	server := r.provider(t, krb5.Options{Config: partner.Config, Keytab: keytab})
	url := serve(t, &negotiate.Handler{Provider: server, Next: http.HandlerFunc(tellPrincipal)})
	transport := func(t *testing.T, o krb5.Options) *negotiate.Transport {
		o.Config = config
		return &negotiate.Transport{Provider: r.provider(t, o), Target: negotiate.FixedTarget(gss.HostBased("HTTP", host))}
	}
	t.Run("password", func(t *testing.T) {
		var log bytes.Buffer
		tr := transport(t, krb5.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		var err error
		if tr.Credential, err = tr.Provider.(*krb5.Provider).FromPassword("alice", suitePassword); err != nil {
			t.Fatal(err)
		}
		before := partner.Count(t)
		r.wantPage(t, tr, url)
		r.wantPage(t, tr, url)
		if got := partner.Count(t).Sub(before).TGSReq; got != 1 {
			t.Errorf("the KDC of %s got %d TGS-REQs, want 1", partner.Realm, got)
		}
		if want := `msg="referred to another realm"`; strings.Count(log.String(), want) != 1 || !strings.Contains(log.String(), "service=krbtgt/PARTNER.TEST@AD.TEST") {
			t.Errorf("not one %s in\n%s", want, &log)
		}
	})
	ccache := r.kinit(t, "alice", suitePassword)
	t.Run("MIT's acceptor", func(t *testing.T) {
		acceptor := interop.NewAcceptor(t, interop.AcceptorOptions{Config: partner.Config, Host: host, Keytab: keytab, Bindings: endPoint})
		tr := transport(t, krb5.Options{CCache: ccache})
		tr.Base, tr.ChannelBindings = interop.Transport(acceptor.Certificate), negotiate.BindTLSServerEndPoint
		if got, err := getAs(t, tr, acceptor.URL); err != nil || got != "alice@AD.TEST bound\n" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("unknown service", func(t *testing.T) {
		tr := transport(t, krb5.Options{CCache: ccache})
		tr.Target = negotiate.FixedTarget(gss.HostBased("HTTP", "unknown.sub.partner.test"))
		wantFailure(t, tr, url, gss.ErrFailure, "HTTP/unknown.sub.partner.test", "does not know the service", "check the host name")
	})
}
