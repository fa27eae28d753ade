//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// session is a client of the shared bed.
type session struct {
	bed       *interop.Bed
	transport *negotiate.Transport
	client    *http.Client
}

// accesses is that of the log. Apache may log the last request of an HTTP/2
// connection only when that ends.
func (s *session) accesses(t *testing.T, what string, n int) []interop.Access {
	t.Helper()
	s.transport.CloseIdleConnections()
	return s.bed.Apache.Accesses(t, what, n)
}

// newSession returns a client that authenticates with the tickets of a
// credential cache. setup may change the Transport.
func newSession(t *testing.T, ccache string, setup func(*negotiate.Transport)) *session {
	t.Helper()
	bed := interop.Shared(t)
	provider, err := krb5.New(krb5.Options{Config: bed.KDC.Config, CCache: ccache})
	if err != nil {
		t.Fatal(err)
	}
	tr := &negotiate.Transport{Base: bed.Apache.Transport(), Provider: provider}
	if setup != nil {
		setup(tr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &session{bed, tr, &http.Client{Transport: tr}}
}

// get fetches a page, and fails the test if there is no response.
func (s *session) get(t *testing.T, url string) (page string, resp *http.Response, x *negotiate.Exchange) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.do(t, req)
}

func (s *session) do(t *testing.T, req *http.Request) (page string, resp *http.Response, x *negotiate.Exchange) {
	t.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	x, ok := negotiate.ExchangeFrom(resp)
	if !ok {
		t.Fatal("the response has no Exchange")
	}
	return string(body), resp, x
}

// schemes are the ways to reach Apache.
var schemes = []struct {
	name  string
	proto string
	url   func(*interop.Apache) string
	setup func(*http.Transport)
}{
	{"http", "HTTP/1.1", func(a *interop.Apache) string { return a.HTTP }, nil},
	{"https", "HTTP/1.1", func(a *interop.Apache) string { return a.HTTPS }, func(tr *http.Transport) { tr.ForceAttemptHTTP2 = false }},
	{"h2", "HTTP/2.0", func(a *interop.Apache) string { return a.HTTPS }, nil},
}

func eachScheme(t *testing.T, setup func(*negotiate.Transport), test func(t *testing.T, s *session, base, proto string)) {
	for _, scheme := range schemes {
		t.Run(scheme.name, func(t *testing.T) {
			bed := interop.Shared(t)
			s := newSession(t, bed.Alice(t), func(tr *negotiate.Transport) {
				if scheme.setup != nil {
					scheme.setup(tr.Base.(*http.Transport))
				}
				if setup != nil {
					setup(tr)
				}
			})
			test(t, s, scheme.url(bed.Apache), scheme.proto)
		})
	}
}

func TestTransportGet(t *testing.T) {
	leavesNothing(t)
	eachScheme(t, func(tr *negotiate.Transport) { tr.Mutual = negotiate.MutualRequired }, func(t *testing.T, s *session, base, proto string) {
		query := "?" + s.bed.KDC.Unique()
		page, resp, x := s.get(t, base+"/"+query)
		if resp.StatusCode != 200 || resp.Proto != proto || !strings.Contains(page, "You are "+alice+".") {
			t.Fatalf("got %s %s %q", resp.Proto, resp.Status, page)
		}
		if !x.MutualVerified || x.Legs != 2 || x.Initiator != gss.User(alice) || x.Mechanism != gss.MechKRB5 {
			t.Errorf("the Exchange has %+v", x)
		}
		log := s.accesses(t, query, 2)
		if len(log) != 2 || log[0].ClientPort != log[1].ClientPort || log[0].Token || !log[1].Token {
			t.Errorf("the access log has %+v, want two requests on one connection, the second with a token", log)
		}
	})
}

func TestTransportOpportunistic(t *testing.T) {
	leavesNothing(t)
	setup := func(tr *negotiate.Transport) {
		tr.Opportunistic, tr.Mutual = negotiate.OpportunisticAlways, negotiate.MutualRequired
	}
	eachScheme(t, setup, func(t *testing.T, s *session, base, _ string) {
		query := "?" + s.bed.KDC.Unique()
		page, _, x := s.get(t, base+"/"+query)
		if !strings.Contains(page, "You are "+alice+".") || !x.Opportunistic || !x.MutualVerified {
			t.Errorf("got %q, %+v", page, x)
		}
		s.get(t, base+"/?end"+query[1:]) // so that a second request would be logged by now
		s.accesses(t, "?end"+query[1:], 1)
		if log := s.accesses(t, "/"+query, 1); len(log) != 1 {
			t.Errorf("the access log has %+v, want one request", log)
		}
	})
}

// TestTransportLearned has Apache's log tell the round trips of a client that learns
// who asks, and that a page which is open to all gets a token of an origin only that
// has asked.
func TestTransportLearned(t *testing.T) {
	leavesNothing(t)
	setup := func(tr *negotiate.Transport) {
		tr.Opportunistic, tr.Mutual = negotiate.OpportunisticLearned, negotiate.MutualOptional
	}
	eachScheme(t, setup, func(t *testing.T, s *session, base, _ string) {
		query := "?" + s.bed.KDC.Unique()
		const n = 4
		for i := range n {
			s.transport.CloseIdleConnections() // what was learned is not the connection's
			page, _, x := s.get(t, base+"/"+query)
			if !strings.Contains(page, "You are "+alice+".") || x.Opportunistic != (i > 0) || !x.MutualVerified {
				t.Errorf("request %d: got %q, %+v", i, page, x)
			}
		}
		other := s.bed.Apache.HTTP // another port, which has asked for nothing
		if base == other {
			other = s.bed.Apache.HTTPS
		}
		open := "?" + s.bed.KDC.Unique()
		s.get(t, other+interop.PathAnonymous+open)
		log := s.accesses(t, query, n+1)
		for i, a := range log {
			if a.Token != (i > 0) {
				t.Errorf("request %d had a token: %t", i, a.Token)
			}
		}
		if len(log) != n+1 {
			t.Errorf("%d requests cost %d round trips, want %d", n, len(log), n+1)
		}
		if log := s.accesses(t, open, 1); len(log) != 1 || log[0].Token {
			t.Errorf("an origin that did not ask saw %+v", log)
		}
	})
}

func TestTransportRawKRB5(t *testing.T) {
	leavesNothing(t)
	eachScheme(t, func(tr *negotiate.Transport) { tr.Mechanism, tr.Mutual = gss.MechKRB5, negotiate.MutualRequired }, func(t *testing.T, s *session, base, _ string) {
		page, _, x := s.get(t, base+"/")
		if !strings.Contains(page, "You are "+alice+".") || !x.MutualVerified {
			t.Errorf("got %q, %+v", page, x)
		}
	})
}

func TestTransportDelegation(t *testing.T) {
	leavesNothing(t)
	eachScheme(t, func(tr *negotiate.Transport) { tr.Delegation = negotiate.DelegateAlways }, func(t *testing.T, s *session, base, _ string) {
		_, resp, x := s.get(t, base+interop.PathDelegated)
		if !x.Delegated {
			t.Fatalf("nothing was delegated: %+v", x)
		}
		list := s.bed.KDC.Klist(t, s.bed.Apache.DelegatedCCache(t, resp.Header.Get("X-Delegated-Ccache")))
		for _, want := range []string{"Default principal: " + alice, "krbtgt/BED.TEST@BED.TEST", "Flags: Ff"} {
			if !strings.Contains(list, want) {
				t.Errorf("the delegated credential cache has no %q:\n%s", want, list)
			}
		}
	})
}

// TestTransportTarget reaches the server under another name than its tickets'.
func TestTransportTarget(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	elsewhere := strings.Replace(bed.Apache.HTTP, bed.Apache.Host, "127.0.0.1", 1)
	s := newSession(t, bed.Alice(t), nil)
	if _, resp, x := s.get(t, elsewhere); resp.StatusCode != 401 || !strings.Contains(x.Err.Error(), "HTTP/127.0.0.1@BED.TEST") {
		t.Errorf("without a target: got %s, %v", resp.Status, x.Err)
	}
	for _, target := range []negotiate.TargetFunc{
		negotiate.HostTarget(bed.Apache.Host),
		negotiate.FixedTarget(gss.Principal("HTTP/" + bed.Apache.Host + "@BED.TEST")),
	} {
		s := newSession(t, bed.Alice(t), func(tr *negotiate.Transport) { tr.Target = target })
		if page, _, x := s.get(t, elsewhere); !strings.Contains(page, "You are "+alice+".") {
			t.Errorf("got %q, %v", page, x.Err)
		}
	}
}

// TestTransportFailures is what comes back when there is no ticket: the
// server's own 401, and the reason.
func TestTransportFailures(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	expired := bed.KDC.ExpiredCCache(t, interop.KinitOptions{Principal: "alice", Password: interop.AlicePassword})
	for _, tc := range []struct {
		name   string
		ccache string
		setup  func(*testing.T, *negotiate.Transport)
		is     error
		text   []string
	}{
		{"no ticket", "FILE:" + t.TempDir() + "/none", nil, gss.ErrNoCred, []string{"/none", "run kinit"}},
		{"expired ticket", expired, nil, gss.ErrCredentialsExpired, []string{expired, "expired at", "run kinit"}},
		{"unknown service", bed.Alice(t), func(_ *testing.T, tr *negotiate.Transport) { tr.Target = negotiate.HostTarget("nobody.bed.test") }, nil,
			[]string{"HTTP/nobody.bed.test@BED.TEST", "does not know the service", "target"}},
		{"unreachable KDC", bed.Alice(t), func(t *testing.T, tr *negotiate.Transport) {
			p, err := krb5.New(krb5.Options{Config: deadKDC(t), CCache: bed.Alice(t)})
			if err != nil {
				t.Fatal(err)
			}
			tr.Provider = p
		}, nil, []string{"no KDC answered", "BED.TEST", "127.0.0.1:1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSession(t, tc.ccache, func(tr *negotiate.Transport) {
				if tc.setup != nil {
					tc.setup(t, tr)
				}
			})
			page, resp, x := s.get(t, bed.Apache.HTTP)
			if resp.StatusCode != 401 || !strings.Contains(page, "401 Unauthorized") {
				t.Errorf("got %s %q, want the server's 401", resp.Status, page)
			}
			if x.Err == nil || tc.is != nil && !errors.Is(x.Err, tc.is) {
				t.Fatalf("the reason is %v, want %v", x.Err, tc.is)
			}
			for _, want := range tc.text {
				if !strings.Contains(x.Err.Error(), want) {
					t.Errorf("the reason does not say %q: %v", want, x.Err)
				}
			}
		})
	}
}

// deadKDC returns a krb5.conf whose KDC nobody runs.
func deadKDC(t *testing.T) string {
	return writeFile(t, "krb5.conf", `[libdefaults]
 default_realm = BED.TEST
 dns_lookup_kdc = false
[realms]
 BED.TEST = {
  kdc = 127.0.0.1:1
 }
`)
}

// TestTransportCancel ends a request while the provider waits for a KDC that
// swallows everything, for which it has all the time in the world.
func TestTransportCancel(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	conf, asked := silentKDC(t)
	p, err := krb5.New(krb5.Options{Config: conf, CCache: bed.Alice(t)})
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t, "", func(tr *negotiate.Transport) { tr.Provider = p })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	req, _ := http.NewRequestWithContext(ctx, "GET", bed.Apache.HTTP, nil)
	resp, err := s.client.Do(req)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", resp, err)
	}
}

// TestTransportTampering puts a proxy between the client and Apache that alters
// what proves the server's identity.
func TestTransportTampering(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	var replayed string
	for _, tc := range []struct {
		name  string
		alter func(token []byte) []byte
	}{
		{"flipped bit", func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b }},
		{"truncated", func(b []byte) []byte { return b[:len(b)/2] }},
		{"removed", func([]byte) []byte { return nil }},
		{"accept-completed only", func([]byte) []byte { return []byte{0xa1, 7, 0x30, 5, 0xa0, 3, 0x0a, 1, 0} }},
		{"of another exchange", func(b []byte) []byte {
			if replayed == "" {
				replayed = string(b)
			}
			return []byte(replayed)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, opportunistic := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
				proxy := tamperingProxy(t, bed.Apache, tc.alter)
				s := newSession(t, bed.Alice(t), func(tr *negotiate.Transport) {
					tr.Base = &http.Transport{}
					tr.Mutual, tr.Opportunistic = negotiate.MutualRequired, opportunistic
					tr.Target = negotiate.HostTarget(bed.Apache.Host)
				})
				if tc.name == "of another exchange" {
					if replayed == "" {
						s.get(t, proxy) // the first one passes and is recorded
					}
				}
				resp, err := s.client.Get(proxy)
				if _, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); !ok {
					t.Errorf("opportunistic %v: got %v, %v; want a MutualAuthenticationError", opportunistic, resp, err)
				}
			}
		})
	}
}

// tamperingProxy forwards to Apache and alters the token of its responses.
func tamperingProxy(t *testing.T, apache *interop.Apache, alter func([]byte) []byte) string {
	origin, err := url.Parse(apache.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	base := apache.Transport()
	t.Cleanup(base.CloseIdleConnections)
	return serve(t, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(origin) },
		Transport: base,
		ModifyResponse: func(resp *http.Response) error {
			scheme, token, ok := strings.Cut(resp.Header.Get("WWW-Authenticate"), " ")
			if !ok {
				return nil
			}
			b, err := base64.StdEncoding.DecodeString(token)
			if err != nil {
				return err
			}
			resp.Header.Del("WWW-Authenticate")
			if b = alter(b); b != nil {
				resp.Header.Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(b))
			}
			return nil
		},
	})
}

// TestTransportTicketIsFetchedOnce counts at the KDC.
func TestTransportTicketIsFetchedOnce(t *testing.T) {
	leavesNothing(t)
	kdc := interop.NewMIT(t, interop.MITOptions{})
	kdc.AddPrincipal(t, "alice", interop.PrincipalOptions{Password: "pw"})
	kdc.AddService(t, "HTTP/web", interop.PrincipalOptions{})
	p, err := krb5.New(krb5.Options{Config: kdc.Config, CCache: kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw"})})
	if err != nil {
		t.Fatal(err)
	}
	before := kdc.Count(t)
	errs := make(chan error)
	for range 100 {
		go func() {
			sc, err := p.Initiate(t.Context(), gss.InitiateOptions{Target: gss.HostBased("HTTP", "web")})
			if err == nil {
				_, _, err = sc.Step(t.Context(), nil)
			}
			errs <- err
		}()
	}
	for range 100 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := kdc.Count(t).Sub(before).TGSReq; n != 1 {
		t.Errorf("100 goroutines cost the KDC %d TGS-REQs, want 1", n)
	}
}

// TestTransportEnctypes authenticates with each type of service key.
func TestTransportEnctypes(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	for _, enctype := range []string{"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128"} {
		t.Run(enctype, func(t *testing.T) {
			kdc := interop.NewMIT(t, interop.MITOptions{})
			kdc.Admin(t, "change_password", "-randkey", "-e", enctype+":normal", "krbtgt/BED.TEST@BED.TEST")
			o := interop.PrincipalOptions{Enctypes: []string{enctype}}
			apache := interop.NewApache(t, interop.ApacheOptions{KDC: kdc, Service: o})
			o.Password = "pw"
			kdc.AddPrincipal(t, "alice", o)
			conf := kdc.ConfigWith(t, "permitted_enctypes = "+enctype)
			s := newSession(t, bed.Alice(t), func(tr *negotiate.Transport) {
				p, err := krb5.New(krb5.Options{Config: conf, CCache: kdc.Kinit(t, interop.KinitOptions{Principal: "alice", Password: "pw", Config: conf})})
				if err != nil {
					t.Fatal(err)
				}
				tr.Provider, tr.Base, tr.Mutual = p, apache.Transport(), negotiate.MutualRequired
			})
			if page, _, x := s.get(t, apache.HTTP); !strings.Contains(page, "You are alice@") {
				t.Errorf("got %q, %v", page, x.Err)
			}
			// The same with the password alone, without kinit.
			s.transport.CloseIdleConnections()
			p, err := krb5.New(krb5.Options{Config: conf})
			if err != nil {
				t.Fatal(err)
			}
			cred, err := p.FromPassword("alice", "pw")
			if err != nil {
				t.Fatal(err)
			}
			s = newSession(t, "", func(tr *negotiate.Transport) {
				tr.Provider, tr.Credential, tr.Base = p, cred, apache.Transport()
			})
			if page, _, x := s.get(t, apache.HTTP); !strings.Contains(page, "You are alice@") {
				t.Errorf("by password: got %q, %v", page, x.Err)
			}
		})
	}
}
