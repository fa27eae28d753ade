//go:build !windows

package negotiate

import (
	"log/slog"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

// defaultProvider makes the provider of a Transport or Handler that has none.
func defaultProvider(logger *slog.Logger) (gss.Provider, error) {
	return krb5.New(krb5.Options{Logger: logger})
}
