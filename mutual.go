package negotiate

import (
	"fmt"
	"net/http"
	"strconv"
)

// Mutual says whether the server has to prove its identity too. The proof is a
// token in the response that completes the context, for Kerberos an AP-REP; a
// response that merely says "accepted" is none.
type Mutual uint8

const (
	// MutualDisabled neither asks for a proof nor looks at one. HTTPS with a
	// verified certificate says as much, in most cases.
	MutualDisabled Mutual = iota
	// MutualOptional asks for a proof. A token that is sent must be a right one,
	// else RoundTrip returns a *MutualAuthenticationError; so it does for the
	// token of servers that say "accepted" and prove nothing, as those with
	// gokrb5 do. None sent is accepted.
	MutualOptional
	// MutualRequired asks for a proof and insists: a response with a status
	// below 400 and no proof is a *MutualAuthenticationError, also where the
	// server never asked for authentication. A response of 400 and above without
	// one is returned without what the server could have said in it: see
	// Transport.KeepUnverifiedErrors. So is not the 401 of a failed
	// authentication, which loses its cookies only.
	MutualRequired
)

// String returns "disabled", "optional" or "required".
func (m Mutual) String() string {
	switch m {
	case MutualDisabled:
		return "disabled"
	case MutualOptional:
		return "optional"
	case MutualRequired:
		return "required"
	}
	return fmt.Sprintf("Mutual(%d)", uint8(m))
}

// sanitise takes out of an unverified error response what its sender could
// deceive with. What is left: the status, Date and Server.
func sanitise(resp *http.Response) {
	discard(resp.Body)
	kept := make(http.Header, 3)
	for _, name := range []string{"Date", "Server"} {
		if v := resp.Header.Get(name); v != "" {
			kept.Set(name, v)
		}
	}
	kept.Set("Content-Length", "0")
	resp.Header = kept
	resp.Body = http.NoBody
	resp.ContentLength = 0
	resp.TransferEncoding = nil
	resp.Trailer = nil
	resp.Uncompressed = false
	// The reason phrase is the sender's text as well.
	resp.Status = strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode)
}
