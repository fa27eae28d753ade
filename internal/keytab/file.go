package keytab

import (
	"fmt"

	"github.com/go-negotiate/negotiate/internal/filestamp"
)

// ReadFile reads the keytab at path, a plain path without a "FILE:" prefix, and
// tells which version of the file that was. Errors name the path and wrap those
// of package os or [ErrFormat]. Whether others may read the file is in
// [filestamp.Stamp.Exposed]; it is no error.
func ReadFile(path string) (*Keytab, Stamp, error) {
	b, stamp, err := filestamp.Read(path, maxFile)
	if err != nil {
		return nil, Stamp{}, fmt.Errorf("keytab: %w", err)
	}
	k, err := Parse(b)
	if err != nil {
		return nil, Stamp{}, fmt.Errorf("keytab %s: %w", path, err)
	}
	return k, stamp, nil
}

// WriteFile writes k to path, readable by its owner only, and replaces what was
// there at once.
func WriteFile(path string, k *Keytab) error {
	b, err := k.Marshal()
	if err != nil {
		return err
	}
	if err := filestamp.Replace(path, b); err != nil {
		return fmt.Errorf("keytab %s: %w", path, err)
	}
	return nil
}
