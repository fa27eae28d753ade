package negotiate

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// errNoCredentials is returned for a request that does not attempt Negotiate.
var errNoCredentials = errors.New("the request has no Authorization of scheme Negotiate")

// parseAuthorization returns the token in the values of a request's
// Authorization fields, which may be of maxToken bytes. The error is errNoCredentials
// or tells what is wrong, without showing any of the value.
func parseAuthorization(values []string, maxToken int) ([]byte, error) {
	switch len(values) {
	case 0:
		return nil, errNoCredentials
	case 1:
	default:
		return nil, fmt.Errorf("the request has %d Authorization fields, want one", len(values))
	}
	name, encoded, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(name, schemeNegotiate) {
		return nil, errNoCredentials
	}
	encoded = strings.Trim(encoded, " ")
	if encoded == "" {
		return nil, errors.New("the Authorization field has no token after Negotiate")
	}
	if len(encoded) > base64.StdEncoding.EncodedLen(maxToken) {
		return nil, fmt.Errorf("the token is longer than the %d bytes of MaxTokenBytes", maxToken)
	}
	return decodeStrict(encoded, maxToken)
}

// decodeStrict reads strict base64: padded, without line breaks, in its only form.
func decodeStrict(encoded string, maxToken int) ([]byte, error) {
	token, err := base64.StdEncoding.Strict().DecodeString(encoded)
	switch {
	case err != nil || strings.IndexByte(encoded, '\r') >= 0 || strings.IndexByte(encoded, '\n') >= 0:
		return nil, errors.New("the token is not base64")
	case len(token) > maxToken:
		return nil, fmt.Errorf("the token is longer than the %d bytes of MaxTokenBytes", maxToken)
	}
	return token, nil
}
