package negotiate

import (
	"log/slog"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/sspi"
)

// defaultProvider makes the provider of a Transport or Handler that has none:
// the login session of Windows.
func defaultProvider(*slog.Logger) (gss.Provider, error) {
	return sspi.New(sspi.Options{})
}
