package ccache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// dir was made by MIT's kinit, first for alice and then for bob.
func TestCollectionMIT(t *testing.T) {
	c := Dir{"testdata/dir"}
	got, err := c.Stores(t.Context())
	want := []Store{c.file("tktETr3kC"), c.file("tkt")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want bob's, the primary, first: %v", got, err, want)
	}
	for i, who := range []principal.Name{bob, alice} {
		if path, err := Find(t.Context(), c, who); err != nil || path != want[i] {
			t.Errorf("%v: got %v, %v; want %v", who, path, err, want[i])
		}
	}
	_, err = Find(t.Context(), c, web)
	if !errors.Is(err, ErrNoCache) || !strings.Contains(err.Error(), "HTTP/web.x.test@X.TEST") {
		t.Errorf("for a stranger: %v", err)
	}
}

func TestCollection(t *testing.T) {
	c := Dir{t.TempDir()}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(c.Path, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if path, err := c.Primary(t.Context()); err != nil || path.String() != "DIR::"+filepath.Join(c.Path, "tkt") {
		t.Errorf("without a primary file: %v, %v", path, err)
	}
	if paths, err := c.Stores(t.Context()); err != nil || len(paths) != 0 {
		t.Errorf("an empty folder: %v, %v", paths, err)
	}
	if paths, err := (Dir{filepath.Join(c.Path, "none")}).Stores(t.Context()); err != nil || len(paths) != 0 {
		t.Errorf("a missing folder: %v, %v", paths, err)
	}

	write("tktB", "x")
	write("tktA", "x")
	write("other", "x")
	write("primary", "tktB\n")
	if err := os.Mkdir(filepath.Join(c.Path, "tktdir"), 0o700); err != nil {
		t.Fatal(err)
	}
	paths, err := c.Stores(t.Context())
	want := []Store{c.file("tktB"), c.file("tktA")}
	if err != nil || !slices.Equal(paths, want) {
		t.Errorf("got %v, %v; want %v", paths, err, want)
	}
	if _, err := Find(t.Context(), c, alice); !errors.Is(err, ErrNoCache) {
		t.Errorf("among broken files: %v", err)
	}
}

func TestPrimaryRefuses(t *testing.T) {
	c := Dir{t.TempDir()}
	for _, text := range []string{"", "tkt", "other\n", "../tkt\n", "tkt/../../x\n", `tkt\x` + "\n", "\n"} {
		if err := os.WriteFile(filepath.Join(c.Path, "primary"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if path, err := c.Primary(t.Context()); err == nil {
			t.Errorf("primary with %q: got %v, want an error", text, path)
		}
	}
}

func TestReadFileMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if _, _, err := ReadFile(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
