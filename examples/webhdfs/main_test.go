package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// cluster stands in for a NameNode and a DataNode.
type cluster struct {
	nameNode, dataNode *httptest.Server

	authenticated atomic.Int32 // requests with a token that the NameNode has accepted
}

const (
	// Hadoop quotes the value, and wants the quotes back.
	authCookie = `"u=alice&p=alice@KRB.TEST&t=kerberos&e=1893456000000&s=c2lnbmF0dXJl"`
	// What the NameNode gives to a client for a DataNode.
	delegation = "IAAFYWxpY2UFYWxpY2U"
)

func newCluster(t *testing.T, kdc *krbtest.KDC) *cluster {
	c := &cluster{}
	c.dataNode = httptest.NewServer(http.HandlerFunc(c.serveData))
	t.Cleanup(c.dataNode.Close)
	login := &negotiate.Handler{Provider: kdc.Acceptor("HTTP/127.0.0.1"), Next: http.HandlerFunc(c.login)}
	c.nameNode = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Cookie"), "hadoop.auth="+authCookie) {
			c.serveNames(w, r)
			return
		}
		login.ServeHTTP(w, r)
	}))
	t.Cleanup(c.nameNode.Close)
	return c
}

// login gives authenticated clients the cookie and what they have asked for.
func (c *cluster) login(w http.ResponseWriter, r *http.Request) {
	c.authenticated.Add(1)
	w.Header().Add("Set-Cookie", "hadoop.auth="+authCookie+"; Path=/; HttpOnly")
	c.serveNames(w, r)
}

func (c *cluster) serveNames(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, "/webhdfs/v1")
	if r.Method != http.MethodGet || !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch op := r.URL.Query().Get("op"); {
	case op == "LISTSTATUS" && name == "/user/alice":
		io.WriteString(w, `{"FileStatuses":{"FileStatus":[
			{"accessTime":0,"blockSize":0,"childrenNum":2,"fileId":16388,"group":"users","length":0,"modificationTime":1320895981256,
			 "owner":"alice","pathSuffix":"mail","permission":"700","replication":0,"storagePolicy":0,"type":"DIRECTORY"},
			{"accessTime":1320171722771,"blockSize":33554432,"childrenNum":0,"fileId":16389,"group":"users","length":24930,
			 "modificationTime":1320171722771,"owner":"alice","pathSuffix":"notes.txt","permission":"644","replication":1,"type":"FILE"}]}}`)
	case op == "OPEN" && name == "/user/alice/notes.txt":
		http.Redirect(w, r, c.dataNode.URL+r.URL.Path+"?op=OPEN&"+url.Values{"delegation": {delegation}}.Encode(), http.StatusTemporaryRedirect)
	default:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"RemoteException":{"exception":"FileNotFoundException","javaClassName":"java.io.FileNotFoundException","message":"File does not exist: `+name+`"}}`)
	}
}

func (c *cluster) serveData(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "":
		http.Error(w, "a DataNode has not asked for a token", http.StatusBadRequest)
	case r.URL.Query().Get("delegation") != delegation:
		http.Error(w, "who are you?", http.StatusForbidden)
	default:
		io.WriteString(w, "buy milk\n")
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

func TestList(t *testing.T) {
	c := newCluster(t, login(t))
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-url", c.nameNode.URL, "ls", "/user/alice"}, &out); err != nil {
		t.Fatal(err)
	}
	want := "DIRECTORY  700 alice    users               0 2011-11-10 03:33:01 mail\n" +
		"FILE       644 alice    users           24930 2011-11-01 18:22:02 notes.txt\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

func TestCat(t *testing.T) {
	c := newCluster(t, login(t))
	t.Setenv("WEBHDFS_URL", c.nameNode.URL)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"cat", "/user/alice/notes.txt"}, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "buy milk\n" {
		t.Errorf("got %q", &out)
	}
}

func TestCookieSparesTheTicket(t *testing.T) {
	c := newCluster(t, login(t))
	client, err := newClient(c.nameNode.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.http.CloseIdleConnections()
	for range 3 {
		if err := client.list(t.Context(), "/user/alice", io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.authenticated.Load(); n != 1 {
		t.Errorf("three listings took %d authentications, want 1 and the cookie", n)
	}
}

func TestRemoteException(t *testing.T) {
	c := newCluster(t, login(t))
	err := run(t.Context(), []string{"-url", c.nameNode.URL, "ls", "/nowhere"}, io.Discard)
	if err == nil || err.Error() != "FileNotFoundException: File does not exist: /nowhere" || exitStatus(err) != 1 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestNoTicket(t *testing.T) {
	c := newCluster(t, login(t))
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	err := run(t.Context(), []string{"-url", c.nameNode.URL, "ls", "/"}, io.Discard)
	if !errors.Is(err, gss.ErrNoCred) || !strings.Contains(err.Error(), "run kinit") || exitStatus(err) != 4 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"ls"}, {"-url", "nowhere", "ls", "/"}, {"-url", "http://h", "rm", "/"}} {
		if err := run(t.Context(), args, io.Discard); exitStatus(err) != 2 {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
