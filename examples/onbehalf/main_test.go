package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

const (
	front = "HTTP/127.0.0.1"
	back  = "HTTP/localhost"
)

func newRealm(t *testing.T) *krbtest.KDC {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddPrincipal("bob", "")
	kdc.AddService(front)
	kdc.AddService(back)
	return kdc
}

// newBackEnd starts one that tells who has called it, and how. It returns its
// URL, which has another host than the front end's.
func newBackEnd(t *testing.T, kdc *krbtest.KDC) *url.URL {
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor(back),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "%s %s %s %q", id.Principal, r.Method, r.URL.Path, body)
		}),
	})
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = "localhost:" + u.Port()
	return u
}

// newFrontEnd returns the service's URL. Its provider has a credential of its
// own, as that of a service may, which is never to be used.
func newFrontEnd(t *testing.T, kdc *krbtest.KDC, backend *url.URL) (address string, logs *bytes.Buffer) {
	provider, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: kdc.Keytab(front), CCache: kdc.CCache("bob")})
	if err != nil {
		t.Fatal(err)
	}
	logs = &bytes.Buffer{}
	s := newService(provider, backend, slog.New(slog.NewTextHandler(logs, nil)))
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	t.Cleanup(s.onward.CloseIdleConnections)
	return server.URL, logs
}

// newClient returns a user's client.
func newClient(t *testing.T, kdc *krbtest.KDC, user string, d negotiate.Delegation) *http.Client {
	transport := &negotiate.Transport{Provider: kdc.Provider(user), Mutual: negotiate.MutualRequired, Delegation: d}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func post(t *testing.T, client *http.Client, address, body string) (status int, answer string) {
	resp, err := client.Post(address, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestBackEndSeesTheUser(t *testing.T) {
	kdc := newRealm(t)
	address, _ := newFrontEnd(t, kdc, newBackEnd(t, kdc))
	clients := map[string]*http.Client{}
	for _, user := range []string{"alice", "bob"} {
		clients[user] = newClient(t, kdc, user, negotiate.DelegateAlways)
	}
	var all sync.WaitGroup
	for user, client := range clients {
		for i := range 10 {
			all.Go(func() {
				body := fmt.Sprintf("%s %d", user, i)
				want := fmt.Sprintf("%s@KRB.TEST POST /reports %q", user, body)
				if status, answer := post(t, client, address+"/reports", body); status != 200 || answer != want {
					t.Errorf("got %d %s, want %s", status, answer, want)
				}
			})
		}
	}
	all.Wait()
}

// TestProofIsOurs has the client see the proof of identity of the server that it
// talks to, and not also the back end's.
func TestProofIsOurs(t *testing.T) {
	kdc := newRealm(t)
	address, _ := newFrontEnd(t, kdc, newBackEnd(t, kdc))
	resp, err := newClient(t, kdc, "alice", negotiate.DelegateAlways).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if proofs := resp.Header.Values("WWW-Authenticate"); resp.StatusCode != 200 || len(proofs) != 1 {
		t.Errorf("got %s with %d proofs, want 200 with one", resp.Status, len(proofs))
	}
}

// TestWithoutDelegation is the mistake that would make every user the service.
func TestWithoutDelegation(t *testing.T) {
	kdc := newRealm(t)
	address, _ := newFrontEnd(t, kdc, newBackEnd(t, kdc))
	status, answer := post(t, newClient(t, kdc, "alice", negotiate.DelegateNever), address, "")
	if status != http.StatusForbidden || !strings.Contains(answer, "kinit -f") {
		t.Errorf("got %d %s", status, answer)
	}
}

func TestBackEndRefuses(t *testing.T) {
	kdc := newRealm(t)
	backend := newBackEnd(t, kdc)
	kdc.Rekey(back, "") // and its keytab has the old key
	address, logs := newFrontEnd(t, kdc, backend)
	status, _ := post(t, newClient(t, kdc, "alice", negotiate.DelegateAlways), address, "")
	if status != http.StatusBadGateway {
		t.Errorf("got %d", status)
	}
	if l := logs.String(); !strings.Contains(l, "user=alice@KRB.TEST") || !strings.Contains(l, "KRB_AP_ERR_") {
		t.Errorf("logged %s", l)
	}
}

// TestRun starts and stops the service as main does.
func TestRun(t *testing.T) {
	kdc := newRealm(t)
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	t.Setenv("KRB5_KTNAME", kdc.Keytab(front))
	backend := newBackEnd(t, kdc).String()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-listen", "127.0.0.1:0", "-backend", backend}, w) }()
	logs := bufio.NewReader(r)
	line, err := logs.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, logs)
	found := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("the log begins with %s", line)
	}
	status, answer := post(t, newClient(t, kdc, "alice", negotiate.DelegateAlways), "http://"+found[1]+"/", "")
	if status != 200 || !strings.HasPrefix(answer, "alice@KRB.TEST ") {
		t.Errorf("got %d %s", status, answer)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	w.Close()
}

func TestNoKeytab(t *testing.T) {
	kdc := newRealm(t)
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	t.Setenv("KRB5_KTNAME", "FILE:"+t.TempDir()+"/none")
	err := run(t.Context(), []string{"-backend", "http://h"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "there is no keytab") {
		t.Errorf("got %v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-backend", "h"}, {"-backend", "http://h", "x"}, {"-backend", "http://h", "-cert", "f"}} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), "usage: ") {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

// TestConstrainedDelegation has users who delegate nothing, and a realm that lets
// the front end go to this back end.
func TestConstrainedDelegation(t *testing.T) {
	kdc := newRealm(t)
	kdc.Change(front, krbtest.DelegateTo(back))
	keytab := kdc.Keytab(front)
	provider, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: keytab, CCache: kdc.CCache("bob")})
	if err != nil {
		t.Fatal(err)
	}
	acceptor, err := provider.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	s := newService(provider, newBackEnd(t, kdc), slog.New(slog.DiscardHandler))
	if s.handler.Credential, err = goingOn(provider, acceptor, front, keytab); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	t.Cleanup(s.onward.CloseIdleConnections)
	for _, user := range []string{"alice", "bob", "alice"} {
		want := user + `@KRB.TEST POST /reports "x"`
		if status, answer := post(t, newClient(t, kdc, user, negotiate.DelegateNever), server.URL+"/reports", "x"); status != 200 || answer != want {
			t.Errorf("got %d %s, want %s", status, answer, want)
		}
	}
}
