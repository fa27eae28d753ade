package filestamp

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func stat(t *testing.T, path string) Stamp {
	t.Helper()
	s, err := Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStampChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "one")
	past := time.Unix(1700000000, 0)
	reset := func() { // so that only what the case changes differs
		if err := os.Chtimes(path, past, past); err != nil {
			t.Fatal(err)
		}
	}
	reset()
	first := stat(t, path)
	if again := stat(t, path); again != first || first.IsZero() {
		t.Errorf("an unchanged file has the stamps %+v and %+v", first, again)
	}
	write(t, path, "more")
	reset()
	if s := stat(t, path); s == first {
		t.Error("a file of another size has the same stamp")
	}
	write(t, path, "two")
	if s := stat(t, path); s == first {
		t.Error("a file modified later has the same stamp")
	}
	if hasModes {
		if err := Replace(path, []byte("one")); err != nil {
			t.Fatal(err)
		}
		reset()
		if s := stat(t, path); s == first {
			t.Error("another file of the same size and time has the same stamp")
		}
	}
	if _, err := Stat(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "12345")
	b, s, err := Read(path, 5)
	if err != nil || string(b) != "12345" || s != stat(t, path) {
		t.Errorf("got %q, %+v, %v", b, s, err)
	}
	if _, _, err := Read(path, 4); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is too large: %v", err)
	}
	if _, _, err := Read(filepath.Dir(path), 5); err == nil {
		t.Error("a folder is read")
	}
	if _, _, err := Read(path+"x", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "two"} {
		if err := Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, s, err := Read(path, 10); err != nil || string(b) != text || hasModes && s.Perm != 0o600 {
			t.Errorf("got %q, %+v, %v", b, s, err)
		}
	}
	if err := Replace(filepath.Join(dir, "none", "f"), nil); err == nil {
		t.Error("a missing folder is no error")
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "d"), nil); err == nil {
		t.Error("a folder is replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("after failures the folder has %v (%v), want f and d only", entries, err)
	}
}

func TestExposed(t *testing.T) {
	if !hasModes {
		t.Skip("this system has no modes")
	}
	for mode, want := range map[fs.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o604: true} {
		if got := (Stamp{Perm: mode}).Exposed(); got != want {
			t.Errorf("mode %o: exposed %v", mode, got)
		}
	}
}
