package negotiate

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// TestProxyKerberos authenticates to a proxy and to a server with tickets, each
// with its own, and has both prove who they are.
func TestProxyKerberos(t *testing.T) {
	leavesNothing(t)
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddService("HTTP/" + webHost)
	kdc.AddService("HTTP/" + proxyHost)
	var first []byte
	replay := func(b []byte) []byte {
		if first == nil {
			first = bytes.Clone(b)
		}
		return first
	}
	accept := map[string]struct {
		set proxyOption
		ok  []bool // of one request after another
	}{
		"good":    {func(*testProxy) {}, []bool{true, true}},
		"none":    {func(p *testProxy) { p.final = proofs["none"] }, []bool{false}},
		"altered": {func(p *testProxy) { p.final = proofs["altered"] }, []bool{false}},
		"empty accept-completed": {func(p *testProxy) {
			p.final = func([]byte) []byte { return []byte{0xa1, 7, 0x30, 5, 0xa0, 3, 0x0a, 1, 0} }
		}, []bool{false}},
		"replayed": {func(p *testProxy) { p.final = replay }, []bool{true, false}},
	}
	for name, tt := range accept {
		t.Run(name, func(t *testing.T) {
			eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
				first = nil
				s.acceptor, p.provider = kdc.Acceptor("HTTP/"+webHost), kdc.Acceptor("HTTP/"+proxyHost)
				tt.set(p)
				alice := kdc.Provider("alice")
				tr := &Transport{Provider: alice, Mutual: MutualRequired, ProxyMutual: MutualRequired}
				c := p.through(t, s, tr)
				for i, ok := range tt.ok {
					a, err := do(t, c, newRequest(t, "GET", s.at(webHost, "/private"), nil))
					checkProxyMutual(t, p, a, err, ok)
					if ok && (a.body != "hello alice@KRB.TEST" || !a.ex.MutualVerified || a.ex.Mechanism != gss.MechKRB5) {
						t.Errorf("request %d: got %q, %+v", i, a.body, a.ex)
					}
					tr.CloseIdleConnections() // so that the proxy asks again
				}
				assertTicketsApart(t, s, p)
			})
		})
	}
	// One ticket for each of the two, by each client.
	if n := kdc.Requests().TGS; n == 0 {
		t.Error("the KDC was asked for no ticket")
	}
}

// assertTicketsApart looks for the services' names in the tickets of the tokens.
func assertTicketsApart(t *testing.T, s *testServer, p *testProxy) {
	t.Helper()
	check := func(value, of string) {
		token, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "Negotiate "))
		if err != nil {
			t.Fatal(err)
		}
		if value != "" && !bytes.Contains(token, []byte(of)) {
			t.Errorf("%s got a token that is not for it", of)
		}
	}
	for _, r := range p.requests() {
		check(r.header.Get("Proxy-Authorization"), proxyHost)
		if r.method == http.MethodConnect && r.header.Get("Authorization") != "" {
			t.Error("a CONNECT has a token for the server")
		}
	}
	for _, r := range s.requests() {
		check(r.header.Get("Authorization"), webHost)
		if r.header.Get("Proxy-Authorization") != "" {
			t.Error("the server got a token for the proxy")
		}
	}
}
