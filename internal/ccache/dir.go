package ccache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/filestamp"
)

// maxCollection bounds how many caches of a folder are looked at.
const maxCollection = 1024

// Dir is a folder of credential caches (DIR). Its files' names begin with "tkt";
// the file "primary" names the one to use by default.
type Dir struct {
	Path string
}

// String returns "DIR:" and the path.
func (d Dir) String() string { return "DIR:" + d.Path }

// Primary returns the default cache. A folder without a "primary" file has "tkt"
// as its default, as in MIT.
func (d Dir) Primary(context.Context) (Store, error) {
	path := filepath.Join(d.Path, "primary")
	b, _, err := filestamp.Read(path, 1024)
	if errors.Is(err, fs.ErrNotExist) {
		return d.file("tkt"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("credential cache collection: %w", err)
	}
	name, _, terminated := strings.Cut(string(b), "\n")
	if !terminated || !isCacheName(name) {
		return nil, fmt.Errorf(`credential cache collection %s: want a line with the name of a file that begins with "tkt"`, path)
	}
	return d.file(name), nil
}

func (d Dir) file(name string) File { return File{Path: filepath.Join(d.Path, name), dir: true} }

// isCacheName guards against a name that leads out of the folder.
func isCacheName(name string) bool {
	return strings.HasPrefix(name, "tkt") && !strings.ContainsAny(name, `/\`)
}

// Stores returns the caches: the primary first, if its file exists, then the
// others by name. A missing folder has none.
func (d Dir) Stores(ctx context.Context) ([]Store, error) {
	entries, err := os.ReadDir(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("credential cache collection: %w", err)
	}
	primary, err := d.Primary(ctx)
	if err != nil {
		return nil, err
	}
	var stores []Store
	for _, e := range entries {
		if isCacheName(e.Name()) && !e.IsDir() && len(stores) < maxCollection {
			stores = append(stores, d.file(e.Name()))
		}
	}
	if i := slices.Index(stores, primary); i > 0 {
		stores = slices.Insert(slices.Delete(stores, i, i+1), 0, primary)
	}
	return stores, nil
}

// New returns a cache with a name that nobody else has.
func (d Dir) New(context.Context) (Store, error) { return d.file("tkt" + rand.Text()), nil }
