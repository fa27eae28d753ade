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
	"reflect"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// session is the cookie of FreeIPA.
const session = "ipa_session=MagBearerToken=c2Vzc2lvbg%3d%3d"

// newServer stands in for FreeIPA.
func newServer(t *testing.T, kdc *krbtest.KDC) *httptest.Server {
	return newServerWithLogin(t, &negotiate.Handler{Provider: kdc.Acceptor("HTTP/127.0.0.1"), Next: http.HandlerFunc(startSession)})
}

func startSession(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Set-Cookie", session+";path=/ipa;httponly;secure;")
}

func newServerWithLogin(t *testing.T, login http.Handler) *httptest.Server {
	mux := http.NewServeMux()
	mux.Handle("POST /ipa/session/login_kerberos", login)
	mux.HandleFunc("POST /ipa/session/json", serveJSON)
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Referer(), server.URL+"/ipa") {
			http.Error(w, "Rejecting the request, since the referer is of another site", http.StatusBadRequest)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func serveJSON(w http.ResponseWriter, r *http.Request) {
	var request struct {
		ID     any
		Method string
		Params []any
	}
	switch {
	case r.Header.Get("Cookie") != session:
		w.WriteHeader(http.StatusUnauthorized)
		return
	case r.Header.Get("Content-Type") != "application/json":
		http.Error(w, "want JSON", http.StatusBadRequest)
		return
	case json.NewDecoder(r.Body).Decode(&request) != nil:
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	wanted := []any{[]any{"alice"}, map[string]any{"all": true, "sizelimit": 3.0, "title": "Dr"}}
	response := map[string]any{"id": request.ID, "principal": "alice@KRB.TEST", "result": nil, "error": nil, "version": "4.9.8"}
	if request.Method == "user_find" && reflect.DeepEqual(request.Params, wanted) {
		response["result"] = map[string]any{"count": 1, "truncated": false, "result": []any{map[string]any{"uid": []string{"alice"}}}}
	} else {
		response["error"] = map[string]any{"code": 905, "name": "CommandError", "message": "unknown command '" + request.Method + "'"}
	}
	json.NewEncoder(w).Encode(response)
}

// login makes a realm in which alice has run kinit.
func login(t *testing.T) *krbtest.KDC {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	kdc.AddService("HTTP/127.0.0.1")
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	t.Setenv("KRB5CCNAME", kdc.CCache("alice"))
	return kdc
}

// flagsFor returns the flags that make the program trust the server.
func flagsFor(t *testing.T, server *httptest.Server) []string {
	name := filepath.Join(t.TempDir(), "ca.crt")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-url", server.URL, "-cacert", name}
}

func TestCall(t *testing.T) {
	server := newServer(t, login(t))
	var out bytes.Buffer
	args := append(flagsFor(t, server), "-o", "all=true", "-o", "sizelimit=3", "-o", "title=Dr", "user_find", "alice")
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	want := `{
  "count": 1,
  "result": [
    {
      "uid": [
        "alice"
      ]
    }
  ],
  "truncated": false
}
`
	if out.String() != want {
		t.Errorf("got %s", &out)
	}
}

func TestMethodFails(t *testing.T) {
	server := newServer(t, login(t))
	err := run(t.Context(), append(flagsFor(t, server), "make_coffee"), io.Discard)
	if err == nil || err.Error() != "CommandError: unknown command 'make_coffee'" || exitStatus(err) != 1 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

// TestOtherServer has somebody answer in the server's place whom the client's TLS
// trusts, but who does not have the key of the service.
func TestOtherServer(t *testing.T) {
	login(t)
	server := newServerWithLogin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		startSession(w, r)
	}))
	err := run(t.Context(), append(flagsFor(t, server), "ping"), io.Discard)
	if _, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); !ok || exitStatus(err) != 3 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestNoTicket(t *testing.T) {
	server := newServer(t, login(t))
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	err := run(t.Context(), append(flagsFor(t, server), "ping"), io.Discard)
	if !errors.Is(err, gss.ErrNoCred) || !strings.Contains(err.Error(), "run kinit") || exitStatus(err) != 4 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-url", "https://h"}, {"-url", "http://h", "ping"}} {
		if err := run(t.Context(), args, io.Discard); exitStatus(err) != 2 {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
