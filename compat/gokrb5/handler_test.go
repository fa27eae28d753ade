package spnego

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jcmturner/goidentity/v6"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/service"
	gokrb5 "github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// TestHandlerProvesItself has a client that insists on the server's proof, which
// the original does not give.
func TestHandlerProvesItself(t *testing.T) {
	kdc := newRealm(t)
	s := oldSite(t, loadKeytab(t, kdc, spn))
	c := newClient(t, kdc.Provider("alice"))
	for range 3 {
		resp, body := do(t, c, http.MethodGet, s.URL, "")
		if ex, _ := negotiate.ExchangeFrom(resp); body != helloAlice || !ex.MutualVerified {
			t.Errorf("the server says %q, its proof is verified: %t; want %q, true", body, ex.MutualVerified, helloAlice)
		}
	}
}

func TestHandlerWithOriginalClient(t *testing.T) {
	kdc := newRealm(t)
	s := oldSite(t, loadKeytab(t, kdc, spn))
	original := gokrb5.NewClient(clientOf(t, kdc, "alice"), nil, spn)
	for range 3 {
		resp, err := original.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if body := text(t, resp); body != helloAlice {
			t.Errorf("the server says %d %q, want %q", resp.StatusCode, body, helloAlice)
		}
	}
}

// TestHandlerIdentity looks at all that old code may ask of the client.
func TestHandlerIdentity(t *testing.T) {
	kdc := newRealm(t)
	var got *credentials.Credentials
	var ours *negotiate.Identity
	var authorization string
	s := httptest.NewServer(SPNEGOKRB5Authenticate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = goidentity.FromHTTPRequestContext(r).(*credentials.Credentials)
		ours, _ = negotiate.IdentityFrom(r.Context())
		authorization = r.Header.Get("Authorization")
	}), loadKeytab(t, kdc, spn), service.Logger(discardLogger)))
	defer s.Close()
	do(t, newClient(t, kdc.Provider("alice")), http.MethodGet, s.URL, "")
	if got == nil {
		t.Fatal("there is no identity")
	}
	if got.UserName() != "alice" || got.Domain() != "KRB.TEST" || got.DisplayName() != "alice" || !got.Authenticated() || !got.Human() || got.SessionID() == "" {
		t.Errorf("the identity is %s@%s, %q, authenticated %t", got.UserName(), got.Domain(), got.DisplayName(), got.Authenticated())
	}
	if name := got.CName().PrincipalNameString(); name != "alice" {
		t.Errorf("the principal is %q, want alice", name)
	}
	if since := time.Since(got.AuthTime()); since < 0 || since > time.Minute {
		t.Errorf("it was authenticated at %v", got.AuthTime())
	}
	if got.Expired() || ours == nil || !got.ValidUntil().Equal(ours.Expires) {
		t.Errorf("it is valid until %v; want the ticket's end", got.ValidUntil())
	}
	if authorization != "" {
		t.Error("the handler sees the token")
	}
}

// TestHandlerRefuses has requests that authenticate nobody.
func TestHandlerRefuses(t *testing.T) {
	kdc := newRealm(t)
	s := oldSite(t, loadKeytab(t, kdc, spn))
	other := newRealm(t)
	cl := clientOf(t, other, "alice")
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err := SetSPNEGOHeader(cl, req, spn); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"no token":                  "",
		"another scheme":            "Basic YWxpY2U6c2VjcmV0",
		"no base64":                 "Negotiate !",
		"garbage":                   "Negotiate " + base64.StdEncoding.EncodeToString([]byte("garbage")),
		"an empty list of mechs":    "Negotiate " + base64.StdEncoding.EncodeToString([]byte("\x60\x10\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x06\x30\x04\xa0\x02\x30\x00")),
		"no list of mechs":          "Negotiate " + base64.StdEncoding.EncodeToString([]byte("\x60\x0c\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x02\x30\x00")),
		"accept-completed":          "Negotiate oRQwEqADCgEAoQsGCSqGSIb3EgECAg==",
		"another realm of its name": req.Header.Get("Authorization"),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			if value != "" {
				r.Header.Set("Authorization", value)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body := text(t, resp)
			if resp.StatusCode != http.StatusUnauthorized || body != UnauthorizedMsg || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Negotiate") {
				t.Errorf("status %d, %q, WWW-Authenticate %q; want 401, %q and a challenge", resp.StatusCode, body, resp.Header.Get("WWW-Authenticate"), UnauthorizedMsg)
			}
		})
	}
}

func TestHandlerRefusesReplay(t *testing.T) {
	kdc := newRealm(t)
	s := oldSite(t, loadKeytab(t, kdc, spn))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := SetSPNEGOHeader(clientOf(t, kdc, "alice"), req, spn); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text(t, resp)
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
}

// TestHandlerRekeyed puts new keys into the keytab of a running server.
func TestHandlerRekeyed(t *testing.T) {
	kdc := newRealm(t)
	kt := loadKeytab(t, kdc, spn)
	s := oldSite(t, kt)
	check := func(want int) {
		t.Helper()
		resp, _ := do(t, newClient(t, kdc.Provider("alice")), http.MethodGet, s.URL, "")
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
	check(http.StatusOK)
	kdc.Rekey(spn, "")
	check(http.StatusUnauthorized)
	*kt = *loadKeytab(t, kdc, spn)
	check(http.StatusOK)
}

func TestHandlerWithoutKeys(t *testing.T) {
	kdc := newRealm(t)
	for name, kt := range map[string]*keytab.Keytab{"none": nil, "empty": keytab.New(), "zero": {}} {
		s := oldSite(t, kt)
		resp, _ := do(t, newClient(t, kdc.Provider("alice")), http.MethodGet, s.URL, "")
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("keytab %s: status %d, want 401", name, resp.StatusCode)
		}
	}
}

// TestHandlerKeytabWithoutVersion has a keytab that was not made by keytab.New.
func TestHandlerKeytabWithoutVersion(t *testing.T) {
	kdc := newRealm(t)
	kdc.AddPrincipal("HTTP/localhost", "known")
	kt := &keytab.Keytab{}
	const aes256 = 18
	if err := kt.AddEntry("HTTP/localhost", "KRB.TEST", "known", time.Now(), 1, aes256); err != nil {
		t.Fatal(err)
	}
	s := oldSite(t, kt)
	tr := &negotiate.Transport{Provider: kdc.Provider("alice"), Target: negotiate.HostTarget("localhost")}
	t.Cleanup(tr.CloseIdleConnections)
	if resp, body := do(t, &http.Client{Transport: tr}, http.MethodGet, s.URL, ""); body != helloAlice {
		t.Errorf("the server says %d %q, want %q", resp.StatusCode, body, helloAlice)
	}
}

func TestKeytabPrincipal(t *testing.T) {
	kdc := newRealm(t)
	kdc.AddService("account")
	kt := loadKeytab(t, kdc, "account", spn)
	// The service is an account of another name, as in Active Directory.
	renamed := loadKeytab(t, kdc, spn)
	for i := range renamed.Entries {
		renamed.Entries[i].Principal.Components = []string{"account"}
		renamed.Entries[i].Principal.NumComponents = 1
	}
	for _, tt := range []struct {
		name      string
		kt        *keytab.Keytab
		principal string
		want      int
	}{
		{"the account that the service is", renamed, "account", http.StatusOK},
		{"the service's own name", kt, spn, http.StatusOK},
		{"another account", kt, "account", http.StatusUnauthorized},
		{"nobody", kt, "nobody", http.StatusUnauthorized},
	} {
		s := oldSite(t, tt.kt, service.KeytabPrincipal(tt.principal))
		if resp, _ := do(t, newClient(t, kdc.Provider("alice")), http.MethodGet, s.URL, ""); resp.StatusCode != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, resp.StatusCode, tt.want)
		}
	}
}

func TestMaxClockSkew(t *testing.T) {
	kdc := newRealm(t, krbtest.WithSkew(time.Hour))
	for _, tt := range []struct {
		off      time.Duration
		settings []func(*service.Settings)
		want     int
	}{
		{2 * time.Minute, nil, http.StatusOK},
		{2 * time.Minute, []func(*service.Settings){service.MaxClockSkew(time.Minute)}, http.StatusUnauthorized},
		{20 * time.Minute, nil, http.StatusUnauthorized},
		{20 * time.Minute, []func(*service.Settings){service.MaxClockSkew(time.Hour)}, http.StatusOK},
	} {
		s := oldSite(t, loadKeytab(t, kdc, spn), tt.settings...)
		provider, err := krb5.New(krb5.Options{
			Config: kdc.ConfigPath(), CCache: kdc.CCache("alice"),
			Now: func() time.Time { return time.Now().Add(tt.off) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if resp, _ := do(t, newClient(t, provider), http.MethodGet, s.URL, ""); resp.StatusCode != tt.want {
			t.Errorf("a clock %v off: status %d, want %d", tt.off, resp.StatusCode, tt.want)
		}
	}
}

func TestHandlerLogger(t *testing.T) {
	kdc := newRealm(t)
	var lines bytes.Buffer
	s := oldSite(t, loadKeytab(t, kdc, spn), service.Logger(log.New(&lines, "old: ", 0)))
	do(t, newClient(t, kdc.Provider("alice")), http.MethodGet, s.URL, "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Negotiate AAAA")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.Close()
	for _, want := range []string{"alice@KRB.TEST", "refused", "deprecated"} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("the log does not mention %q:\n%s", want, &lines)
		}
	}
	for line := range strings.Lines(lines.String()) {
		if !strings.HasPrefix(line, "old: level=") {
			t.Errorf("a line of the log is %q", line)
		}
	}
	if n := strings.Count(lines.String(), "deprecated"); n != 1 {
		t.Errorf("the deprecation is logged %d times, want once", n)
	}
}

func TestDeprecationIsLoggedOnce(t *testing.T) {
	kdc := newRealm(t)
	s := newSite(t, kdc, hello)
	var logs bytes.Buffer
	former := slog.Default()
	t.Cleanup(func() { slog.SetDefault(former) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&logs, nil)))
	for range 2 {
		c := NewClient(clientOf(t, kdc, "alice"), nil, "")
		for range 3 {
			do(t, c, http.MethodGet, s.URL, "")
		}
		c.CloseIdleConnections()
	}
	if n := strings.Count(logs.String(), "deprecated"); n != 2 {
		t.Errorf("%d records; want one for each of two values:\n%s", n, &logs)
	}
	if !strings.Contains(logs.String(), "negotiate.Transport") {
		t.Errorf("the record does not say what to write instead:\n%s", &logs)
	}
}

// TestDeprecatedFunctions calls each twice, and each half of a mechanism.
func TestDeprecatedFunctions(t *testing.T) {
	kdc := newRealm(t)
	cl := clientOf(t, kdc, "alice")
	kt := loadKeytab(t, kdc, spn)
	tkt, key, err := cl.GetServiceTicket(spn)
	if err != nil {
		t.Fatal(err)
	}
	login, initiator, acceptor := SPNEGOClient(cl, spn), SPNEGOClient(cl, spn), SPNEGOService(kt)
	former := slog.Default()
	t.Cleanup(func() { slog.SetDefault(former) })
	for name, tt := range map[string]struct {
		use     func() error
		instead string
	}{
		"SetSPNEGOHeader": {func() error {
			return SetSPNEGOHeader(cl, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", nil), spn)
		}, "negotiate.Transport"},
		"UnmarshalNegToken": {func() error {
			UnmarshalNegToken(nil)
			return nil
		}, "gss.SecContext"},
		"NewNegTokenInitKRB5": {func() error {
			_, err := NewNegTokenInitKRB5(cl, tkt, key)
			return err
		}, "Initiate of a gss.Provider"},
		"NewKRB5TokenAPREQ": {func() error {
			_, err := NewKRB5TokenAPREQ(cl, tkt, key, nil, nil)
			return err
		}, "Initiate of a gss.Provider"},
		"SPNEGO.AcquireCred": {login.AcquireCred, "a gss.Provider"},
		"SPNEGO.InitSecContext": {func() error {
			_, err := initiator.InitSecContext()
			return err
		}, "a gss.Provider"},
		"SPNEGO.AcceptSecContext": {func() error {
			acceptor.AcceptSecContext(&SPNEGOToken{})
			return nil
		}, "a gss.Provider"},
	} {
		t.Run(name, func(t *testing.T) {
			notices = functionNotices{} // other tests have called the functions too
			var logs bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&logs, nil)))
			for range 2 {
				if err := tt.use(); err != nil {
					t.Fatal(err)
				}
			}
			about, _, _ := strings.Cut(name, ".")
			if n := strings.Count(logs.String(), "deprecated"); n != 1 || !strings.Contains(logs.String(), about) || !strings.Contains(logs.String(), tt.instead) {
				t.Errorf("%d records; want one about %s that says to use %s:\n%s", n, about, tt.instead, &logs)
			}
		})
	}
}

// sessions are kept by a cookie's value, as a program's session manager does.
type sessions struct {
	mu     sync.Mutex
	values map[string][]byte
	fails  bool
}

const sessionCookie = "session"

func (m *sessions) New(w http.ResponseWriter, _ *http.Request, k string, v []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return io.ErrClosedPipe
	}
	id := fmt.Sprint(len(m.values))
	m.values[id+k] = v
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: id})
	return nil
}

func (m *sessions) Get(r *http.Request, k string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, err
	}
	return m.values[c.Value+k], nil
}

func TestSessionManager(t *testing.T) {
	kdc := newRealm(t)
	m := &sessions{values: map[string][]byte{}}
	s := oldSite(t, loadKeytab(t, kdc, spn), service.SessionManager(m))
	c := newClient(t, kdc.Provider("alice"))
	resp, body := do(t, c, http.MethodGet, s.URL, "")
	if body != helloAlice || len(resp.Cookies()) != 1 || len(m.values) != 1 {
		t.Fatalf("the server says %q with cookies %v; want alice's and a session", body, resp.Cookies())
	}
	ask := func(id string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: sessionCookie, Value: id})
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, text(t, resp)
	}
	if status, body := ask("0"); body != helloAlice {
		t.Errorf("in the session the server says %d %q, want %q", status, body, helloAlice)
	}
	stored := func(change func(*credentials.Credentials)) []byte {
		creds := credentials.New("alice", "KRB.TEST")
		creds.SetAuthenticated(true)
		creds.SetValidUntil(time.Now().Add(time.Hour))
		change(creds)
		b, err := creds.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, content := range map[string][]byte{
		"of a ticket that has ended": stored(func(c *credentials.Credentials) { c.SetValidUntil(time.Now().Add(-time.Second)) }),
		"without an end":             stored(func(c *credentials.Credentials) { c.SetValidUntil(time.Time{}) }),
		"of nobody authenticated":    stored(func(c *credentials.Credentials) { c.SetAuthenticated(false) }),
		"of nobody":                  stored(func(c *credentials.Credentials) { c.SetUserName("") }),
		"malformed":                  []byte("garbage"),
		"empty":                      {},
	} {
		m.values["x"+sessionCredentials] = content
		if status, _ := ask("x"); status != http.StatusUnauthorized {
			t.Errorf("a session %s: status %d, want 401", name, status)
		}
	}
	m.values["x"+sessionCredentials] = stored(func(*credentials.Credentials) {})
	if status, body := ask("x"); body != helloAlice {
		t.Errorf("a session of the original: %d %q, want %q", status, body, helloAlice)
	}
	m.fails = true
	tr := &negotiate.Transport{Provider: kdc.Provider("alice")}
	t.Cleanup(tr.CloseIdleConnections)
	if resp, _ := do(t, &http.Client{Transport: tr}, http.MethodGet, s.URL, ""); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("a session that cannot be made: status %d, want 500", resp.StatusCode)
	}
}

// TestHandlerMisconfigured has a krb5.conf that cannot be read when the server
// starts.
func TestHandlerMisconfigured(t *testing.T) {
	kdc := newRealm(t)
	broken := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(broken, []byte("[libdefaults\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KRB5_CONFIG", broken)
	s := oldSite(t, loadKeytab(t, kdc, spn))
	client := newClient(t, kdc.Provider("alice"))
	if resp, _ := do(t, client, http.MethodGet, s.URL, ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", resp.StatusCode)
	}
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	if resp, body := do(t, client, http.MethodGet, s.URL, ""); body != helloAlice {
		t.Errorf("once it can be read: %d %q, want %q", resp.StatusCode, body, helloAlice)
	}
}

func TestHandlerRawToken(t *testing.T) {
	kdc := newRealm(t)
	s := oldSite(t, loadKeytab(t, kdc, spn))
	tr := &negotiate.Transport{Provider: kdc.Provider("alice"), Mechanism: gss.MechKRB5, Mutual: negotiate.MutualRequired}
	t.Cleanup(tr.CloseIdleConnections)
	if resp, body := do(t, &http.Client{Transport: tr}, http.MethodGet, s.URL, ""); body != helloAlice {
		t.Errorf("a krb5 token without SPNEGO around it: %d %q, want %q", resp.StatusCode, body, helloAlice)
	}
}
