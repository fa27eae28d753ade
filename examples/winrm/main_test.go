package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krbtest"
)

// newHost stands in for a Windows host. It returns the service's URL.
func newHost(t *testing.T, provider gss.Provider) string {
	server := httptest.NewServer(&negotiate.Handler{
		Provider: provider,
		Next:     http.HandlerFunc(serve),
		// Windows offers the mechanisms of Negotiate by their own names, too.
		Unauthorized: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("WWW-Authenticate", "Kerberos")
		}),
	})
	t.Cleanup(server.Close)
	return server.URL + "/wsman"
}

func serve(w http.ResponseWriter, r *http.Request) {
	var request struct {
		XMLName  xml.Name  `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
		Identify *struct{} `xml:"Body>Identify"`
	}
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/wsman":
		http.NotFound(w, r)
		return
	case r.Header.Get("Content-Type") != "application/soap+xml;charset=UTF-8":
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	case xml.NewDecoder(r.Body).Decode(&request) != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	w.Header().Set("Server", "Microsoft-HTTPAPI/2.0")
	if request.Identify == nil {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code>`+
			`<s:Reason><s:Text xml:lang="en-US">The action is not supported. </s:Text></s:Reason></s:Fault></s:Body></s:Envelope>`)
		return
	}
	io.WriteString(w, `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>`+
		`<wsmid:IdentifyResponse xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">`+
		`<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>`+
		`<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>`+
		`<wsmid:ProductVersion>OS: 10.0.20348 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>`+
		`</wsmid:IdentifyResponse></s:Body></s:Envelope>`)
}

// login makes a realm in which alice has run kinit.
func login(t *testing.T, services ...string) *krbtest.KDC {
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "")
	for _, s := range services {
		kdc.AddService(s)
	}
	t.Setenv("KRB5_CONFIG", kdc.ConfigPath())
	t.Setenv("KRB5CCNAME", kdc.CCache("alice"))
	return kdc
}

const identified = "vendor:   Microsoft Corporation\n" +
	"version:  OS: 10.0.20348 SP: 0.0 Stack: 3.0\n" +
	"protocol: http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\n"

func TestIdentify(t *testing.T) {
	host := newHost(t, login(t, "HTTP/127.0.0.1").Acceptor("HTTP/127.0.0.1"))
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-url", host}, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != identified {
		t.Errorf("got %s", &out)
	}
}

// TestOtherService has the name HTTP/host belong to somebody else than WinRM.
func TestOtherService(t *testing.T) {
	kdc := login(t, "HTTP/127.0.0.1", "WSMAN/127.0.0.1")
	host := newHost(t, kdc.Acceptor("WSMAN/127.0.0.1"))
	err := run(t.Context(), []string{"-url", host}, io.Discard)
	if x, ok := errors.AsType[*negotiate.ExchangeError](err); !ok || x.Stage != negotiate.StageRejected || exitStatus(err) != 1 {
		t.Errorf("as HTTP: got %v, exit status %d", err, exitStatus(err))
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-url", host, "-service", "WSMAN"}, &out); err != nil || out.String() != identified {
		t.Errorf("as WSMAN: got %v, %s", err, &out)
	}
}

// TestAnswerOfSomebody has a server answer that does not ask who is there.
func TestAnswerOfSomebody(t *testing.T) {
	login(t)
	server := httptest.NewServer(http.HandlerFunc(serve))
	defer server.Close()
	err := run(t.Context(), []string{"-url", server.URL + "/wsman"}, io.Discard)
	if exitStatus(err) != 3 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestParse(t *testing.T) {
	const fault = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Reason>` +
		`<s:Text xml:lang="en-US">Access is denied. </s:Text></s:Reason></s:Fault></s:Body></s:Envelope>`
	for _, test := range []struct{ status, body, want string }{
		{"500 Internal Server Error", fault, "500 Internal Server Error: Access is denied."},
		{"404 Not Found", "not here", "404 Not Found"},
		{"200 OK", `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>`, "the response is no IdentifyResponse"},
		{"200 OK", "<html>", "the response is no SOAP message: expected element type <Envelope> but have <html>"},
	} {
		if _, err := parse(test.status, []byte(test.body)); err == nil || err.Error() != test.want {
			t.Errorf("%s %s: got %v", test.status, test.body, err)
		}
	}
}

func TestNoTicket(t *testing.T) {
	host := newHost(t, login(t, "HTTP/127.0.0.1").Acceptor("HTTP/127.0.0.1"))
	t.Setenv("KRB5CCNAME", "FILE:"+t.TempDir()+"/none")
	err := run(t.Context(), []string{"-url", host}, io.Discard)
	if !errors.Is(err, gss.ErrNoCred) || !strings.Contains(err.Error(), "run kinit") || exitStatus(err) != 4 {
		t.Errorf("got %v, exit status %d", err, exitStatus(err))
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-url", "nowhere"}, {"-url", "http://h/wsman", "x"}} {
		if err := run(t.Context(), args, io.Discard); exitStatus(err) != 2 {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
