//go:build !unix

package ccache

import (
	"context"
	"os"
)

// lock does nothing where there are no POSIX locks. What is added to a cache is
// written by one call, so that another writer's credential stays whole.
func lock(context.Context, *os.File) error { return nil }
