package ccache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// maxCollection bounds how many caches of a folder are looked at.
const maxCollection = 1024

// ErrNoCache is returned when a collection has no cache as wanted.
var ErrNoCache = errors.New("no such credential cache")

// Collection is a folder of credential caches (DIR). Its files' names begin
// with "tkt"; the file "primary" names the one to use by default.
type Collection struct {
	Dir string
}

// Primary returns the path of the default cache, which need not exist yet. A
// folder without a "primary" file has "tkt" as its default, as in MIT.
func (c Collection) Primary() (string, error) {
	path := filepath.Join(c.Dir, "primary")
	b, _, err := filestamp.Read(path, 1024)
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(c.Dir, "tkt"), nil
	}
	if err != nil {
		return "", fmt.Errorf("credential cache collection: %w", err)
	}
	name, _, terminated := strings.Cut(string(b), "\n")
	if !terminated || !isCacheName(name) {
		return "", fmt.Errorf(`credential cache collection %s: want a line with the name of a file that begins with "tkt"`, path)
	}
	return filepath.Join(c.Dir, name), nil
}

// isCacheName guards against a name that leads out of the folder.
func isCacheName(name string) bool {
	return strings.HasPrefix(name, "tkt") && !strings.ContainsAny(name, `/\`)
}

// Caches returns the paths of the collection's caches: the primary first, if
// its file exists, then the others by name. A missing folder has none.
func (c Collection) Caches() ([]string, error) {
	entries, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("credential cache collection: %w", err)
	}
	primary, err := c.Primary()
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if isCacheName(e.Name()) && !e.IsDir() && len(paths) < maxCollection {
			paths = append(paths, filepath.Join(c.Dir, e.Name()))
		}
	}
	if i := slices.Index(paths, primary); i > 0 {
		paths = slices.Insert(slices.Delete(paths, i, i+1), 0, primary)
	}
	return paths, nil
}

// Find returns the path of the first cache that belongs to client. Files that
// cannot be read as a cache are passed over. The error wraps [ErrNoCache] if
// there is none.
func (c Collection) Find(client principal.Name) (string, error) {
	paths, err := c.Caches()
	if err != nil {
		return "", err
	}
	for _, path := range paths {
		if cache, _, err := ReadFile(path); err == nil && cache.Principal.Equal(client) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: none of %s in the collection DIR:%s; get one with kinit", ErrNoCache, client, c.Dir)
}
