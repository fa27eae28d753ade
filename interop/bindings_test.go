//go:build interop

package interop_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// acceptToken accepts a token by MIT's library. Arguments: keytab, the acceptor's
// bindings, the token, both in hexadecimal. It prints the client and whether it is
// bound.
const acceptToken = `
import sys, gssapi
from gssapi.raw import ChannelBindings
keytab, bindings, token = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False
creds = gssapi.Credentials(usage="accept", store={"keytab": keytab})
context = gssapi.SecurityContext(creds=creds, usage="accept",
    channel_bindings=ChannelBindings(application_data=bindings) if bindings else None)
try:
    context.step(token)
except gssapi.exceptions.BadChannelBindingsError:
    print("other bindings")
else:
    print(context.initiator_name, "bound" if int(context.actual_flags) & 1 << 11 else "unbound")
`

// TestBindingsInActiveDirectory has tokens of the module for services of Samba's
// domain. With bindings they say so as Windows' do (KERB_AP_OPTIONS_CBT). Samba's
// library takes them with bindings and without. MIT's compares the bindings, and
// both sides signal it.
func TestBindingsInActiveDirectory(t *testing.T) {
	leavesNothing(t)
	samba := interop.NewSamba(t, interop.SambaOptions{Accounts: []interop.SambaAccount{
		{Name: "alice", Password: "Alice.password1"},
		{Name: "svc-web", Password: "Service.password1", SPNs: []string{"HTTP/web.ad.test"}},
	}})
	provider, err := krb5.New(krb5.Options{Config: samba.Config, CCache: samba.Kinit(t, "alice", "Alice.password1")})
	if err != nil {
		t.Fatal(err)
	}
	keytab := samba.Keytab(t, "HTTP/web.ad.test")
	const none, own, other = "", "tls-server-end-point:own", "tls-server-end-point:other"
	initiate := func(t *testing.T, host, bindings string) (gss.SecContext, []byte) {
		o := gss.InitiateOptions{Target: gss.HostBased("HTTP", host), Flags: gss.FlagIntegrity}
		if bindings != none {
			o.ChannelBindings = &gss.ChannelBindings{ApplicationData: []byte(bindings)}
		}
		sc, err := provider.Initiate(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sc.Close() })
		token, _, err := sc.Step(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return sc, token
	}
	for _, tt := range []struct{ name, client, server, want string }{
		{"both", own, own, "alice@AD.TEST bound"},
		{"client only", own, none, "alice@AD.TEST unbound"},
		{"server only", none, own, "alice@AD.TEST unbound"},
		{"neither", none, none, "alice@AD.TEST unbound"},
		{"different", other, own, "other bindings"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sc, token := initiate(t, "web.ad.test", tt.client)
			got := interop.Python(t, samba.Env(""), acceptToken, keytab, hex.EncodeToString([]byte(tt.server)), hex.EncodeToString(token))
			if strings.TrimSpace(got) != tt.want {
				t.Errorf("MIT's library has %q, want %q", got, tt.want)
			}
			if got := sc.Info().Flags.Has(gss.FlagChannelBound); got != (tt.client != none) {
				t.Errorf("the client's FlagChannelBound is %t", got)
			}
			if tt.server != none {
				return // Samba compares none
			}
			_, token = initiate(t, samba.Host(), tt.client)
			if got, err := samba.Accept(t, token); err != nil || got != "alice" {
				t.Errorf("Samba's library has %q, %v, want alice", got, err)
			}
		})
	}
}

// TestClientAwareOfBindings has MIT's client say that it presents bindings whenever
// it can (KERB_AP_OPTIONS_CBT), and present none. That is what a token looks like
// which was got by a server without TLS, and passed on. The Handler refuses it
// where it would take a client that says nothing.
func TestClientAwareOfBindings(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	url, cert := serveHandler(t, bed.KDC.Config, bed.KDC.ServiceKeytab(t, "HTTP/"+serverHost), serverHost, negotiate.BindingVerify)
	ccache := bed.Alice(t)
	for _, tt := range []struct {
		name     string
		config   string
		bindings []byte
		status   string
	}{
		{"says nothing", bed.KDC.Config, nil, "200"},
		{"says so, and presents none", bed.KDC.ConfigWith(t, "client_aware_channel_bindings = true"), nil, "401"},
		{"says so, and presents them", bed.KDC.ConfigWith(t, "client_aware_channel_bindings = true"), endPoint(cert), "200"},
		{"says so, and presents others", bed.KDC.ConfigWith(t, "client_aware_channel_bindings = true"), endPoint384(cert), "401"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := append(bed.KDC.Env(ccache), "KRB5_CONFIG="+tt.config)
			if got := interop.BoundGet(t, env, url, cert.CA, tt.bindings); got[0] != tt.status {
				t.Errorf("got %q, want status %s", got, tt.status)
			}
		})
	}
}
