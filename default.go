package negotiate

import "github.com/go-negotiate/negotiate/gss"

// defaultProvider makes the provider of a Transport or Handler that has none.
func defaultProvider() (gss.Provider, error) { return nil, ErrNoProvider }
