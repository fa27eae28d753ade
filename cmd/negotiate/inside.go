package main

import (
	"errors"
	"io/fs"
)

// inside is the file system of an os.Root. A path that leads out of it does not
// exist, as far as clients are concerned; the server would call it an error of
// its own.
type inside struct{ fs.FS }

// Open opens a file, or tells that there is none.
func (f inside) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return file, err
}
