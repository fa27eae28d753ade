package ccache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-negotiate/negotiate/internal/filestamp"
)

// ErrOtherClient is returned for a credential that is to be added to a cache of
// another client.
var ErrOtherClient = errors.New("the credential cache belongs to another principal")

// ErrOtherUser is wrapped where a ticket was to be written to what another user of
// the machine has put there.
var ErrOtherUser = errors.New("it belongs to another user of this machine")

// AppendCredential adds a credential to the cache at path, as a C library does
// with a service ticket that it has fetched. It locks the file as MIT does,
// where the system has such locks, and waits for other holders until ctx ends.
//
// The cache must be of version 3 or 4 and belong to the credential's client,
// or the error wraps [ErrFormat] or [ErrOtherClient]. A file of another user wraps
// [ErrOtherUser]: in a folder such as /tmp he may have been there first, to see
// what comes.
func AppendCredential(ctx context.Context, path string, c Credential) error {
	// kinit replaces the file; then the one that we have locked is nobody's.
	for range 10 {
		current, err := appendOnce(ctx, path, c)
		if err != nil {
			return fmt.Errorf("credential cache %s: %w", path, err)
		}
		if current {
			return nil
		}
	}
	return fmt.Errorf("credential cache %s: it was replaced again and again", path)
}

// appendOnce reports false if the file was replaced before it was locked.
func appendOnce(ctx context.Context, path string, c Credential) (current bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !filestamp.Ours(info) {
		return false, ErrOtherUser
	}
	if err := lock(ctx, f); err != nil {
		return false, fmt.Errorf("locking it: %w", err)
	}
	if current, err := isAt(f, path); !current || err != nil {
		return false, err
	}
	b, _, err := filestamp.ReadFrom(f, MaxSize)
	if err != nil {
		return false, err
	}
	cache, err := Parse(b)
	if err != nil {
		return false, err
	}
	version := int(b[1])
	switch {
	case version < 3:
		return false, fmt.Errorf("%w: nothing is added to version %d; renew it with kinit", ErrFormat, version)
	case !cache.Principal.Equal(c.Client):
		return false, otherClient(cache, c)
	}
	// One write, so that the file never ends within a credential.
	if _, err := f.Write(appendCredential(nil, version, c)); err != nil {
		return false, err
	}
	return true, nil
}

func otherClient(cache *Cache, c Credential) error {
	return fmt.Errorf("%w: it is %s's, the ticket %s's", ErrOtherClient, cache.Principal, c.Client)
}

// isAt tells whether f is still the file at path.
func isAt(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return os.SameFile(open, named), nil
}

// sleep waits for d or until ctx ends, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
