package negotiate_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/patience"
	"github.com/go-negotiate/negotiate/krbtest"
)

// TestZeroValues is the main job with nothing configured but the environment.
func TestZeroValues(t *testing.T) {
	negotiate.LeavesNothing(t)
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddService("HTTP/127.0.0.1")
	t.Setenv("KRB5_CONFIG", patience.ConfigFile(t, kdc.ConfigPath()))
	t.Setenv("KRB5_KTNAME", kdc.Keytab("HTTP/127.0.0.1"))
	t.Setenv("KRB5CCNAME", kdc.CCache("alice"))
	server := httptest.NewServer(&negotiate.Handler{Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := negotiate.IdentityFrom(r.Context())
		io.WriteString(w, id.Principal)
	})})
	defer server.Close()
	transport := &negotiate.Transport{Mutual: negotiate.MutualRequired}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 3 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		x, ok := negotiate.ExchangeFrom(resp)
		if !ok || !x.MutualVerified || string(body) != "alice@KRB.TEST" {
			t.Fatalf("got %s %q, %+v", resp.Status, body, x)
		}
	}
	if n := kdc.Requests().TGS; n != 1 {
		t.Errorf("three requests cost %d TGS-REQs, want 1", n)
	}
}

// TestDefaultProviderLogs has the Transport's logger tell of the tickets, too.
func TestDefaultProviderLogs(t *testing.T) {
	negotiate.LeavesNothing(t)
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddService("HTTP/127.0.0.1")
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	t.Setenv("KRB5CCNAME", kdc.CCache("alice"))
	server := httptest.NewServer(&negotiate.Handler{Provider: kdc.Acceptor("HTTP/127.0.0.1"), Next: http.NotFoundHandler()})
	defer server.Close()
	var log lockedBuffer
	transport := &negotiate.Transport{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := log.String(); !strings.Contains(got, "using a ticket") || !strings.Contains(got, "HTTP/127.0.0.1@KRB.TEST") {
		t.Errorf("the log tells nothing of the ticket:\n%s", got)
	}
}

// TestNoTicket is what a person sees who has not run kinit.
func TestNoTicket(t *testing.T) {
	negotiate.LeavesNothing(t)
	kdc := krbtest.NewKDC(t)
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	server := httptest.NewServer(&negotiate.Handler{Next: http.NotFoundHandler()})
	defer server.Close()
	transport := &negotiate.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	x, _ := negotiate.ExchangeFrom(resp)
	if resp.StatusCode != 401 || !errors.Is(x.Err, gss.ErrNoCred) || !strings.Contains(x.Err.Error(), "run kinit") {
		t.Errorf("got %s, %v; want the 401, and what to do", resp.Status, x.Err)
	}
}
