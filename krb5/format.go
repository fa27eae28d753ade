package krb5

import (
	"fmt"
	"io"
	"log/slog"
)

// Contexts hold keys. However they are printed or logged, only what they are for
// is shown.

// String names the target.
func (c *initiator) String() string { return "krb5 initiator context for " + c.target.String() }

// Format writes what String returns.
func (c *initiator) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// LogValue logs what String returns.
func (c *initiator) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String names the keytab.
func (d *dispatcher) String() string { return "krb5 acceptor context from the keytab " + d.cred.path }

// LogValue logs what String returns.
func (d *dispatcher) LogValue() slog.Value { return slog.StringValue(d.String()) }
