package ccache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-negotiate/negotiate/internal/filestamp"
)

// File is a cache that is a file. The zero File is none.
type File struct {
	Path string
	// dir says that the file is one of a collection, whose folder Replace makes.
	dir bool
}

// String returns "FILE:" or, for one of a collection, "DIR::" and the path.
func (f File) String() string {
	if f.dir {
		return "DIR::" + f.Path
	}
	return "FILE:" + f.Path
}

// Version asks for the file's stamp.
func (f File) Version(context.Context) (Version, error) {
	stamp, err := filestamp.Stat(f.Path)
	return Version{file: stamp}, err
}

// Read is the function [Read].
func (f File) Read(ctx context.Context) (*Cache, Version, error) {
	c, stamp, err := Read(ctx, f.Path)
	return c, Version{file: stamp}, err
}

// Add is [AppendCredential].
func (f File) Add(ctx context.Context, c Credential) error { return AppendCredential(ctx, f.Path, c) }

// Replace is [WriteFile]. Where the path is a symbolic link, it writes to what
// that leads to, unless another user has put the link there, whose error wraps
// [ErrOtherUser].
func (f File) Replace(_ context.Context, c *Cache) error {
	if info, err := os.Lstat(f.Path); err == nil && info.Mode()&fs.ModeSymlink != 0 && !filestamp.Ours(info) {
		return fmt.Errorf("credential cache %s: %w", f.Path, ErrOtherUser)
	}
	path, err := filepath.EvalSymlinks(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = f.Path, nil
		if f.dir {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
	}
	if err != nil {
		return err
	}
	return WriteFile(path, c)
}

// DirFile is one file of a folder of caches.
func DirFile(path string) File { return File{Path: path, dir: true} }
