package negotiate

import (
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// Delegation says whether the server gets the client's credential, to act on
// its behalf towards others.
type Delegation uint8

const (
	// DelegateNever keeps the credential.
	DelegateNever Delegation = iota
	// DelegateIfTrusted hands it to servers that the realm's administrators
	// trust with it (RFC 5896; OK-AS-DELEGATE in Kerberos).
	DelegateIfTrusted
	// DelegateAlways hands it to each server that asks for authentication.
	// Use it with Transport.Allow.
	DelegateAlways
)

// String returns "never", "trusted" or "always".
func (d Delegation) String() string {
	switch d {
	case DelegateNever:
		return "never"
	case DelegateIfTrusted:
		return "trusted"
	case DelegateAlways:
		return "always"
	}
	return fmt.Sprintf("Delegation(%d)", uint8(d))
}

func (d Delegation) flags() gss.Flags {
	switch d {
	case DelegateIfTrusted:
		return gss.FlagDelegatePolicy
	case DelegateAlways:
		return gss.FlagDelegate
	}
	return 0
}
