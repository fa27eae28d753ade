// Package filestamp reads and replaces small files that other processes change
// too, such as credential caches and keytabs, and tells their versions apart.
package filestamp

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Stamp identifies one version of a file. Two stamps of a path are equal when
// the file has not been changed or replaced in between, as far as the file
// system's clock tells (its steps are some milliseconds, and the size and the
// inode are compared as well). The zero Stamp equals that of no file.
type Stamp struct {
	ModTime int64 // nanoseconds since 1970
	Size    int64
	Inode   uint64 // 0 where the system has none
	Device  uint64 // 0 where the system has none
	Perm    fs.FileMode
}

// Of returns the stamp of the file that info describes.
func Of(info fs.FileInfo) Stamp {
	s := Stamp{ModTime: info.ModTime().UnixNano(), Size: info.Size(), Perm: info.Mode().Perm()}
	s.Inode, s.Device = fileID(info)
	return s
}

// Stat returns the stamp of the file at path now. The error is that of os.Stat.
func Stat(path string) (Stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}, err
	}
	return Of(info), nil
}

// IsZero reports whether s is the stamp of no file.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Exposed reports whether the file's mode lets others than its owner and group
// read it: worth a warning for a file that has keys. It is false on systems
// without such modes.
func (s Stamp) Exposed() bool { return hasModes && s.Perm&0o004 != 0 }

// Read returns the content of the regular file at path and the stamp of the
// version read. It refuses a file of more than limit octets before it
// allocates, and anything that is no regular file, such as a pipe that would
// block. Errors name the path and wrap those of package os.
func Read(path string, limit int64) ([]byte, Stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, Stamp{}, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, Stamp{}, err
	}
	defer f.Close()
	return ReadFrom(f, limit)
}

// ReadFrom is Read for an open file, from its present position.
func ReadFrom(f *os.File, limit int64) ([]byte, Stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, Stamp{}, err
	}
	if info.Size() > limit {
		return nil, Stamp{}, tooLarge(f.Name(), limit)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, Stamp{}, err
	}
	if int64(len(b)) > limit {
		return nil, Stamp{}, tooLarge(f.Name(), limit)
	}
	return b, Of(info), nil
}

func tooLarge(path string, limit int64) error {
	return fmt.Errorf("%s: larger than the %d octets that are read at most", path, limit)
}
