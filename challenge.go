package negotiate

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// schemeNegotiate is the authentication scheme of RFC 4559.
const schemeNegotiate = "Negotiate"

// maxToken bounds a decoded token. A Kerberos token of a user in very many
// groups has some 64 KiB.
const maxToken = 256 << 10

// maxElements bounds what is read of a header: its challenges and their
// parameters. What follows is not looked at, since a header may be as long as
// Base allows, and two octets of it make an element of many.
const maxElements = 256

// challenge is one challenge, or one set of credentials, of RFC 9110, section
// 11. Either token68 or params is set, or neither.
type challenge struct {
	scheme  string // as written; compare without regard to case
	token68 string
	params  []authParam
	junk    bool // what follows the scheme is neither
}

// authParam is a parameter of a challenge, its value without quotes.
type authParam struct{ name, value string }

func (c challenge) is(scheme string) bool { return strings.EqualFold(c.scheme, scheme) }

// parseChallenges reads all values of a WWW-Authenticate or Proxy-Authenticate
// header: any order, several challenges in one value, quoted strings, empty
// list elements. Text that follows no grammar is skipped up to the next comma,
// since one broken challenge must not hide the others.
func parseChallenges(values []string) []challenge {
	var out []challenge
	left := maxElements
	for _, v := range values {
		p := challengeParser{rest: v, left: left}
		out = append(out, p.parse()...)
		left = p.left
	}
	return out
}

type challengeParser struct {
	rest string
	left int // elements that may still be read
	out  []challenge
}

func (p *challengeParser) parse() []challenge {
	for {
		p.rest = strings.TrimLeft(p.rest, ", \t")
		if p.rest == "" || p.left == 0 {
			return p.out
		}
		p.left--
		if !p.element() {
			p.skip()
		}
	}
}

// element reads one element of the list: a challenge with what follows its
// scheme, or a further parameter of the challenge before. It reports whether
// the text was well formed.
func (p *challengeParser) element() bool {
	name := p.take(isTokenChar)
	if name == "" {
		return false
	}
	spaced := p.space()
	switch {
	case strings.HasPrefix(p.rest, "="):
		return p.param(name)
	case p.atEnd():
		p.out = append(p.out, challenge{scheme: name})
		return true
	case !spaced:
		return false
	}
	p.out = append(p.out, challenge{scheme: name})
	ok := p.afterScheme()
	p.out[len(p.out)-1].junk = !ok
	return ok
}

// afterScheme reads a token68 or the first parameter of the last challenge.
func (p *challengeParser) afterScheme() bool {
	start := p.rest
	t := p.take(isToken68Char)
	if t != "" {
		t += p.take(func(c byte) bool { return c == '=' })
		p.space()
		if p.atEnd() {
			p.out[len(p.out)-1].token68 = t
			return true
		}
	}
	p.rest = start
	name := p.take(isTokenChar)
	p.space()
	return name != "" && p.param(name)
}

// param reads "= value" and adds the parameter to the last challenge.
func (p *challengeParser) param(name string) bool {
	if !strings.HasPrefix(p.rest, "=") || len(p.out) == 0 || p.out[len(p.out)-1].token68 != "" {
		return false
	}
	p.rest = p.rest[1:]
	p.space()
	var value string
	if strings.HasPrefix(p.rest, `"`) {
		var ok bool
		if value, ok = p.quoted(); !ok {
			return false
		}
	} else {
		value = p.take(isTokenChar)
	}
	p.space()
	if !p.atEnd() {
		return false
	}
	last := &p.out[len(p.out)-1]
	last.params = append(last.params, authParam{name, value})
	return true
}

// quoted reads a quoted string and takes the quotes and backslashes out.
func (p *challengeParser) quoted() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case '\\':
			if i++; i < len(p.rest) {
				b.WriteByte(p.rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	p.rest = ""
	return "", false
}

// skip drops text up to the next comma that is outside quotes.
func (p *challengeParser) skip() {
	inQuotes := false
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			inQuotes = !inQuotes
		case c == '\\' && inQuotes:
			i++
		case c == ',' && !inQuotes:
			p.rest = p.rest[i:]
			return
		}
	}
	p.rest = ""
}

func (p *challengeParser) take(ok func(byte) bool) string {
	i := 0
	for i < len(p.rest) && ok(p.rest[i]) {
		i++
	}
	taken := p.rest[:i]
	p.rest = p.rest[i:]
	return taken
}

func (p *challengeParser) space() bool {
	return p.take(func(c byte) bool { return c == ' ' || c == '\t' }) != ""
}

func (p *challengeParser) atEnd() bool { return p.rest == "" || p.rest[0] == ',' }

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isTokenChar(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isToken68Char(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~+/", c) >= 0
}

// errBadTokenText is what a token that cannot be decoded gives.
var errBadTokenText = errors.New("the text after Negotiate is not base64")

// negotiateChallenge looks in the header's field for Negotiate. offered tells
// that it is there, with a token or without. Of several, the first that has a
// token is taken. err tells that there is text where a token should be, which
// is none.
func negotiateChallenge(h http.Header, field string) (offered bool, token []byte, err error) {
	values := h.Values(field)
	if len(values) == 0 {
		return false, nil, nil
	}
	for _, c := range parseChallenges(values) {
		if !c.is(schemeNegotiate) {
			continue
		}
		offered = true
		if len(c.params) > 0 || c.junk {
			return true, nil, errBadTokenText
		}
		if c.token68 != "" {
			token, err = decodeToken(c.token68)
			return true, token, err
		}
	}
	return offered, nil, nil
}

// decodeToken decodes base64, with its padding or without.
func decodeToken(s string) ([]byte, error) {
	if n := base64.RawStdEncoding.DecodedLen(len(s)); n > maxToken {
		return nil, fmt.Errorf("a token of %d bytes, at most %d are allowed", n, maxToken)
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(b) == 0 {
		return nil, errBadTokenText
	}
	return b, nil
}

// encodeToken is the value of an Authorization or WWW-Authenticate header.
func encodeToken(token []byte) string {
	const piece = 768 // a multiple of three
	var text strings.Builder
	text.Grow(len(schemeNegotiate) + 1 + base64.StdEncoding.EncodedLen(len(token)))
	text.WriteString(schemeNegotiate + " ")
	for part := range slices.Chunk(token, piece) {
		var encoded [piece / 3 * 4]byte
		base64.StdEncoding.Encode(encoded[:], part)
		text.Write(encoded[:base64.StdEncoding.EncodedLen(len(part))])
	}
	return text.String()
}
