package main

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// secretFields are header fields whose values are never shown.
var secretFields = map[string]bool{
	"authorization":             true,
	"proxy-authorization":       true,
	"www-authenticate":          true,
	"proxy-authenticate":        true,
	"authentication-info":       true,
	"proxy-authentication-info": true,
}

// redacted is the value of a header field for a person: of credentials and
// tokens only the scheme, and how long they are.
func redacted(name, value string) string {
	name = strings.ToLower(name)
	if !secretFields[name] {
		return printable(value)
	}
	words := strings.Fields(value)
	challenge := strings.HasSuffix(name, "-authenticate")
	for i := len(words) - 1; i >= 0; i-- {
		secret := len(words) == 1 || i > 0
		if challenge {
			secret = i > 0 && takesToken(words[i-1])
		}
		if secret {
			words[i] = "<" + size(words[i], i > 0 && takesToken(words[i-1])) + ">"
		} else {
			words[i] = printable(words[i])
		}
	}
	return strings.Join(words, " ")
}

// takesToken reports whether what follows a word of a challenge is a token: the
// other schemes have parameters, which are no secret.
func takesToken(word string) bool {
	word = strings.ToLower(word)
	return strings.HasSuffix(word, "negotiate") || strings.HasSuffix(word, "kerberos") || strings.HasSuffix(word, "ntlm")
}

// size tells how long a word is; of a token, what its base64 stands for.
func size(word string, token bool) string {
	b, err := base64.StdEncoding.DecodeString(word)
	if err != nil || !token {
		return fmt.Sprintf("%d characters", len(word))
	}
	return fmt.Sprintf("%d octets", len(b))
}

// token returns the token of a Negotiate header field; nil if there is none.
func token(name, value string) []byte {
	if !secretFields[strings.ToLower(name)] {
		return nil
	}
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Negotiate") {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}
