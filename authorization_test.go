package negotiate

import (
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// FuzzAuthorizationHeader holds that a token which is read has one spelling and
// is within its bound, that no error shows it, and that nothing but a provider's
// own token gets through.
func FuzzAuthorizationHeader(f *testing.F) {
	f.Add("Negotiate YWJj", "")
	f.Add("negotiate  YWI=", "Basic YWJj")
	f.Add("Negotiate TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAA=", "")
	f.Add("Negotiate YA4GBisGAQUFAqAEMAKgAA==", "")
	f.Add("Negotiate oRUwE6ADCgEA", "")
	f.Add("Negotiate YIT/////BgYrBgEFBQI=", "")
	f.Add("Negotiate", "Negotiate")
	f.Add("Negotiate YW\r\nJj", "")
	f.Add("Negotiate YR==", "")
	f.Fuzz(func(t *testing.T, one, two string) {
		const maxToken = 48
		values := []string{one}
		if two != "" {
			values = append(values, two)
		}
		token, err := parseAuthorization(values, maxToken)
		switch {
		case err == nil:
			checkRead(t, values, token, maxToken)
		case !errors.Is(err, errNoCredentials) && showsValue(err, one):
			t.Errorf("the error shows the value: %v", err)
		}
		describeToken(token)
		refusalHint(token)

		h := &Handler{
			Next:     http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("Next was called") }),
			Provider: gsstest.New(gsstest.Options{}),
			Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = values
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Negotiate" {
			t.Errorf("status %d with challenge %q", w.Code, w.Header().Get("WWW-Authenticate"))
		}
	})
}

func checkRead(t *testing.T, values []string, token []byte, maxToken int) {
	t.Helper()
	if len(values) != 1 || len(token) == 0 || len(token) > maxToken {
		t.Fatalf("read %d bytes of %d fields", len(token), len(values))
	}
	fields := strings.Fields(values[0])
	if len(fields) != 2 || !strings.EqualFold(fields[0], "Negotiate") || fields[1] != base64.StdEncoding.EncodeToString(token) {
		t.Fatalf("%q was read as another token", values[0])
	}
}

func showsValue(err error, value string) bool {
	_, encoded, _ := strings.Cut(value, " ")
	return len(encoded) > 8 && strings.Contains(err.Error(), encoded)
}

func TestFramedMech(t *testing.T) {
	for name, test := range map[string]struct{ token, want string }{
		"short length":    {"\x60\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", "krb5"},
		"long length":     {"\x60\x82\x05\x00\x06\x06\x2b\x06\x01\x05\x05\x02\xa0", "SPNEGO"},
		"later leg":       {"\xa1\x03\x30\x01\x00", "SPNEGO, a later leg"},
		"NTLM":            {"NTLMSSP\x00\x01", "NTLM"},
		"empty":           {"", "unknown"},
		"tag only":        {"\x60", "unknown"},
		"cut length":      {"\x60\x84\xff", "unknown"},
		"cut OID":         {"\x60\x0b\x06\x09\x2a", "unknown"},
		"huge OID":        {"\x60\x0b\x06\xff\x2a", "unknown"},
		"no OID":          {"\x60\x02\x04\x00", "unknown"},
		"OID is nonsense": {"\x60\x03\x06\x01\xff", "invalid OID"},
	} {
		if got := describeToken([]byte(test.token)); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// TestAuthorizationLength bounds a token before it is decoded, and to the byte.
func TestAuthorizationLength(t *testing.T) {
	encode := base64.StdEncoding.EncodeToString
	for name, tt := range map[string]struct {
		value string
		max   int
		want  string // in the error
	}{
		"as long as may be": {encode(make([]byte, 7)), 7, ""},
		// 7 and 8 bytes are of one length in base64.
		"one byte longer":              {encode(make([]byte, 8)), 7, "longer than the 7 bytes"},
		"much longer":                  {encode(make([]byte, 100)), 7, "longer than the 7 bytes"},
		"too long to look what it is":  {strings.Repeat("!", 100), 7, "longer than the 7 bytes"},
		"short enough to look at that": {"!!!!", 7, "not base64"},
	} {
		token, err := parseAuthorization([]string{"Negotiate " + tt.value}, tt.max)
		if tt.want == "" && (err != nil || len(token) != tt.max) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %d bytes, %v", name, len(token), err)
		}
	}
}
