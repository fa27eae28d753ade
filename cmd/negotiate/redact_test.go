package main

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestRedacted(t *testing.T) {
	tok := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("token", 20)))
	tests := []struct{ name, value, want string }{
		{"Authorization", "Negotiate " + tok, "Negotiate <100 octets>"},
		{"authorization", "Basic YWxpY2U6c2VjcmV0", "Basic <16 characters>"},
		{"Authorization", tok, "<136 characters>"},
		{"Authorization", "Digest username=alice, response=" + tok, "Digest <15 characters> <145 characters>"},
		{"Proxy-Authorization", "Negotiate " + tok, "Negotiate <100 octets>"},
		{"WWW-Authenticate", "Negotiate", "Negotiate"},
		{"WWW-Authenticate", "Negotiate " + tok, "Negotiate <100 octets>"},
		{"Www-Authenticate", "negotiate " + tok + ", Basic realm=x", "negotiate <137 characters> Basic realm=x"},
		{"WWW-Authenticate", `Basic realm="x",Negotiate ` + tok, `Basic realm="x",Negotiate <100 octets>`},
		{"WWW-Authenticate", `Basic realm="a place"`, `Basic realm="a place"`},
		{"Proxy-Authenticate", "NTLM " + tok, "NTLM <100 octets>"},
		{"Authentication-Info", "x=" + tok, "<138 characters>"},
		{"X-Other", "as it is", "as it is"},
		{"X-Other", "red \x1b[31m", `red \x1b[31m`},
		{"Authorization", "", ""},
	}
	for _, test := range tests {
		if got := redacted(test.name, test.value); got != test.want {
			t.Errorf("%s: %s: got %q, want %q", test.name, test.value, got, test.want)
		}
	}
}
