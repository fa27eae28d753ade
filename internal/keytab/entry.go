package keytab

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// Entry is one key of a principal.
type Entry struct {
	Principal principal.Name
	KVNO      uint32 // version of the key
	KeyType   int32  // encryption type (RFC 3961), such as 18
	Key       []byte
	Timestamp time.Time // when the entry was written; zero if the file has 0
}

// String describes the entry without its key.
func (e Entry) String() string {
	return fmt.Sprintf("%s kvno %d etype %d", e.Principal, e.KVNO, e.KeyType)
}

// GoString is String, so that %#v does not show the key either.
func (e Entry) GoString() string { return "keytab.Entry{" + e.String() + "}" }

// Format prints String for every verb, so that none of them shows the key.
func (e Entry) Format(s fmt.State, verb rune) {
	if verb == 'v' && s.Flag('#') {
		fmt.Fprint(s, e.GoString())
		return
	}
	fmt.Fprint(s, e.String())
}

// MarshalText returns String, so that encoders of JSON do not show the key.
func (e Entry) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// LogValue implements slog.LogValuer without the key.
func (e Entry) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("principal", e.Principal.String()),
		slog.Uint64("kvno", uint64(e.KVNO)),
		slog.Int("etype", int(e.KeyType)),
	)
}
