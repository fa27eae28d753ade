package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"negotiate": main})
}

// TestScripts runs testdata/script on a realm with alice and a server each. The
// environment of a script is that of alice, with a ticket:
//
//	URL, TLS     the server over HTTP, and over HTTPS with HTTP/2
//	CACERT       the authority of its certificate
//	PROXY        a proxy that asks for authentication
//	UPSTREAM     a server without authentication, which echoes headers
//	KDC          the KDC's address
//	ASK_ONCE     a krb5.conf for what counts requests: nothing is asked for twice
//
// cert.pem and key.pem are a certificate that CACERT trusts.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           condition,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    exits,
			"kdc":      controlKDC,
			"ccache":   makeCCache,
			"keytab":   makeKeytab,
			"notokens": noTokens,
			"address":  address,
			"ready":    ready,
			"asked":    asked,
			"notemp":   noTemp,
		},
	})
}

// bed is what a script runs on.
type bed struct {
	kdc *krbtest.KDC
	web *webServer
}

type bedKey struct{}

// condition knows [library]: this build can load libgssapi.
func condition(name string) (bool, error) {
	if name == "library" {
		return withLibrary, nil
	}
	return false, fmt.Errorf("no condition is called %s", name)
}

func setup(env *testscript.Env) error {
	b := &bed{kdc: krbtest.Start()}
	env.Defer(b.kdc.Close)
	b.kdc.AddPrincipal("alice", "alice's password")
	b.kdc.AddService("HTTP/127.0.0.1")
	b.kdc.AddService("HTTP/web.krb.test", krbtest.OKAsDelegate())
	keytab := b.kdc.Keytab("HTTP/127.0.0.1", "HTTP/web.krb.test")
	var err error
	if b.web, err = startWeb(b.kdc, keytab); err != nil {
		return err
	}
	env.Defer(b.web.close)
	cacert := filepath.Join(env.WorkDir, "ca.pem")
	if err := os.WriteFile(cacert, b.web.authority(), 0o666); err != nil {
		return err
	}
	if err := writeServerCertificate(b.web.tls, env.WorkDir); err != nil {
		return err
	}
	env.Setenv("GORACE", "atexit_sleep_ms=10") // the race detector's second at the end of each process adds up
	env.Setenv("PROXY", b.web.proxy.URL)
	env.Setenv("UPSTREAM", b.web.upstream.URL)
	env.Setenv("URL", b.web.plain.URL)
	env.Setenv("TLS", b.web.tls.URL)
	env.Setenv("CACERT", cacert)
	env.Setenv("KDC", b.kdc.Addr())
	conf, err := os.ReadFile(b.kdc.ConfigPath())
	if err != nil {
		return err
	}
	// However slow the machine is, the KDC that does not answer is waited for.
	waiting := strings.Replace(string(conf), "[libdefaults]\n", "[libdefaults]\n\tkdc_timeout = 1h\n", 1)
	for name, text := range map[string]string{"KRB5_CONFIG": waiting, "ASK_ONCE": patience.Config(string(conf))} {
		path := filepath.Join(env.WorkDir, strings.ToLower(name)+".conf")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			return err
		}
		env.Setenv(name, path)
	}
	env.Setenv("KRB5CCNAME", b.kdc.CCache("alice"))
	env.Setenv("SERVICE_KEYTAB", keytab)
	env.Values[bedKey{}] = b
	return nil
}

func bedOf(ts *testscript.TestScript) *bed { return ts.Value(bedKey{}).(*bed) }

// exits runs a command and checks its exit status: exits 4 negotiate get URL.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status command [arguments]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// controlKDC takes the KDC down or up: kdc down|up|silent.
func controlKDC(ts *testscript.TestScript, _ bool, args []string) {
	kdc := bedOf(ts).kdc
	switch strings.Join(args, " ") {
	case "down":
		kdc.SetFault(krbtest.Refuse())
	case "silent":
		kdc.ResetRequests()
		kdc.SetFault(krbtest.Silent())
	case "up":
		kdc.SetFault(krbtest.Fault{})
	case "fails":
		kdc.SetFault(krbtest.Fail(60))
	case "rekey alice":
		kdc.Rekey("alice", "another password")
	case "rekey web":
		kdc.Rekey("HTTP/127.0.0.1", "")
	default:
		ts.Fatalf("kdc: %q", args)
	}
}

// makeCCache sets KRB5CCNAME to a new cache of alice: ccache
// fresh|expired|unforwardable|complete.
func makeCCache(ts *testscript.TestScript, _ bool, args []string) {
	options := map[string][]krbtest.TicketOption{
		"fresh":         nil,
		"expired":       {krbtest.ExpiresIn(-time.Hour)},
		"unforwardable": {krbtest.WithoutForwarding()},
		"complete":      {krbtest.WithTicket("HTTP/127.0.0.1")},
	}
	o, ok := options[strings.Join(args, " ")]
	if !ok {
		ts.Fatalf("ccache: %q", args)
	}
	ts.Setenv("KRB5CCNAME", bedOf(ts).kdc.CCache("alice", o...))
}

// makeKeytab writes a keytab: keytab file principal.
func makeKeytab(ts *testscript.TestScript, _ bool, args []string) {
	bedOf(ts).kdc.WriteKeytab(ts.MkAbs(args[0]), args[1:]...)
}

// base64Token is what a token would look like.
var base64Token = regexp.MustCompile(`[A-Za-z0-9+/]{40,}`)

// noTokens checks that neither output of the last command has a token in it.
func noTokens(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"stdout", "stderr"} {
		if found := base64Token.FindString(ts.ReadFile(name)); found != "" {
			ts.Fatalf("%s has what may be a token: %s", name, found)
		}
	}
}

// ready waits until a file exists, or with "kdc" until the KDC was asked for a
// service ticket.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "kdc" {
		await(ts, "a request for a ticket", func() bool { return bedOf(ts).kdc.Requests().TGS > 0 })
		return
	}
	await(ts, args[0], func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

var servedAt = regexp.MustCompile(` at https?://(\S+)/`)

// address waits until a file has the line in which serve says where it listens,
// and sets a variable to that: address file VARIABLE.
func address(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, "a server's address", func() bool {
		b, _ := os.ReadFile(ts.MkAbs(args[0]))
		found := servedAt.FindSubmatch(b)
		if found != nil {
			ts.Setenv(args[1], string(found[1]))
		}
		return found != nil
	})
}

// await polls, since what is waited for happens in another process.
func await(ts *testscript.TestScript, what string, done func() bool) {
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not come", what)
		}
	}
}

// asked checks how many logins and service tickets the KDC was asked for since the
// last time: asked 2 1.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	kdc := bedOf(ts).kdc
	n := kdc.Requests()
	kdc.ResetRequests()
	if got, want := fmt.Sprint(n.AS, n.Service), strings.Join(args, " "); got != want {
		ts.Fatalf("the KDC was asked %s times, want %s", got, want)
	}
}

// noTemp checks that no temporary folder is left.
func noTemp(ts *testscript.TestScript, _ bool, _ []string) {
	dir := ts.Getenv("TMPDIR")
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s has %v", dir, entries)
	}
}

// webServer is a server with pages that the client has to cope with.
type webServer struct {
	plain, tls *httptest.Server
	upstream   *httptest.Server
	proxy      *httptest.Server
}

func startWeb(kdc *krbtest.KDC, keytab string) (*webServer, error) {
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: keytab})
	if err != nil {
		return nil, err
	}
	plain, err := startServer(p, false)
	if err != nil {
		return nil, err
	}
	tls, err := startServer(p, true)
	if err != nil {
		plain.Close()
		return nil, err
	}
	return &webServer{plain, tls, httptest.NewServer(http.HandlerFunc(upstreamPages)), httptest.NewServer(askingProxy(p))}, nil
}

func startServer(p gss.Provider, withTLS bool) (*httptest.Server, error) {
	protected := &negotiate.Handler{Provider: p, Next: http.HandlerFunc(protectedPages), Logger: slog.New(slog.DiscardHandler)}
	mux := http.NewServeMux()
	mux.Handle("/", protected)
	mux.HandleFunc("/public", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "public\n") })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "not a hundred octets\n")
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begun\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/who", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/impostor", impostor("Negotiate "+base64.StdEncoding.EncodeToString([]byte("no token")), http.StatusOK))
	mux.HandleFunc("/mute", impostor("", http.StatusOK))
	mux.HandleFunc("/mute500", impostor("", http.StatusInternalServerError))
	mux.HandleFunc("/refuses", impostor("", http.StatusUnauthorized))
	mux.HandleFunc("/basic", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="a place"`)
		http.Error(w, "try a password", http.StatusUnauthorized)
	})
	srv := httptest.NewUnstartedServer(mux)
	srv.EnableHTTP2 = withTLS
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if !withTLS {
		srv.Start()
		return srv, nil
	}
	srv.StartTLS()
	return srv, nil
}

// impostor asks for a token and accepts any, without proving its identity.
func impostor(proof string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if status == http.StatusUnauthorized {
			proof = "Negotiate"
		}
		if proof != "" {
			w.Header().Set("WWW-Authenticate", proof)
		}
		w.WriteHeader(status)
		io.WriteString(w, "trust me\n")
	}
}

func protectedPages(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	switch r.URL.Path {
	case "/who":
		fmt.Fprintf(w, "You are %s.\n", id.Principal)
	case "/protected-away":
		http.Redirect(w, r, "/who", http.StatusFound)
	case "/flags":
		fmt.Fprintf(w, "flags %s, delegated %t, mechanism %s, bound %t\n", id.Flags, id.Delegated != nil, id.Mechanism.Describe(), id.ChannelBound)
	case "/echo":
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s\n", r.Method, r.Proto)
		for _, name := range []string{"Content-Type", "Accept", "Accept-Encoding", "User-Agent", "X-One"} {
			if values, ok := r.Header[name]; ok {
				fmt.Fprintf(w, "%s: %q\n", name, values)
			}
		}
		fmt.Fprintf(w, "Host: %s\nbody: %q\n", r.Host, body)
	default:
		http.Error(w, "there is no such page", http.StatusNotFound)
	}
}

func (s *webServer) authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.tls.Certificate().Raw})
}

func (s *webServer) close() {
	s.plain.Close()
	s.tls.Close()
	s.upstream.Close()
	s.proxy.Close()
}

// askingProxy wants to know who its clients are, and tells them.
func askingProxy(p gss.Provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, _ := strings.CutPrefix(r.Header.Get("Proxy-Authorization"), "Negotiate ")
		token, _ := base64.StdEncoding.DecodeString(text)
		sc, err := p.Accept(r.Context(), gss.AcceptOptions{})
		if err == nil {
			_, _, err = sc.Step(r.Context(), token)
		}
		if err != nil {
			w.Header().Set("Proxy-Authenticate", "Negotiate")
			http.Error(w, "407 Who are you?", http.StatusProxyAuthRequired)
			return
		}
		fmt.Fprintf(w, "%s, by the proxy to %s\n", sc.Info().Initiator, r.URL)
	}
}

// writeServerCertificate writes what srv identifies itself with to cert.pem and
// key.pem.
func writeServerCertificate(srv *httptest.Server, dir string) error {
	pair := srv.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600),
	)
}

// upstreamPages is the server behind negotiate serve.
func upstreamPages(w http.ResponseWriter, r *http.Request) {
	switch path.Base(r.URL.Path) {
	case "early":
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
	case "confused":
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.Header().Add("WWW-Authenticate", `Basic realm="upstream"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
	fmt.Fprintf(w, "%s %s\n", r.Method, r.URL)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
	}
}
