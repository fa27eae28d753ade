package ccache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-negotiate/negotiate/internal/filestamp"
)

// ReadFile reads the cache at path, a plain path without a "FILE:" prefix, and
// tells which version of the file that was. Errors name the path and wrap those
// of package os or [ErrFormat]. Whether others may read the file is in
// [filestamp.Stamp.Exposed]; it is no error.
func ReadFile(path string) (*Cache, Stamp, error) {
	b, stamp, err := filestamp.Read(path, MaxSize)
	if err != nil {
		return nil, Stamp{}, fmt.Errorf("credential cache: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return nil, Stamp{}, fmt.Errorf("credential cache %s: %w", path, err)
	}
	return c, stamp, nil
}

// Read is ReadFile for a file that another process may be writing just now, as
// kinit does, which creates an empty file first: one that ends too early is read
// again for some 60 milliseconds or until ctx ends.
func Read(ctx context.Context, path string) (*Cache, Stamp, error) {
	for pause := 2 * time.Millisecond; ; pause *= 2 {
		c, stamp, err := ReadFile(path)
		if !errors.Is(err, io.ErrUnexpectedEOF) || pause > 32*time.Millisecond || sleep(ctx, pause) != nil {
			return c, stamp, err
		}
	}
}

// WriteFile writes c to path, readable by its owner only, and replaces what was
// there at once.
func WriteFile(path string, c *Cache) error {
	if err := filestamp.Replace(path, c.Marshal()); err != nil {
		return fmt.Errorf("credential cache %s: %w", path, err)
	}
	return nil
}
