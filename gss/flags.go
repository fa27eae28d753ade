package gss

import (
	"fmt"
	"strings"
)

// Flags are the context flags of RFC 2743, section 1.2, with the values of
// RFC 2744. In a request they say what is wanted, in [ContextInfo] what the
// established context has.
type Flags uint32

const (
	// FlagDelegate hands the initiator's credential to the acceptor.
	FlagDelegate Flags = 1 << 0
	// FlagMutual has the acceptor prove itself to the initiator.
	FlagMutual Flags = 1 << 1
	// FlagReplay has per-message tokens checked for replay.
	FlagReplay Flags = 1 << 2
	// FlagSequence has per-message tokens checked for order.
	FlagSequence Flags = 1 << 3
	// FlagConfidentiality makes encryption available in Wrap.
	FlagConfidentiality Flags = 1 << 4
	// FlagIntegrity makes GetMIC and Wrap available.
	FlagIntegrity Flags = 1 << 5
	// FlagAnonymous hides the initiator's identity.
	FlagAnonymous Flags = 1 << 6
	// FlagChannelBound tells that both sides presented the same channel
	// bindings (MIT's GSS_C_CHANNEL_BOUND_FLAG).
	FlagChannelBound Flags = 1 << 11
	// FlagDelegatePolicy delegates only to services that the realm's policy
	// trusts for it (RFC 5896; OK-AS-DELEGATE in Kerberos).
	FlagDelegatePolicy Flags = 1 << 15
)

var flagNames = [...]struct {
	flag Flags
	name string
}{
	{FlagDelegate, "delegate"},
	{FlagMutual, "mutual"},
	{FlagReplay, "replay"},
	{FlagSequence, "sequence"},
	{FlagConfidentiality, "confidentiality"},
	{FlagIntegrity, "integrity"},
	{FlagAnonymous, "anonymous"},
	{FlagChannelBound, "channel-bound"},
	{FlagDelegatePolicy, "delegate-policy"},
}

// Has reports whether all flags of f2 are set in f.
func (f Flags) Has(f2 Flags) bool { return f&f2 == f2 }

// String lists the flags, as "mutual|integrity"; "none" for zero.
func (f Flags) String() string {
	if f == 0 {
		return "none"
	}
	var parts []string
	for _, n := range flagNames {
		if f.Has(n.flag) {
			parts = append(parts, n.name)
			f &^= n.flag
		}
	}
	if f != 0 {
		parts = append(parts, fmt.Sprintf("%#x", uint32(f)))
	}
	return strings.Join(parts, "|")
}
