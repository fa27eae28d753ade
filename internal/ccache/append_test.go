package ccache

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// ticketFor returns alice's ticket for the n-th service.
func ticketFor(n int) Credential {
	c := fullCredential()
	c.Server = principal.Name{Type: principal.TypeSrvHst, Realm: "X.TEST", Components: []string{"HTTP", strconv.Itoa(n)}}
	return c
}

func TestAppendCredential(t *testing.T) {
	for _, file := range []string{"v3.ccache", "v4.ccache"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		want := load(t, file)
		want.Creds = append(want.Creds, ticketFor(0))
		if err := AppendCredential(t.Context(), path, ticketFor(0)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if got, _, err := ReadFile(path); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v; want %v", file, got, err, want)
		}
	}
}

// However many append at once, each credential arrives whole.
func TestAppendConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cc")
	if err := WriteFile(path, &Cache{Principal: alice}); err != nil {
		t.Fatal(err)
	}
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := AppendCredential(t.Context(), path, ticketFor(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, _, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, cred := range c.Creds {
		seen[cred.Server.String()] = true
	}
	if len(c.Creds) != n || len(seen) != n {
		t.Errorf("%d tickets for %d services arrived, want %d", len(c.Creds), len(seen), n)
	}
}

func TestAppendRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cc")
	if err := WriteFile(path, &Cache{Principal: bob}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := AppendCredential(t.Context(), path, ticketFor(0)); !errors.Is(err, ErrOtherClient) {
		t.Errorf("alice's ticket for bob's cache: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("bob's cache has changed (%v)", err)
	}
	if err := AppendCredential(t.Context(), filepath.Join(dir, "none"), ticketFor(0)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing cache: %v", err)
	}
	old, err := os.ReadFile("testdata/v2.ccache")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := AppendCredential(t.Context(), path, ticketFor(0)); !errors.Is(err, ErrFormat) {
		t.Errorf("a cache of version 2: %v", err)
	}
}

// A cache that is being written is read once it is whole.
func TestReadWhileWritten(t *testing.T) {
	whole, err := os.ReadFile("testdata/v4.ccache")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cc")
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Error(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		write(nil)
		go func() {
			time.Sleep(5 * time.Millisecond)
			write(whole)
		}()
		c, _, err := Read(t.Context(), path)
		if err != nil || len(c.Creds) != 2 {
			t.Errorf("got %v, %v", c, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		write(whole[:len(whole)-1])
		start := time.Now()
		if c, _, err := Read(t.Context(), path); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a file that stays cut off: %v, %v", c, err)
		}
		if waited := time.Since(start); waited == 0 || waited > 100*time.Millisecond {
			t.Errorf("waited %v for the rest", waited)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if c, _, err := Read(ctx, path); !errors.Is(err, io.ErrUnexpectedEOF) || time.Since(start) != 0 {
			t.Errorf("with an ended context: %v, %v after %v", c, err, time.Since(start))
		}
	})
}
