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
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// cluster stands in for Elasticsearch.
type cluster struct {
	*httptest.Server
	requests atomic.Int32
}

func newCluster(t *testing.T, kdc *krbtest.KDC) *cluster {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_security/_authenticate", authenticate)
	mux.HandleFunc("POST /{index}/_search", search)
	h := &negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next:     mux,
		Unauthorized: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("WWW-Authenticate", `Basic realm="security" charset="UTF-8"`)
			w.Header().Add("WWW-Authenticate", "ApiKey")
			io.WriteString(w, `{"error":{"type":"security_exception","reason":"missing authentication credentials for REST request"},"status":401}`)
		}),
	}
	c := &cluster{}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

func authenticate(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	json.NewEncoder(w).Encode(map[string]any{
		"username": id.Principal, "roles": []string{"viewer", "monitor"}, "full_name": nil, "email": nil, "enabled": true,
		"authentication_realm": map[string]any{"name": "kerb1", "type": "kerberos"},
		"lookup_realm":         map[string]any{"name": "kerb1", "type": "kerberos"},
		"authentication_type":  "realm",
	})
}

func search(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	var request struct {
		Size  int
		Query struct {
			QueryString struct{ Query string } `json:"query_string"`
		}
	}
	switch err := json.NewDecoder(r.Body).Decode(&request); {
	case r.Header.Get("Content-Type") != "application/json":
		w.WriteHeader(http.StatusNotAcceptable)
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.PathValue("index") == "secrets":
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"error":{"root_cause":[],"type":"security_exception","reason":"action [indices:data/read/search] is unauthorized for user"},"status":403}`)
	case request.Size == 2 && request.Query.QueryString.Query == "status:500 AND host:web1":
		io.WriteString(w, `{"took":3,"timed_out":false,"hits":{"total":{"value":10000,"relation":"gte"},"max_score":1.0,"hits":[
			{"_index":"logs-1","_id":"1","_score":1.0,"_source":{ "status": 500, "path": "/a" }},
			{"_index":"logs-1","_id":"2","_score":1.0,"_source":{ "status": 500, "path": "/b" }}]}}`)
	default:
		io.WriteString(w, `{"took":1,"timed_out":false,"hits":{"total":{"value":0,"relation":"eq"},"max_score":null,"hits":[]}}`)
	}
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

// flags returns those that make the program trust the cluster.
func (c *cluster) flags(t *testing.T) []string {
	name := filepath.Join(t.TempDir(), "ca.crt")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-url", c.URL, "-cacert", name}
}

func TestSearch(t *testing.T) {
	c := newCluster(t, login(t))
	var out, info bytes.Buffer
	args := append(c.flags(t), "-index", "logs-*", "-n", "2", "status:500", "AND", "host:web1")
	if err := run(t.Context(), args, &out, &info); err != nil {
		t.Fatal(err)
	}
	if want := "{\"status\":500,\"path\":\"/a\"}\n{\"status\":500,\"path\":\"/b\"}\n"; out.String() != want {
		t.Errorf("found %s", &out)
	}
	want := "alice@KRB.TEST, of realm kerb1 (kerberos), with roles viewer, monitor\n2 of at least 10000 documents\n"
	if info.String() != want {
		t.Errorf("said %s", &info)
	}
	if n := c.requests.Load(); n != 3 {
		t.Errorf("it took %d requests, want 3: one to be asked, two with a token", n)
	}
}

func TestForbidden(t *testing.T) {
	c := newCluster(t, login(t))
	err := run(t.Context(), append(c.flags(t), "-index", "secrets", "*"), io.Discard, io.Discard)
	want := "403 Forbidden: security_exception: action [indices:data/read/search] is unauthorized for user"
	if err == nil || err.Error() != want || exitStatus(err) != 1 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestExpiredTicket(t *testing.T) {
	kdc := login(t)
	c := newCluster(t, kdc)
	t.Setenv("KRB5CCNAME", kdc.CCache("alice", krbtest.ExpiresIn(-time.Hour)))
	err := run(t.Context(), append(c.flags(t), "*"), io.Discard, io.Discard)
	if !errors.Is(err, gss.ErrCredentialsExpired) || !strings.Contains(err.Error(), "run kinit") || exitStatus(err) != 4 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-url", "nowhere", "*"}, {"-url", "https://h"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); exitStatus(err) != 2 {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
