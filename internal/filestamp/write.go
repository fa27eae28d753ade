package filestamp

import (
	"os"
	"path/filepath"
)

// Replace makes b the content of the file at path, readable by its owner only.
// It writes a new file in the same folder and renames it, so that a reader
// sees the old content or the new one and nothing between; on an error the old
// file stays. A symbolic link at path is replaced, not followed.
func Replace(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
