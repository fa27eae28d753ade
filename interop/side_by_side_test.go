//go:build interop

package interop_test

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

//go:embed side_by_side.py
var sideBySideScript string

// sideCase is something to do with both clients. The fields with capitals are the
// script's.
type sideCase struct {
	name string
	// URL is the path with a query, of Apache or, with proxy, of somebody between
	// the client and Apache; see middleman.
	URL    string
	proxy  bool
	tls    bool
	Method string
	Body   string
	// BodyKind is "" for a text, "file" for what can be rewound and "stream" for
	// what can be read once and has no length.
	BodyKind string
	Times    int // of the same request; the last one counts

	Mutual     string // requests-kerberos' default is "required"
	Preemptive bool
	Delegate   bool
	Keep       bool // sanitize_mutual_error_response=False
	Service    string
	Host       string // hostname_override
	Principal  string
	CCache     string // a key of sideCaches; then the name
	CA         string

	want outcome // of ours, without the body
	// python is what requests-kerberos does instead, and why the row of the page
	// that explains it.
	python *outcome
	why    string
}

// outcome is what a caller gets.
type outcome struct {
	Status    int
	User      string // as Apache has authenticated it
	Body      string
	Error     string // the class of the exception
	Sanitized bool
	Delegated bool
	Cookies   int // in the jar, afterwards
}

const mutualError = "MutualAuthenticationError"

var (
	asAlice     = outcome{Status: 200, User: alice}
	asNobody    = outcome{Status: 200}
	notAlice    = outcome{Status: 401}
	unprovable  = outcome{Error: mutualError}
	emptied404  = outcome{Status: 404, Sanitized: true}
	exchangeErr = outcome{Error: "KerberosExchangeError"}
	noTickets   = outcome{Error: "Acquire: no usable credential"}
)

const text = "0123456789abcdef0123456789abcdef"

// sideCases are what is compared.
func sideCases() []sideCase {
	var cases []sideCase
	for _, mode := range []string{"disabled", "optional", "required"} {
		for _, preemptive := range []bool{false, true} {
			add := func(c sideCase) {
				c.name = fmt.Sprintf("%s, %s, preemptive=%t", c.name, mode, preemptive)
				c.Mutual, c.Preemptive = mode, preemptive
				cases = append(cases, c)
			}
			add(sideCase{name: "page", URL: "/", want: asAlice})
			add(sideCase{name: "page over TLS", URL: "/", tls: true, want: asAlice})
			add(sideCase{name: "HEAD", URL: "/", Method: "HEAD", want: asAlice})
			add(sideCase{name: "404", URL: interop.PathMissing, want: outcome{Status: 404, User: alice}})
			add(sideCase{name: "forbidden", URL: interop.PathForbidden, want: outcome{Status: 401, User: alice}})
			add(sideCase{name: "upload", URL: interop.PathUpload, Method: "POST", Body: text, want: asAlice})
			add(sideCase{name: "upload of a file", URL: interop.PathUpload, Method: "PUT", Body: text, BodyKind: "file", want: asAlice})
			add(sideCase{name: "delegation", URL: interop.PathDelegated, Delegate: true, want: outcome{Status: 200, User: alice, Delegated: true}})
			add(sideCase{name: "two pages", URL: "/", Times: 2, want: asAlice})
			add(sideCase{name: "two pages on a bound connection", URL: interop.PathBound, Times: 2, want: asAlice})
			add(sideCase{name: "two pages of a session", URL: interop.PathSession, Times: 2, want: outcome{Status: 200, User: alice, Cookies: 1}})
			add(sideCase{name: "redirect", URL: "/?redirect=/%3Fend", proxy: true, want: asAlice,
				python: &notAlice, why: "Redirect within a server"})
			add(sideCase{name: "cookie", URL: "/?cookie=1", proxy: true, want: outcome{Status: 200, User: alice, Cookies: 1}})

			open := asNobody
			if mode == "required" {
				open = unprovable
			}
			add(sideCase{name: "a page that is open to all", URL: interop.PathAnonymous, want: open})

			stream := sideCase{name: "streamed upload", URL: interop.PathUpload, Method: "POST", Body: text, BodyKind: "stream", want: asAlice}
			if !preemptive {
				stream.python, stream.why = &asAlice, "A body that can be read once"
			}
			add(stream)

			for _, alter := range []string{"none", "altered", "garbage", "accept-completed"} {
				page, missing := asAlice, outcome{Status: 404, User: alice}
				switch {
				case mode == "disabled":
				case alter != "none":
					page, missing = unprovable, unprovable
				case mode == "required":
					page, missing = unprovable, emptied404
				}
				add(sideCase{name: "proof " + alter, URL: "/?alter=" + alter, proxy: true, want: page})
				add(sideCase{name: "proof " + alter + " of a 404", URL: interop.PathMissing + "?alter=" + alter, proxy: true, want: missing})
				if mode == "required" && alter == "none" {
					add(sideCase{name: "proof " + alter + " of a 404, kept", URL: interop.PathMissing + "?alter=" + alter, Keep: true, proxy: true, want: outcome{Status: 404, User: alice}})
					leak := sideCase{name: "cookie of a sanitised 404", URL: interop.PathMissing + "?cookie=1&alter=" + alter, proxy: true, want: emptied404}
					leak.python, leak.why = &outcome{Status: 404, Sanitized: true, Cookies: 1}, "Cookies of a sanitised response"
					add(leak)
				}
			}

			if !preemptive {
				refusal := sideCase{name: "cookie of a 401", URL: "/?cookie401=1", proxy: true, Host: "nobody.bed.test", want: outcome{Status: 401, Cookies: 1}}
				if mode == "required" {
					refusal.want, refusal.python, refusal.why = notAlice, &outcome{Status: 401, Cookies: 1}, "Cookies of a 401, with `REQUIRED`"
				}
				add(refusal)
			}

			failures := []sideCase{
				{name: "wrong hostname_override", URL: "/", Host: "nobody.bed.test", want: notAlice},
				{name: "wrong service", URL: "/", Service: "nosuchservice", want: notAlice},
				{name: "no ticket", URL: "/", CCache: "none", want: notAlice},
				{name: "expired ticket", URL: "/", CCache: "expired", want: notAlice},
			}
			for _, c := range failures {
				if preemptive {
					c.python, c.why = &exchangeErr, "Preemptive token that cannot be made"
				}
				add(c)
			}
			nobody := sideCase{name: "principal without tickets", URL: "/", CCache: "collection", Principal: "carol@BED.TEST", want: noTickets}
			nobody.python, nobody.why = &notAlice, "Principal without tickets"
			if preemptive {
				nobody.python = &exchangeErr
			}
			add(nobody)
			add(sideCase{name: "principal", URL: "/", CCache: "collection", Principal: "bob@BED.TEST", want: outcome{Status: 200, User: "bob@BED.TEST"}})
			add(sideCase{name: "primary", URL: "/", CCache: "collection", want: asAlice})
			add(sideCase{name: "hostname_override", URL: "/", proxy: true, want: asAlice})

			second := sideCase{name: "second proof none", URL: "/?alter=none&from=2", proxy: true, Times: 2, want: asAlice}
			if mode == "required" {
				second.want, second.python, second.why = unprovable, &asAlice, "Responses after the first"
			}
			add(second)
		}
	}
	return cases
}

// TestSideBySide does the same with Debian's requests-kerberos and with a
// Transport, against the same Apache. Both get the same, or the migration page
// says why not.
func TestSideBySide(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	caches := sideCaches(t, bed)
	cases := sideCases()
	proxies := [2]string{middleman(t, bed.Apache), middleman(t, bed.Apache)} // each counts for one client
	ours := make([]outcome, len(cases))
	python := make([]sideCase, len(cases))
	for i := range cases {
		c := &cases[i]
		c.Method, c.CCache, c.Times = cmp.Or(c.Method, "GET"), caches[cmp.Or(c.CCache, "alice")], max(c.Times, 1)
		c.CA = bed.Apache.Certificate.CA
		path := c.URL + map[bool]string{true: "&", false: "?"}[strings.Contains(c.URL, "?")] + fmt.Sprintf("case=%d", i)
		if c.proxy {
			c.Host = cmp.Or(c.Host, bed.Apache.Host)
		}
		python[i] = *c
		python[i].URL = sideURL(bed.Apache, proxies[0], c) + path
		c.URL = sideURL(bed.Apache, proxies[1], c) + path
		ours[i] = runCase(t, bed, c)
	}
	theirs := runPython(t, bed, python)
	page, err := os.ReadFile("../docs/migration/requests-gssapi.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		compare(t, &c, ours[i], theirs[i], string(page))
	}
	explained(t, cases, string(page))
}

func compare(t *testing.T, c *sideCase, ours, theirs outcome, page string) {
	t.Helper()
	bodies := [2]string{ours.Body, theirs.Body}
	ours.Body, theirs.Body = "", ""
	want := c.want
	if c.python != nil {
		want = *c.python
		if !strings.Contains(page, "| "+c.why+" |") {
			t.Errorf("%s: the page has no row %q", c.name, c.why)
		}
	}
	if ours != c.want {
		t.Errorf("%s: the Transport gave %+v, want %+v", c.name, ours, c.want)
	}
	if theirs != want {
		t.Errorf("%s: requests-kerberos gave %+v, want %+v", c.name, theirs, want)
	}
	same := c.python == nil
	switch {
	case same && bodies[0] != bodies[1]:
		t.Errorf("%s: the bodies are %q and, of requests-kerberos, %q", c.name, bodies[0], bodies[1])
	case c.Body != "":
		sum := fmt.Sprintf("%s %s %x\n", alice, c.Method, sha256.Sum256([]byte(c.Body)))
		if bodies[0] != sum || (bodies[1] == sum) != same {
			t.Errorf("%s: the server got %q and, of requests-kerberos, %q", c.name, bodies[0], bodies[1])
		}
	}
}

// explained checks that each row of the page is of a difference that was seen.
func explained(t *testing.T, cases []sideCase, page string) {
	t.Helper()
	_, table, ok := strings.Cut(page, "<!-- side by side -->\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if !ok {
		t.Fatal("the page has no table")
	}
	seen := make(map[string]bool)
	for _, c := range cases {
		seen[c.why] = true
	}
	rows := strings.Split(strings.TrimSpace(table), "\n")
	for _, row := range rows[2:] {
		if name := strings.TrimSpace(strings.Split(row, "|")[1]); !seen[name] {
			t.Errorf("the page explains %q, which no case shows", name)
		}
	}
}

// sideCaches are the credential caches by the cases' names for them.
func sideCaches(t *testing.T, bed *interop.Bed) map[string]string {
	dir := t.TempDir()
	for name, login := range map[string]interop.KinitOptions{
		"tkt1": {Principal: "alice", Password: interop.AlicePassword},
		"tkt2": {Principal: "bob", Password: interop.BobPassword},
	} {
		login.CCache = "DIR::" + filepath.Join(dir, name)
		bed.KDC.Kinit(t, login)
	}
	if err := os.WriteFile(filepath.Join(dir, "primary"), []byte("tkt1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"alice":      bed.Alice(t),
		"expired":    bed.KDC.ExpiredCCache(t, interop.KinitOptions{Principal: "alice", Password: interop.AlicePassword}),
		"none":       "FILE:" + filepath.Join(dir, "none"),
		"collection": "DIR:" + dir,
	}
}

func sideURL(a *interop.Apache, proxy string, c *sideCase) string {
	switch {
	case c.proxy:
		return proxy
	case c.tls:
		return a.HTTPS
	}
	return a.HTTP
}

func runPython(t *testing.T, bed *interop.Bed, cases []sideCase) []outcome {
	t.Helper()
	b, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var out []outcome
	printed := interop.Python(t, bed.KDC.Env(""), sideBySideScript, string(b))
	if err := json.Unmarshal([]byte(printed), &out); err != nil || len(out) != len(cases) {
		t.Fatalf("%d outcomes of %d cases, %v", len(out), len(cases), err)
	}
	return out
}

// runCase does a case with a Transport.
func runCase(t *testing.T, bed *interop.Bed, c *sideCase) outcome {
	t.Helper()
	tr, err := c.transport(t, bed)
	if errors.Is(err, gss.ErrNoCred) {
		return noTickets
	}
	if err != nil {
		t.Fatal(err)
	}
	defer tr.CloseIdleConnections()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: tr, Jar: jar}
	var o outcome
	for range c.Times {
		o = c.do(t, client)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	o.Cookies = len(jar.Cookies(u))
	return o
}

// transport is the Transport that stands for HTTPKerberosAuth with the case's
// options.
func (c *sideCase) transport(t *testing.T, bed *interop.Bed) (*negotiate.Transport, error) {
	provider, err := krb5.New(krb5.Options{Config: bed.KDC.Config, CCache: c.CCache})
	if err != nil {
		return nil, err
	}
	tr := &negotiate.Transport{
		Base:                 bed.Apache.Transport(),
		Provider:             provider,
		Mutual:               map[string]negotiate.Mutual{"disabled": negotiate.MutualDisabled, "optional": negotiate.MutualOptional, "required": negotiate.MutualRequired}[c.Mutual],
		KeepUnverifiedErrors: c.Keep,
	}
	if c.Preemptive {
		tr.Opportunistic = negotiate.OpportunisticAlways
	}
	if c.Delegate {
		tr.Delegation = negotiate.DelegateAlways
	}
	switch {
	case c.Host != "":
		tr.Target = negotiate.FixedTarget(gss.HostBased(cmp.Or(c.Service, "HTTP"), c.Host))
	case c.Service != "":
		tr.Target = negotiate.ServiceTarget(c.Service)
	}
	if c.Principal != "" {
		cred, err := provider.Acquire(t.Context(), gss.CredentialOptions{Name: gss.User(c.Principal)})
		if err != nil {
			return nil, err
		}
		tr.Credential = cred
	}
	return tr, nil
}

func (c *sideCase) do(t *testing.T, client *http.Client) outcome {
	t.Helper()
	var body io.Reader
	switch c.BodyKind {
	case "file":
		body = io.NopCloser(strings.NewReader(c.Body))
	case "stream":
		body = io.MultiReader(strings.NewReader(c.Body))
	default:
		body = strings.NewReader(c.Body)
	}
	if c.Body == "" {
		body = nil
	}
	req, err := http.NewRequestWithContext(t.Context(), c.Method, c.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	if c.BodyKind == "file" {
		req.ContentLength = int64(len(c.Body))
	}
	resp, err := client.Do(req)
	if _, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); ok {
		return outcome{Error: mutualError}
	}
	if err != nil {
		return outcome{Error: err.Error()}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
	x, _ := negotiate.ExchangeFrom(resp)
	return outcome{
		Status: resp.StatusCode, User: resp.Header.Get("X-Remote-User"), Body: string(b),
		Sanitized: x.Sanitized, Delegated: resp.Header.Get("X-Delegated-Ccache") != "",
	}
}

// middleman forwards to Apache, and does to the responses what the query says:
// alter the proof, from the nth on, redirect, set a cookie.
func middleman(t *testing.T, apache *interop.Apache) string {
	origin, err := url.Parse(apache.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	base := apache.Transport()
	t.Cleanup(base.CloseIdleConnections)
	var mu sync.Mutex
	proofs := make(map[string]int) // by case
	return serve(t, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(origin) },
		Transport: base,
		ModifyResponse: func(resp *http.Response) error {
			q := resp.Request.URL.Query()
			if q.Has("cookie401") && resp.StatusCode == http.StatusUnauthorized {
				resp.Header.Set("Set-Cookie", "c=v; path=/")
			}
			_, text, ok := strings.Cut(resp.Header.Get("WWW-Authenticate"), " ")
			if !ok {
				return nil // not yet authenticated
			}
			token, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return err
			}
			mu.Lock()
			proofs[q.Get("case")]++
			n := proofs[q.Get("case")]
			mu.Unlock()
			from := 1
			fmt.Sscan(q.Get("from"), &from)
			if n >= from && q.Has("alter") {
				alterProof(resp.Header, q.Get("alter"), token)
			}
			if q.Has("cookie") {
				resp.Header.Set("Set-Cookie", "c=v; path=/")
			}
			if q.Has("redirect") {
				resp.StatusCode = http.StatusFound
				resp.Header.Set("Location", q.Get("redirect"))
			}
			return nil
		},
	})
}

func alterProof(h http.Header, how string, token []byte) {
	switch how {
	case "none":
		h.Del("WWW-Authenticate")
		return
	case "altered":
		token[len(token)-1] ^= 1
	case "garbage":
		token = []byte("garbage")
	case "accept-completed":
		token = []byte{0xa1, 7, 0x30, 5, 0xa0, 3, 0x0a, 1, 0}
	}
	h.Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(token))
}
