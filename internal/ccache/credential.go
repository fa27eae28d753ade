package ccache

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// Credential is a ticket with what its client knows about it. The times are
// zero where the file has 0, which RFC 4120 calls absent.
type Credential struct {
	Client       principal.Name
	Server       principal.Name
	KeyType      int32  // encryption type of the session key (RFC 3961)
	Key          []byte // session key
	AuthTime     time.Time
	StartTime    time.Time // zero: valid from AuthTime on
	EndTime      time.Time
	RenewTill    time.Time // zero: not renewable
	IsSKey       bool      // the ticket is encrypted in SecondTicket's session key
	Flags        uint32    // ticket flags (RFC 4120, section 2); bit 0 is the most significant
	Addresses    []TypedData
	AuthData     []TypedData
	Ticket       []byte // DER of the Ticket
	SecondTicket []byte // DER of the second ticket; empty unless IsSKey
}

// TypedData is an address or an authorization datum: its type number (RFC 4120,
// sections 7.5.3 and 7.5.4) and its content.
type TypedData struct {
	Type int32
	Data []byte
}

// Ticket flags as they stand in [Credential.Flags] (RFC 4120, section 5.3).
const (
	FlagForwardable  uint32 = 1 << (31 - 1)
	FlagForwarded    uint32 = 1 << (31 - 2)
	FlagProxiable    uint32 = 1 << (31 - 3)
	FlagProxy        uint32 = 1 << (31 - 4)
	FlagMayPostdate  uint32 = 1 << (31 - 5)
	FlagPostdated    uint32 = 1 << (31 - 6)
	FlagInvalid      uint32 = 1 << (31 - 7)
	FlagRenewable    uint32 = 1 << (31 - 8)
	FlagInitial      uint32 = 1 << (31 - 9)
	FlagPreAuthent   uint32 = 1 << (31 - 10)
	FlagHWAuthent    uint32 = 1 << (31 - 11)
	FlagTransited    uint32 = 1 << (31 - 12)
	FlagOKAsDelegate uint32 = 1 << (31 - 13)
	FlagAnonymous    uint32 = 1 << (31 - 16)
)

// Starts returns when the ticket becomes valid.
func (c Credential) Starts() time.Time {
	if c.StartTime.IsZero() {
		return c.AuthTime
	}
	return c.StartTime
}

// String describes the credential without its key and ticket.
func (c Credential) String() string {
	s := fmt.Sprintf("%s for %s, etype %d", c.Server, c.Client, c.KeyType)
	if !c.EndTime.IsZero() {
		s += ", until " + c.EndTime.UTC().Format(time.RFC3339)
	}
	return s
}

// GoString is String, so that %#v does not show the key either.
func (c Credential) GoString() string { return "ccache.Credential{" + c.String() + "}" }

// Format prints String for every verb, so that none of them shows the key.
func (c Credential) Format(s fmt.State, verb rune) {
	if verb == 'v' && s.Flag('#') {
		fmt.Fprint(s, c.GoString())
		return
	}
	fmt.Fprint(s, c.String())
}

// MarshalText returns String, so that encoders of JSON do not show the key.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue implements slog.LogValuer without key and ticket.
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("client", c.Client.String()),
		slog.String("server", c.Server.String()),
		slog.Int("etype", int(c.KeyType)),
		slog.Time("end", c.EndTime),
	)
}
