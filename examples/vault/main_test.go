package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

const vaultToken = "hvs.CAESIJ"

// newVault stands in for Vault. Like one whose mount does not allow the header,
// it does not say WWW-Authenticate, and as Vault does it makes no token to prove
// itself.
func newVault(t *testing.T, provider gss.Provider) *httptest.Server {
	login := &negotiate.Handler{
		Provider: provider,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			user, realm, _ := strings.Cut(id.Principal, "@")
			json.NewEncoder(w).Encode(map[string]any{"auth": map[string]any{
				"client_token": vaultToken, "accessor": "0a1b", "policies": []string{"default"},
				"metadata": map[string]string{"user": user, "domain": realm}, "lease_duration": 2764800, "renewable": true,
			}})
		}),
		Unauthorized: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Del("WWW-Authenticate")
			io.WriteString(w, `{"errors":["authentication required"]}`)
		}),
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/v1/auth/kerberos/login" || r.Method != http.MethodPost:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"errors":["no handler for route \"`+r.URL.Path+`\". route entry not found."]}`)
		case r.Header.Get("X-Vault-Request") != "true" || r.Header.Get("X-Vault-Namespace") != "team":
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"errors":["missing header"]}`)
		default:
			login.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_NAMESPACE", "team")
	name := filepath.Join(t.TempDir(), "ca.crt")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VAULT_CACERT", name)
	return server
}

// realm makes one in which alice has run kinit.
func realm(t *testing.T, service string) *krbtest.KDC {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddService(service)
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	t.Setenv("KRB5CCNAME", kdc.CCache("alice"))
	return kdc
}

func TestLogin(t *testing.T) {
	newVault(t, realm(t, "HTTP/127.0.0.1").Acceptor("HTTP/127.0.0.1"))
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != vaultToken+"\n" {
		t.Errorf("got %q", &out)
	}
}

// TestTarget has Vault run under a name that is not its host's.
func TestTarget(t *testing.T) {
	newVault(t, realm(t, "HTTP/vault.krb.test").Acceptor("HTTP/vault.krb.test"))
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-target", "HTTP/vault.krb.test@KRB.TEST"}, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != vaultToken+"\n" {
		t.Errorf("got %q", &out)
	}
}

func TestNotMounted(t *testing.T) {
	newVault(t, realm(t, "HTTP/127.0.0.1").Acceptor("HTTP/127.0.0.1"))
	err := run(t.Context(), []string{"-mount", "krb"}, io.Discard)
	want := `login: 404 Not Found: no handler for route "/v1/auth/krb/login". route entry not found.`
	if err == nil || err.Error() != want || exitStatus(err) != 1 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

// TestOtherHost has Vault redirect to where the token must not go.
func TestOtherHost(t *testing.T) {
	realm(t, "HTTP/127.0.0.1")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to another host")
		}
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	t.Setenv("VAULT_ADDR", server.URL)
	err := run(t.Context(), nil, io.Discard)
	if x, ok := errors.AsType[*negotiate.ExchangeError](err); !ok || x.Stage != negotiate.StageAllow {
		t.Errorf("got %v", err)
	}
}

// TestNoTicket is where a server that does not ask leaves open why there was no
// token.
func TestNoTicket(t *testing.T) {
	newVault(t, realm(t, "HTTP/127.0.0.1").Acceptor("HTTP/127.0.0.1"))
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	err := run(t.Context(), nil, io.Discard)
	if !errors.Is(err, gss.ErrNoCred) || !strings.Contains(err.Error(), "run kinit") || exitStatus(err) != 4 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestUsage(t *testing.T) {
	t.Setenv("VAULT_ADDR", "")
	if err := run(t.Context(), nil, io.Discard); exitStatus(err) != 2 {
		t.Errorf("without VAULT_ADDR: got %v", err)
	}
	t.Setenv("VAULT_ADDR", "https://h:8200")
	for _, args := range [][]string{{"login"}, {"-target", "@"}} {
		if err := run(t.Context(), args, io.Discard); exitStatus(err) != 2 {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
