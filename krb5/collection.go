package krb5

import (
	"strings"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

func defaultCCacheName(p *Provider) string {
	return ccache.DefaultName(p.env.Getenv, p.conf.DefaultCCacheName, p.env.UID)
}

// resolveCCache returns the file that a cache's name stands for. Of a
// collection it is the cache of want, or the primary if want is zero.
func resolveCCache(name ccache.Name, label string, want principal.Name) (string, error) {
	switch {
	case name.Type == ccache.TypeFile:
		return name.Residual, nil
	case name.Type == ccache.TypeDir && strings.HasPrefix(name.Residual, ":"):
		return name.Residual[1:], nil
	case name.Type != ccache.TypeDir:
		return "", noCred("credential caches of type %s, as in %s, cannot be read: set KRB5CCNAME to a FILE: or DIR: cache and run kinit", name.Type, label)
	}
	collection := ccache.Collection{Dir: name.Residual}
	if want.IsZero() {
		path, err := collection.Primary()
		if err != nil {
			return "", noCred("the collection %s: %w", label, err)
		}
		return path, nil
	}
	path, err := collection.Find(want)
	if err != nil {
		return "", noCred("the collection %s has no cache of %s: run kinit %s: %w", label, want, want, err)
	}
	return path, nil
}
