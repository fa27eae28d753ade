package krbtest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/krbtest"
)

// The proxy passes on what is meant for a KDC that it knows, and tells everybody
// else what is wrong.
func TestProxy(t *testing.T) {
	k := krbtest.NewKDC(t)
	other := krbtest.NewKDC(t, krbtest.WithRealm("OTHER.TEST"))
	k.Trust(other)
	request := krbmsg.KDCReq{Type: krbmsg.TypeASReq, Body: krbmsg.KDCReqBody{
		Client: principal.New("KRB.TEST", "nobody"), Realm: "KRB.TEST", Server: principal.TGS("KRB.TEST", "KRB.TEST"), ETypes: []int32{18},
	}}
	asReq := request.Append(nil)
	for _, test := range []struct {
		name, method, realm string
		body                []byte // nil: the request for the realm
		fault               krbtest.Fault
		status              int
	}{
		{"the realm's own", "POST", "KRB.TEST", nil, krbtest.Fault{}, 200},
		{"no realm is named", "POST", "", nil, krbtest.Fault{}, 200},
		{"a trusted one", "POST", "OTHER.TEST", nil, krbtest.Fault{}, 200},
		{"unknown", "POST", "UNKNOWN.TEST", nil, krbtest.Fault{}, 503},
		{"down", "POST", "KRB.TEST", nil, krbtest.Refuse(), 503},
		{"garbage behind it", "POST", "KRB.TEST", nil, krbtest.Garbage(), 200},
		{"GET", "GET", "KRB.TEST", nil, krbtest.Fault{}, 405},
		{"no message", "POST", "", []byte("a=b"), krbtest.Fault{}, 400},
		{"no request", "POST", "KRB.TEST", (&krbmsg.ProxyMessage{Message: []byte("hello")}).Append(nil), krbtest.Fault{}, 503},
		{"huge", "POST", "KRB.TEST", (&krbmsg.ProxyMessage{Message: make([]byte, 1<<20)}).Append(nil), krbtest.Fault{}, 413},
	} {
		t.Run(test.name, func(t *testing.T) {
			k.SetFault(test.fault)
			defer k.SetFault(krbtest.Fault{})
			body := test.body
			if body == nil {
				body = (&krbmsg.ProxyMessage{Message: asReq, Realm: test.realm}).Append(nil)
			}
			w := httptest.NewRecorder()
			k.Proxy().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), test.method, "/KdcProxy", bytes.NewReader(body)))
			if w.Code != test.status {
				t.Fatalf("got %d %s, want %d", w.Code, strings.TrimSpace(w.Body.String()), test.status)
			}
			if w.Code != http.StatusOK {
				return
			}
			m, err := krbmsg.ParseProxyMessage(w.Body.Bytes())
			if err != nil || w.Header().Get("Content-Type") != "application/kerberos" {
				t.Fatalf("got %q, %v", w.Header(), err)
			}
			if isError := krbmsg.IsKRBError(m.Message); isError != (test.fault == krbtest.Fault{}) {
				t.Errorf("got % x", m.Message)
			}
		})
	}
}
