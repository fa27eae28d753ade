package negotiate_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/spnego"
	"github.com/go-negotiate/negotiate/krb5"
)

// parityTests are the unit tests of requests-gssapi by their names there, with
// what a user would notice of each. docs/parity.md compares them.
var parityTests = []struct {
	name string
	test func(*testing.T)
}{
	{"test_negotate_value_extraction", parityValueExtraction},
	{"test_negotate_value_extraction_none", parityValueExtractionNone},
	{"test_force_preemptive", parityPreemptive},
	{"test_no_force_preemptive", parityNoPreemptive},
	{"test_generate_request_header", parityRequestHeader},
	{"test_generate_request_header_init_error", parityInitError},
	{"test_generate_request_header_step_error", parityStepError},
	{"test_authenticate_user", parityAuthenticateUser},
	{"test_handle_401", parityHandle401},
	{"test_authenticate_server", parityAuthenticateServer},
	{"test_handle_other", parityHandleOther},
	{"test_handle_response_200", parityResponse200},
	{"test_handle_response_200_mutual_auth_required_failure", parityRequiredNoToken},
	{"test_handle_response_200_mutual_auth_required_failure_2", parityRequiredBadToken},
	{"test_handle_response_200_mutual_auth_optional_hard_failure", parityOptionalBadToken},
	{"test_handle_response_200_mutual_auth_optional_soft_failure", parityOptionalNoToken},
	{"test_handle_response_500_mutual_auth_required_failure", parityRequired500},
	{"test_handle_response_500_mutual_auth_optional_failure", parityOptional500},
	{"test_handle_response_401", parityResponse401},
	{"test_handle_response_401_rejected", parityRejected},
	{"test_generate_request_header_custom_service", parityCustomService},
	{"test_delegation", parityDelegation},
	{"test_principal_override", parityPrincipal},
	{"test_realm_override", parityHostname},
	{"test_opportunistic_auth", parityOpportunistic},
	{"test_explicit_creds", parityCreds},
	{"test_explicit_mech", parityMech},
	{"test_target_name", parityTargetName},
}

func TestParity(t *testing.T) {
	for _, p := range parityTests {
		t.Run(p.name, p.test)
	}
}

// TestParityTable holds docs/parity.md to the tests: each name once, in both
// columns, and a verdict with a reason where it differs.
func TestParityTable(t *testing.T) {
	page, err := os.ReadFile("docs/parity.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(test_\\w+)` \\| `TestParity/(test_\\w+)` \\| (same|differs) \\|(.*)\\|$")
	var python []string
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		python = append(python, m[1])
		if m[1] != m[2] {
			t.Errorf("%s has %s as its counterpart", m[1], m[2])
		}
		if m[3] == "differs" && len(m[4]) < 20 {
			t.Errorf("%s differs, and the page does not say why", m[1])
		}
	}
	var ours []string
	for _, p := range parityTests {
		ours = append(ours, p.name)
	}
	if len(ours) != 28 {
		t.Errorf("there are %d tests, requests-gssapi has 28", len(ours))
	}
	if !slices.Equal(python, ours) {
		t.Errorf("docs/parity.md lists\n%s\nand TestParity has\n%s", strings.Join(python, "\n"), strings.Join(ours, "\n"))
	}
}

// asking is a server that asks for tokens, proves itself and answers.
func (w *world) asking() (*peer, *tapped) {
	p := &peer{acceptor: w.acceptor("HTTP/" + wwwHost), answer: prove}
	return p, w.serve(p)
}

func parityValueExtraction(t *testing.T) {
	w := newWorld(t)
	p := &peer{acceptor: w.acceptor("HTTP/" + wwwHost), open: true}
	p.answer = func(rw http.ResponseWriter, r *http.Request, reply []byte) {
		if reply == nil {
			rw.Header().Set("www-authenticate", "negotiate dG9rZW4=")
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		rw.Header().Set("www-authenticate", strings.Replace(bearing(reply), "Negotiate", "negotiate", 1))
	}
	s := w.serve(p)
	got := w.get(w.client(&negotiate.Transport{Mutual: negotiate.MutualRequired}), s.url)
	if got.StatusCode != 200 || !got.x.MutualVerified || s.shape() != "401 200+" {
		t.Errorf("got %d, %+v, the server saw %s", got.StatusCode, got.x, s.shape())
	}
}

func parityValueExtractionNone(t *testing.T) {
	w := newWorld(t)
	s := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(http.StatusUnauthorized) }))
	got := w.get(w.client(&negotiate.Transport{}), s.url)
	if got.StatusCode != 401 || got.x.Err != nil || s.shape() != "401" {
		t.Errorf("got %d, %v, the server saw %s", got.StatusCode, got.x.Err, s.shape())
	}
}

func parityPreemptive(t *testing.T) {
	w := newWorld(t)
	_, s := w.asking()
	c := w.client(&negotiate.Transport{Opportunistic: negotiate.OpportunisticAlways})
	for range 2 {
		w.get(c, s.url)
	}
	if s.shape() != "200+ 200+" {
		t.Errorf("the server saw %s, want a token in each request", s.shape())
	}
}

func parityNoPreemptive(t *testing.T) {
	w := newWorld(t)
	p := &peer{acceptor: w.acceptor("HTTP/" + wwwHost), open: true, answer: prove}
	s := w.serve(p)
	w.get(w.client(&negotiate.Transport{}), s.url)
	if s.shape() != "200" {
		t.Errorf("the server saw %s, want no token", s.shape())
	}
}

func parityRequestHeader(t *testing.T) {
	w := newWorld(t)
	p, s := w.asking()
	got := w.get(w.client(&negotiate.Transport{}), s.url)
	token := s.requests()[1].token
	if kind, _ := spnego.Sniff(token); kind != spnego.KindInit {
		t.Errorf("the token is %s, want SPNEGO", kind)
	}
	info := p.accepted()
	if info.Acceptor != gss.Principal("HTTP/www.example.org@KRB.TEST") || info.Initiator != gss.User(alice) {
		t.Errorf("the token is of %v for %v", info.Initiator, info.Acceptor)
	}
	if info.Flags.Has(gss.FlagMutual) || info.Flags.Has(gss.FlagDelegate) || info.Flags.Has(gss.FlagChannelBound) {
		t.Errorf("the context has %v, want neither mutual authentication, delegation nor bindings", info.Flags)
	}
	if got.x.Target != gss.HostBased("HTTP", wwwHost) {
		t.Errorf("Exchange.Target is %v", got.x.Target)
	}
}

func parityInitError(t *testing.T) { parityProviderError(t, gsstest.OpInitiate) }

func parityStepError(t *testing.T) { parityProviderError(t, gsstest.OpInitiateStep) }

// parityProviderError has the provider fail. SPNEGOExchangeError never reaches the
// caller of requests: he gets the 401.
func parityProviderError(t *testing.T, op gsstest.Op) {
	w := newWorld(t)
	_, s := w.asking()
	fake := gsstest.New(gsstest.Options{})
	fake.Inject(gsstest.Fault{Op: op, Err: gss.ErrFailure})
	got := w.get(w.client(&negotiate.Transport{Provider: fake}), s.url)
	if got.StatusCode != 401 || stageOf(got.x.Err) != negotiate.StageInitiate || !errors.Is(got.x.Err, gss.ErrFailure) {
		t.Errorf("got %d, %v", got.StatusCode, got.x.Err)
	}
	o := fake.Initiations()[0]
	if o.Target != gss.HostBased("HTTP", wwwHost) || o.Mechanism != "" || o.ChannelBindings != nil {
		t.Errorf("the provider was asked for %+v", o)
	}
	if s.shape() != "401" {
		t.Errorf("the server saw %s, want no token", s.shape())
	}
}

func parityAuthenticateUser(t *testing.T) {
	w := newWorld(t)
	_, s := w.asking()
	got := w.get(w.client(&negotiate.Transport{}), s.url)
	if len(got.x.History) != 1 || got.x.History[0].StatusCode != 401 {
		t.Errorf("History has %v, want the 401", got.x.History)
	}
	legs := s.requests()
	if got.StatusCode != 200 || s.shape() != "401 200+" || legs[0].remote != legs[1].remote {
		t.Errorf("got %d by %+v, want a second request with a token on the connection of the first", got.StatusCode, legs)
	}
}

func parityHandle401(t *testing.T) {
	w := newWorld(t)
	s := w.serve(w.handler(greet))
	got := w.get(w.client(&negotiate.Transport{}), s.url)
	if got.StatusCode != 200 || got.body != "hello "+alice || s.shape() != "401 200+" {
		t.Errorf("got %d %q, the server saw %s", got.StatusCode, got.body, s.shape())
	}
}

func parityAuthenticateServer(t *testing.T) {
	w := newWorld(t)
	_, s := w.asking()
	got := w.get(w.client(&negotiate.Transport{Mutual: negotiate.MutualOptional}), s.url)
	if !got.x.MutualVerified || !got.x.Flags.Has(gss.FlagMutual) {
		t.Errorf("Exchange is %+v", got.x)
	}
}

func parityHandleOther(t *testing.T) {
	w := newWorld(t)
	p, s := w.asking()
	p.answer = func(rw http.ResponseWriter, r *http.Request, reply []byte) {
		rw.Header().Set("WWW-Authenticate", bearing(reply))
		rw.WriteHeader(http.StatusNotFound)
		io.WriteString(rw, "nothing here")
	}
	got := w.get(w.client(&negotiate.Transport{Mutual: negotiate.MutualRequired}), s.url)
	if got.StatusCode != 404 || got.body != "nothing here" || !got.x.MutualVerified || got.x.Sanitized {
		t.Errorf("got %d %q, %+v", got.StatusCode, got.body, got.x)
	}
}

func parityResponse200(t *testing.T) {
	w := newWorld(t)
	_, s := w.asking()
	for _, o := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
		got := w.get(w.client(&negotiate.Transport{Mutual: negotiate.MutualRequired, Opportunistic: o}), s.url)
		if got.StatusCode != 200 || got.body != "content" || !got.x.MutualVerified {
			t.Errorf("%s: got %d %q, %+v", o, got.StatusCode, got.body, got.x)
		}
	}
}

// parityMutual has a server answer with a status and an altered proof.
func parityMutual(t *testing.T, tr *negotiate.Transport, status int, proof func([]byte) []byte) (received, error) {
	w := newWorld(t)
	p, s := w.asking()
	p.answer = func(rw http.ResponseWriter, r *http.Request, reply []byte) {
		if reply = proof(reply); reply != nil {
			rw.Header().Set("WWW-Authenticate", bearing(reply))
		}
		rw.Header().Set("X-Extra", "1")
		http.SetCookie(rw, &http.Cookie{Name: "c", Value: "v"})
		rw.WriteHeader(status)
		io.WriteString(rw, "CONTENT")
	}
	return w.send(w.client(tr), w.request("GET", s.url+"/page", nil))
}

func noProof([]byte) []byte { return nil }

func badProof(b []byte) []byte { b[len(b)-1] ^= 1; return b }

func wantMutualError(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); !ok {
		t.Errorf("got %v, want a MutualAuthenticationError", err)
	}
}

func parityRequiredNoToken(t *testing.T) {
	_, err := parityMutual(t, &negotiate.Transport{Mutual: negotiate.MutualRequired}, 200, noProof)
	wantMutualError(t, err)
}

func parityRequiredBadToken(t *testing.T) {
	_, err := parityMutual(t, &negotiate.Transport{Mutual: negotiate.MutualRequired}, 200, badProof)
	wantMutualError(t, err)
}

func parityOptionalBadToken(t *testing.T) {
	_, err := parityMutual(t, &negotiate.Transport{Mutual: negotiate.MutualOptional}, 200, badProof)
	wantMutualError(t, err)
}

func parityOptionalNoToken(t *testing.T) {
	got, err := parityMutual(t, &negotiate.Transport{Mutual: negotiate.MutualOptional}, 200, noProof)
	if err != nil || got.StatusCode != 200 || got.body != "CONTENT" || got.x.MutualVerified {
		t.Errorf("got %+v, %v", got, err)
	}
}

func parityRequired500(t *testing.T) {
	got, err := parityMutual(t, &negotiate.Transport{Mutual: negotiate.MutualRequired}, 500, noProof)
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != 500 || got.Status != "500 Internal Server Error" || got.Request.URL.Path != "/page" {
		t.Errorf("got %q of %v, want status and URL of the response", got.Status, got.Request.URL)
	}
	if got.body != "" || got.Header.Get("X-Extra") != "" || len(got.Cookies()) != 0 || !got.x.Sanitized {
		t.Errorf("got %q with %v, want nothing of the sender's", got.body, got.Header)
	}
	got, err = parityMutual(t, &negotiate.Transport{Mutual: negotiate.MutualRequired, KeepUnverifiedErrors: true}, 500, noProof)
	if err != nil || got.body != "CONTENT" || got.Header.Get("X-Extra") != "1" || got.x.Sanitized {
		t.Errorf("with KeepUnverifiedErrors: got %q with %v, %v", got.body, got.Header, err)
	}
}

func parityOptional500(t *testing.T) {
	got, err := parityMutual(t, &negotiate.Transport{Mutual: negotiate.MutualOptional}, 500, noProof)
	if err != nil || got.StatusCode != 500 || got.body != "CONTENT" || len(got.Cookies()) != 1 || got.x.Sanitized {
		t.Errorf("got %+v, %v", got, err)
	}
}

func parityResponse401(t *testing.T) {
	w := newWorld(t)
	_, s := w.asking()
	for _, m := range []negotiate.Mutual{negotiate.MutualDisabled, negotiate.MutualOptional, negotiate.MutualRequired} {
		s.reset()
		got := w.get(w.client(&negotiate.Transport{Mutual: m}), s.url)
		if got.StatusCode != 200 || got.body != "content" || s.shape() != "401 200+" || len(got.x.History) != 1 {
			t.Errorf("%s: got %d %q, the server saw %s", m, got.StatusCode, got.body, s.shape())
		}
	}
}

func parityRejected(t *testing.T) {
	w := newWorld(t)
	for header, want := range map[string]string{"": "401 401+", "Negotiate": "401 401+ 401+"} {
		s := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				rw.Header().Set("WWW-Authenticate", "Negotiate")
			} else if header != "" {
				rw.Header().Set("WWW-Authenticate", header)
			}
			rw.WriteHeader(http.StatusUnauthorized)
		}))
		got := w.get(w.client(&negotiate.Transport{}), s.url)
		if got.StatusCode != 401 || s.shape() != want || stageOf(got.x.Err) != negotiate.StageRejected {
			t.Errorf("%q: got %d, %v, the server saw %s, want %s", header, got.StatusCode, got.x.Err, s.shape(), want)
		}
	}
}

// parityTarget checks for which service the server got a ticket.
func parityTarget(t *testing.T, target negotiate.TargetFunc, want string) {
	w := newWorld(t)
	w.AddService(want)
	p := &peer{acceptor: w.acceptor(want), answer: prove}
	s := w.serve(p)
	got := w.get(w.client(&negotiate.Transport{Target: target}), s.url)
	if acceptor := p.accepted().Acceptor; got.StatusCode != 200 || acceptor != gss.Principal(want+"@KRB.TEST") {
		t.Errorf("got %d, a token for %v, %v", got.StatusCode, acceptor, got.x.Err)
	}
}

func parityCustomService(t *testing.T) {
	parityTarget(t, negotiate.ServiceTarget("barfoo"), "barfoo/www.example.org")
}

func parityHostname(t *testing.T) {
	parityTarget(t, negotiate.HostTarget("otherhost.otherdomain.org"), "HTTP/otherhost.otherdomain.org")
}

func parityTargetName(t *testing.T) {
	name, err := gss.ParseName("HTTP@otherhost.otherdomain.org")
	if err != nil {
		t.Fatal(err)
	}
	parityTarget(t, negotiate.FixedTarget(name), "HTTP/otherhost.otherdomain.org")
}

func parityDelegation(t *testing.T) {
	w := newWorld(t)
	delegated := ""
	s := w.serve(w.handler(func(rw http.ResponseWriter, r *http.Request) {
		if id, _ := negotiate.IdentityFrom(r.Context()); id.Delegated != nil {
			delegated = id.Delegated.Name().String()
		}
	}))
	got := w.get(w.client(&negotiate.Transport{Delegation: negotiate.DelegateAlways}), s.url)
	if got.StatusCode != 200 || delegated != alice || !got.x.Delegated || len(got.x.History) != 1 {
		t.Errorf("got %d, the server has a credential of %q, %+v", got.StatusCode, delegated, got.x)
	}
}

// parityAs acquires a credential of the provider and checks who the server takes
// the client for.
func parityAs(t *testing.T, acquire func(*world, *krb5.Provider) (gss.Credential, error), want string) {
	w := newWorld(t)
	s := w.serve(w.handler(greet))
	p := w.user("alice")
	cred, err := acquire(w, p)
	if err != nil {
		t.Fatal(err)
	}
	defer cred.Close()
	w.secrets.note(cred)
	got := w.get(w.client(&negotiate.Transport{Provider: p, Credential: cred}), s.url)
	if got.body != "hello "+want {
		t.Errorf("got %d %q, %v; want %s", got.StatusCode, got.body, got.x.Err, want)
	}
}

func parityPrincipal(t *testing.T) {
	parityAs(t, func(w *world, p *krb5.Provider) (gss.Credential, error) {
		return p.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(bob), CCache: "FILE:" + w.cacheOf("bob")})
	}, bob)
}

func parityCreds(t *testing.T) {
	parityAs(t, func(w *world, p *krb5.Provider) (gss.Credential, error) { return p.FromPassword("bob", bobPassword) }, bob)
}

func parityOpportunistic(t *testing.T) {
	w := newWorld(t)
	s := w.serve(w.handler(greet))
	got := w.get(w.client(&negotiate.Transport{Opportunistic: negotiate.OpportunisticAlways, Mutual: negotiate.MutualRequired}), s.url)
	if got.body != "hello "+alice || s.shape() != "200+" || !got.x.Opportunistic || !got.x.MutualVerified {
		t.Errorf("got %q, %+v, the server saw %s", got.body, got.x, s.shape())
	}
}

func parityMech(t *testing.T) {
	w := newWorld(t)
	_, s := w.asking()
	fake := gsstest.New(gsstest.Options{})
	w.get(w.client(&negotiate.Transport{Provider: fake, Mechanism: "fake mech"}), s.url)
	if o := fake.Initiations(); len(o) == 0 || o[0].Mechanism != "fake mech" {
		t.Errorf("the provider was asked for %+v", o)
	}
	// The mechanism without SPNEGO around it, for a server that knows no other.
	p, s := w.asking()
	got := w.get(w.client(&negotiate.Transport{Mechanism: gss.MechKRB5, Mutual: negotiate.MutualRequired}), s.url)
	kind, mech := spnego.Sniff(s.requests()[1].token)
	if got.StatusCode != 200 || kind != spnego.KindMech || mech != gss.MechKRB5 || p.accepted().Mechanism != gss.MechKRB5 {
		t.Errorf("got %d, a token of %s %s", got.StatusCode, kind, mech.Describe())
	}
}
