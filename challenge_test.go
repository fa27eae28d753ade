package negotiate

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestParseChallenges(t *testing.T) {
	leavesNothing(t)
	neg := challenge{scheme: "Negotiate"}
	basic := challenge{scheme: "Basic", params: []authParam{{"realm", "a, Negotiate b"}}}
	tests := []struct {
		name   string
		values []string
		want   []challenge
	}{
		{"none", nil, nil},
		{"empty", []string{"", " , ,\t"}, nil},
		{"bare", []string{"Negotiate"}, []challenge{neg}},
		{"token", []string{"Negotiate YWJj"}, []challenge{{scheme: "Negotiate", token68: "YWJj"}}},
		{"token with padding", []string{"nEGOTIATE  YQ== "}, []challenge{{scheme: "nEGOTIATE", token68: "YQ=="}}},
		{"one line, Negotiate last", []string{`Basic realm="a, Negotiate b", Negotiate`}, []challenge{basic, neg}},
		{"one line, Negotiate first", []string{`Negotiate, Basic realm="a, Negotiate b"`}, []challenge{neg, basic}},
		{"two lines", []string{`Basic realm="a, Negotiate b"`, "Negotiate"}, []challenge{basic, neg}},
		{"parameters on both sides", []string{`Digest realm="r", nonce=n , qop = "auth,auth-int", NTLM, Negotiate YWI=, Bearer`}, []challenge{
			{scheme: "Digest", params: []authParam{{"realm", "r"}, {"nonce", "n"}, {"qop", "auth,auth-int"}}},
			{scheme: "NTLM"}, {scheme: "Negotiate", token68: "YWI="}, {scheme: "Bearer"},
		}},
		{"escaped quote", []string{`Basic realm="a\", Negotiate", Kerberos`}, []challenge{
			{scheme: "Basic", params: []authParam{{"realm", `a", Negotiate`}}}, {scheme: "Kerberos"},
		}},
		{"open quote", []string{`Basic realm="a, Negotiate`, "Negotiate"}, []challenge{{scheme: "Basic", junk: true}, neg}},
		{"rubbish before", []string{`=;@, "x, y", Negotiate`}, []challenge{neg}},
		{"rubbish after", []string{`Negotiate YWJj YWJj, Basic`}, []challenge{{scheme: "Negotiate", junk: true}, {scheme: "Basic"}}},
		{"a parameter without a scheme", []string{`realm=x, Negotiate`}, []challenge{neg}},
		{"a scheme in a value of another name", []string{`Custom scheme=Negotiate`}, []challenge{
			{scheme: "Custom", params: []authParam{{"scheme", "Negotiate"}}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseChallenges(tt.values); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("parseChallenges(%q)\n got %+v\nwant %+v", tt.values, got, tt.want)
			}
		})
	}
}

// A header that is as long as net/http allows, of the shortest elements that there
// are, must not take many times its length of memory.
func TestManyChallenges(t *testing.T) {
	leavesNothing(t)
	for _, element := range []string{"a,", "a=b,", `a="\"",`, "Negotiate,", "a b,", ";,"} {
		values := []string{"Negotiate YWJj, x y=z, " + strings.Repeat(element, 1<<20/len(element)), strings.Repeat(element, 1<<10)}
		n := 0
		for _, c := range parseChallenges(values) {
			n += 1 + len(c.params)
		}
		if n > 2*maxElements {
			t.Errorf("%q again and again: %d elements were kept", element, n)
		}
		_, token, err := negotiateChallenge(http.Header{"Www-Authenticate": values}, "WWW-Authenticate")
		if string(token) != "abc" || err != nil {
			t.Errorf("%q again and again: the token in front is %q, %v", element, token, err)
		}
	}
}

func TestNegotiateChallenge(t *testing.T) {
	leavesNothing(t)
	tests := []struct {
		name    string
		values  []string
		offered bool
		token   string
		bad     bool
	}{
		{"not there", []string{"Basic realm=x"}, false, "", false},
		{"bare", []string{"negotiate"}, true, "", false},
		{"token", []string{"Negotiate YWJj"}, true, "abc", false},
		{"token without padding", []string{"Negotiate YQ"}, true, "a", false},
		{"bare and token", []string{"Negotiate", "Negotiate YWJj"}, true, "abc", false},
		{"no base64", []string{"Negotiate a.b"}, true, "", true},
		{"only padding", []string{"Negotiate ="}, false, "", false},
		{"a parameter", []string{"Negotiate token=abc"}, true, "", true},
		{"rubbish", []string{"Negotiate ***"}, true, "", true},
		{"two tokens", []string{"Negotiate YWJj YWJj"}, true, "", true},
		{"too long", []string{"Negotiate " + strings.Repeat("A", (maxToken/3+2)*4)}, true, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Www-Authenticate": tt.values}
			offered, token, err := negotiateChallenge(h, "WWW-Authenticate")
			if offered != tt.offered || string(token) != tt.token || (err != nil) != tt.bad {
				t.Errorf("got %t, %q, %v", offered, token, err)
			}
			if err != nil && len(tt.values[0]) > 30 && strings.Contains(err.Error(), "AAAA") {
				t.Error("the error shows the token")
			}
		})
	}
}

// FuzzParseChallenges checks that what the parser finds reads back as itself.
func FuzzParseChallenges(f *testing.F) {
	for _, s := range []string{
		"Negotiate", "Negotiate YWJj", `Basic realm="a\"b, c", Negotiate YQ==, NTLM`, "Digest a = b , c=\"\"",
		`a="`, "=,=\x00,\xff", "Negotiate =", `X y="z" w`, "Negotiate ***, a=b", "Negotiate YQ== YQ==",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := parseChallenges([]string{s})
		var parts []string
		for _, c := range got {
			parts = append(parts, formatChallenge(c))
		}
		again := parseChallenges([]string{strings.Join(parts, ", ")})
		if !reflect.DeepEqual(got, again) {
			t.Errorf("%q\n gave %+v\nthen %+v", s, got, again)
		}
		offered, token, err := negotiateChallenge(http.Header{"Www-Authenticate": {s}}, "WWW-Authenticate")
		if !offered && (token != nil || err != nil) || err != nil && token != nil || len(token) > maxToken {
			t.Errorf("%q: %t, %d bytes, %v", s, offered, len(token), err)
		}
	})
}

func formatChallenge(c challenge) string {
	s := c.scheme
	if c.token68 != "" {
		return s + " " + c.token68
	}
	if c.junk {
		s += " \x00"
	}
	for i, p := range c.params {
		if i > 0 || c.junk {
			s += ","
		}
		s += " " + p.name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.value) + `"`
	}
	return s
}

func TestTokenRoundTrip(t *testing.T) {
	leavesNothing(t)
	token := bytes.Repeat([]byte{0xfb, 0xff}, 50)
	h := http.Header{"Www-Authenticate": {encodeToken(token)}}
	_, got, err := negotiateChallenge(h, "WWW-Authenticate")
	if err != nil || !bytes.Equal(got, token) {
		t.Errorf("got %s, %v", base64.StdEncoding.EncodeToString(got), err)
	}
}
